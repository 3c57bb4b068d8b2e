"""A worker's folder: people's photos lie there while they are worked on, and no longer."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jobs.service_errors import FolderRefused

_LOCK = "lock"
_PREFIX = "worker-"


@contextmanager
def work_folder(place: Path) -> Iterator[Path]:
    """A new folder in `place` while the block lasts; those of workers that were killed are deleted.

    Args:
        place: of all workers on this machine; it is made if need be.

    Raises:
        FolderRefused: it cannot be.
    """
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Else somebody might take a folder that is just being made for an abandoned one.
        with _locked(place / _LOCK):
            _clear_abandoned(place)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place)).resolve()
            held = _locked(folder / _LOCK)
            held.__enter__()
    except OSError as exc:
        reason = (exc.strerror or "it was refused").lower()
        raise FolderRefused(folder=str(place), reason=reason) from exc
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        held.__exit__(None, None, None)


def _clear_abandoned(place: Path) -> None:
    """Deletes the folders that no living worker holds."""
    for folder in place.glob(f"{_PREFIX}*"):
        with suppress(OSError), _locked(folder / _LOCK, waits=False):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(path: Path, *, waits: bool = True) -> Iterator[None]:
    """A stretch of code during which nobody else holds the file; its end frees it, a kill too.

    Raises:
        OSError: somebody holds it, and it is not to be waited for; or the system refused.
    """
    # Not inherited by the processes that a worker starts.
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        yield
    finally:
        os.close(file)
