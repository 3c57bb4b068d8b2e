"""Ending asyncio tasks for certain."""

import asyncio
from collections.abc import Iterable
from typing import Any

_AGAIN_S = 0.05


async def end_tasks(tasks: "Iterable[asyncio.Future[Any]]") -> None:
    """Cancels tasks and waits until they have ended, however they do.

    One cancellation is not enough: redis-py sends within `asyncio.wait_for`, which before Python
    3.12 swallows a cancellation that comes in the moment in which the sending ends.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_S)
