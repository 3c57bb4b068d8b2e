"""A worker's places of work: one at each queue, open, paused, or opened again when one breaks."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from jobs.metrics.worker_metrics import WorkerMetrics
from jobs.queues.assignment import Assignment, Stop, Work
from jobs.queues.queue_worker import QueueWorker, WorkRules
from jobs.service_errors import QueueUnavailable
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

_AGAIN_S = 5.0


@dataclass(frozen=True)
class Post:
    """What is done at a queue.

    Attributes:
        queue: its name.
        work: what is done for each of its jobs.
        rules: how.
    """

    queue: str
    work: Work
    rules: WorkRules


class Stations:
    """The stations of a worker.

    Args:
        url: the server of the queues.
        may_take: whether jobs of that queue may be taken now; asked by `update`.
        metrics: where jobs are counted.
    """

    def __init__(self, url: str, may_take: Callable[[str], bool], metrics: WorkerMetrics) -> None:
        self._url = url
        self._may_take = may_take
        self._metrics = metrics
        self._open: dict[str, QueueWorker] = {}
        self._paused: set[str] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._is_ending = False

    def open(self, post: Post) -> None:
        """Opens a station and keeps it open until `drain`."""
        self._keepers.append(asyncio.create_task(self._keep(post)))

    @property
    def in_hand(self) -> list[Assignment]:
        """The jobs that are worked on at all stations."""
        return [job for station in self._open.values() for job in station.in_hand]

    async def update(self) -> None:
        """Pauses the stations that may take nothing, and lets the others go on."""
        for queue, station in list(self._open.items()):
            may_take = self._may_take(queue)
            if may_take and queue in self._paused:
                self._paused.discard(queue)
                station.resume()
            elif not may_take and queue not in self._paused:
                self._paused.add(queue)
                await station.pause()

    def give_up(self) -> None:
        """Has everything in hand given back now."""
        for job in self.in_hand:
            job.stop(Stop.DRAINING)

    async def drain(self, grace_s: float) -> None:
        """Ends all stations: what is done within the time is finished, the rest given back."""
        self._is_ending = True
        await asyncio.gather(*(station.drain(grace_s) for station in self._open.values()))
        await end_tasks(self._keepers)

    async def _keep(self, post: Post) -> None:
        while not self._is_ending:
            try:
                async with QueueWorker(
                    self._url, post.queue, post.work, post.rules, self._metrics
                ) as station:
                    self._open[post.queue] = station
                    await self.update()
                    await station.ended()
            except QueueUnavailable as error:
                log.warning("%s", error)
            finally:
                self._open.pop(post.queue, None)
                self._paused.discard(post.queue)
            if not self._is_ending:
                log.warning("%s: the station has ended, another one is opened", post.queue)
                await asyncio.sleep(_AGAIN_S)
