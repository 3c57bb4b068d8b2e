"""Temporary folders that are deleted even after their process was killed.

They contain people's photos and videos. Each folder is locked while its process lives; whoever
creates another one deletes those that are no longer locked.
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
def temp_folder(parent: Path | None = None) -> Iterator[Path]:
    """Create a folder for this process and delete it when the block ends.

    Folders of processes that were killed are deleted first.

    Args:
        parent: where it is created; None: the system's temporary folder.

    Raises:
        OSError: it cannot be created.
    """
    where = Path(tempfile.gettempdir()) if parent is None else parent
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
    """Let this process and its children create all temporary files in a folder of its own.

    If none can be created, whatever needs a temporary file will report it.
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
    """Create a folder and lock it; return it with its lock file."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=where)).resolve()
        # Somebody may have deleted it as abandoned before it was locked.
        with suppress(FileNotFoundError, BlockingIOError):
            lock = _lock(folder / _LOCK)
            if os.fstat(lock).st_nlink:
                return folder, lock
            os.close(lock)


def _clear_abandoned(where: Path) -> None:
    """Delete the folders that are not locked by a live process."""
    for folder in where.glob(f"{PREFIX}*"):
        with suppress(OSError):
            # In a shared folder, others may have created something of that name.
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            lock = _lock(folder / _LOCK)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(path: Path) -> int:
    """Lock a file until it is closed or the process dies.

    Raises:
        BlockingIOError: another process holds the lock.
        OSError: the system refuses.
    """
    # Not inherited by child processes.
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file
