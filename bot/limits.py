"""How much people may order: the limits of the settings, and what the owner has changed since.

The owner's values are stored in Redis and read again every second, so that they apply in all bot
processes without a restart.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from redis.asyncio import Redis

from bot.people import Person
from bot.record_store import BotRecord, RecordStore
from jobs.connection import queue_errors
from jobs.queues.admission import OrderLimits
from jobs.queues.keys import LIMITS_KEY

_KEPT_S = 1.0


class ChangedLimits(BotRecord):
    """The values that the owner has set; None: that of the settings.

    Attributes:
        open_orders: the most unfinished orders of a person.
        per_day: the most orders of a person within 24 hours.
        clip_s: how much of a clip is used, s.
        group_per_day: the most orders from a group within 24 hours.
        queue: the most unfinished orders of everybody.
    """

    open_orders: int | None = None
    per_day: int | None = None
    clip_s: float | None = None
    group_per_day: int | None = None
    queue: int | None = None


@dataclass(frozen=True)
class LimitValues:
    """The limits that apply now; attributes as in `ChangedLimits`.

    `group_per_day` is None without a limit.
    """

    open_orders: int
    per_day: int
    clip_s: float
    group_per_day: int | None
    queue: int

    def of_person(self, person: Person) -> OrderLimits:
        """Return a person's limits, which an admin may have raised or lowered."""
        return OrderLimits(
            open_orders=self.open_orders if person.open_orders is None else person.open_orders,
            per_day=self.per_day if person.orders_per_day is None else person.orders_per_day,
            queue=self.queue,
        )


class Limits:
    """Reads and changes the limits. Its methods raise QueueUnavailable if Redis does not answer.

    Args:
        settings: the limits of the settings.
        clip_s: same for clips, s.
        clock: a monotonic clock, s.
    """

    def __init__(
        self,
        redis: Redis,
        url: str,
        settings: OrderLimits,
        clip_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis, self._url = redis, url
        self._records = RecordStore(redis, url, ChangedLimits.read)
        self._settings = settings
        self._clip_s = clip_s
        self._clock = clock
        self._known: LimitValues | None = None
        self._known_at_s = 0.0

    async def now(self) -> LimitValues:
        """Return the limits that apply, at most a second old."""
        if self._known is None or self._clock() - self._known_at_s >= _KEPT_S:
            return self._keep(await self.changed())
        return self._known

    async def changed(self) -> ChangedLimits:
        """Return what the owner has changed."""
        return await self._records.read(LIMITS_KEY) or ChangedLimits()

    async def reset(self) -> None:
        """Go back to the values of the settings."""
        with queue_errors(self._url):
            await self._redis.delete(LIMITS_KEY)
        self._keep(ChangedLimits())

    async def change(self, **values: float | None) -> None:
        """Set some of the values, or, with None, go back to those of the settings."""
        changed = await self._records.change_or_create(
            LIMITS_KEY, ChangedLimits(), lambda known: known.model_copy(update=values)
        )
        self._keep(changed)

    def _keep(self, own: ChangedLimits) -> LimitValues:
        settings, self._known_at_s = self._settings, self._clock()
        self._known = LimitValues(
            open_orders=settings.open_orders if own.open_orders is None else own.open_orders,
            per_day=settings.per_day if own.per_day is None else own.per_day,
            clip_s=self._clip_s if own.clip_s is None else own.clip_s,
            group_per_day=own.group_per_day,
            queue=settings.queue if own.queue is None else own.queue,
        )
        return self._known
