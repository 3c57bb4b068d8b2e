"""Cancel, shield and shut down asyncio tasks reliably."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

_CANCEL_AGAIN_S = 0.05


async def end_tasks(tasks: "Iterable[asyncio.Future[Any]]") -> None:
    """Cancel tasks and wait until all have ended, whatever they raise.

    One cancellation is not enough: redis-py sends within `asyncio.wait_for`, which before Python
    3.12 swallows a cancellation that arrives just when the send completes. If this call is itself
    cancelled, it raises CancelledError only after all tasks have ended.
    """
    is_cancelled = False
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        try:
            await asyncio.wait(left, timeout=_CANCEL_AGAIN_S)
        except asyncio.CancelledError:
            is_cancelled = True
        left = {task for task in left if not task.done()}
    if is_cancelled:
        raise asyncio.CancelledError


async def run_shielded(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to completion; a cancellation takes effect only afterwards."""
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
