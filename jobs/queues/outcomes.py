"""Results of the operations of `Queues`."""

from dataclasses import dataclass
from enum import StrEnum

from jobs.queues.keys import JobRef
from jobs.queues.status import Status


class CancelOutcome(StrEnum):
    """The outcome of a request to cancel."""

    REMOVED = "removed"  # it was waiting and has been removed
    TOLD = "told"  # its worker will stop
    TOO_LATE = "too late"  # it had finished
    UNKNOWN = "unknown"  # there is no such order yet; if it comes, it will be cancelled


@dataclass(frozen=True)
class Submitted:
    """An order that was submitted.

    Attributes:
        is_new: whether it was accepted now; else it had been before.
        status: its status.
    """

    is_new: bool
    status: Status


@dataclass(frozen=True)
class Finished:
    """A job that ended, successfully or not.

    Attributes:
        ref: the job.
        finished_ms: when, by its worker's clock, unix time in ms.
    """

    ref: JobRef
    finished_ms: int


@dataclass(frozen=True)
class DeadLetter:
    """A job that failed for a reason of ours, after all its attempts.

    Attributes:
        status: with its error.
        order: the job's data, JSON text.
    """

    status: Status
    order: str
