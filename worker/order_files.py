"""The files of an order: its photo, its clip and that clip's track, its voice and its curves.

A track is measured by the first render of a clip, and shared through the file store. The engine
reads and writes it beside the clip. It can always be measured again, so no order fails because of
it.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from inference.process.setup import TRACK_SUFFIX
from jobs.service_errors import StoreError
from jobs.store.files import FileStore
from jobs.store.keys import folder_of, track_key
from jobs.wish import Wish

log = logging.getLogger(__name__)

MAX_TRACK_BYTES = 1 << 25
"""More than the longest track has: 3600 frames, 7.2 KB each before compression."""


@asynccontextmanager
async def order_files(wish: Wish, store: FileStore, folder: Path) -> AsyncIterator[Wish]:
    """Fetch a wish's files; yield it with their paths.

    If the block writes another track of the clip, that is stored.

    Raises:
        StoreError: a file cannot be fetched; a track can be missing.
        DiskFull: there is no space for a file.
    """
    wanted = {wish.photo.file: folder / "photo.png"}
    if wish.clip is not None:
        wanted[wish.clip.file] = folder / "clip.mp4"
    if wish.voice is not None:
        wanted[wish.voice.file] = folder / "voice.m4a"
        wanted[wish.voice.curves] = folder / "voice.npz"
    for key, path in wanted.items():
        await store.fetch(key, path)
    moved = wish.with_files({key: str(path) for key, path in wanted.items()})
    if wish.clip is None or moved.clip is None:
        yield moved
        return
    async with _track(wish.clip.file, store, moved.clip.path.with_suffix(TRACK_SUFFIX)):
        yield moved


@asynccontextmanager
async def _track(clip: str, store: FileStore, path: Path) -> AsyncIterator[None]:
    """Fetch a clip's track to `path`, if it is stored; store it if the block replaces the file."""
    key = track_key(clip)
    if key is None:
        yield
        return
    try:
        async for file in store.listing(folder_of(key)):
            if file.key == key and file.size_bytes <= MAX_TRACK_BYTES:
                await store.fetch(key, path)
    except StoreError as error:
        log.warning("measuring the clip again: %s", error)
    before = _version(path)
    yield
    try:
        is_new = _version(path) not in (before, None) and path.stat().st_size <= MAX_TRACK_BYTES
        # A clip that is gone was deleted during the render, and its track with it.
        if is_new and await store.exists(clip):
            await store.put(key, path)
    except StoreError as error:
        log.warning("could not store the clip's track: %s", error)


def _version(path: Path) -> tuple[int, int] | None:
    """Return a value that changes when the file is replaced; None if there is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns
