"""Gauges of the queues: how many jobs wait, how long, and which workers are online.

They are read from Redis and cached. One process of a service serves them, the bot.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from jobs.engines import current_name
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry, WorkerState
from jobs.queues.keys import DELIVER, is_engine_queue, queue_label
from jobs.queues.outcomes import UNFINISHED, QueueStatistics
from jobs.queues.queues import Queues
from jobs.queues.waiting import Estimates
from jobs.service_errors import QueueUnavailable

REFRESH_EVERY_S = 15


@dataclass(frozen=True)
class _Snapshot:
    """Everything at one moment.

    Attributes:
        queues: the statistics of each queue where work is done, by its label.
        work_s: how long one worker would need for each engine's orders, by its queue's label.
        deliver: the statistics of the deliveries.
        workers: the last heartbeats of live workers.
        at_s: the moment, unix time.
    """

    queues: dict[str, QueueStatistics]
    work_s: dict[str, float]
    deliver: QueueStatistics
    workers: list[Heartbeat]
    at_s: float


class QueueMetrics:
    """The metrics of the queues as of the last `refresh`; none before it, or during an outage.

    Args:
        queues: the queues.
        registry: where the metrics are registered.
        clock: unix time in s.
    """

    def __init__(
        self,
        queues: Queues,
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._queues = queues
        self._workers = WorkerRegistry(queues.client)
        self._estimates = Estimates(queues.client)
        self._clock = clock
        self._last: _Snapshot | None = None
        registry.register(self)

    async def refresh(self) -> None:
        """Read everything from Redis; call this every REFRESH_EVERY_S.

        Raises:
            QueueUnavailable: Redis does not answer.
        """
        queues = self._queues
        try:
            found = await queues.all_statistics()
            work_s = {
                queue_label(queue): await self._estimates.of_all_orders(queue)
                for queue in filter(is_engine_queue, found)
            }
            deliver, workers = await queues.statistics(DELIVER), await self._workers.living()
        except QueueUnavailable:
            self._last = None
            raise
        labelled = {queue_label(queue): one for queue, one in found.items()}
        self._last = _Snapshot(labelled, work_s, deliver, workers, self._clock())

    def describe(self) -> Iterator[Metric]:
        """Yield the metrics without values; called by the registry."""
        return iter(_families().values())

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics with their values; called in a thread of the HTTP server."""
        families, last = _families(), self._last
        if last is not None:
            _fill(families, last)
        return iter(families.values())


def _families() -> dict[str, GaugeMetricFamily]:
    """Return the metrics without values, by name."""
    return {
        name: GaugeMetricFamily(name, text, labels=labels)
        for name, text, labels in (
            ("animato_queue_depth", "Unfinished jobs of a queue.", ("engine", "state")),
            (
                "animato_queue_oldest_seconds",
                "The age of the oldest unfinished job, s; 0 if there is none.",
                ("engine",),
            ),
            (
                "animato_queue_seconds",
                "How long one worker would need for an engine's unfinished orders, estimated, s.",
                ("engine",),
            ),
            (
                "animato_queue_virtual_time",
                "The fair tag that a newcomer gets, in units of 10 s; 1 in an empty queue.",
                ("engine",),
            ),
            ("animato_workers", "Live workers that offer an engine.", ("engine", "state")),
            ("animato_deliver_backlog", "Results that have not been delivered yet.", ()),
            (
                "animato_deliver_oldest_seconds",
                "The age of the oldest undelivered result, s; 0 if there is none.",
                (),
            ),
        )
    }


def _fill(families: dict[str, GaugeMetricFamily], last: _Snapshot) -> None:
    """Add the values to the metrics."""
    for label, statistics in last.queues.items():
        for state in UNFINISHED:
            families["animato_queue_depth"].add_metric((label, state), statistics.counts[state])
        oldest = families["animato_queue_oldest_seconds"]
        oldest.add_metric((label,), statistics.age_s(last.at_s))
    for engine, seconds in last.work_s.items():
        families["animato_queue_seconds"].add_metric((engine,), seconds)
        tag = last.queues[engine].virtual_time
        families["animato_queue_virtual_time"].add_metric((engine,), tag)
        name = current_name(engine)
        states = Counter(one.state for one in last.workers if name in one.engine_names)
        for state in WorkerState:
            families["animato_workers"].add_metric((engine, state), states[state])
    families["animato_deliver_backlog"].add_metric((), last.deliver.unfinished)
    age_s = last.deliver.age_s(last.at_s)
    families["animato_deliver_oldest_seconds"].add_metric((), age_s)
