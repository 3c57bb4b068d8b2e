"""Exit statuses of child processes: who ended the process."""

import signal

# Crashes, and the resource limits that we set.
_OWN_SIGNALS = {
    *(signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV),
    *(signal.SIGSYS, signal.SIGTRAP, signal.SIGXCPU, signal.SIGXFSZ),
}


def outside_signal(status: int) -> str | None:
    """Return the name of the signal by which a process was killed from outside.

    The out-of-memory killer sends SIGKILL, and an operator may, too. A process that we killed
    ourselves looks the same; the caller knows whether it did.

    Args:
        status: the return code of `subprocess`; negative if a signal ended the process.

    Returns:
        None if the process exited, crashed or reached a limit.
    """
    if status >= 0 or -status in _OWN_SIGNALS:
        return None
    try:
        return signal.Signals(-status).name
    except ValueError:  # a real-time signal
        return f"signal {-status}"
