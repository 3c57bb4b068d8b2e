"""Files that come to be in a folder whole or not at all, and stay there when the power fails.

The library's own put into a folder is as whole, but does not wait for the disk.
"""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO

_CHUNK_BYTES = 1 << 20
_ATTEMPTS = 500  # of microseconds each
# Hidden, and no key begins like this: what lies there is not in the store yet.
_INCOMING = ".incoming"


def write(folder: Path, key: str, source: IO[bytes]) -> None:
    """Stores what `source` gives, to its end, as the file `key` of the folder.

    Raises:
        OSError: the system refused; the file is as it was.
    """
    incoming = folder / _INCOMING
    incoming.mkdir(mode=0o700, exist_ok=True)
    part = incoming / secrets.token_hex(8)
    try:
        with part.open("xb") as file:
            shutil.copyfileobj(source, file, _CHUNK_BYTES)
            file.flush()
            os.fsync(file.fileno())
        _move(part, folder / key)
    finally:
        part.unlink(missing_ok=True)
    for parent in (folder / key).parents:
        _sync(parent)
        if parent == folder:
            break


def clear_unfinished(folder: Path, before_s: float) -> int:
    """Deletes what killed programs have left half written; how many there were.

    Args:
        folder: that of the store.
        before_s: only what was last written before this moment, Unix time.

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


def _move(part: Path, target: Path) -> None:
    """Gives a finished file its place; its folder is made."""
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
        except (FileNotFoundError, FileExistsError):
            # Somebody has just deleted the last file of that folder, and the folder with it.
            if not attempts_left:
                raise
        else:
            return


def _sync(folder: Path) -> None:
    """Waits until the disk has the folder's names; a folder that is gone has none."""
    with suppress(FileNotFoundError):
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
