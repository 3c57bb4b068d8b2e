"""Whether an order is accepted, and its priority: limits and start-time fair queueing.

`admit.lua` decides in one step. An order's tag is the virtual time, in units of 10 s of work, at
which its person has had a fair share; BullMQ serves the lowest first. Tags are capped at 2,000,000,
below BullMQ's limit of 2^21, and start again at 1 when the queue is empty. To reach the cap, at
least 20,000,000 s (231 days) of work must be done without the queue ever being empty. From then
on, and until it is empty, orders are served first come, first served.
"""

import asyncio
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from jobs.orders import Lane
from jobs.queues.keys import (
    MEDIA,
    accepted_key,
    accepting_key,
    day_key,
    fair_key,
    media_jobs_key,
    open_key,
    photos_key,
    prefix_of,
)
from jobs.service_errors import (
    QueueFull,
    TooManyMediaJobs,
    TooManyOpenOrders,
    TooManyOrdersToday,
    TooManyPhotos,
)

UNIT_S = 10.0  # of a priority
_BUSY_PAUSE_S = 0.02


@dataclass(frozen=True)
class OrderLimits:
    """How many orders, or photos, are accepted; 0 is no limit.

    Attributes:
        open_orders: unfinished ones of a person.
        per_day: of a person within 24 hours.
        queue: unfinished ones of everybody.
    """

    open_orders: int = 3
    per_day: int = 30
    queue: int = 500

    def with_one_more(self) -> "OrderLimits":
        """Return the limits for an order that replaces one which still counts."""
        raised = [one and one + 1 for one in (self.open_orders, self.per_day, self.queue)]
        return OrderLimits(*raised)


NO_LIMITS = OrderLimits(0, 0, 0)
# Photos of a person that are being fetched or looked at, or wait for it: two albums.
MOST_PHOTOS = 20
PHOTO_LIMITS = OrderLimits(open_orders=MOST_PHOTOS, per_day=0, queue=0)
MEDIA_LIMITS = OrderLimits(open_orders=5, per_day=0, queue=0)


@dataclass(frozen=True)
class Request:
    """A person's request to put a job into a queue.

    Attributes:
        queue: the queue's name.
        job_id: the job's id.
        person: who pays for it with their share.
        cost_s: how long a worker will need; less than a unit counts as one.
        lane: fair, or ahead of all.
    """

    queue: str
    job_id: str
    person: int
    cost_s: float
    lane: Lane = Lane.FAIR


class Admission:
    """Accepts or refuses requests."""

    def __init__(self, client: Redis) -> None:
        self._admit = client.register_script(lua("admit"))
        self._refund = client.register_script(lua("refund"))

    async def admit(
        self, request: Request, limits: OrderLimits, now_s: float, counted: Sequence[str] = ()
    ) -> int | None:
        """Return the priority of a job that may be added now; None if it is there or was.

        Args:
            request: the job.
            limits: those that apply to this person.
            now_s: unix time.
            counted: for an order, all engines' queues: the limits count the jobs of all of them.
                Empty for other jobs: those of their own queue count.

        Raises:
            TooManyOpenOrders, TooManyPhotos, TooManyMediaJobs: the person has too many.
            TooManyOrdersToday: the person has had too many; says when the next one is accepted.
            QueueFull: there are too many of everybody.
        """
        call = uuid.uuid4().hex
        queues = counted or (request.queue,)
        of_queue = media_jobs_key if request.queue == MEDIA else photos_key
        open_jobs = (open_key if counted else of_queue)(request.person)
        ask = partial(self._ask, request, limits, (repr(now_s), call, open_jobs), queues)
        while (answer := await ask()) == ["busy"]:
            # It will be added soon. If that caller died, the job is ours after a few seconds.
            await asyncio.sleep(_BUSY_PAUSE_S)
        match answer:
            case ["ok", priority]:
                return int(priority)
            case ["dup"]:
                return None
            case ["open", count] if counted:
                raise TooManyOpenOrders(count=int(count), limit=limits.open_orders)
            case ["open", count] if request.queue == MEDIA:
                raise TooManyMediaJobs(count=int(count))
            case ["open", count]:
                raise TooManyPhotos(count=int(count))
            case ["day", free_s]:
                minutes = max(1, math.ceil((float(free_s) - now_s) / 60))
                hours, minutes = divmod(minutes, 60)
                raise TooManyOrdersToday(limit=limits.per_day, hours=hours, minutes=minutes)
            case ["full", count]:
                raise QueueFull(waiting=int(count))
        message = f"admit.lua returned {answer}"
        raise AssertionError(message)

    async def refund(self, request: Request) -> None:
        """Take back the cost of a job that was admitted and never began."""
        if request.lane is Lane.FAIR:
            args = [request.person, units(request.cost_s)]
            await self._refund(keys=[fair_key(request.queue)], args=args)

    async def _ask(
        self,
        request: Request,
        limits: OrderLimits,
        stamp: tuple[str, str, str],
        queues: Sequence[str],
    ) -> list[Any]:
        now, call, open_jobs = stamp
        answer: list[Any] = await self._admit(
            keys=[
                fair_key(request.queue),
                open_jobs,
                day_key(request.person),
                accepted_key(request.job_id),
                accepting_key(request.job_id),
            ],
            args=[
                prefix_of(request.queue),
                request.job_id,
                request.person,
                units(request.cost_s),
                request.lane,
                now,
                limits.open_orders,
                limits.per_day,
                limits.queue,
                call,
                *map(prefix_of, queues),
            ],
        )
        return answer


def units(cost_s: float) -> float:
    """Return a cost in units of priority, at least 1: two orders of a person never share a tag."""
    return max(1.0, cost_s / UNIT_S)


def lua(name: str) -> str:
    """Return the text of one of our scripts."""
    return Path(__file__).with_name(f"{name}.lua").read_text("utf-8")
