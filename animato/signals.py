"""Shutting down on signals: the more signals, the faster."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from typing import NoReturn

log = logging.getLogger(__name__)

HURRY_S = 5.0
"""How long a service may take to end after the second signal."""
_STOPPED = 130

Kill = Callable[["asyncio.Task[None]"], object]


def exit_at_once(_work: "asyncio.Task[None]") -> NoReturn:
    """Exit without clean-up. Child processes notice and exit too."""
    os._exit(_STOPPED)


def until_signal(
    work: Coroutine[None, None, None], ask: Callable[[], None], kill: Kill = exit_at_once
) -> None:
    """Run `work` until it ends by itself or on a signal.

    The first SIGINT, SIGTERM or SIGHUP asks it to end. After the second it has HURRY_S seconds
    left, and the third kills it at once.

    Args:
        work: what to run.
        ask: asks it to end; called for the first and the second signal.
        kill: ends it at once. By default the process exits; work that must kill its child processes
            first takes `asyncio.Task.cancel`.

    Raises:
        KeyboardInterrupt: the first signal was Ctrl-C.
    """
    if asyncio.run(_until_signal(work, ask, kill)) is signal.SIGINT:
        raise KeyboardInterrupt


async def _until_signal(
    work: Coroutine[None, None, None], ask: Callable[[], None], kill: Kill
) -> signal.Signals | None:
    """Run the work; return the first signal, if any."""
    received: list[signal.Signals] = []
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)

    def on_signal(number: signal.Signals) -> None:
        received.append(number)
        if len(received) > 2:
            kill(task)
            return
        if received == [signal.SIGINT]:
            log.warning("stopping; press Ctrl-C again to stop sooner, a third time to stop at once")
        ask()
        if len(received) == 2:
            loop.call_later(HURRY_S, kill, task)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # `nohup` ignores it on purpose.
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, on_signal, number)
    try:
        await task
    except asyncio.CancelledError:
        if len(received) < 2:
            raise
    log.info("stopped")
    return received[0] if received else None
