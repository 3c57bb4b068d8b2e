"""How a queue stands, in numbers: how much is there, since when, and where its fair tags are."""

from dataclasses import dataclass

from redis.asyncio import Redis

from jobs.connection import reaching
from jobs.queues.admission import lua
from jobs.queues.keys import fair_key, prefix_of

UNFINISHED = ("active", "wait", "prioritized", "delayed")
"""BullMQ's states of jobs that have not ended."""

_FIRST_TAG = 1.0  # see `admit.lua`


@dataclass(frozen=True)
class QueueStatistics:
    """How a queue stood at one time.

    Attributes:
        counts: how many jobs are in each state of UNFINISHED.
        oldest_ms: when the oldest of them was added, unix time in ms; None if there is none.
        virtual_time: the fair tag that a newcomer gets, in units of 10 s.
    """

    counts: dict[str, int]
    oldest_ms: int | None
    virtual_time: float

    def age_s(self, now_s: float) -> float:
        """How long the oldest job has been there, s; 0 if there is none."""
        return 0.0 if self.oldest_ms is None else max(0.0, now_s - self.oldest_ms / 1000)


class Figures:
    """Tells how queues stand.

    Args:
        client: the server of the queues.
        url: its address.
    """

    def __init__(self, client: Redis, url: str) -> None:
        self._client = client
        self._url = url
        self._oldest = client.register_script(lua("oldest"))

    async def of(self, queue: str) -> QueueStatistics:
        """The figures of a queue, all of one moment.

        Raises:
            QueueUnavailable: the server does not answer.
        """
        prefix = prefix_of(queue)
        with reaching(self._url):
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.llen(f"{prefix}active")
                pipe.llen(f"{prefix}wait")
                pipe.zcard(f"{prefix}prioritized")
                pipe.zcard(f"{prefix}delayed")
                pipe.hget(fair_key(queue), "V")
                await self._oldest(args=[prefix], client=pipe)
                *numbers, tag, oldest_ms = await pipe.execute()
        counts = dict(zip(UNFINISHED, map(int, numbers), strict=True))
        # An empty queue forgets its tags only when the next job comes.
        is_empty = tag is None or not sum(counts.values())
        return QueueStatistics(counts, oldest_ms, _FIRST_TAG if is_empty else float(tag))
