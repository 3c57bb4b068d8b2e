"""What our server of the queues is started by: it never outlives its parent, not even by kill -9.

    python child.py PROGRAM ARGUMENT...

The process becomes the program. A second one, its child, waits until the pipe on standard input is
closed, which happens whenever and however the parent ends, and then ends the program. It gets none
of the program's environment variables, which may hold secrets. Nothing but the standard library is
imported, so that starting takes a moment only.
"""

import os
import signal
import sys
import time

GRACE_S = 10.0  # until the program is killed
_GUARD = "--guard"
_FOR_GUARD = ("TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


def main(command: list[str]) -> None:
    """Becomes the program; never returns."""
    program = os.getpid()
    if os.fork() == 0:
        # Ctrl-C and the like are for the parent to answer; only SIGKILL ends the guard.
        for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(kind, signal.SIG_IGN)
        environment = {name: os.environ[name] for name in _FOR_GUARD if name in os.environ}
        words = [sys.executable, "-I", "-S", __file__, _GUARD, str(program)]
        os.execve(sys.executable, words, environment)  # noqa: S606 - no shell is the point
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.execv(command[0], command)  # noqa: S606 - no shell is the point


def _guard(program: int) -> None:
    """Ends `program` once nobody holds the other end of the pipe any more."""
    # Held open, these would keep the program's log and its locks from ending when it ends.
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.closerange(3, 1024)
    while os.read(0, 1024):
        pass
    deadline = time.monotonic() + GRACE_S
    # Only while it is our parent is it the program that we were told to end.
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
