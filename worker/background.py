"""Background work, such as writing a log line to Redis."""

import asyncio
import logging
from collections.abc import Coroutine

from jobs.service_errors import QueueUnavailable
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)


class Background:
    """Runs coroutines beside the work. If Redis does not answer, that is only logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[None, None, None]) -> None:
        """Start one."""
        task = asyncio.create_task(self.attempt(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def attempt(self, work: Coroutine[None, None, None]) -> None:
        """Wait for one that may fail."""
        try:
            await work
        except QueueUnavailable as error:
            log.warning("%s", error)

    async def end(self, limit_s: float) -> None:
        """Wait for all, but not longer than that, then cancel the rest."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=limit_s)
        await end_tasks(list(self._tasks))
