"""What happened on each day, in numbers: orders, people, waiting times, engines, failures.

animato:stats:<date>    a hash of counters         kept for 40 days; dates are UTC
animato:people:<date>   who ordered, HyperLogLog   it counts people and names none
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from redis.asyncio import Redis

from jobs.connection import queue_errors
from jobs.queues.keys import FAILURES_KEY, counted_key, people_of_day_key, statistics_key

_KEPT_S = 40 * 86_400
_COUNTED_KEPT_S = 4 * 86_400  # longer than a delivery can be repeated
_FAILURES_KEPT_S = 3600
_ORDERED, _WAIT, _ENGINE = "ordered", "wait:", "engine:"
DONE, FAILED, UNUSABLE, CANCELLED = "done", "failed", "unusable", "cancelled"
"""How an order can end. Unusable: because of what the person sent."""

WAITS_S = (5, 15, 30, 60, 120, 300, 600, 1800, 3600)
"""Waiting times are counted in these steps; longer ones are in the last."""


@dataclass(frozen=True)
class Ended:
    """How an order ended.

    Attributes:
        outcome: DONE, FAILED, UNUSABLE or CANCELLED.
        engine: which engine it was for.
        wait_s: of a finished one, how long it waited for its turn; None if unknown.
    """

    outcome: str
    engine: str
    wait_s: float | None = None


@dataclass(frozen=True)
class Numbers:
    """The numbers of a day, or of several.

    Attributes:
        days: the days, the oldest first.
        counts: the counters by name.
        people: how many people ordered; within 1 % or so.
    """

    days: tuple[date, ...]
    counts: Counter[str] = field(default_factory=Counter)
    people: int = 0

    @property
    def ordered(self) -> int:
        """The number of orders."""
        return self.counts[_ORDERED]

    @property
    def engines(self) -> dict[str, int]:
        """The number of finished videos by engine, the most used first."""
        names = {name: n for name, n in self.counts.most_common() if name.startswith(_ENGINE)}
        return {name.removeprefix(_ENGINE): count for name, count in names.items()}

    def wait_s(self, share: float) -> int | None:
        """Return the time within which that share of the orders began, s; None without any."""
        steps = [(step, self.counts[f"{_WAIT}{step}"]) for step in WAITS_S]
        total, seen = sum(count for _, count in steps), 0
        for step, count in steps:
            seen += count
            if total and seen >= share * total:
                return step
        return None


class Statistics:
    """Counts, and reads what was counted. Methods raise QueueUnavailable if Redis is away.

    Args:
        clock: unix time, s.
    """

    def __init__(self, redis: Redis, url: str, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._url = url
        self._clock = clock

    async def count_order(self, person_id: int) -> None:
        """Count an order that was accepted."""
        today = self._today()
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hincrby(statistics_key(today), _ORDERED, 1)
                pipe.expire(statistics_key(today), _KEPT_S)
                pipe.pfadd(people_of_day_key(today), person_id)
                pipe.expire(people_of_day_key(today), _KEPT_S)
                await pipe.execute()

    async def count_end(self, delivery_id: str, ended: Ended) -> None:
        """Count how an order ended, once for each delivery."""
        key, now_s = statistics_key(self._today()), self._clock()
        with queue_errors(self._url):
            if not await self._redis.set(
                counted_key(delivery_id), "1", nx=True, ex=_COUNTED_KEPT_S
            ):
                return
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hincrby(key, ended.outcome, 1)
                if ended.outcome == DONE:
                    pipe.hincrby(key, f"{_ENGINE}{ended.engine}", 1)
                if ended.wait_s is not None:
                    step = next((one for one in WAITS_S if ended.wait_s <= one), WAITS_S[-1])
                    pipe.hincrby(key, f"{_WAIT}{step}", 1)
                if ended.outcome == FAILED:
                    pipe.zadd(FAILURES_KEY, {delivery_id: now_s})
                    pipe.expire(FAILURES_KEY, _FAILURES_KEPT_S)
                pipe.expire(key, _KEPT_S)
                await pipe.execute()

    async def failures_in_last_hour(self) -> int:
        """Return how many orders failed by our fault."""
        with queue_errors(self._url):
            since_s = self._clock() - _FAILURES_KEPT_S
            await self._redis.zremrangebyscore(FAILURES_KEY, "-inf", since_s)
            return int(await self._redis.zcard(FAILURES_KEY))

    async def last_days(self, count: int) -> list[Numbers]:
        """Return the numbers of each of the last days, the oldest first; the last is today."""
        days = self._last(count)
        return [await self._read((day,)) for day in days]

    async def of_last_days(self, count: int) -> Numbers:
        """Return the numbers of the last days together; somebody who came twice counts once."""
        return await self._read(self._last(count))

    async def _read(self, days: Sequence[str]) -> Numbers:
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                for day in days:
                    pipe.hgetall(statistics_key(day))
                pipe.pfcount(*map(people_of_day_key, days))
                *hashes, people = await pipe.execute()
        counts: Counter[str] = Counter()
        for one in hashes:
            counts.update({name: int(value) for name, value in one.items()})
        return Numbers(tuple(map(date.fromisoformat, days)), counts, int(people))

    def _today(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).date().isoformat()

    def _last(self, count: int) -> list[str]:
        today = date.fromisoformat(self._today())
        return [(today - timedelta(days=ago)).isoformat() for ago in reversed(range(count))]
