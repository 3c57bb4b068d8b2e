"""Whether an order is taken and whose turn is when: limits and fair tags.

`admit.lua` decides in one step. An order's tag is the time of service, in units of 10 s, at which
its person has had a fair share; BullMQ serves the lowest first. `rebase.lua` lowers all tags before
they become too large for BullMQ, which needs a queue that is not empty for most of a year.
"""

import asyncio
import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from jobs.orders import Lane
from jobs.queues.keys import (
    day_key,
    fair_key,
    open_key,
    photos_key,
    prefix_of,
    taken_key,
    taking_key,
)
from jobs.service_errors import QueueFull, TooManyOpenOrders, TooManyOrdersToday, TooManyPhotos

UNIT_S = 10.0  # of a priority
_BUSY_PAUSE_S = 0.02


@dataclass(frozen=True)
class OrderLimits:
    """How many orders, or photos, are taken; 0 is no limit.

    Attributes:
        open_orders: unfinished ones of a person.
        per_day: of a person within 24 hours.
        queue: unfinished ones of all persons.
    """

    open_orders: int = 3
    per_day: int = 30
    queue: int = 500

    def with_one_more(self) -> "OrderLimits":
        """The limits for an order that replaces one which counts against them."""
        raised = [one and one + 1 for one in (self.open_orders, self.per_day, self.queue)]
        return OrderLimits(*raised)


NO_LIMITS = OrderLimits(0, 0, 0)
# Of a person, photos that are being fetched or looked at, or wait for it: two albums.
MOST_PHOTOS = 20
PHOTO_LIMITS = OrderLimits(open_orders=MOST_PHOTOS, per_day=0, queue=0)


@dataclass(frozen=True)
class Request:
    """Somebody's wish to have a job in a queue.

    Attributes:
        queue: where.
        job_id: which.
        person: whose.
        cost_s: how long a worker will need; less than a unit counts as one.
        lane: how it takes its turn.
    """

    queue: str
    job_id: str
    person: int
    cost_s: float
    lane: Lane = Lane.FAIR


class Admission:
    """Decides on requests.

    Args:
        client: the server of the queues.
        on_rebase: told the queue whose tags were lowered.
    """

    def __init__(
        self,
        client: Redis,
        on_rebase: Callable[[str], None] = lambda _queue: None,
    ) -> None:
        self._on_rebase = on_rebase
        self._admit = client.register_script(lua("admit"))
        self._rebase = client.register_script(lua("rebase"))
        self._refund = client.register_script(lua("refund"))

    async def admit(
        self, request: Request, limits: OrderLimits, now_s: float, counted: Sequence[str] = ()
    ) -> int | None:
        """The priority of a job that may be added now; None if it is there or was.

        Args:
            request: what is wanted.
            limits: those that hold for this person.
            now_s: unix time.
            counted: of an order, the engines' queues: the limits count the jobs of all of them.
                Of a photo none: those of its own queue count.

        Raises:
            TooManyOpenOrders, TooManyPhotos: of this person.
            TooManyOrdersToday: of this person; says when the next one may come.
            QueueFull: too many of all persons.
        """
        call = uuid.uuid4().hex
        queues = counted or (request.queue,)
        open_jobs = (open_key if counted else photos_key)(request.person)
        ask = partial(self._ask, request, limits, (repr(now_s), call, open_jobs), queues)
        while (answer := await ask()) == ["busy"]:
            # Soon it is added. If its caller died before that, it is ours after a few seconds.
            await asyncio.sleep(_BUSY_PAUSE_S)
        if answer == ["rebase"]:
            await self.rebase(request.queue)
            answer = await ask()
        match answer:
            case ["ok", priority]:
                return int(priority)
            case ["dup"]:
                return None
            case ["open", count] if counted:
                raise TooManyOpenOrders(count=int(count), limit=limits.open_orders)
            case ["open", count]:
                raise TooManyPhotos(count=int(count))
            case ["day", free_s]:
                raise _too_many_today(limits.per_day, float(free_s) - now_s)
            case ["full", count]:
                raise QueueFull(waiting=int(count))
        message = f"admit.lua said {answer}"
        raise AssertionError(message)

    async def refund(self, request: Request) -> None:
        """Takes back the cost of a job that was admitted and never began."""
        if request.lane is Lane.FAIR:
            args = [request.person, units(request.cost_s)]
            await self._refund(keys=[fair_key(request.queue)], args=args)

    async def rebase(self, queue: str) -> int:
        """By how much the tags of a queue were lowered; the order of its jobs stays."""
        keys = [fair_key(queue), f"{prefix_of(queue)}pc"]
        lowered_by = int(await self._rebase(keys=keys, args=[prefix_of(queue)]))
        self._on_rebase(queue)
        return lowered_by

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
                taken_key(request.job_id),
                taking_key(request.job_id),
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
    """A cost in units of priority, at least one: two orders of a person never have one tag."""
    return max(1.0, cost_s / UNIT_S)


def lua(name: str) -> str:
    """The text of one of our scripts."""
    return Path(__file__).with_name(f"{name}.lua").read_text("utf-8")


def _too_many_today(limit: int, wait_s: float) -> TooManyOrdersToday:
    minutes = max(1, math.ceil(wait_s / 60))
    return TooManyOrdersToday(limit=limit, hours=minutes // 60, minutes=minutes % 60)
