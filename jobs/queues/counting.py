"""Counts what happens to a queue's jobs, from the events of BullMQ's worker."""

import time

from jobs.errors import (
    FaceBoxOutside,
    FileMissing,
    MediaError,
    NoFaceFound,
    NoFaceInBox,
    NoFaceInClip,
    NoSuchFace,
)
from jobs.metrics.worker_metrics import Outcome, WorkerMetrics
from jobs.queues.bullmq_types import JobWorker, Json, RunningJob
from jobs.queues.failures import CANCELLED, STALLED, error_of

_OUTCOMES = {CANCELLED: Outcome.CANCELLED, STALLED: Outcome.POISON}
_OF_THE_INPUT = (MediaError, FaceBoxOutside, NoFaceFound, NoFaceInBox, NoFaceInClip, NoSuchFace)


def count_jobs(worker: JobWorker, queue: str, metrics: WorkerMetrics) -> None:
    """Count the jobs that a worker takes from a queue from now on.

    The listeners must not raise: BullMQ would treat that as the job's failure.
    """

    def active(job: RunningJob, *_: object) -> None:
        if job.attemptsStarted == 1:
            metrics.record_start(queue, _seconds_since(job.timestamp))

    def completed(job: RunningJob, _result: Json) -> None:
        metrics.record_completion(queue, _seconds_since(job.processedOn))

    def failed(job: RunningJob, error: Exception) -> None:
        if job.finishedOn:
            metrics.count_end(queue, _outcome_of(str(error), job.id))
        else:
            metrics.count_retry(queue)

    metrics.add_queue(queue)
    worker.on("active", active)
    worker.on("completed", completed)
    worker.on("failed", failed)
    worker.on("stalled", lambda _job_id: metrics.count_stall(queue))


def _outcome_of(reason: str, job_id: str) -> Outcome:
    error = error_of(reason, job_id)
    is_unusable = isinstance(error, _OF_THE_INPUT) and not isinstance(error, FileMissing)
    return _OUTCOMES.get(reason, Outcome.UNUSABLE if is_unusable else Outcome.FAILED)


def _seconds_since(time_ms: int | None) -> float:
    """Return the seconds since one of BullMQ's timestamps; 0 if it is not set."""
    return time.time() - time_ms / 1000 if time_ms else 0.0
