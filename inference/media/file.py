"""Whether a person's file can be opened at all, told before any decoder sees it."""

import math
import os
import stat
from pathlib import Path

from jobs.errors import EmptyFile, FileMissing, FileUnreadable, MediaTooLarge


def check_file(path: Path, max_bytes: int) -> None:
    """Nothing, if `path` is a file with something in it and at most `max_bytes`.

    Raises:
        FileMissing: there is no such file.
        FileUnreadable: it is a folder, a pipe or a device, or it may not be read.
        EmptyFile: zero bytes.
        MediaTooLarge: more than `max_bytes`.
    """
    try:
        facts = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError) as exc:
        raise FileMissing(name=path.name) from exc
    except OSError as exc:
        reason = (exc.strerror or "it was refused").lower()
        raise FileUnreadable(name=path.name, reason=reason) from exc
    if stat.S_ISDIR(facts.st_mode):
        raise FileUnreadable(name=path.name, reason="it is a folder")
    # A pipe or a device would never end.
    if not stat.S_ISREG(facts.st_mode):
        raise FileUnreadable(name=path.name, reason="it is no plain file")
    if not os.access(path, os.R_OK):
        raise FileUnreadable(name=path.name, reason="permission denied")
    if facts.st_size == 0:
        raise EmptyFile(name=path.name)
    if facts.st_size > max_bytes:
        # Rounded away from each other, so that the sentence never says "64 MB, more than 64 MB".
        raise MediaTooLarge(
            name=path.name,
            size_mb=math.ceil(facts.st_size / 100_000) / 10,
            limit_mb=max_bytes // 100_000 / 10,
        )
