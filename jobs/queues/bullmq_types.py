"""The parts of BullMQ that we use, typed (it ships no types). No other file imports it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from bullmq import Job, Queue, Worker
from bullmq.custom_errors import DelayedError, UnrecoverableError
from redis.asyncio import Redis

from jobs.tasks import end_tasks

Json = Any  # what json.loads gives


class Signal(Protocol):
    """Signals to a processor that its job was cancelled."""

    async def wait(self) -> None:
        """Wait until it is cancelled."""


class RunningJob(Protocol):
    """A job that a worker has taken."""

    id: str
    token: str  # of its lock
    data: Json
    attemptsStarted: int  # noqa: N815 - BullMQ's own names
    timestamp: int  # when it was added, unix time in ms
    processedOn: int | None  # noqa: N815 - when its last attempt began, ms
    finishedOn: int | None  # noqa: N815 - when it ended, ms

    async def moveToDelayed(self, timestamp: int, token: str) -> None:  # noqa: N802
        """Delay the job until `timestamp`, ms, without using up an attempt."""

    async def retry(self, state: str, opts: dict[str, Json]) -> None:
        """Put a finished job back into its queue."""


class JobQueue(Protocol):
    """A queue to add jobs to."""

    async def add(self, name: str, data: Json, opts: dict[str, Json]) -> object:
        """Add a job; does nothing if its `jobId` is known."""

    async def remove(self, job_id: str) -> int:
        """Remove a job in any state; returns 0 if a worker has it."""


class JobWorker(Protocol):
    """A worker of a queue."""

    running: bool
    closing: bool
    drained: bool  # the last fetch found nothing
    waiting: "asyncio.Future[int] | None"  # for a job to come
    processing: "set[asyncio.Future[RunningJob | None]]"  # fetches, and running jobs

    def on(self, event_name: str, function: Callable[..., None]) -> object:
        """Call a function on an event."""

    def cancelJob(self, job_id: str, reason: str) -> bool:  # noqa: N802
        """Set the signal of a job that this worker has."""

    async def pause(self, do_not_wait_active: bool) -> None:
        """Take no more jobs."""

    def resume(self) -> None:
        """Take jobs again."""

    async def run(self) -> None:
        """Take and process jobs until it is closed."""

    async def close(self, *, force: bool) -> None:
        """Close it; with `force`, cancel the running jobs."""


# A backoff that doubles up to a quarter of an hour; BullMQ's own would keep doubling.
CAPPED_BACKOFF = "capped"
_LONGEST_BACKOFF_MS = 900_000

Processor = Callable[[RunningJob, str, Signal], Awaitable[Json]]

RETURNED_TO_QUEUE = cast("type[Exception]", DelayedError)
NEVER_AGAIN = cast("type[Exception]", UnrecoverableError)


def open_queue(name: str, client: Redis) -> JobQueue:
    """Open a queue on a client of the caller's. Never close it: that would close the client."""
    return cast("JobQueue", Queue(name, {"connection": client}))


async def stored_job(queue: JobQueue, job_id: str) -> RunningJob | None:
    """Return a job as it is stored."""
    return cast("RunningJob | None", await Job.fromId(queue, job_id))


def open_worker(
    name: str, processor: Processor, client: Redis, options: dict[str, Json]
) -> JobWorker:
    """Create a worker on a client of the caller's; it does not run yet."""
    settings = {
        **options,
        "connection": client,
        "autorun": False,
        "settings": {"backoffStrategy": _backoff_ms},
    }
    worker = Worker(name, processor, settings)
    # It would close the client while jobs are still being fetched and returned, which would then
    # open connections that nobody closes.
    worker.backend.close = _leave_open
    return cast("JobWorker", worker)


async def _leave_open(*, force: bool = False) -> None:
    """Do nothing."""


# BullMQ's own `close` is usable only by force. Otherwise it waits for running jobs without a limit
# and loses a job that is being fetched meanwhile; if asyncio cancels all tasks at the program's end
# while it waits, it loops forever.


def take_no_more(worker: JobWorker) -> None:
    """Stop a worker from taking jobs; running ones continue."""
    worker.closing = True
    worker.drained = False  # otherwise a fetch that is just beginning would wait for a job
    worker.resume()
    if worker.waiting is not None:
        worker.waiting.cancel()


async def has_finished(worker: JobWorker, timeout_s: float) -> bool:
    """Wait for a worker's jobs and fetches; return whether all ended in time."""
    deadline_s = time.monotonic() + timeout_s
    while left := {task for task in worker.processing if not task.done()}:
        wait_s = deadline_s - time.monotonic()
        if wait_s < 0:
            return False
        await asyncio.wait(left, timeout=wait_s)
    return True


async def end_run(worker: JobWorker, run: "asyncio.Task[None]") -> None:
    """End a worker's `run` and its check for stalled jobs, for which `run` does not wait."""
    await end_tasks([run])
    # There is no timer if it did not start.
    timer = getattr(worker, "stalledCheckTimer", None)
    if timer is not None:
        await end_tasks([timer._task])  # noqa: SLF001 - it is not exposed otherwise


def unbegun_jobs(worker: JobWorker) -> list[RunningJob]:
    """Return the jobs that a worker had fetched but not begun when its `run` ended."""
    ended = [task for task in worker.processing if task.done() and not task.cancelled()]
    found = [task.result() for task in ended if task.exception() is None]
    return [job for job in found if job is not None]


def _backoff_ms(attempts_made: int, kind: str, _error: Exception, job: Job) -> int:
    """Return the delay of a failed job; called for backoffs that BullMQ does not know."""
    if kind != CAPPED_BACKOFF:
        message = f"there is no backoff called {kind}"
        raise ValueError(message)
    first_ms: int = job.opts["backoff"]["delay"]
    doublings = min(attempts_made - 1, 20)
    return min(_LONGEST_BACKOFF_MS, first_ms << doublings)
