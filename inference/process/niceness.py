"""Lower a process's priority."""

import os
from contextlib import suppress
from pathlib import Path


def lower_priority(niceness: int) -> None:
    """Lower this process's priority.

    Args:
        niceness: 0 to 19.
    """
    os.nice(niceness)
    # With autogroups, Linux shares the cores among sessions, and only their niceness counts.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(niceness), "ascii")
