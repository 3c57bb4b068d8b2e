"""The periodic clean-up. The order of its steps makes sure that nothing needed is deleted.

    1. extend the deadline of drafts with an open look or order (`Retention.keep`), and that of open
       jobs of the queue `media` (`Retention.touch_media`)
    2. remove delivered jobs after 48 h and their deliveries after 72 h (`Outbox.clean`)
    3. delete photos, clips, tracks and results whose deadline has passed (`Retention.sweep`)
    4. every few hours, delete files that belong to nobody (`Retention.sweep_leaks`)

Only the bot calls it. All other keys in Redis expire by themselves.
"""

import json
from collections.abc import Sequence

from jobs.connection import queue_errors
from jobs.queues.keys import LOOK, MEDIA, JobRef, prefix_of
from jobs.queues.outbox import Outbox
from jobs.queues.queues import Queues
from jobs.store.retention import Retention, Swept

# Only a call deletes anything, and it extends deadlines first: so that a moment is enough, however
# long the bot is down, and files go soon after the end of an order that waited long.
_OPEN_KEPT_S = 120.0
_LEAKS_EVERY_S = 6 * 3600.0


class Cleaning:
    """Cleans up a service's queues and file store."""

    def __init__(self, queues: Queues, outbox: Outbox, retention: Retention) -> None:
        self._queues = queues
        self._outbox = outbox
        self._retention = retention
        self._leaks_at: float | None = None

    async def sweep(self, now: float) -> tuple[int, Swept, Swept]:
        """Clean up; call this every few minutes. After an error, the next call continues.

        Returns:
            The number of removed jobs and deliveries, the folders whose deadline had passed, and
            the files that belonged to nobody.

        Args:
            now: unix time.

        Raises:
            QueueUnavailable: Redis does not answer.
            StoreUnavailable: the file store does not answer or refuses.
        """
        with queue_errors(self._queues.client):
            for draft in await self._open_drafts():
                await self._retention.keep(draft, now + _OPEN_KEPT_S)
            for job in await self._unfinished([MEDIA]):
                await self._retention.touch_media(job.job_id, now)
            jobs = await self._outbox.clean()
            due = await self._retention.sweep(now)
            if self._leaks_at is not None and now - self._leaks_at < _LEAKS_EVERY_S:
                return jobs, due, Swept()
            leaks = await self._retention.sweep_leaks(now, self._are_known)
        self._leaks_at = now
        return jobs, due, leaks

    async def _open_drafts(self) -> set[str]:
        """Return the drafts with an unfinished look or order: their files are needed."""
        jobs = await self._unfinished([LOOK, *await self._queues.known_engine_queues()])
        async with self._queues.client.pipeline(transaction=False) as pipe:
            for job in jobs:
                pipe.hget(job.key, "data")
            texts = await pipe.execute()
        # Not read as records: the orders of a newer bot need their files too.
        return {str(json.loads(text)["draft"]) for text in texts if text is not None}

    async def _unfinished(self, queues: Sequence[str]) -> list[JobRef]:
        """Return the unfinished jobs of some queues."""
        async with self._queues.client.pipeline(transaction=True) as pipe:
            for prefix in map(prefix_of, queues):
                for state in ("active", "wait"):
                    pipe.lrange(prefix + state, 0, -1)
                for state in ("prioritized", "delayed"):
                    pipe.zrange(prefix + state, 0, -1)
            found = await pipe.execute()
        return [
            JobRef(queues[number // 4], str(job_id))
            for number, job_ids in enumerate(found)
            for job_id in job_ids
        ]

    async def _are_known(self, orders: Sequence[str]) -> list[bool]:
        """Return for each order whether it is still in a queue, finished or not."""
        # With LOOK, so that there is a key to query while no engine is known.
        queues = (LOOK, *await self._queues.known_engine_queues())
        async with self._queues.client.pipeline(transaction=True) as pipe:
            for order in orders:
                pipe.exists(*(JobRef(queue, order).key for queue in queues))
            return [count > 0 for count in await pipe.execute()]
