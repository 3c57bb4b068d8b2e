"""A queue in numbers."""

from dataclasses import dataclass

UNFINISHED = ("active", "wait", "prioritized", "delayed")
"""BullMQ's states of jobs that have not ended."""

STATES = (*UNFINISHED, "completed", "failed")
"""All of BullMQ's states."""


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
