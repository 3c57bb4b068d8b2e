"""How the queues stand: what waits, how long, and who works on it.

Redis knows; this is what it said last. One process of a service has it, the bot.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from jobs.metrics.worker_metrics import engine_of
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry, WorkerState
from jobs.queues.keys import DELIVER, INTAKE, LOOK
from jobs.queues.queues import Queues
from jobs.queues.statistics import UNFINISHED, Figures, QueueStatistics
from jobs.service_errors import QueueUnavailable

REFRESH_EVERY_S = 15


@dataclass(frozen=True)
class _Snapshot:
    """How everything stood at one time.

    Attributes:
        queues: the figures of each queue where work is done, by its label.
        engines: the labels of those that are engines'.
        deliver: those of the deliveries.
        workers: the last signs of those that live.
        at_s: when, unix time.
    """

    queues: dict[str, QueueStatistics]
    engines: tuple[str, ...]
    deliver: QueueStatistics
    workers: list[Heartbeat]
    at_s: float


class QueueMetrics:
    """The metrics of the queues, as `refresh` has found them last.

    They are not there before the first time, nor while the server does not answer.

    Args:
        queues: where orders are.
        registry: where the metrics are found.
        clock: unix time in s.
    """

    def __init__(
        self,
        queues: Queues,
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._queues = queues
        self._figures = Figures(queues.client, queues.url)
        self._workers = WorkerRegistry(queues.client, queues.url)
        self._clock = clock
        self._last: _Snapshot | None = None
        registry.register(self)

    async def refresh(self) -> None:
        """Asks how everything stands; to be called every REFRESH_EVERY_S.

        Raises:
            QueueUnavailable: the server does not answer.
        """
        try:
            engine_queues = await self._queues.known_engine_queues()
            found = {
                engine_of(queue): await self._figures.of(queue)
                for queue in (INTAKE, LOOK, *engine_queues)
            }
            deliver, workers = await self._figures.of(DELIVER), await self._workers.living()
            engines = tuple(map(engine_of, engine_queues))
            self._last = _Snapshot(found, engines, deliver, workers, self._clock())
        except QueueUnavailable:
            self._last = None
            raise

    def describe(self) -> Iterator[Metric]:
        """The metrics without numbers; called by the registry."""
        return iter(_families().values())

    def collect(self) -> Iterator[Metric]:
        """The metrics with their numbers; called in a thread of the HTTP server."""
        families, last = _families(), self._last
        if last is not None:
            _fill(families, last)
        return iter(families.values())


def _families() -> dict[str, GaugeMetricFamily]:
    """The metrics, empty, by their names."""
    return {
        name: GaugeMetricFamily(name, text, labels=labels)
        for name, text, labels in (
            ("animato_queue_depth", "Unfinished jobs of a queue.", ("engine", "state")),
            (
                "animato_queue_oldest_seconds",
                "How long the oldest unfinished job has been there, s; 0 if there is none.",
                ("engine",),
            ),
            (
                "animato_queue_virtual_time",
                "The fair tag that a newcomer gets, in units of 10 s; 1 in an empty queue.",
                ("engine",),
            ),
            ("animato_workers", "Workers that live and offer an engine.", ("engine", "state")),
            ("animato_deliver_backlog", "Results that are not delivered yet.", ()),
            (
                "animato_deliver_oldest_seconds",
                "How long the oldest of them has waited, s; 0 if there is none.",
                (),
            ),
        )
    }


def _fill(families: dict[str, GaugeMetricFamily], last: _Snapshot) -> None:
    """Writes the numbers into the metrics."""
    for label, figures in last.queues.items():
        for state in UNFINISHED:
            families["animato_queue_depth"].add_metric((label, state), figures.counts[state])
        oldest = families["animato_queue_oldest_seconds"]
        oldest.add_metric((label,), figures.age_s(last.at_s))
    for engine in last.engines:
        tag = last.queues[engine].virtual_time
        families["animato_queue_virtual_time"].add_metric((engine,), tag)
        states = Counter(one.state for one in last.workers if engine in one.engine_names)
        for state in WorkerState:
            families["animato_workers"].add_metric((engine, state), states[state])
    families["animato_deliver_backlog"].add_metric((), sum(last.deliver.counts.values()))
    age_s = last.deliver.age_s(last.at_s)
    families["animato_deliver_oldest_seconds"].add_metric((), age_s)
