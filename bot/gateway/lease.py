"""The lease on a bot's updates: of several processes, one works and the others stand by.

The order within a chat, the rate limits and the periodic tasks are those of one process, so two
must not serve the same bot at the same time. With long polling, Telegram refuses the second one.
Behind a webhook nothing would, so a process serves only while it holds this lease.
"""

import asyncio
import logging
import secrets

from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.errors import OperatorError
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

LASTS_S = 15.0
_ASK_EVERY_S = 1.0

# KEYS 1 the lease   ARGV 1 who asks   2 for how long, ms; 0: give it back
# Returns 1 if the caller has it, or had it.
_HOLD = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
"""


class LeaseLost(OperatorError):
    """Another process serves the bot, since this one was frozen or cut off from Redis."""

    sentence = "Another process has taken over this bot, so this one stops: start it again."


class Lease:
    """A lease that is renewed while it is held. While Redis does not answer, nobody gets it.

    Args:
        redis: a client that decodes replies to text.
        key: where the lease is kept.
        lasts_s: a holder that dies loses it after this time.
    """

    def __init__(self, redis: Redis, key: str, lasts_s: float = LASTS_S) -> None:
        self._hold = redis.register_script(_HOLD)
        self._key = key
        self._lasts_s = lasts_s
        self._name = secrets.token_hex(8)
        self._keeping: asyncio.Task[None] | None = None

    async def acquire(self) -> None:
        """Wait until this process has the lease, and renew it from then on."""
        is_told = False
        while not (is_ours := await self._ask(self._lasts_s)):
            if is_ours is False and not is_told:
                log.info("another process serves this bot: this one waits until that one ends")
                is_told = True
            await asyncio.sleep(min(_ASK_EVERY_S, self._lasts_s / 3))
        self._keeping = asyncio.create_task(self._keep())

    @property
    def kept(self) -> "asyncio.Task[None]":
        """The renewal; it ends only with LeaseLost."""
        assert self._keeping is not None  # noqa: S101 - `acquire` was awaited
        return self._keeping

    async def release(self) -> None:
        """Give the lease back, if this process has it."""
        if self._keeping is not None:
            await end_tasks([self._keeping])
            self._keeping = None
            await self._ask(0)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._lasts_s / 5)
            if await self._ask(self._lasts_s) is False:
                raise LeaseLost

    async def _ask(self, lasts_s: float) -> bool | None:
        """Return whether this process has the lease; None if Redis does not answer."""
        try:
            answer = await self._hold(keys=[self._key], args=[self._name, round(lasts_s * 1000)])
        except RedisError as error:
            log.warning("Redis does not answer (%s)", type(error).__name__)
            return None
        return bool(answer)
