"""The file store: a folder on one machine, an S3-compatible store for several.

    store = FileStore.open(url)
    await store.put(key, path)
    await store.fetch(key, path)

Files appear completely or not at all. Keys are those of `keys.py`. Errors and logs name only the
bucket or folder of an address, which may contain secret keys.
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

from aiofiles.threadpool import wrap
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from jobs.errors import DiskFull
from jobs.service_errors import FileGone, StoreFull, StoreUnavailable
from jobs.store import local_files
from jobs.store.address import OpenStore, StoreTimeouts, open_address
from jobs.store.keys import check_key, is_key

log = logging.getLogger(__name__)

MIN_FREE_BYTES = 2_000_000_000
_CHUNK_BYTES = 1 << 20
_CONCURRENT_UPLOADS = 4  # parts of 5 MiB that are in memory at a time
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class StoredFile:
    """A file of the store.

    Attributes:
        key: its key.
        size_bytes: its size.
        modified_s: when it was stored, unix time.
    """

    key: str
    size_bytes: int
    modified_s: float


class FileStore:
    """Files by their keys; created by `open`.

    Every method raises StoreUnavailable if the store does not answer or refuses, and those that
    take a key raise ValueError for a malformed one.

    Args:
        found: what an address leads to.
        min_free_bytes: with less free space than this, nothing is put into a folder.

    Attributes:
        place: its name in errors, without secrets.
    """

    def __init__(self, found: OpenStore, min_free_bytes: int) -> None:
        self.place = found.place
        self._store = found.store
        self._folder = found.folder
        self._min_free_bytes = min_free_bytes

    @classmethod
    def open(
        cls,
        url: str,
        *,
        min_free_bytes: int = MIN_FREE_BYTES,
        timeouts: StoreTimeouts | None = None,
    ) -> Self:
        """Open the store at an address, without contacting an S3 store yet (see `check`).

        Args:
            url: a folder, which is created if necessary, `file:///folder`, or `s3://bucket/prefix`
                with `?endpoint=...&region=...&access_key_id=...&secret_access_key=...`,
                percent-encoded; what is missing is taken from the environment variables `AWS_...`.
            min_free_bytes: with less free space than this, nothing is put into a folder.
            timeouts: of an S3 store.

        Raises:
            BadSettings: the address is malformed.
        """
        return cls(open_address(url, timeouts or StoreTimeouts()), min_free_bytes)

    async def check(self) -> None:
        """Raise a StoreError unless files can be written, read and deleted."""
        key = f"check/{secrets.token_hex(8)}"
        await self.put(key, b"check")
        await self.get(key)
        await self.delete([key])

    async def put(self, key: str, content: Path | bytes) -> None:
        """Store a file under `key`, replacing any other; it is on disk when this returns.

        Raises:
            OSError: the file at the path `content` cannot be read.
            StoreFull: there is too little space; nothing has changed.
        """
        check_key(key)
        size_bytes = content.stat().st_size if isinstance(content, Path) else len(content)
        free_bytes = self.free_bytes()
        if free_bytes is not None and free_bytes - size_bytes < self._min_free_bytes:
            raise self._full(free_bytes)
        if self._folder is None:
            with self._errors():
                await self._store.put_async(key, content, max_concurrency=_CONCURRENT_UPLOADS)
        else:
            await asyncio.to_thread(self._write, self._folder, key, content)

    async def get(self, key: str) -> bytes:
        """Return the content of a small file.

        Raises:
            FileGone: it is not there.
        """
        with self._errors(check_key(key)):
            found = await self._store.get_async(key)
            return bytes(await found.bytes_async())

    async def fetch(self, key: str, path: Path) -> None:
        """Stream a file to `path`, replacing any other.

        Raises:
            FileGone: it is not there.
            DiskFull: there is no space for it.
            OSError: `path` cannot be written.
        """
        check_key(key)
        part = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        try:
            async with aclosing(self._chunks(key)) as chunks:
                first = await anext(chunks, b"")
                # Opened here: what a thread opens for a call that is cancelled stays open.
                with open(part, "xb", opener=_private) as plain:
                    file = wrap(plain)
                    await file.write(first)
                    async for chunk in chunks:
                        await file.write(chunk)
            part.replace(path)
        except OSError as exc:
            if exc.errno in _FULL:
                raise DiskFull(path=str(path)) from exc
            raise
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    async def exists(self, key: str) -> bool:
        """Return whether there is such a file."""
        try:
            with self._errors(check_key(key)):
                await self._store.head_async(key)
        except FileGone:
            return False
        return True

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete files; missing ones are ignored. After an error, some may be deleted."""
        wanted = [check_key(key) for key in keys]
        if self._folder is None:
            with self._errors():
                if wanted:
                    await self._store.delete_async(wanted)
            return
        for key in wanted:
            with self._errors(key), suppress(FileNotFoundError):
                await self._store.delete_async(key)

    async def listing(self, folder: str = "") -> AsyncIterator[StoredFile]:
        """Yield the files in a folder and its subfolders; by default, all."""
        prefix = check_key(folder) if folder else None
        pages = self._store.list(prefix, chunk_size=1000)
        while True:
            with self._errors():
                try:
                    page = await anext(pages)
                except StopAsyncIteration:
                    return
            for found in page:
                # Somebody may have put other files into the folder.
                if is_key(found["path"]):
                    modified_s = found["last_modified"].timestamp()
                    yield StoredFile(found["path"], found["size"], modified_s)

    async def clear_unfinished(self, before_s: float) -> int:
        """Delete half-written files that killed programs have left; return their number.

        An S3 store deletes them by its own rules.

        Args:
            before_s: only files last written before this time, unix time.
        """
        if self._folder is None:
            return 0
        with self._errors():
            return await asyncio.to_thread(local_files.clear_unfinished, self._folder, before_s)

    def free_bytes(self) -> int | None:
        """Return the free space; None for an S3 store."""
        if self._folder is None:
            return None
        with self._errors():
            return shutil.disk_usage(self._folder).free

    def is_full(self) -> bool:
        """Return whether there is less free space than the limit."""
        free_bytes = self.free_bytes()
        return free_bytes is not None and free_bytes < self._min_free_bytes

    # --- inside -----------------------------------------------------------------------------------

    def _write(self, folder: Path, key: str, content: Path | bytes) -> None:
        """Write a file in one go, in a thread of its own."""
        source = BytesIO(content) if isinstance(content, bytes) else content.open("rb")
        with source, self._errors():
            local_files.write(folder, key, source)

    async def _chunks(self, key: str) -> AsyncGenerator[bytes, None]:
        with self._errors(key):
            found = await self._store.get_async(key)
            async for chunk in found.stream(_CHUNK_BYTES):
                yield chunk

    def _full(self, free_bytes: int) -> StoreFull:
        return StoreFull(place=self.place, free_mb=free_bytes // 1_000_000)

    @contextmanager
    def _errors(self, key: str = "") -> Iterator[None]:
        """Translate the library's errors; FileGone only if the block is about one file.

        They are not chained: their text quotes the server's answer.
        """
        try:
            yield
        except (BaseError, OSError) as exc:
            is_bucket = "NoSuchBucket" in str(exc)
            is_folder = self._folder is not None and not self._folder.is_dir()
            if key and isinstance(exc, FileNotFoundError) and not is_bucket and not is_folder:
                raise FileGone(key=key) from None
            log.debug("the file store %s: %s", self.place, _own_text(exc))
            if isinstance(exc, OSError) and exc.errno in _FULL:
                raise self._full(self.free_bytes() or 0) from None
            reason = "there is no such bucket" if is_bucket else _reason(exc)
            reason = "its folder is gone" if is_folder else reason
            raise StoreUnavailable(place=self.place, reason=reason) from None


def _private(path: str, flags: int) -> int:
    """Open a file that nobody else on this machine may read: it may be a person's photo."""
    return os.open(path, flags, 0o600)


def _own_text(error: Exception) -> str:
    """Return the library's own text, without the server's answer, which may quote our key."""
    return str(error).partition("\n")[0].partition("<")[0][:300]


def _reason(error: Exception) -> str:
    """Return what went wrong, in a few words."""
    text = _own_text(error)
    system = re.search(r"(\w[\w ]*) \(os error \d+\)", text)
    status = re.search(r"status code: (\d{3})", text)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if system:
        return system[1].lower()
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return "it refuses the keys"
    return f"it answers with status {status[1]}" if status else "it does not answer"
