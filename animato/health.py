"""Health checks of containers: whether the bot or a worker on this machine is alive.

Bot and workers write heartbeats to Redis, which expire soon. A program that hangs or cannot reach
Redis writes none. A bot's heartbeat says whether it can fetch updates.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from jobs.connection import check_server, connect, queue_errors
from jobs.errors import BadSettings, OperatorError
from jobs.queues.heartbeats import BEAT_EVERY_S, DEAD_AFTER_S, WorkerRegistry
from jobs.queues.keys import bot_key
from jobs.service_errors import QueueUnavailable
from jobs.settings import Settings
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

_DEAF = "deaf"


class NoHeartbeat(OperatorError):
    """A program hangs, cannot reach Redis, or is not running."""

    sentence = (
        "No {program} on this machine ({host}) has written a heartbeat within {seconds:g} s: see "
        "its log, and start it again."
    )


class NothingFetched(OperatorError):
    """The bot is running, but gets no updates from Telegram."""

    sentence = (
        "The bot on this machine ({host}) could not fetch updates from Telegram for a minute or "
        "longer: its log says why."
    )


def check_bot() -> None:
    """Raise unless the bot on this machine is alive and fetches updates.

    Raises:
        BadSettings: a setting is invalid, or Redis is not set.
        QueueUnavailable: Redis does not answer.
        NoHeartbeat: the bot is not alive.
        NothingFetched: it could not fetch updates for a minute.
    """
    _check("bot", _has_bot)


def check_worker() -> None:
    """Raise unless a worker on this machine is alive; see `check_bot` for the errors."""
    _check("worker", _has_worker)


@asynccontextmanager
async def bot_heartbeats(
    url: str, is_deaf: Callable[[], bool], every_s: float = BEAT_EVERY_S
) -> AsyncIterator[None]:
    """Write the bot's heartbeats while the block lasts.

    Args:
        url: the address of Redis.
        is_deaf: returns whether the bot could not fetch updates for a minute.
        every_s: the interval, s.
    """
    client = connect(url, is_worker=False)
    beating = asyncio.create_task(_write_heartbeats(client, url, is_deaf, every_s))
    try:
        yield
    finally:
        await end_tasks([beating])
        await client.aclose()


async def _write_heartbeats(
    client: Redis, url: str, is_deaf: Callable[[], bool], every_s: float
) -> None:
    while True:
        state = _DEAF if is_deaf() else "alive"
        try:
            with queue_errors(url):
                await client.set(bot_key(socket.gethostname()), state, ex=DEAD_AFTER_S)
        except QueueUnavailable as error:
            log.warning("%s", error)
        await asyncio.sleep(every_s)


def _check(program: str, is_alive: Callable[[Redis, str], Awaitable[bool]]) -> None:
    url = Settings.load(Path(".env")).redis_url.get_secret_value()
    if not url:
        reason = f"The heartbeats of the {program} are in Redis: set ANIMATO_REDIS_URL."
        raise BadSettings(reason=reason)
    if not asyncio.run(_is_alive(url, is_alive)):
        raise NoHeartbeat(program=program, host=socket.gethostname(), seconds=DEAD_AFTER_S)


async def _is_alive(url: str, is_alive: Callable[[Redis, str], Awaitable[bool]]) -> bool:
    # Without retries, unlike the client below: the answer is wanted now.
    await check_server(url, wait_s=0)
    client = connect(url, is_worker=False)
    try:
        return await is_alive(client, url)
    finally:
        await client.aclose()


async def _has_bot(client: Redis, url: str) -> bool:
    host = socket.gethostname()
    with queue_errors(url):
        state = await client.get(bot_key(host))
    if state == _DEAF:
        raise NothingFetched(host=host)
    return state is not None


async def _has_worker(client: Redis, url: str) -> bool:
    host = socket.gethostname()
    return any(beat.host == host for beat in await WorkerRegistry(client, url).living())
