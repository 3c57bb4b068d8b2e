"""What works beside the conversation for as long as the bot does, whatever breaks meanwhile."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from jobs.queues.assignment import Work
from jobs.queues.queue_worker import QueueWorker, WorkRules
from jobs.service_errors import QueueUnavailable
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

_AGAIN_S = 5.0


async def keep_open(
    url: str, queue: str, work: Work, rules: WorkRules, again_s: float = _AGAIN_S
) -> None:
    """Keeps a station open until it is cancelled (by `end_tasks`).

    Args:
        url: the server of the queues.
        queue: the queue's name.
        work: what is done for each job.
        rules: how.
        again_s: the pause before another one is opened where one has ended by itself, as after a
            long outage of the server.
    """
    while True:
        try:
            async with QueueWorker(url, queue, work, rules) as station:
                await station.ended()
        except QueueUnavailable as error:
            log.warning("%s", error)
        log.warning("%s: the station has ended, another one is opened", queue)
        await asyncio.sleep(again_s)


@asynccontextmanager
async def side_by_side(
    works: tuple[Coroutine[Any, Any, None], ...], failed: Callable[[BaseException], None]
) -> AsyncIterator[None]:
    """A stretch of time in which all of this is done, unless it ends earlier.

    Args:
        works: what is done; cancelled at the end.
        failed: told what one of them fails with.
    """

    def look_at(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            failed(error)

    tasks = [asyncio.create_task(work) for work in works]
    for task in tasks:
        task.add_done_callback(look_at)
    try:
        yield
    finally:
        await end_tasks(tasks)
