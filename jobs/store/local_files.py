"""Files that appear in a folder completely or not at all, and survive a power cut.

obstore's own put into a folder is atomic too, but does not wait for the disk.
"""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO

_CHUNK_BYTES = 1 << 20
_ATTEMPTS = 500  # of microseconds each
# Hidden, and no key begins with a dot: what is in there is not in the store yet.
_INCOMING = ".incoming"


def write(folder: Path, key: str, source: IO[bytes]) -> None:
    """Store an open file, read to its end, as the file `key` of the folder.

    Raises:
        OSError: the system refused; the file is unchanged.
    """
    incoming = folder / _INCOMING
    incoming.mkdir(mode=0o700, exist_ok=True)
    part = incoming / secrets.token_hex(8)
    try:
        with part.open("xb") as file:
            shutil.copyfileobj(source, file, _CHUNK_BYTES)
            file.flush()
            os.fsync(file.fileno())
        _publish(part, folder, key)
    finally:
        part.unlink(missing_ok=True)


def clear_unfinished(folder: Path, before_s: float) -> int:
    """Delete half-written files that killed programs have left; return their number.

    Args:
        folder: that of the store.
        before_s: only files last written before this time, unix time.

    Raises:
        OSError: the system refused.
    """
    count = 0
    for path in (folder / _INCOMING).glob("*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before_s:
                path.unlink()
                count += 1
    return count


def _publish(part: Path, folder: Path, key: str) -> None:
    """Move a finished file to its place and sync the folders."""
    target = folder / key
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
            break
        except (FileNotFoundError, FileExistsError):
            # Somebody has just deleted the last file of that folder, and the folder with it.
            if not attempts_left:
                raise
    for parent in target.parents:
        # A folder that is gone has no names to sync.
        with suppress(FileNotFoundError):
            opened = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)
        if parent == folder:
            break
