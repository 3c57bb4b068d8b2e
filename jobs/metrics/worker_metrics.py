"""What a worker counts of its own work."""

import math
from collections.abc import Iterable
from enum import StrEnum
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from jobs.metrics.connection_metrics import ConnectionMetrics
from jobs.queues.keys import engine_of

# Buckets: from a look at a photo to a night in the queue, and to an hour of computing.
_WAIT_S = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 12 * 3600)
_RUN_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


class Outcome(StrEnum):
    """How a job ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    UNUSABLE = "unusable"  # a photo, clip or recording
    CANCELLED = "cancelled"
    POISON = "poison"  # each worker that took it died or froze


class WorkerMetrics:
    """Counts and times of a worker's jobs.

    Args:
        registry: where the metrics are registered; None: an unserved one.

    Attributes:
        connection: metrics of the Redis connection.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        counter = partial(Counter, registry=registry)
        histogram = partial(Histogram, labelnames=("engine", "device"), registry=registry)
        self._device = "unknown"
        self.connection = ConnectionMetrics(registry)
        self._finished = counter(
            "animato_jobs_finished_total", "Jobs that this worker ended.", ("engine", "outcome")
        )
        self._retries = counter(
            "animato_job_retries_total",
            "Attempts of this worker that failed and are followed by another one.",
            ("engine",),
        )
        self._stalls = counter(
            "animato_job_stalls_total",
            "Jobs that this worker took from one whose lock had expired.",
            ("engine",),
        )
        self._lock_lost = counter(
            "animato_lock_lost_total", "Results discarded because another worker has the job."
        )
        self._wait = histogram(
            "animato_wait_seconds",
            "From when a job was submitted until its first attempt began, s.",
            buckets=_WAIT_S,
        )
        self._run = histogram(
            "animato_run_seconds",
            "From when a job's last attempt began until its result was stored, s.",
            buckets=_RUN_S,
        )
        self._speed = Gauge(
            "animato_frames_per_second",
            "Frames made per second, of the last video.",
            ("device",),
            registry=registry,
        )
        self._restarts = counter(
            "animato_engine_restarts_total", "Engine processes that were stopped.", ("reason",)
        )
        self._free = Gauge(
            "animato_store_free_bytes",
            "Free bytes on the fullest of the disks in use; NaN if unknown.",
            registry=registry,
        )
        self._free.set(math.nan)

    def set_device(self, device: str, restart_reasons: Iterable[str]) -> None:
        """Note what the worker computes on, and why engine processes may be stopped.

        Args:
            device: such as `cpu` or `cuda:0`.
            restart_reasons: those of `EngineProcess`.
        """
        self._device = device
        for reason in restart_reasons:
            self._restarts.labels(reason)

    def add_queue(self, queue: str) -> None:
        """Create a queue's counters at 0: Prometheus sees no rise in one that appears as 1."""
        engine = engine_of(queue)
        for outcome in Outcome:
            self._finished.labels(engine, outcome)
        self._retries.labels(engine)
        self._stalls.labels(engine)

    def record_start(self, queue: str, waited_s: float) -> None:
        """Record the first attempt at a job."""
        self._wait.labels(engine_of(queue), self._device).observe(max(0.0, waited_s))

    def record_completion(self, queue: str, run_s: float) -> None:
        """Record a job that has its result."""
        self._run.labels(engine_of(queue), self._device).observe(max(0.0, run_s))
        self.count_end(queue, Outcome.COMPLETED)

    def count_end(self, queue: str, outcome: Outcome) -> None:
        """Count a job that ended."""
        self._finished.labels(engine_of(queue), outcome).inc()

    def count_retry(self, queue: str) -> None:
        """Count a failed attempt that is followed by another one."""
        self._retries.labels(engine_of(queue)).inc()

    def count_stall(self, queue: str) -> None:
        """Count a job that was taken from a worker whose lock had expired."""
        self._stalls.labels(engine_of(queue)).inc()

    def count_lost_lock(self) -> None:
        """Count a job that another worker has taken."""
        self._lock_lost.inc()

    def count_restart(self, reason: str) -> None:
        """Count an engine process that was stopped, by its reason."""
        self._restarts.labels(reason).inc()

    def record_speed(self, frames_per_second: float) -> None:
        """Record the speed of the last video."""
        self._speed.labels(self._device).set(frames_per_second)

    def set_free_bytes(self, free_bytes: int | None) -> None:
        """Record the free bytes; None: unknown."""
        self._free.set(math.nan if free_bytes is None else free_bytes)
