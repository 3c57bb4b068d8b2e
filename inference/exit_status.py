"""Exit statuses of child processes: who ended the process."""

import signal

# A crash of the process itself, or one of the limits that we set.
_OWN_SIGNALS = frozenset(
    {
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSEGV,
        signal.SIGSYS,
        signal.SIGTRAP,
        signal.SIGXCPU,
        signal.SIGXFSZ,
    }
)


def outside_signal(status: int) -> str | None:
    """Name of the signal with which somebody else ended a process.

    The system's out-of-memory killer sends SIGKILL, and so may an operator. A process that we
    killed ourselves looks the same: the caller knows whether it did.

    Args:
        status: as `subprocess` tells it; negative: ended by that signal.

    Returns:
        None if the process exited, crashed or reached a limit.
    """
    if status >= 0 or -status in _OWN_SIGNALS:
        return None
    try:
        return signal.Signals(-status).name
    except ValueError:  # a real-time signal
        return f"signal {-status}"
