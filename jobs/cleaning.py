"""The regular cleaning: one call does all of it, in the one order in which nothing is lost.

    the files of drafts with an open look or order     live on (`Retention.keep`)
    finished jobs, 48 h, and their deliveries, 72 h    go, if they are delivered (`Outbox.clean`)
    photos, clips and results whose time is over       go (`Retention.sweep`)
    files that nobody has any more                     go, looked for every few hours

The bot calls it; a worker never does. Whatever else is kept in Redis goes by itself.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from jobs.connection import reaching
from jobs.queues.keys import LOOK, JobRef, prefix_of
from jobs.queues.outbox import Outbox
from jobs.queues.queues import Queues
from jobs.store.retention import Retention, Swept

# Renewed by each call. Nothing is deleted between two calls, however long the bot is down.
_OPEN_KEPT_S = 3600.0
_LEAKS_EVERY_S = 6 * 3600.0


@dataclass(frozen=True)
class Cleaned:
    """What a call has done.

    Attributes:
        jobs: how many finished jobs and deliveries were removed.
        due: the folders whose time was over.
        leaks: what nobody had any more.
    """

    jobs: int
    due: Swept
    leaks: Swept = field(default_factory=Swept)


class Cleaning:
    """The cleaning of one service.

    Args:
        queues: where orders are.
        outbox: what sees to it that finished jobs are delivered.
        retention: how long files live.
    """

    def __init__(self, queues: Queues, outbox: Outbox, retention: Retention) -> None:
        self._queues = queues
        self._outbox = outbox
        self._retention = retention
        self._leaks_at: float | None = None

    async def sweep(self, now: float) -> Cleaned:
        """Cleans up; to be called every few minutes.

        Args:
            now: this moment, Unix time.

        Raises:
            QueueUnavailable: the server of the queues does not answer; the next call goes on.
            StoreUnavailable: the file store does not answer or refuses; likewise.
        """
        with reaching(self._queues.url):
            for draft in await self._open_drafts():
                await self._retention.keep(draft, now + _OPEN_KEPT_S)
            jobs = await self._outbox.clean()
            due = await self._retention.sweep(now)
            if self._leaks_at is not None and now - self._leaks_at < _LEAKS_EVERY_S:
                return Cleaned(jobs, due)
            leaks = await self._retention.sweep_leaks(now, self._are_known)
        self._leaks_at = now
        return Cleaned(jobs, due, leaks)

    async def _open_drafts(self) -> set[str]:
        """The drafts with a look or an order that has not ended: their files are needed."""
        client = self._queues.client
        prefixes = [prefix_of(queue) for queue in (LOOK, *await self._queues.known_engine_queues())]
        async with client.pipeline(transaction=True) as pipe:
            for prefix in prefixes:
                for state in ("active", "wait"):
                    pipe.lrange(prefix + state, 0, -1)
                for state in ("prioritized", "delayed"):
                    pipe.zrange(prefix + state, 0, -1)
            found = await pipe.execute()
        async with client.pipeline(transaction=False) as pipe:
            for number, job_ids in enumerate(found):
                for job_id in job_ids:
                    pipe.hget(f"{prefixes[number // 4]}{job_id}", "data")
            texts = await pipe.execute()
        # Not read as records: what a newer bot has ordered needs its files too.
        return {str(json.loads(text)["draft"]) for text in texts if text is not None}

    async def _are_known(self, orders: Sequence[str]) -> list[bool]:
        """Whether anything is still stored of each order, finished or not."""
        # With LOOK, so that there is a key to ask for while no engine is known.
        queues = (LOOK, *await self._queues.known_engine_queues())
        async with self._queues.client.pipeline(transaction=True) as pipe:
            for order in orders:
                pipe.exists(*(JobRef(queue, order).key for queue in queues))
            return [count > 0 for count in await pipe.execute()]
