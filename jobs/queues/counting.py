"""Counts what becomes of a queue's jobs, as BullMQ's worker tells it: once the server agreed."""

import time

from jobs.metrics.worker_metrics import Outcome, WorkerMetrics
from jobs.queues.bullmq_types import JobWorker, Json, RunningJob
from jobs.queues.failures import CANCELLED, STALLED

_OUTCOMES = {CANCELLED: Outcome.CANCELLED, STALLED: Outcome.POISON}


def count_jobs(worker: JobWorker, queue: str, metrics: WorkerMetrics) -> None:
    """Has the jobs counted that a worker takes from a queue, from now on.

    The listeners raise nothing: BullMQ would take that for the job's failure.
    """

    def active(job: RunningJob, *_: object) -> None:
        if job.attemptsStarted == 1:
            metrics.begun(queue, _seconds_since(job.timestamp))

    def completed(job: RunningJob, _result: Json) -> None:
        metrics.completed(queue, _seconds_since(job.processedOn))

    def failed(job: RunningJob, error: Exception) -> None:
        if job.finishedOn:
            metrics.ended(queue, _OUTCOMES.get(str(error), Outcome.FAILED))
        else:
            metrics.retried(queue)

    def stalled(_job_id: str) -> None:
        metrics.stalled(queue)

    metrics.opens(queue)
    worker.on("active", active)
    worker.on("completed", completed)
    worker.on("failed", failed)
    worker.on("stalled", stalled)


def _seconds_since(time_ms: int | None) -> float:
    """From a time of BullMQ's until now; 0 if it is not known."""
    return time.time() - time_ms / 1000 if time_ms else 0.0
