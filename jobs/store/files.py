"""The file store: a folder on one machine, an S3-compatible store for several.

    store = FileStore.open(url)
    await store.put(key, path)
    await store.fetch(key, path)

A file is there whole or not at all, whatever happens while it is written. Keys are those of
`keys.py`. Of an address, only its bucket or folder is ever told: it may hold keys.
"""

import asyncio
import errno
import logging
import os
import re
import secrets
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Self

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from jobs.errors import DiskFull
from jobs.service_errors import FileGone, StoreFull, StoreUnavailable
from jobs.store import local_files
from jobs.store.address import OpenStore, Patience, opened
from jobs.store.keys import checked, is_key

log = logging.getLogger(__name__)

MIN_FREE_BYTES = 2_000_000_000
_CHUNK_BYTES = 1 << 20
_UPLOADS_AT_ONCE = 4  # parts of 5 MiB that are in the memory at a time
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class StoredFile:
    """A file of the store.

    Attributes:
        key: its name.
        size_bytes: its size.
        modified_s: when it was put there, Unix time.
    """

    key: str
    size_bytes: int
    modified_s: float


class FileStore:
    """Files by their keys; made by `open`.

    Args:
        found: what an address leads to.
        min_free_bytes: with less room than this left there, nothing is put into it.

    Attributes:
        place: what it is called in errors; tells no secret.
    """

    def __init__(self, found: OpenStore, min_free_bytes: int) -> None:
        self.place = found.place
        self._store = found.store
        self._folder = found.folder
        self._min_free_bytes = min_free_bytes

    @classmethod
    def open(
        cls, url: str, *, min_free_bytes: int = MIN_FREE_BYTES, patience: Patience | None = None
    ) -> Self:
        """The store at an address; nothing is asked of an S3 store yet (see `check`).

        Args:
            url: a folder, which is made if need be, `file:///folder`, or `s3://bucket/prefix`,
                after which `?endpoint=...&region=...&access_key_id=...&secret_access_key=...` may
                follow, percent-encoded; what is not there is taken from the environment variables
                `AWS_...`.
            min_free_bytes: with less room than this left, nothing is put into a folder.
            patience: with an S3 store; the default, if left out.

        Raises:
            BadSettings: it is no such address.
            StoreUnavailable: the folder cannot be made.
        """
        found = opened(url, patience or Patience())
        return cls(found, min_free_bytes)

    async def check(self) -> None:
        """Nothing, if files can be written, read and deleted.

        Raises:
            StoreError: they cannot.
        """
        key = f"check/{secrets.token_hex(8)}"
        await self.put(key, b"check")
        await self.get(key)
        await self.delete([key])

    async def put(self, key: str, content: Path | bytes) -> None:
        """Stores a file under `key`, in the place of what was there.

        When this returns, it is on the disk. A cancelled one may still come to be there.

        Raises:
            OSError: the file at the path `content` cannot be read.
            StoreFull: there is too little room; nothing has changed.
            StoreUnavailable: the store does not answer or refuses.
            ValueError: `key` is none.
        """
        checked(key)
        size_bytes = content.stat().st_size if isinstance(content, Path) else len(content)
        self._check_room(size_bytes)
        if self._folder is not None:
            await asyncio.to_thread(self._write, self._folder, key, content)
            return
        with self._told():
            await self._store.put_async(key, content, max_concurrency=_UPLOADS_AT_ONCE)

    async def get(self, key: str) -> bytes:
        """A file's content; for small files.

        Raises:
            FileGone: it is not there.
            StoreUnavailable: the store does not answer or refuses.
            ValueError: `key` is none.
        """
        with self._told(checked(key)):
            found = await self._store.get_async(key)
            return bytes(await found.bytes_async())

    async def fetch(self, key: str, path: Path) -> None:
        """Writes a file to `path`, in the place of what was there; never holds it in memory whole.

        Raises:
            FileGone: it is not there.
            StoreUnavailable: the store does not answer or refuses.
            DiskFull: `path` has no room for it.
            OSError: `path` cannot be written.
            ValueError: `key` is none.
        """
        checked(key)
        part = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        try:
            async with aclosing(self._chunks(key)) as chunks:
                first = await anext(chunks, b"")
                # It may be a person's picture: nobody else on this machine may read it.
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
                    await asyncio.to_thread(file.write, first)
                    async for chunk in chunks:
                        await asyncio.to_thread(file.write, chunk)
            part.replace(path)
        except OSError as exc:
            if exc.errno in _FULL:
                raise DiskFull(path=str(path)) from exc
            raise
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    async def exists(self, key: str) -> bool:
        """Whether there is such a file.

        Raises:
            StoreUnavailable: the store does not answer or refuses.
            ValueError: `key` is none.
        """
        try:
            await self.size(key)
        except FileGone:
            return False
        return True

    async def size(self, key: str) -> int:
        """The size of a file, bytes.

        Raises:
            FileGone: it is not there.
            StoreUnavailable: the store does not answer or refuses.
            ValueError: `key` is none.
        """
        with self._told(checked(key)):
            found = await self._store.head_async(key)
            return found["size"]

    async def delete(self, keys: Iterable[str]) -> None:
        """Deletes files; those that are not there are no error.

        Raises:
            StoreUnavailable: the store does not answer or refuses; some may be deleted.
            ValueError: one of `keys` is none; then nothing is deleted.
        """
        wanted = [checked(key) for key in keys]
        if self._folder is None:
            with self._told():
                if wanted:
                    await self._store.delete_async(wanted)
            return
        for key in wanted:
            with self._told(key), suppress(FileNotFoundError):
                await self._store.delete_async(key)

    async def listing(self, folder: str = "") -> AsyncIterator[StoredFile]:
        """The files in a folder and its folders; without one, all.

        Raises:
            StoreUnavailable: the store does not answer or refuses.
            ValueError: `folder` cannot be one.
        """
        prefix = checked(folder) if folder else None
        pages = self._store.list(prefix, chunk_size=1000)
        while True:
            with self._told():
                try:
                    page = await anext(pages)
                except StopAsyncIteration:
                    return
            for found in page:
                # Somebody may have put files of their own into a folder.
                if is_key(found["path"]):
                    modified_s = found["last_modified"].timestamp()
                    yield StoredFile(found["path"], found["size"], modified_s)

    async def clear_unfinished(self, before_s: float) -> int:
        """Deletes what killed programs have left of files that they were putting here.

        Args:
            before_s: only what was last written before this moment, Unix time.

        Returns:
            how many there were; of an S3 store this cannot be told: its own rules delete them.

        Raises:
            StoreUnavailable: the folder refuses.
        """
        if self._folder is None:
            return 0
        with self._told():
            return await asyncio.to_thread(local_files.clear_unfinished, self._folder, before_s)

    def free_bytes(self) -> int | None:
        """How much room is left; None for an S3 store.

        Raises:
            StoreUnavailable: the folder is not there any more.
        """
        if self._folder is None:
            return None
        with self._told():
            return shutil.disk_usage(self._folder).free

    def is_full(self) -> bool:
        """Whether there is less room than the limit: time to take no more work.

        Raises:
            StoreUnavailable: the folder is not there any more.
        """
        free_bytes = self.free_bytes()
        return free_bytes is not None and free_bytes < self._min_free_bytes

    # --- inside -----------------------------------------------------------------------------------

    async def _chunks(self, key: str) -> AsyncGenerator[bytes, None]:
        with self._told(key):
            found = await self._store.get_async(key)
            async for chunk in found.stream(_CHUNK_BYTES):
                yield chunk

    def _write(self, folder: Path, key: str, content: Path | bytes) -> None:
        source = content.open("rb") if isinstance(content, Path) else BytesIO(content)
        with source, self._told():
            local_files.write(folder, key, source)

    def _check_room(self, size_bytes: int) -> None:
        free_bytes = self.free_bytes()
        if free_bytes is not None and free_bytes - size_bytes < self._min_free_bytes:
            raise StoreFull(place=self.place, free_mb=free_bytes // 1_000_000)

    @contextmanager
    def _told(self, key: str = "") -> Iterator[None]:
        """A stretch of code that uses the store, about one file if a key is given.

        The library's errors are not chained: their text quotes what the server has said.

        Raises:
            FileGone: the file is not there.
            StoreFull: the disk is full.
            StoreUnavailable: anything else.
        """
        try:
            yield
        except (BaseError, OSError) as exc:
            is_bucket = "NoSuchBucket" in str(exc)
            is_folder = self._folder is not None and not self._folder.is_dir()
            if key and isinstance(exc, FileNotFoundError) and not is_bucket and not is_folder:
                raise FileGone(key=key) from None
            log.debug("the file store %s: %s", self.place, _first_words(exc))
            if isinstance(exc, OSError) and exc.errno in _FULL:
                free_bytes = self.free_bytes() or 0
                raise StoreFull(place=self.place, free_mb=free_bytes // 1_000_000) from None
            reason = "there is no such bucket" if is_bucket else _reason(exc)
            reason = "its folder is gone" if is_folder else reason
            raise StoreUnavailable(place=self.place, reason=reason) from None


def _first_words(error: Exception) -> str:
    """What the library says itself, without the server's answer, which may quote our key."""
    return str(error).partition("\n")[0].partition("<")[0][:300]


def _reason(error: Exception) -> str:
    """What went wrong, in a few words."""
    words = _first_words(error)
    system = re.search(r"(\w[\w ]*) \(os error \d+\)", words)
    status = re.search(r"status code: (\d{3})", words)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if system:
        return system[1].lower()
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return "it refuses the keys"
    return f"it answers with status {status[1]}" if status else "it does not answer"
