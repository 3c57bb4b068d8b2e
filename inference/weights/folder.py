"""The folder in which weights are stored: names, locks, free space and errors."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.errors import DiskFull, os_reason
from jobs.weights_errors import TooLittleRoom, WeightsFolderRefused

Say = Callable[[str], None]

CONVERTED_SUFFIX = ".safetensors"
_SUFFIXES = (".pth.tar", ".pth", ".pt", ".tar", CONVERTED_SUFFIX)
_MB = 1_000_000


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn each OSError of a block that writes `path` into one of our errors.

    Raises:
        DiskFull: the disk is full.
        WeightsFolderRefused: the system refused for another reason.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(path=str(path)) from exc
        raise WeightsFolderRefused(path=str(path), reason=os_reason(exc)) from exc


def rename_new(part: Path, target: Path) -> None:
    """Rename `part` to `target` without ever replacing a file.

    Raises:
        FileExistsError: `target` exists; `part` is unchanged.
        OSError: the system refused for another reason.
    """
    try:
        # Unlike a rename, a hard link fails if its name is taken.
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems have no hard links.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        part.rename(target)
    else:
        part.unlink()


@contextmanager
def locked(folder: Path, name: str, say: Say) -> Iterator[None]:
    """Let one process at a time run a block for this name.

    Args:
        folder: created if it does not exist.
        name: of the lock.
        say: called with a sentence if another process has to be waited for.

    Raises:
        DiskFull, WeightsFolderRefused: the folder or the lock cannot be created.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - part of the extra

    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{name}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            say(f"waiting for another process that is working on {name}")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def check_free_space(folder: Path, needed_bytes: int) -> None:
    """Raise unless the disk of `folder` has `needed_bytes` left.

    Raises:
        TooLittleRoom: it has less.
    """
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise TooLittleRoom(
            folder=str(folder), free_mb=free_bytes // _MB, needed_mb=-(-needed_bytes // _MB)
        )


def existing(path: Path) -> Path:
    """Return the path, or that of a safetensors file in the place of a missing .pth file."""
    other = path.with_suffix(CONVERTED_SUFFIX)
    return other if path.suffix == ".pth" and other.exists() and not path.exists() else path


def stem_of(name: str) -> str:
    """Return a published file's name without its suffixes."""
    for suffix in _SUFFIXES:
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return Path(name).stem
