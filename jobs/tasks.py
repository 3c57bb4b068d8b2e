"""Ending asyncio tasks, and other work, for certain."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

_AGAIN_S = 0.05


async def end_tasks(tasks: "Iterable[asyncio.Future[Any]]") -> None:
    """Cancels tasks and waits until they have ended, however they do.

    One cancellation is not enough: redis-py sends within `asyncio.wait_for`, which before Python
    3.12 swallows a cancellation that comes in the moment in which the sending ends. Being cancelled
    itself takes effect afterwards: otherwise tasks that end tasks of their own would leave them.
    """
    is_cancelled = False
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        try:
            await asyncio.wait(left, timeout=_AGAIN_S)
        except asyncio.CancelledError:
            is_cancelled = True
        left = {task for task in left if not task.done()}
    if is_cancelled:
        raise asyncio.CancelledError


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Does work that must not be cut short; being cancelled takes effect afterwards."""
    is_cancelled = False
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            is_cancelled = True
    task.result()
    if is_cancelled:
        raise asyncio.CancelledError


class Shutdown:
    """A request to end: made once, finish what is nearly done; made again, end without delay.

    Attributes:
        asked: set by the first request.
        is_urgent: set by the second.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.is_urgent = asyncio.Event()

    def ask(self) -> None:
        """Make the request."""
        if self.asked.is_set():
            self.is_urgent.set()
        self.asked.set()
