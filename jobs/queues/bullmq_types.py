"""BullMQ as we use it: what it offers, in types (it ships none), and how it is opened.

The only file that imports it.
"""

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
    """Tells a processor that its job was cancelled."""

    async def wait(self) -> None:
        """Returns when it was."""


class RunningJob(Protocol):
    """A job in a worker's hands."""

    id: str
    token: str  # of the lock that its worker got with it
    data: Json
    attemptsMade: int  # noqa: N815 - BullMQ's own names
    attemptsStarted: int  # noqa: N815
    stalledCounter: int  # noqa: N815
    timestamp: int  # when it was added, unix time in ms
    processedOn: int | None  # noqa: N815 - when it was begun last, ms
    finishedOn: int | None  # noqa: N815 - when it ended, ms

    async def moveToDelayed(self, timestamp: int, token: str) -> None:  # noqa: N802
        """The job waits until `timestamp`, ms; no attempt is charged. Then DELAYED is raised."""

    async def retry(self, state: str, opts: dict[str, Json]) -> None:
        """A finished job waits again."""


class JobQueue(Protocol):
    """The side of a queue where jobs are put in."""

    async def add(self, name: str, data: Json, opts: dict[str, Json]) -> object:
        """Stores a job; one with a known `jobId` changes nothing."""

    async def remove(self, job_id: str) -> int:
        """Removes a job in whichever state; 0 if a worker has it."""


class JobWorker(Protocol):
    """The side of a queue where jobs are worked."""

    id: str
    running: bool
    closing: bool
    drained: bool  # nothing was there at the last fetch
    waiting: "asyncio.Future[int] | None"  # for a job to come
    processing: "set[asyncio.Future[RunningJob | None]]"  # fetches, and jobs that were begun

    def on(self, event_name: str, function: Callable[..., None]) -> object:
        """Calls the function at an event."""

    def cancelJob(self, job_id: str, reason: str) -> bool:  # noqa: N802
        """Sets the signal of a job that this worker has."""

    async def pause(self, do_not_wait_active: bool) -> None:
        """Takes no further job."""

    def resume(self) -> None:
        """Takes jobs again."""

    async def run(self) -> None:
        """Takes and works jobs until it is closed."""

    async def close(self, *, force: bool) -> None:
        """By force, as we use it: cancels what is in hand."""


# A backoff that doubles up to a quarter of an hour; BullMQ's own would go on doubling.
CAPPED_BACKOFF = "capped"
_LONGEST_BACKOFF_MS = 900_000

Processor = Callable[[RunningJob, str, Signal], Awaitable[Json]]

GIVEN_BACK = cast("type[Exception]", DelayedError)
NEVER_AGAIN = cast("type[Exception]", UnrecoverableError)


def open_queue(name: str, client: Redis) -> JobQueue:
    """A queue on a client that stays the caller's.

    It is not closed: that would close the client, which other queues share.
    """
    return cast("JobQueue", Queue(name, {"connection": client}))


async def stored_job(queue: JobQueue, job_id: str) -> RunningJob | None:
    """A job as it is stored."""
    return cast("RunningJob | None", await Job.fromId(queue, job_id))


def open_worker(
    name: str, processor: Processor, client: Redis, options: dict[str, Json]
) -> JobWorker:
    """A worker that does not run yet, on a client that stays the caller's."""
    settings = {
        **options,
        "connection": client,
        "autorun": False,
        "settings": {"backoffStrategy": _backoff_ms},
    }
    worker = Worker(name, processor, settings)
    # It would close the client while jobs are still being fetched and given back, which then open
    # connections that nobody closes.
    worker.backend.close = _leave_open
    return cast("JobWorker", worker)


async def _leave_open(*, force: bool = False) -> None:
    """Does nothing."""


# BullMQ's own `close` is no good but by force. It waits for what is in hand without a limit, and
# forgets a job that is being fetched meanwhile. If asyncio cancels all tasks at the program's end
# while it waits, it turns in a circle for ever.


def take_no_more(worker: JobWorker) -> None:
    """Begins a worker's end: what is in hand goes on, and nothing is waited for any more."""
    worker.closing = True
    worker.drained = False  # a fetch that is just beginning would wait for a job if it were true
    worker.resume()
    if worker.waiting is not None:
        worker.waiting.cancel()


async def has_finished(worker: JobWorker, patience_s: float) -> bool:
    """Whether everything that a worker has begun, fetches among it, ends within the time, s."""
    deadline_s = time.monotonic() + patience_s
    while left := {task for task in worker.processing if not task.done()}:
        wait_s = deadline_s - time.monotonic()
        if wait_s < 0:
            return False
        await asyncio.wait(left, timeout=wait_s)
    return True


async def end_run(worker: JobWorker, run: "asyncio.Task[None]") -> None:
    """Ends a worker's `run`, and its looks for lost jobs, for which that does not wait."""
    await end_tasks([run])
    # There is no timer if it could not even begin.
    timer = getattr(worker, "stalledCheckTimer", None)
    if timer is not None:
        await end_tasks([timer._task])  # noqa: SLF001 - it shows it in no other way


def unbegun_jobs(worker: JobWorker) -> list[RunningJob]:
    """The jobs that a worker, whose `run` has ended, had fetched and not begun."""
    ended = [task for task in worker.processing if task.done() and not task.cancelled()]
    found = [task.result() for task in ended if task.exception() is None]
    return [job for job in found if job is not None]


def _backoff_ms(attempts_made: int, kind: str, _error: Exception, job: Job) -> int:
    """How long a failed job waits; BullMQ asks for those whose backoff it does not know itself."""
    if kind != CAPPED_BACKOFF:
        message = f"there is no backoff called {kind}"
        raise ValueError(message)
    first_ms: int = job.opts["backoff"]["delay"]
    doublings = min(attempts_made - 1, 20)
    return min(_LONGEST_BACKOFF_MS, first_ms << doublings)
