"""The ids of the bot's newest messages in each chat, so that they can be deleted there.

Telegram lets a bot delete its messages for 48 hours.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from jobs.connection import queue_errors
from jobs.queues.keys import messages_key
from jobs.service_errors import QueueUnavailable

log = logging.getLogger(__name__)

DELETABLE_S = 48 * 3600


class SentMessages:
    """Stores and lists message ids."""

    def __init__(self, redis: Redis, url: str, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._url = url
        self._clock = clock

    async def note(self, chat_id: int, message_id: int) -> None:
        """Store that a message was sent now; an outage is only logged, for it has arrived."""
        key, now_s = messages_key(chat_id), self._clock()
        try:
            with queue_errors(self._url):
                async with self._redis.pipeline(transaction=False) as pipe:
                    pipe.zadd(key, {str(message_id): now_s})
                    pipe.zremrangebyscore(key, "-inf", now_s - DELETABLE_S)
                    pipe.expire(key, DELETABLE_S)
                    await pipe.execute()
        except QueueUnavailable as error:
            log.warning("%s", error)

    async def in_chat(self, chat_id: int) -> list[int]:
        """Return the messages of a chat that can still be deleted, the oldest first.

        Raises:
            QueueUnavailable: Redis does not answer.
        """
        key, since_s = messages_key(chat_id), self._clock() - DELETABLE_S
        with queue_errors(self._url):
            found: Any = await self._redis.zrangebyscore(key, f"({since_s}", "+inf")
        return [int(one) for one in found]
