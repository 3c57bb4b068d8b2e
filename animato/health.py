"""Whether a program of the service is alive: what the health checks of containers ask.

Bot and workers give signs of life to the server of the queues, which forgets them soon. A program
that hangs, or that has lost the server, gives none.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from jobs.connection import check_server, connect, reaching
from jobs.errors import BadSettings, OperatorError
from jobs.queues.keys import bot_key
from jobs.queues.workers import BEAT_EVERY_S, DEAD_AFTER_S, Workers
from jobs.service_errors import QueueUnavailable
from jobs.settings import Settings
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)


class NoSignOfLife(OperatorError):
    """A program hangs, has lost the server of the queues, or does not run."""

    sentence = (
        "No {program} on this machine ({host}) has given a sign of life within {seconds:g} s: see "
        "its log, and start it again."
    )


def check_bot() -> None:
    """Nothing, if the bot on this machine is alive.

    Raises:
        BadSettings: a setting cannot be used, or the server of the queues is not set.
        QueueUnavailable: the server does not answer.
        NoSignOfLife: the bot is not alive.
    """
    _check("bot", _has_bot)


def check_worker() -> None:
    """Nothing, if a worker on this machine is alive; raises what `check_bot` does."""
    _check("worker", _has_worker)


@asynccontextmanager
async def signs_of_bot(url: str, every_s: float = BEAT_EVERY_S) -> AsyncIterator[None]:
    """A stretch of code during which the bot gives signs of life.

    Args:
        url: the server of the queues.
        every_s: how often, s.
    """
    client = connect(url, is_worker=False)
    giving = asyncio.create_task(_give_signs(client, url, every_s))
    try:
        yield
    finally:
        await end_tasks([giving])
        await client.aclose()


async def _give_signs(client: Redis, url: str, every_s: float) -> None:
    while True:
        try:
            with reaching(url):
                await client.set(bot_key(socket.gethostname()), "alive", ex=DEAD_AFTER_S)
        except QueueUnavailable as error:
            log.warning("%s", error)
        await asyncio.sleep(every_s)


def _check(program: str, is_alive: Callable[[Redis, str], Awaitable[bool]]) -> None:
    url = Settings.load(Path(".env")).redis_url.get_secret_value()
    if not url:
        reason = f"Where the {program} gives signs of life is not known: set ANIMATO_REDIS_URL."
        raise BadSettings(reason=reason)
    if not asyncio.run(_asked(url, is_alive)):
        raise NoSignOfLife(program=program, host=socket.gethostname(), seconds=DEAD_AFTER_S)


async def _asked(url: str, is_alive: Callable[[Redis, str], Awaitable[bool]]) -> bool:
    # With little patience, unlike the client below: who asks wants to know how it is now.
    await check_server(url, wait_s=0)
    client = connect(url, is_worker=False)
    try:
        return await is_alive(client, url)
    finally:
        await client.aclose()


async def _has_bot(client: Redis, url: str) -> bool:
    with reaching(url):
        return bool(await client.exists(bot_key(socket.gethostname())))


async def _has_worker(client: Redis, url: str) -> bool:
    host = socket.gethostname()
    return any(sign.host == host for sign in await Workers(client, url).living())
