"""What a worker counts of its own work."""

import math
from collections.abc import Iterable
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from jobs.metrics.connection_metrics import ConnectionMetrics
from jobs.queues.keys import engine_queue

# From a glance at a photo to a night in the queue, and to an hour of computing.
_WAIT_S = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 12 * 3600)
_RUN_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


class Outcome(StrEnum):
    """How a job ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    POISON = "poison"  # the workers that took it died or froze each time


class WorkerMetrics:
    """Counts and times of a worker's jobs.

    Args:
        registry: where the metrics are found; None: one of their own.

    Attributes:
        connection: of the server of the queues.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._device = "unknown"
        self.connection = ConnectionMetrics(registry)
        self._finished = Counter(
            "animato_jobs_finished_total",
            "Jobs that ended in this worker's hands.",
            ("engine", "outcome"),
            registry=registry,
        )
        self._retries = Counter(
            "animato_job_retries_total",
            "Attempts of this worker that failed and are followed by another one.",
            ("engine",),
            registry=registry,
        )
        self._stalls = Counter(
            "animato_job_stalls_total",
            "Jobs that this worker took back from one that gave no sign.",
            ("engine",),
            registry=registry,
        )
        self._lock_lost = Counter(
            "animato_lock_lost_total",
            "Jobs whose results were thrown away because another worker has them.",
            registry=registry,
        )
        self._wait = Histogram(
            "animato_wait_seconds",
            "From when a job was handed in until it was begun for the first time, s.",
            ("engine", "device"),
            registry=registry,
            buckets=_WAIT_S,
        )
        self._run = Histogram(
            "animato_run_seconds",
            "From when a job was begun for the last time until its result was stored, s.",
            ("engine", "device"),
            registry=registry,
            buckets=_RUN_S,
        )
        self._speed = Gauge(
            "animato_frames_per_second",
            "Frames made per second, of the last video.",
            ("device",),
            registry=registry,
        )
        self._restarts = Counter(
            "animato_engine_restarts_total",
            "Engine processes that were given up.",
            ("reason",),
            registry=registry,
        )
        self._free = Gauge(
            "animato_store_free_bytes",
            "Room that is left for files, where there is the least of it; NaN if nobody can tell.",
            registry=registry,
        )
        self._free.set(math.nan)

    def works_on(self, device: str, restart_reasons: Iterable[str]) -> None:
        """The worker has begun.

        Args:
            device: what it computes on, such as `cpu` or `cuda:0`.
            restart_reasons: why engine processes may be given up.
        """
        self._device = device
        for reason in restart_reasons:
            self._restarts.labels(reason)

    def opens(self, queue: str) -> None:
        """The worker takes jobs from a queue.

        Its counts are there from now on, with zeros: Prometheus sees no rise in what appears as 1.
        """
        engine = engine_of(queue)
        for outcome in Outcome:
            self._finished.labels(engine, outcome)
        self._retries.labels(engine)
        self._stalls.labels(engine)

    def begun(self, queue: str, waited_s: float) -> None:
        """A job of a queue was begun for the first time."""
        self._wait.labels(engine_of(queue), self._device).observe(max(0.0, waited_s))

    def completed(self, queue: str, run_s: float) -> None:
        """A job has its result."""
        self._run.labels(engine_of(queue), self._device).observe(max(0.0, run_s))
        self.ended(queue, Outcome.COMPLETED)

    def ended(self, queue: str, outcome: Outcome) -> None:
        """A job came to its end."""
        self._finished.labels(engine_of(queue), outcome).inc()

    def retried(self, queue: str) -> None:
        """An attempt failed; there will be another one."""
        self._retries.labels(engine_of(queue)).inc()

    def stalled(self, queue: str) -> None:
        """A job was taken from a worker that gave no sign."""
        self._stalls.labels(engine_of(queue)).inc()

    def lost(self) -> None:
        """A job in hand is another worker's."""
        self._lock_lost.inc()

    def restarted(self, reason: str) -> None:
        """An engine process was given up, for one of the reasons of `EngineProcess`."""
        self._restarts.labels(reason).inc()

    def made_video(self, frames_per_second: float) -> None:
        """A video was made at this speed."""
        self._speed.labels(self._device).set(frames_per_second)

    def has_room(self, free_bytes: int | None) -> None:
        """So much room is left; None: nobody can tell."""
        self._free.set(math.nan if free_bytes is None else free_bytes)


def engine_of(queue: str) -> str:
    """The label `engine` of a queue: the engine's name, or for other queues their own."""
    return queue.removeprefix(engine_queue(""))
