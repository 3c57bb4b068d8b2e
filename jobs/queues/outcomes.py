"""What the queues answer: to a cancel, to a submit, about jobs that ended."""

from dataclasses import dataclass
from enum import StrEnum

from jobs.queues.keys import JobRef
from jobs.queues.status import Status


class CancelOutcome(StrEnum):
    """What became of the wish to cancel."""

    REMOVED = "removed"  # it waited, and waits no more
    TOLD = "told"  # its worker will stop
    TOO_LATE = "too late"  # it had finished
    UNKNOWN = "unknown"  # there is no such order, or not yet; if it comes, it will be cancelled


@dataclass(frozen=True)
class Submitted:
    """What became of an order that was handed in.

    Attributes:
        is_new: whether it was taken now; else it had been before.
        status: where it stands.
    """

    is_new: bool
    status: Status


@dataclass(frozen=True)
class Finished:
    """A job that ended, well or not.

    Attributes:
        ref: which one.
        finished_ms: when, by its worker's clock, unix time in ms.
    """

    ref: JobRef
    finished_ms: int


@dataclass(frozen=True)
class DeadLetter:
    """An order, a look or a fetching that failed for a reason of ours, after all its attempts.

    Attributes:
        status: with its error.
        order: what was handed in, JSON text.
    """

    status: Status
    order: str
