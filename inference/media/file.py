"""Check that a person's file can be opened, before a decoder reads it; write files as a whole."""

import errno
import math
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.errors import (
    AnimatoError,
    DiskFull,
    EmptyFile,
    FileMissing,
    FileUnreadable,
    MediaTooLarge,
    OutputNotWritable,
    os_reason,
)


def write_error(target: Path, exc: OSError) -> AnimatoError:
    """Return the error for an output file that could not be written."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(path=str(target))
    return OutputNotWritable(path=str(target), reason=os_reason(exc))


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield the path of a temporary file that replaces `target` when the block ends.

    If the block fails, `target` is unchanged and the temporary file is deleted.

    Raises:
        OSError: `target` cannot be replaced.
    """
    # Hidden, and short: the name of `target` may be as long as the file system allows.
    part = target.with_name(f".animato-{secrets.token_hex(6)}")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def check_file(path: Path, max_bytes: int) -> None:
    """Raise unless `path` is a non-empty file of at most `max_bytes`.

    Raises:
        FileMissing: the file does not exist.
        FileUnreadable: it is a folder, a pipe or a device, or reading it is not permitted.
        EmptyFile: it has zero bytes.
        MediaTooLarge: it has more than `max_bytes`.
    """
    try:
        facts = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError) as exc:
        raise FileMissing(name=path.name) from exc
    except OSError as exc:
        raise FileUnreadable(name=path.name, reason=os_reason(exc)) from exc
    if stat.S_ISDIR(facts.st_mode):
        raise FileUnreadable(name=path.name, reason="it is a folder")
    # A pipe or a device would never end.
    if not stat.S_ISREG(facts.st_mode):
        raise FileUnreadable(name=path.name, reason="it is not a regular file")
    if not os.access(path, os.R_OK):
        raise FileUnreadable(name=path.name, reason="permission denied")
    if facts.st_size == 0:
        raise EmptyFile(name=path.name)
    if facts.st_size > max_bytes:
        # Rounded in opposite directions, so that it never says "64 MB, more than 64 MB".
        raise MediaTooLarge(
            name=path.name,
            size_mb=math.ceil(facts.st_size / 100_000) / 10,
            limit_mb=max_bytes // 100_000 / 10,
        )


def check_output(target: Path) -> None:
    """Raise unless a file can be written at `target`; called before a long computation.

    Raises:
        OutputNotWritable: the folder is missing or cannot be written, or `target` is a folder.
        DiskFull: the disk is full.
    """
    folder = target.parent
    try:
        if not folder.is_dir():
            reason = f"there is no folder {folder}"
        elif target.is_dir():
            reason = "it is a folder"
        else:
            # Unnamed where the system supports it, so that nothing can be left behind.
            with tempfile.TemporaryFile(dir=folder):
                return
    except OSError as exc:
        raise write_error(target, exc) from exc
    raise OutputNotWritable(path=str(target), reason=reason)
