"""A job that a worker has taken: what it is, how far it is, and whether to stop."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from enum import StrEnum
from typing import Any, TypeVar

from jobs.orders import Progress, Record
from jobs.queues.keys import JobRef
from jobs.tasks import end_tasks

Done = TypeVar("Done")


class Stop(StrEnum):
    """Why the work on a job is to stop."""

    CANCELLED = "cancelled"
    LOST = "lost"  # another worker has the job; any result of this one is refused
    DRAINING = "draining"  # the worker is shutting down; the job returns to its queue


class Later(Exception):
    """Raised by work that cannot continue now: the job is retried without using up an attempt.

    Args:
        after_s: the pause before that.
    """

    def __init__(self, after_s: float) -> None:
        self.after_s = after_s
        super().__init__(f"again in {after_s:g} s")


class Assignment:
    """A job in progress.

    Args:
        ref: the job.
        start_number: how often the job has been started, from 1; part of the keys of its results.
        text: the job's data, a record as JSON text.

    Attributes:
        stop_reason: why the work is to stop; None: it is not.
    """

    def __init__(self, ref: JobRef, start_number: int, text: str) -> None:
        self.ref = ref
        self.start_number = start_number
        self.text = text
        self.stop_reason: Stop | None = None
        self._stopping = asyncio.Event()
        self._progress: Progress | None = None
        self._is_published = True
        self._first_s = 0.0
        self._first_frames = 0

    async def wait_for_stop(self) -> Stop:
        """Wait until the work is to stop, and return the reason."""
        await self._stopping.wait()
        return self.stop_reason or Stop.LOST

    async def unless_stopped(self, work: Coroutine[Any, Any, Done]) -> Done | None:
        """Return the result of `work`; None if the assignment is stopped, which cancels `work`."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            await end_tasks([working, stopping])

    def stop(self, reason: Stop) -> None:
        """Ask the work to stop. LOST overrides any other reason."""
        if self.stop_reason is None or reason is Stop.LOST:
            self.stop_reason = reason
        self._stopping.set()

    def report(self, progress: Progress) -> None:
        """Set the progress; the next heartbeat of the job publishes it."""
        if progress.frames_done and not self._first_frames:
            self._first_s, self._first_frames = time.monotonic(), progress.frames_done
        self._progress, self._is_published = progress, False

    def unpublished(self) -> Progress | None:
        """Return the progress if it has not been published yet."""
        return None if self._is_published else self._progress

    def mark_published(self, progress: Progress) -> None:
        """Note that this progress was published."""
        self._is_published = self._progress is progress

    def frames_per_second(self) -> float | None:
        """Return the speed so far; None: not known yet."""
        if self._progress is None or not self._first_frames:
            return None
        elapsed_s = time.monotonic() - self._first_s
        frames = self._progress.frames_done - self._first_frames
        return frames / elapsed_s if frames > 0 and elapsed_s > 0 else None

    def remaining_s(self) -> float | None:
        """Return how long the work will still take; None: not known yet."""
        speed = self.frames_per_second()
        if speed is None or self._progress is None:
            return None
        return max(0, self._progress.frames_total - self._progress.frames_done) / speed


Work = Callable[[Assignment], Awaitable[Record | None]]
