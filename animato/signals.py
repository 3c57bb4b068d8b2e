"""How a service's process ends: on a signal, and the sooner the more signals come."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from typing import NoReturn

log = logging.getLogger(__name__)

HURRY_S = 5.0
"""How long a service may still take to end after the second signal."""
_STOPPED = 130

Kill = Callable[["asyncio.Task[None]"], object]


def exit_at_once(_work: "asyncio.Task[None]") -> NoReturn:
    """Exit without any clean-up; child processes notice that and end too."""
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
        kill: ends it at once. The default exits; for work that must kill programs of its own first,
            it is `asyncio.Task.cancel`.

    Raises:
        KeyboardInterrupt: the first signal was Ctrl-C.
    """
    if asyncio.run(_until_signal(work, ask, kill)) is signal.SIGINT:
        raise KeyboardInterrupt


async def _until_signal(
    work: Coroutine[None, None, None], ask: Callable[[], None], kill: Kill
) -> signal.Signals | None:
    """The first signal that came, if one did."""
    came: list[signal.Signals] = []
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)

    def hear(number: signal.Signals) -> None:
        came.append(number)
        if len(came) > 2:
            kill(task)
            return
        if came == [signal.SIGINT]:
            log.warning("ending; press Ctrl-C again to hurry, and a third time to stop at once")
        ask()
        if len(came) == 2:
            loop.call_later(HURRY_S, kill, task)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # `nohup` has it ignored, and means it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, hear, number)
    try:
        await task
    except asyncio.CancelledError:
        if len(came) < 2:
            raise
    log.info("all has ended")
    return came[0] if came else None
