"""The last log lines about each order, kept for a day where an admin can read them."""

from collections.abc import Sequence

from redis.asyncio import Redis

from jobs.connection import queue_errors
from jobs.queues.keys import log_key

LINES_KEPT = 200
_KEPT_S = 86_400
_LINE_LIMIT = 2000


class OrderLogs:
    """Log lines by order. All methods raise QueueUnavailable if the server does not answer.

    Args:
        client: the connection to Redis.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def add(self, order_id: str, lines: Sequence[str]) -> None:
        """Add lines; the oldest ones make room, and all expire a day after the last."""
        key = log_key(order_id)
        kept = [line[:_LINE_LIMIT] for line in lines][-LINES_KEPT:]
        with queue_errors(self._client):
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.rpush(key, *kept)
                pipe.ltrim(key, -LINES_KEPT, -1)
                pipe.expire(key, _KEPT_S)
                await pipe.execute()

    async def last(self, order_id: str, lines: int) -> list[str]:
        """Return the last `lines` lines about an order, the newest one last."""
        with queue_errors(self._client):
            return list(map(str, await self._client.lrange(log_key(order_id), -lines, -1)))
