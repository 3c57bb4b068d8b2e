"""Results of the operations of `Queues`."""

from dataclasses import dataclass
from enum import StrEnum

from jobs.queues.keys import JobRef
from jobs.queues.status import Status

UNFINISHED = ("active", "wait", "prioritized", "delayed")
"""BullMQ's states of jobs that have not ended."""

STATES = (*UNFINISHED, "completed", "failed")
"""All of BullMQ's states."""


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
    """A job that failed after all its attempts, not because of its input.

    Attributes:
        status: with its error.
        order: the job's data, JSON text.
    """

    status: Status
    order: str


@dataclass(frozen=True)
class QueueStatistics:
    """A queue at one moment; read by `Queues.statistics`.

    Attributes:
        counts: the number of jobs in each of STATES.
        oldest_ms: when the oldest unfinished one was added, unix time in ms; None if there is none.
        virtual_time: the fair tag that a newcomer gets, in units of 10 s.
    """

    counts: dict[str, int]
    oldest_ms: int | None
    virtual_time: float

    @property
    def unfinished(self) -> int:
        """The number of unfinished jobs."""
        return sum(self.counts[state] for state in UNFINISHED)

    def age_s(self, now_s: float) -> float:
        """Return the age of the oldest unfinished job, s; 0 if there is none."""
        return 0.0 if self.oldest_ms is None else max(0.0, now_s - self.oldest_ms / 1000)
