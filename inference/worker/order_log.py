"""The last words about an order, kept for a day where an admin can read them."""

import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain

from redis.asyncio import Redis

from jobs.connection import reaching

LINES_KEPT = 200
_KEPT_S = 86_400
_LINE_LIMIT = 2000


def log_key(order_id: str) -> str:
    """Where the lines of an order are: a list, the newest one last."""
    return f"animato:log:{order_id}"


class OrderLog:
    """The log of orders. Its methods raise QueueUnavailable if the server does not answer.

    Args:
        client: the server of the queues.
        url: its address.
    """

    def __init__(self, client: Redis, url: str) -> None:
        self._client = client
        self._url = url

    async def add(self, order_id: str, lines: Sequence[str]) -> None:
        """Adds lines; the oldest ones make room, and all go a day after the last."""
        key = log_key(order_id)
        kept = [line[:_LINE_LIMIT] for line in lines][-LINES_KEPT:]
        with reaching(self._url):
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.rpush(key, *kept)
                pipe.ltrim(key, -LINES_KEPT, -1)
                pipe.expire(key, _KEPT_S)
                await pipe.execute()

    async def read(self, order_id: str) -> list[str]:
        """The lines of an order, the oldest first; none if nothing is known of it."""
        with reaching(self._url):
            return list(map(str, await self._client.lrange(log_key(order_id), 0, -1)))


def stamped(text: str) -> str:
    """A line with the time in front, UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}"


def lines_of(error: BaseException) -> list[str]:
    """An error with its traceback, line by line."""
    text = traceback.format_exception(error)
    return list(chain.from_iterable(part.rstrip().split("\n") for part in text))
