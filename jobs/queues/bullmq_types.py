"""BullMQ as we use it: what it offers, in types (it ships none), and how it is opened.

The only file that imports it.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from bullmq import Job, Queue, Worker
from bullmq.custom_errors import DelayedError, UnrecoverableError
from redis.asyncio import Redis

Json = Any  # what json.loads gives


class Signal(Protocol):
    """Tells a processor that its job was cancelled."""

    async def wait(self) -> None:
        """Returns when it was."""


class RunningJob(Protocol):
    """A job in a worker's hands."""

    id: str
    data: Json
    attemptsMade: int  # noqa: N815 - BullMQ's own names
    attemptsStarted: int  # noqa: N815
    stalledCounter: int  # noqa: N815

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

    async def close(self, force: bool = False) -> None:
        """Ends after the job in hand; `force`: leaves it."""


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
    """A worker that does not run yet; closing it closes the client."""
    settings = {
        **options,
        "connection": client,
        "autorun": False,
        "settings": {"backoffStrategy": _backoff_ms},
    }
    return cast("JobWorker", Worker(name, processor, settings))


def _backoff_ms(attempts_made: int, kind: str, _error: Exception, job: Job) -> int:
    """How long a failed job waits; BullMQ asks for those whose backoff it does not know itself."""
    if kind != CAPPED_BACKOFF:
        message = f"there is no backoff called {kind}"
        raise ValueError(message)
    first_ms: int = job.opts["backoff"]["delay"]
    doublings = min(attempts_made - 1, 20)
    return min(_LONGEST_BACKOFF_MS, first_ms << doublings)
