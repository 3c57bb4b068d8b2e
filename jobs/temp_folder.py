"""Temporary folders that do not outlive their process for long: a kill leaves them to the next one.

People's photos and videos lie in there. Each folder holds a lock for as long as its process lives;
whoever makes another one deletes those that nobody holds any more.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PREFIX = "animato-own-"
_LOCK = "lock"


@contextmanager
def temp_folder(place: Path | None = None) -> Iterator[Path]:
    """Make a folder for this process and delete it when the block ends.

    Folders whose processes were killed are deleted first.

    Args:
        place: where it is made; None: the system's temporary folder.

    Raises:
        OSError: it cannot be made.
    """
    where = Path(tempfile.gettempdir()) if place is None else place
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    _clear_abandoned(where)
    folder, lock = _locked_folder(where)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def own_temp_files() -> Iterator[None]:
    """Have this process and its children make all temporary files in a folder of its own.

    Where no folder can be made, whatever needs a temporary file will say so.
    """
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(temp_folder())
        except OSError:
            yield
            return
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before[0]
            if before[1] is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before[1]


def _locked_folder(where: Path) -> tuple[Path, int]:
    """A new folder, and the file with which it is held."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=where)).resolve()
        # Somebody may have taken it for an abandoned one before it was locked.
        with suppress(FileNotFoundError, BlockingIOError):
            lock = _lock(folder / _LOCK)
            if os.fstat(lock).st_nlink:
                return folder, lock
            os.close(lock)


def _clear_abandoned(where: Path) -> None:
    """Delete the folders that no living process holds."""
    for folder in where.glob(f"{PREFIX}*"):
        with suppress(OSError):
            # In a folder for everybody, others may have made something of that name.
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            lock = _lock(folder / _LOCK)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(path: Path) -> int:
    """The locked file; it is free again when it is closed, and when the process dies.

    Raises:
        BlockingIOError: somebody else holds it.
        OSError: the system refuses.
    """
    # Not inherited by the processes that are started.
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file
