"""Start a program that never outlives its parent, not even when the parent is killed with -9.

    python child_guard.py PROGRAM ARGUMENT...

This process becomes the program. Its child, the guard, waits until the pipe on standard input is
closed, which happens however the parent ends, and then terminates the program. The guard gets none
of the program's environment variables, which may hold secrets. Only the standard library is
imported, so that starting is quick.
"""

import os
import signal
import sys
import time

GRACE_S = 10.0  # from SIGTERM to SIGKILL
_GUARD = "--guard"
_GUARD_VARIABLES = ("TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


def main(command: list[str]) -> None:
    """Become the program; never returns."""
    program = os.getpid()
    if os.fork() == 0:
        # The parent answers Ctrl-C and the like; only SIGKILL ends the guard.
        for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(kind, signal.SIG_IGN)
        environment = {name: os.environ[name] for name in _GUARD_VARIABLES if name in os.environ}
        arguments = [sys.executable, "-I", "-S", __file__, _GUARD, str(program)]
        os.execve(sys.executable, arguments, environment)  # noqa: S606 - no shell is the point
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.execv(command[0], command)  # noqa: S606 - no shell is the point


def _guard(program: int) -> None:
    """Terminate `program` once the other end of the pipe is closed."""
    # If the guard held these open, the program's log and locks would outlive it.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.closerange(3, 1024)
    while os.read(0, 1024):
        pass
    deadline = time.monotonic() + GRACE_S
    # The process id belongs to the program only while it is our parent.
    if os.getppid() == program:
        os.kill(program, signal.SIGTERM)
    while os.getppid() == program and time.monotonic() < deadline:
        time.sleep(0.02)
    if os.getppid() == program:
        os.kill(program, signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] == _GUARD:
        _guard(int(sys.argv[2]))
    else:
        main(sys.argv[1:])
