"""Photos that the owner has blocked after a report: by the SHA-256 of the normalised photo."""

import asyncio
import hashlib

from redis.asyncio import Redis

from jobs.connection import queue_errors
from jobs.queues.keys import BLOCKED_PHOTOS, WHY_BLOCKED
from jobs.service_errors import FileGone, PhotoBlocked
from jobs.store.files import FileStore


class BlockedPhotos:
    """Stores which photos are blocked. Its methods raise QueueUnavailable and StoreUnavailable.

    Args:
        store: has the normalised photos.
        contact: the owner's contact; may be empty.
    """

    def __init__(self, redis: Redis, url: str, store: FileStore, contact: str) -> None:
        self._redis = redis
        self._url = url
        self._store = store
        self._contact = contact

    async def check(self, key: str) -> None:
        """Raise if a photo is blocked; `key` is that of the normalised photo in the store.

        Raises:
            PhotoBlocked: it is.
        """
        with queue_errors(self._url):
            # Usually none is blocked: then no photo is read.
            if not await self._redis.exists(BLOCKED_PHOTOS):
                return
        digest = await self.digest_of(key)
        with queue_errors(self._url):
            if digest and await self._redis.sismember(BLOCKED_PHOTOS, digest):
                raise PhotoBlocked(contact=self._contact)

    async def block(self, digest: str, why: str = "") -> None:
        """Block a photo; `why` is kept with it."""
        with queue_errors(self._url):
            await self._redis.hset(WHY_BLOCKED, digest, why)
            await self._redis.sadd(BLOCKED_PHOTOS, digest)

    async def unblock(self, digest: str) -> None:
        """Lift the block of a photo."""
        with queue_errors(self._url):
            await self._redis.srem(BLOCKED_PHOTOS, digest)
            await self._redis.hdel(WHY_BLOCKED, digest)

    async def all(self) -> dict[str, str]:
        """Return the hashes of the blocked photos, each with why; empty if that is not known."""
        with queue_errors(self._url):
            digests = sorted(map(str, await self._redis.smembers(BLOCKED_PHOTOS)))
            why = await self._redis.hgetall(WHY_BLOCKED)
        return {digest: str(why.get(digest, "")) for digest in digests}

    async def digest_of(self, key: str) -> str:
        """Return a photo's hash; empty if the photo is not stored any more."""
        try:
            content = await self._store.get(key)
        except FileGone:
            return ""
        return await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
