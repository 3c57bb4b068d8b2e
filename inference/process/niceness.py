"""How a process leaves the cores to others."""

import os
from contextlib import suppress
from pathlib import Path


def stand_back(niceness: int) -> None:
    """Lowers this process's priority.

    Args:
        niceness: how far it stands back behind others on the same cores, 0 to 19.
    """
    os.nice(niceness)
    # Where Linux shares the cores among sessions, only that of the session counts.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(niceness), "ascii")
