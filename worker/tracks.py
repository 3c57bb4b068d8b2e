"""Tracks of clips: measured by the first render, and shared through the file store.

The engine reads and writes a track beside the clip (`ClipFindings.track_path`). A track can always
be measured again, so no order fails because of it.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from jobs.service_errors import StoreError
from jobs.store.files import FileStore
from jobs.store.keys import folder_of, track_key
from jobs.wish import ClipFindings

log = logging.getLogger(__name__)

MAX_TRACK_BYTES = 1 << 25
"""More than the longest track has: 3600 frames, 7.2 KB each before compression."""


@asynccontextmanager
async def shared_track(
    store: FileStore, stored: ClipFindings | None, fetched: ClipFindings | None
) -> AsyncIterator[None]:
    """Fetch the track of a clip, if there is one; store it if the block writes another one.

    Args:
        store: where workers share tracks.
        stored: the clip; its file is a key.
        fetched: the same clip; its file is a path.

    Raises:
        DiskFull: there is no space for the track.
        OSError: it cannot be written beside the clip.
    """
    key = None if stored is None else track_key(stored.file)
    if key is None or stored is None or fetched is None:
        yield
        return
    path = fetched.track_path
    try:
        await _fetch(store, key, path)
    except StoreError as error:
        log.warning("the clip's track is measured: %s", error)
    before = _version(path)
    yield
    try:
        # A clip that is gone was deleted during the render, and its track with it.
        if _version(path) not in (before, None) and await store.exists(stored.file):
            await _put(store, key, path)
    except StoreError as error:
        log.warning("the clip's track is not stored: %s", error)


async def _fetch(store: FileStore, key: str, path: Path) -> None:
    async for file in store.listing(folder_of(key)):
        if file.key == key and file.size_bytes <= MAX_TRACK_BYTES:
            await store.fetch(key, path)


async def _put(store: FileStore, key: str, path: Path) -> None:
    if path.stat().st_size <= MAX_TRACK_BYTES:
        await store.put(key, path)


def _version(path: Path) -> tuple[int, int] | None:
    """What changes when the file is replaced; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns
