"""The state of the whole service, for /status."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.services import Services
from jobs.connection import queue_errors
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry
from jobs.queues.keys import DELIVER
from jobs.queues.outcomes import QueueStatistics
from jobs.service_errors import StoreError

_DAY_S = 86_400
_MOST_FAILURES = 1000


@dataclass(frozen=True)
class LiveWorker:
    """A worker that is online.

    Attributes:
        heartbeat: its last heartbeat.
        age_s: the age of that, s.
        speeds: the frames per second of its engines on such devices; None without history.
    """

    heartbeat: Heartbeat
    age_s: float
    speeds: Mapping[str, float | None]


@dataclass(frozen=True)
class Overview:
    """The state of the service.

    Attributes:
        now_s: the time of this state, unix time.
        is_paused: whether new orders are paused.
        queues: all queues, by name.
        workers: the live workers.
        ended: the number of orders that ended within a day.
        failed: the number of these that failed by our fault.
        store: the file store's name.
        free_bytes: its free space, or None if unknown.
        store_problem: what is wrong with the file store, or None.
        memory_bytes: used by Redis.
    """

    now_s: float
    is_paused: bool
    queues: Mapping[str, QueueStatistics]
    workers: tuple[LiveWorker, ...]
    ended: int
    failed: int
    store: str
    free_bytes: int | None
    store_problem: str | None
    memory_bytes: int


async def overview_of(services: Services) -> Overview:
    """Return the current state of the service.

    Raises:
        QueueUnavailable: Redis does not answer.
    """
    queues, now_s = services.queues, services.clock()
    engine_queues = await queues.known_engine_queues()
    ended = await queues.finished_since(round((now_s - _DAY_S) * 1000), engine_queues)
    letters = await queues.dead_letters(_MOST_FAILURES)
    failed = [one for one in letters if (one.status.finished_s or 0) > now_s - _DAY_S]
    with queue_errors(queues.url):
        memory = await queues.client.info("memory")
    free_bytes, problem = _space(services)
    return Overview(
        now_s=now_s,
        is_paused=await services.people.is_paused(),
        queues={**await queues.all_statistics(), DELIVER: await queues.statistics(DELIVER)},
        workers=await _live_workers(services, now_s),
        ended=len(ended),
        failed=len(failed),
        store=services.store.place,
        free_bytes=free_bytes,
        store_problem=problem,
        memory_bytes=int(memory["used_memory"]),
    )


def _space(services: Services) -> tuple[int | None, str | None]:
    """Return the free space of the file store, and what is wrong with it."""
    store, _ = services.store, services.texts
    try:
        return store.free_bytes(), _("too little space") if store.is_full() else None
    except StoreError as error:
        return None, str(error)


async def _live_workers(services: Services, now_s: float) -> tuple[LiveWorker, ...]:
    registry = WorkerRegistry(services.queues.client)
    living = await registry.living()
    seen = await registry.last_seen([one.worker for one in living])
    found = []
    for heartbeat, seen_s in zip(living, seen, strict=True):
        speeds: dict[str, float | None] = {}
        for engine in heartbeat.engine_names:
            (seconds,) = await registry.speeds([heartbeat.device], engine)
            speeds[engine] = 1 / seconds if seconds else None
        found.append(LiveWorker(heartbeat, max(0.0, now_s - (seen_s or now_s)), speeds))
    return tuple(found)
