"""What the bot does again and again: finished jobs become deliveries, old jobs and files go."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from jobs.cleaning import Cleaning
from jobs.errors import AnimatoError
from jobs.metrics.queue_metrics import REFRESH_EVERY_S, QueueMetrics
from jobs.queues.outbox import Outbox
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 0.5
CLEAN_EVERY_S = 300.0


@dataclass(frozen=True)
class PeriodicTask:
    """Something that is done again and again.

    Attributes:
        name: for the log.
        every_s: how long to wait in between.
        do: does it once.
    """

    name: str
    every_s: float
    do: Callable[[], Coroutine[Any, Any, object]]


def periodic_tasks(
    outbox: Outbox, cleaning: Cleaning, metrics: QueueMetrics, clock: Callable[[], float]
) -> tuple[PeriodicTask, ...]:
    """The bot's chores.

    Args:
        outbox: of the queues whose ends are delivered.
        cleaning: of files and jobs.
        metrics: of the queues.
        clock: unix time in s.
    """
    return (
        PeriodicTask("outbox", SWEEP_EVERY_S, outbox.sweep),
        PeriodicTask("cleaning", CLEAN_EVERY_S, lambda: cleaning.sweep(clock())),
        PeriodicTask("metrics", REFRESH_EVERY_S, metrics.refresh),
    )


async def run_periodic_tasks(chores: tuple[PeriodicTask, ...]) -> None:
    """Does all chores until it is cancelled; one that fails is done again at its next time."""
    tasks = [asyncio.create_task(_again_and_again(chore)) for chore in chores]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a mistake of ours is not to pass in silence
    finally:
        await end_tasks(tasks)


async def _again_and_again(chore: PeriodicTask) -> None:
    while True:
        try:
            await chore.do()
        except (AnimatoError, RedisError) as error:
            log.warning("%s: %s", chore.name, error)
        await asyncio.sleep(chore.every_s)
