"""The folder in which weights are stored: room, locks, whole files, and how refusals are told."""

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.errors import DiskFull, TooLittleRoom, WeightsFolderRefused

Say = Callable[[str], None]

_MB = 1_000_000


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A stretch of code that writes `path`.

    Raises:
        DiskFull: the system has no room left.
        WeightsFolderRefused: the system refused for another reason.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(path=str(path)) from exc
        reason = (exc.strerror or "it was refused").lower()
        raise WeightsFolderRefused(path=str(path), reason=reason) from exc


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A stretch of code that writes a file beside `target`, which then takes its place.

    If the stretch fails, `target` is as it was, and nothing is left beside it.

    Raises:
        OSError: `target` cannot be replaced.
    """
    # Hidden, and not ending as finished files do, so that nobody takes it for one.
    part = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def give_name(part: Path, target: Path) -> None:
    """Moves a finished file to its name, if nothing has that name; never replaces anything.

    Raises:
        FileExistsError: something has it; `part` stays where it is.
        OSError: the system refused for another reason.
    """
    try:
        # Unlike a rename, a second name is only given where there is none.
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:
        # Some disks know no second names.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        part.rename(target)
    else:
        part.unlink()


@contextmanager
def locked(folder: Path, name: str, say: Say) -> Iterator[None]:
    """A stretch of code that one process at a time runs for this name; the folder is there.

    Args:
        folder: made if need be.
        name: of the lock.
        say: told when another process has to be waited for.

    Raises:
        DiskFull, WeightsFolderRefused: the folder or the lock cannot be made.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - it belongs to the extra

    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{name}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            say(f"another process is at work on {name}: waiting for it")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def check_room(folder: Path, needed_bytes: int) -> None:
    """Nothing, if that much can be written into the folder.

    Raises:
        TooLittleRoom: it cannot.
    """
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise TooLittleRoom(
            folder=str(folder), free_mb=free_bytes // _MB, needed_mb=-(-needed_bytes // _MB)
        )
