"""Background tasks: those that repeat, and the group of all of them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from redis.exceptions import RedisError

from jobs.errors import AnimatoError
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)


async def run_periodically(
    name: str, every_s: float, do: Callable[[], Coroutine[Any, Any, object]]
) -> None:
    """Repeat a task until cancelled; if a server does not answer, try again at the next run.

    Args:
        name: for the log.
        every_s: the pause between two runs.
        do: the task.
    """
    while True:
        try:
            await do()
        except (AnimatoError, RedisError) as error:
            log.warning("%s: %s", name, error)
        await asyncio.sleep(every_s)


@asynccontextmanager
async def run_in_background(
    coroutines: tuple[Coroutine[Any, Any, None], ...], failed: Callable[[BaseException], None]
) -> AsyncIterator[None]:
    """Run coroutines side by side while the block lasts, then cancel them.

    Args:
        coroutines: what to run.
        failed: called with the error of each one that fails; the others continue.
    """

    def check(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            failed(error)

    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    for task in tasks:
        task.add_done_callback(check)
    try:
        yield
    finally:
        await end_tasks(tasks)
