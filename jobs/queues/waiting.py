"""What is shown to a person who waits: a place that never increases, and an estimated time.

The place is exact. The time is estimated from how long frames took on machines like those that are
online; without such history, no time is shown.
"""

from dataclasses import dataclass, replace
from typing import Self

from pydantic import Field
from redis.asyncio import Redis

from jobs.connection import queue_errors
from jobs.model import Value
from jobs.orders import Progress
from jobs.queues.admission import lua
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.keys import JobRef, engine_of, engine_queue, prefix_of
from jobs.service_errors import RecordError

# Photos, clips and machines differ, so the estimate is a range.
_LOW, _HIGH = 0.7, 1.6
# Without history: what an ordinary machine needs for the slower engine, s.
_GUESSED_FRAME_S = 0.15


class ShownPlace(Value):
    """The place in the queue as a card shows it.

    Attributes:
        place: 1 is the next to start; None if none was shown.
        others_passed: whether the order is further back than shown, because lighter users came.
    """

    place: int | None = Field(default=None, ge=1)
    others_passed: bool = False

    def updated(self, ahead: int | None) -> Self:
        """Return what to show when `ahead` jobs start before; None: it does not wait for its turn.

        An order that waits again, for another attempt, starts over.
        """
        if ahead is None:
            return type(self)()
        place = ahead + 1
        if self.place is None or place <= self.place:
            return type(self)(place=place)
        return type(self)(place=self.place, others_passed=True)


@dataclass(frozen=True)
class TimeRange:
    """How long until an order is done, estimated, s."""

    low_s: float
    high_s: float


@dataclass(frozen=True)
class Backlog:
    """The remaining work until an order is done, in frames.

    Attributes:
        ahead: of the orders that start before it.
        running: of the orders that are running.
        own: of the order itself.
    """

    ahead: float
    running: float
    own: float


def time_range(backlog: Backlog, seconds_per_frame: list[float | None]) -> TimeRange | None:
    """Return how long the backlog takes; None without any worker or any history.

    Args:
        backlog: the work to do.
        seconds_per_frame: of each live worker that takes such orders; None for one without
            history, which is assumed to be like the others.
    """
    known = [speed for speed in seconds_per_frame if speed is not None]
    if not known:
        return None
    mean = sum(known) / len(known)
    frames_per_second = sum(1 / (speed or mean) for speed in seconds_per_frame)
    wait_s = (backlog.ahead + backlog.running) / frames_per_second
    low_s = wait_s + backlog.own * min(known)
    high_s = wait_s + backlog.own * max(known)
    return TimeRange(low_s * _LOW, high_s * _HIGH)


class Estimates:
    """Estimates times. All methods raise QueueUnavailable if Redis does not answer."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._workers = WorkerRegistry(client)
        self._ahead = client.register_script(lua("ahead"))

    async def until_done(self, ref: JobRef, engine: str) -> TimeRange | None:
        """Return how long until an order that waits or runs is done; None: unknown."""
        backlog = await self.backlog(ref)
        return time_range(backlog, await self._speeds(engine)) if backlog.own else None

    async def of_new_order(self, engine: str, frames: int) -> TimeRange | None:
        """Return how long an order of `frames` would take if it came last; None: unknown."""
        last = await self.backlog(JobRef(engine_queue(engine), ""))
        return time_range(replace(last, own=frames), await self._speeds(engine))

    async def of_all_orders(self, queue: str) -> float:
        """Return how long one worker would need for all unfinished orders of a queue, s."""
        last = await self.backlog(JobRef(queue, ""))
        return await self.cost_s(engine_of(queue), last.ahead + last.running)

    async def cost_s(self, engine: str, frames: float) -> float:
        """Return how long a worker will need for `frames`, for `Order.estimated_cost_s`."""
        known = [speed for speed in await self._speeds(engine) if speed is not None]
        return frames * (sum(known) / len(known) if known else _GUESSED_FRAME_S)

    async def backlog(self, ref: JobRef) -> Backlog:
        """Return the work until an order is done; its own is 0 if the order is unknown."""
        with queue_errors(self._client):
            ahead, *mine, running = await self._ahead(args=[prefix_of(ref.queue), ref.job_id])
        return Backlog(ahead=ahead, running=sum(_left(*one) for one in running), own=_left(*mine))

    async def _speeds(self, engine: str) -> list[float | None]:
        devices = [one.device for one in await self._workers.living() if one.serves(engine)]
        return await self._workers.speeds(devices, engine)


def _left(frames: int, progress: str) -> float:
    """Return the remaining frames of an order, from its progress as it is stored."""
    try:
        return frames * (1 - Progress.read(progress).share) if progress else float(frames)
    except RecordError:
        return float(frames)
