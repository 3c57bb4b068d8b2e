"""The status of a job, from the fields that BullMQ stores about it."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from redis.asyncio import Redis

from jobs.errors import AnimatoError, Cancelled
from jobs.orders import OrderState, Progress, Result
from jobs.queues.failures import error_of
from jobs.queues.keys import BEAT_FIELD, JobRef, accepted_key, prefix_of
from jobs.service_errors import RecordError

STATUS_FIELDS = (
    "finishedOn",
    "failedReason",
    "returnvalue",
    "progress",
    "atm",
    "ats",
    "stc",
    "name",
    BEAT_FIELD,
)

Stored = dict[str, Any]


@dataclass(frozen=True)
class Status:
    """The status of a job.

    Attributes:
        ref: the job.
        state: what is happening to it.
        ahead: how many start before it; None unless it waits for its turn.
        progress: as last reported by its worker, or None.
        starts: how often a worker began it.
        result: its result as JSON text, or None.
        error: why it failed or was cancelled, or None.
        finished_s: when it finished, unix time, or None.
        silent_s: of a running job, since when its worker has not reported, s; workers report every
            few seconds.
    """

    ref: JobRef
    state: OrderState
    ahead: int | None = None
    progress: Progress | None = None
    starts: int = 0
    result: str | None = None
    error: AnimatoError | None = None
    finished_s: float | None = None
    silent_s: float = 0.0

    def video(self) -> Result:
        """Return the result of an order that is done.

        Raises:
            RecordError: there is none that can be read.
        """
        return Result.read(self.result or "")


async def read_status(client: Redis, ref: JobRef) -> Status | None:
    """Return the status of a job; None if nothing is known about it."""
    prefix = prefix_of(ref.queue)
    async with client.pipeline(transaction=True) as pipe:
        pipe.hmget(ref.key, STATUS_FIELDS)
        pipe.zrank(f"{prefix}prioritized", ref.job_id)
        pipe.llen(f"{prefix}wait")
        pipe.lpos(f"{prefix}wait", ref.job_id)
        pipe.zscore(f"{prefix}delayed", ref.job_id)
        pipe.get(accepted_key(ref.job_id))
        pipe.time()
        fields, rank, express, express_at, delayed, accepted, now = await pipe.execute()
    stored = dict(zip(STATUS_FIELDS, fields, strict=True))
    if stored["name"] is None:
        if accepted != OrderState.CANCELLED:
            return None
        return Status(ref, OrderState.CANCELLED, error=Cancelled())
    ahead = None
    if rank is not None:
        ahead = express + rank
    elif express_at is not None:
        # The last one in the list starts next.
        ahead = express - 1 - express_at
    status = status_of(ref, stored, ahead, is_delayed=delayed is not None)
    if status.state is OrderState.RUNNING and stored[BEAT_FIELD] is not None:
        status = replace(status, silent_s=max(0.0, now[0] - float(stored[BEAT_FIELD])))
    return status


def status_of(ref: JobRef, fields: Stored, ahead: int | None, *, is_delayed: bool) -> Status:
    """Return a job's status.

    Args:
        ref: the job.
        fields: the STATUS_FIELDS of its hash.
        ahead: how many start before it; None unless it waits for its turn.
        is_delayed: whether it waits for a certain time.
    """
    facts: dict[str, Any] = {"starts": int(fields["ats"] or 0)}
    if fields["progress"] is not None:
        with suppress(RecordError):  # reported by a worker of another version
            facts["progress"] = Progress.read(fields["progress"])
    if fields["finishedOn"] is not None:
        facts["finished_s"] = int(fields["finishedOn"]) / 1000
        if fields["failedReason"] is None or fields["returnvalue"] is not None:
            return Status(ref, OrderState.DONE, result=fields["returnvalue"], **facts)
        error = error_of(fields["failedReason"], ref.job_id)
        is_cancelled = isinstance(error, Cancelled)
        state = OrderState.CANCELLED if is_cancelled else OrderState.FAILED
        return Status(ref, state, error=error, **facts)
    if ahead is None and not is_delayed:
        return Status(ref, OrderState.RUNNING, **facts)
    is_again = int(fields["atm"] or 0) + int(fields["stc"] or 0) > 0
    state = OrderState.RETRYING if is_again else OrderState.WAITING
    return Status(ref, state, ahead=ahead, **facts)
