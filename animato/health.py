"""Whether a program of the service is alive: what the health checks of containers ask.

Bot and workers give signs of life to the server of the queues, which forgets them soon. A program
that hangs, or that has lost the server, gives none; a bot's sign says whether it can fetch updates.
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
from jobs.queues.heartbeats import BEAT_EVERY_S, DEAD_AFTER_S, WorkerRegistry
from jobs.queues.keys import bot_key
from jobs.service_errors import QueueUnavailable
from jobs.settings import Settings
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

_DEAF = "deaf"


class NoSignOfLife(OperatorError):
    """A program hangs, has lost the server of the queues, or does not run."""

    sentence = (
        "No {program} on this machine ({host}) has given a sign of life within {seconds:g} s: see "
        "its log, and start it again."
    )


class NothingFetched(OperatorError):
    """The bot runs, but gets no updates from Telegram."""

    sentence = (
        "The bot on this machine ({host}) could fetch nothing from Telegram for a minute or "
        "longer: its log says why."
    )


def check_bot() -> None:
    """Raise unless the bot on this machine is alive and fetches updates.

    Raises:
        BadSettings: a setting cannot be used, or the server of the queues is not set.
        QueueUnavailable: the server does not answer.
        NoSignOfLife: the bot is not alive.
        NothingFetched: it could not fetch updates for a minute.
    """
    _check("bot", _has_bot)


def check_worker() -> None:
    """Nothing, if a worker on this machine is alive; raises what `check_bot` does."""
    _check("worker", _has_worker)


@asynccontextmanager
async def signs_of_bot(
    url: str, is_deaf: Callable[[], bool], every_s: float = BEAT_EVERY_S
) -> AsyncIterator[None]:
    """A stretch of code during which the bot gives signs of life.

    Args:
        url: the server of the queues.
        is_deaf: tells whether the bot could fetch no updates for a minute.
        every_s: how often, s.
    """
    client = connect(url, is_worker=False)
    giving = asyncio.create_task(_give_signs(client, url, is_deaf, every_s))
    try:
        yield
    finally:
        await end_tasks([giving])
        await client.aclose()


async def _give_signs(client: Redis, url: str, is_deaf: Callable[[], bool], every_s: float) -> None:
    while True:
        sign = _DEAF if is_deaf() else "alive"
        try:
            with reaching(url):
                await client.set(bot_key(socket.gethostname()), sign, ex=DEAD_AFTER_S)
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
    host = socket.gethostname()
    with reaching(url):
        sign = await client.get(bot_key(host))
    if sign == _DEAF:
        raise NothingFetched(host=host)
    return sign is not None


async def _has_worker(client: Redis, url: str) -> bool:
    host = socket.gethostname()
    return any(sign.host == host for sign in await WorkerRegistry(client, url).living())
