"""Queue workers that are reopened when the connection is lost."""

import asyncio
import logging
from collections.abc import Callable

from jobs.metrics.worker_metrics import WorkerMetrics
from jobs.queues.assignment import Assignment, Stop, Work
from jobs.queues.queue_worker import QueueWorker, WorkRules
from jobs.service_errors import QueueUnavailable
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

_REOPEN_AFTER_S = 5.0


class QueueWorkers:
    """The queue workers of a program, one per queue.

    Args:
        url: the address of Redis.
        may_take: whether jobs of a queue may be taken now; asked on opening and by `update`.
        metrics: counts the jobs.
        reopen_after_s: the pause before a worker that stopped is opened again.
    """

    def __init__(
        self,
        url: str,
        may_take: Callable[[str], bool] = lambda _queue: True,
        metrics: WorkerMetrics | None = None,
        reopen_after_s: float = _REOPEN_AFTER_S,
    ) -> None:
        self._url = url
        self._may_take = may_take
        self._metrics = metrics
        self._reopen_after_s = reopen_after_s
        self._open: dict[str, QueueWorker] = {}
        self._paused: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_draining = False

    async def run(self, queue: str, work: Work, rules: WorkRules) -> None:
        """Run a queue worker forever, reopening it when the connection is lost.

        It ends when it is cancelled (by `end_tasks`), or by `drain`.

        Args:
            queue: the queue's name.
            work: called for each job.
            rules: how jobs are taken.
        """
        while not self._is_draining:
            try:
                async with QueueWorker(self._url, queue, work, rules, self._metrics) as worker:
                    self._open[queue] = worker
                    await self.update()
                    await worker.wait_for_end()
            except QueueUnavailable as error:
                log.warning("%s", error)
            finally:
                self._open.pop(queue, None)
                self._paused.discard(queue)
            if not self._is_draining:
                log.warning("%s: its worker has stopped and is opened again", queue)
                await asyncio.sleep(self._reopen_after_s)

    def start(self, queue: str, work: Work, rules: WorkRules) -> None:
        """Same as `run`, in a task that lasts until `drain`."""
        self._tasks.append(asyncio.create_task(self.run(queue, work, rules)))

    @property
    def in_progress(self) -> list[Assignment]:
        """The jobs in progress in all queues."""
        return [job for worker in self._open.values() for job in worker.in_progress]

    async def update(self) -> None:
        """Pause the workers whose queues `may_take` excludes, and resume the others."""
        for queue, worker in list(self._open.items()):
            may_take = self._may_take(queue)
            if may_take and queue in self._paused:
                self._paused.discard(queue)
                worker.resume()
            elif not may_take and queue not in self._paused:
                self._paused.add(queue)
                await worker.pause()

    def return_to_queues(self) -> None:
        """Have all jobs in progress stop and return to their queues."""
        for job in self.in_progress:
            job.stop(Stop.DRAINING)

    async def drain(self, grace_s: float) -> None:
        """Stop all workers. Jobs that need longer than `grace_s` return to their queues."""
        self._is_draining = True
        await asyncio.gather(*(worker.drain(grace_s) for worker in self._open.values()))
        await end_tasks(self._tasks)
