"""The last log lines of orders, as their workers wrote them (`worker/order_log.py`)."""

from redis.asyncio import Redis

from jobs.connection import queue_errors
from jobs.queues.keys import log_key


class OrderLogs:
    """Reads them."""

    def __init__(self, client: Redis, url: str) -> None:
        self._client = client
        self._url = url

    async def last(self, order_id: str, lines: int) -> list[str]:
        """Return up to `lines` lines about an order, the newest one last.

        Raises:
            QueueUnavailable: Redis does not answer.
        """
        with queue_errors(self._url):
            return list(map(str, await self._client.lrange(log_key(order_id), -lines, -1)))
