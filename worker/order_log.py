"""The last words about an order, kept for a day where an admin can read them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from redis.asyncio import Redis

from jobs.connection import queue_errors
from jobs.queues.keys import log_key

LINES_KEPT = 200
_KEPT_S = 86_400
_LINE_LIMIT = 2000


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
        with queue_errors(self._url):
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.rpush(key, *kept)
                pipe.ltrim(key, -LINES_KEPT, -1)
                pipe.expire(key, _KEPT_S)
                await pipe.execute()


def stamped(text: str) -> str:
    """A line with the time in front, UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}"


def lines_of(error: BaseException) -> list[str]:
    """What an error says, in one line: an admin's chat is no place for its traceback."""
    return f"{type(error).__name__}: {error}".splitlines()[:1]
