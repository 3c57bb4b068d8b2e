"""The state of the whole service, for /status."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.services import Services
from jobs.connection import queue_errors
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry, WorkerState
from jobs.queues.keys import DELIVER, INTAKE, LOOK
from jobs.queues.statistics import QueueStatistics
from jobs.service_errors import StoreError

_DAY_S = 86_400
_MOST_FAILURES = 1000


@dataclass(frozen=True)
class QueueSummary:
    """The state of a queue.

    Attributes:
        name: its name.
        waiting: the number of waiting jobs.
        running: the number of running jobs.
        retrying: the number of delayed jobs.
        oldest_s: the age of the oldest job, s.
    """

    name: str
    waiting: int = 0
    running: int = 0
    retrying: int = 0
    oldest_s: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether it has no jobs."""
        return not self.waiting + self.running + self.retrying


@dataclass(frozen=True)
class WorkerSummary:
    """The state of a worker.

    Attributes:
        host: the machine's name.
        device: what it computes on.
        state: what it does.
        speeds: the frames per second of its engines on such devices; None without history.
        heartbeat_s: the age of its last heartbeat, s.
        job: the current order, or None.
        job_speed: of that order, frames per second, or None.
    """

    host: str
    device: str
    state: WorkerState
    speeds: Mapping[str, float | None]
    heartbeat_s: float
    job: str | None = None
    job_speed: float | None = None


@dataclass(frozen=True)
class Overview:
    """The state of the service.

    Attributes:
        is_paused: whether new orders are paused.
        queues: all queues.
        workers: the live workers.
        ended: the number of orders that ended within a day.
        failed: the number of these that failed by our fault.
        store: the file store's name.
        free_bytes: its free space, or None if unknown.
        store_problem: what is wrong with the file store, or None.
        memory_bytes: used by Redis.
    """

    is_paused: bool
    queues: tuple[QueueSummary, ...]
    workers: tuple[WorkerSummary, ...]
    ended: int
    failed: int
    store: str
    free_bytes: int | None
    store_problem: str | None
    memory_bytes: int


class Overviews:
    """Collects the state of the service."""

    def __init__(self, services: Services) -> None:
        self._services = services
        client, url = services.queues.client, services.queues.url
        self._workers = WorkerRegistry(client, url)

    async def now(self) -> Overview:
        """Return the current state.

        Raises:
            QueueUnavailable: Redis does not answer.
        """
        services, now_s = self._services, self._services.clock()
        queues = services.queues
        engine_queues = await queues.known_engine_queues()
        ended = await queues.finished_since(round((now_s - _DAY_S) * 1000), engine_queues)
        letters = await queues.dead_letters(_MOST_FAILURES)
        failed = [one for one in letters if (one.status.finished_s or 0) > now_s - _DAY_S]
        with queue_errors(queues.url):
            memory = await queues.client.info("memory")
        free_bytes, problem = self._space()
        return Overview(
            is_paused=await services.people.is_paused(),
            queues=tuple(
                [
                    _queue_summary(name, await queues.statistics(name), now_s)
                    for name in (INTAKE, LOOK, *engine_queues, DELIVER)
                ]
            ),
            workers=await self._workers_now(now_s),
            ended=len(ended),
            failed=len(failed),
            store=services.store.place,
            free_bytes=free_bytes,
            store_problem=problem,
            memory_bytes=int(memory["used_memory"]),
        )

    def _space(self) -> tuple[int | None, str | None]:
        """Return the free space of the file store, and what is wrong with it."""
        store, _ = self._services.store, self._services.texts
        try:
            return store.free_bytes(), _("too little space") if store.is_full() else None
        except StoreError as error:
            return None, str(error)

    async def _workers_now(self, now_s: float) -> tuple[WorkerSummary, ...]:
        living = await self._workers.living()
        signs = await self._workers.last_seen([one.worker for one in living])
        return tuple(
            [
                await self._worker_summary(one, now_s - (heartbeat_s or now_s))
                for one, heartbeat_s in zip(living, signs, strict=True)
            ]
        )

    async def _worker_summary(self, worker: Heartbeat, heartbeat_s: float) -> WorkerSummary:
        speeds: dict[str, float | None] = {}
        for engine in worker.engine_names:
            (seconds,) = await self._workers.speeds([worker.device], engine)
            speeds[engine] = 1 / seconds if seconds else None
        return WorkerSummary(
            host=worker.host,
            device=worker.device,
            state=worker.state,
            speeds=speeds,
            heartbeat_s=max(0.0, heartbeat_s),
            job=worker.job,
            job_speed=worker.frames_per_second,
        )


def _queue_summary(name: str, figures: QueueStatistics, now_s: float) -> QueueSummary:
    counts = figures.counts
    return QueueSummary(
        name=name,
        waiting=counts["wait"] + counts["prioritized"],
        running=counts["active"],
        retrying=counts["delayed"],
        oldest_s=figures.age_s(now_s),
    )
