"""How a service's process ends: signals ask it to, and it takes the time that it needs."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine

log = logging.getLogger(__name__)


def until_signal(work: Coroutine[None, None, None], ask: Callable[[], None]) -> None:
    """Does something until it ends.

    Args:
        work: what is done.
        ask: asks it to end; called for each signal that comes.

    Raises:
        KeyboardInterrupt: the first signal was Ctrl-C.
    """
    if asyncio.run(_until_signal(work, ask)) is signal.SIGINT:
        raise KeyboardInterrupt


async def _until_signal(
    work: Coroutine[None, None, None], ask: Callable[[], None]
) -> signal.Signals | None:
    """The first signal that came, if one did."""
    came: list[signal.Signals] = []

    def hear(number: signal.Signals) -> None:
        came.append(number)
        ask()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # `nohup` has it ignored, and means it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, hear, number)
    await work
    log.info("all has ended")
    return came[0] if came else None
