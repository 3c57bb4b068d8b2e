"""What a person who waits is told: a place that never counts up, and a range of time.

The place is exact. The time is an estimate, from how long frames took on machines like those that
live now; while there is no such history, no number is given.
"""

from dataclasses import dataclass
from typing import Self

from pydantic import Field
from redis.asyncio import Redis

from jobs.connection import reaching
from jobs.model import Value
from jobs.orders import Progress
from jobs.queues.admission import lua
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.keys import JobRef, prefix_of
from jobs.service_errors import RecordError

# What a frame costs is not what it cost last: photos, clips and machines differ.
_LOW, _HIGH = 0.7, 1.6
# Until there is history: what an ordinary machine needs for the slower engine, s.
_GUESSED_FRAME_S = 0.15


class ShownPlace(Value):
    """The place in the queue as a card shows it; the card's next one is made from it.

    Attributes:
        place: from 1, the next to start; None while none was shown.
        others_passed: whether the order is further back than shown: lighter users went before.
    """

    place: int | None = Field(default=None, ge=1)
    others_passed: bool = False

    def updated(self, ahead: int | None) -> Self:
        """What to show now that so many start before; None: the order does not wait for its turn.

        An order that waits again, for a second try, begins anew.
        """
        if ahead is None:
            return type(self)()
        place = ahead + 1
        if self.place is None or place <= self.place:
            return type(self)(place=place)
        return type(self)(place=self.place, others_passed=True)


@dataclass(frozen=True)
class TimeRange:
    """How long until an order is done, as far as can be told, s."""

    low_s: float
    high_s: float


@dataclass(frozen=True)
class Backlog:
    """The work that is left until an order is done, in frames.

    Attributes:
        ahead: of the orders that start before it.
        running: what is left of those that run.
        own: what is left of its own.
    """

    ahead: float
    running: float
    own: float


def time_range(backlog: Backlog, seconds_per_frame: list[float | None]) -> TimeRange | None:
    """How long the backlog takes.

    Args:
        backlog: what is to be done.
        seconds_per_frame: of each worker that lives and takes such orders; None for one without
            history, which is taken to be like the others.

    Returns:
        The range, or None without any worker or any history.
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
    """Tells times. All its methods raise QueueUnavailable if the server does not answer.

    Args:
        client: the server of the queues.
        url: its address.
    """

    def __init__(self, client: Redis, url: str) -> None:
        self._url = url
        self._workers = WorkerRegistry(client, url)
        self._ahead = client.register_script(lua("ahead"))

    async def until_done(self, ref: JobRef, engine: str) -> TimeRange | None:
        """How long until an order that waits or runs is done; None if that cannot be told."""
        backlog = await self.backlog(ref)
        return time_range(backlog, await self._speeds(engine)) if backlog.own else None

    async def cost_s(self, engine: str, frames: int) -> float:
        """How long a worker will need for so many frames, for `Order.estimated_cost_s`."""
        known = [speed for speed in await self._speeds(engine) if speed is not None]
        return frames * (sum(known) / len(known) if known else _GUESSED_FRAME_S)

    async def backlog(self, ref: JobRef) -> Backlog:
        """The work until an order is done; its own is 0 if the order is not known."""
        with reaching(self._url):
            ahead, *mine, running = await self._ahead(args=[prefix_of(ref.queue), ref.job_id])
        return Backlog(ahead=ahead, running=sum(_left(*one) for one in running), own=_left(*mine))

    async def _speeds(self, engine: str) -> list[float | None]:
        devices = [one.device for one in await self._workers.living() if one.serves(engine)]
        return await self._workers.speeds(devices, engine)


def _left(frames: int, progress: str) -> float:
    """The frames that are left of an order, from its progress as it is stored."""
    try:
        return frames * (1 - Progress.read(progress).share) if progress else float(frames)
    except RecordError:
        return float(frames)
