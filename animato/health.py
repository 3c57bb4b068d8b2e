"""Health checks of containers: whether the bot or a worker on this machine is alive.

Bot and workers write heartbeats to Redis, which expire soon. A program that hangs or cannot reach
Redis writes none. A bot's heartbeat says whether it can fetch updates.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
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
        "No {program} on this machine ({host}) has written a heartbeat within {seconds:g} s: "
        "check its log and restart it."
    )


class NothingFetched(OperatorError):
    """The bot is running, but gets no updates from Telegram."""

    sentence = (
        "The bot on this machine ({host}) has not fetched updates from Telegram for a minute or "
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
    asyncio.run(_check("bot"))


def check_worker() -> None:
    """Raise unless a worker on this machine is alive; see `check_bot` for the errors."""
    asyncio.run(_check("worker"))


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
    async with connect(url, is_worker=False) as client:
        beating = asyncio.create_task(_write_heartbeats(client, is_deaf, every_s))
        try:
            yield
        finally:
            await end_tasks([beating])


async def _write_heartbeats(client: Redis, is_deaf: Callable[[], bool], every_s: float) -> None:
    while True:
        state = _DEAF if is_deaf() else "alive"
        try:
            with queue_errors(client):
                await client.set(bot_key(socket.gethostname()), state, ex=DEAD_AFTER_S)
        except QueueUnavailable as error:
            log.warning("%s", error)
        await asyncio.sleep(every_s)


async def _check(program: str) -> None:
    url = Settings.load(Path(".env")).redis_url.get_secret_value()
    if not url:
        reason = f"The heartbeats of the {program} are in Redis: set ANIMATO_REDIS_URL."
        raise BadSettings(reason=reason)
    # No retries, unlike the client below: somebody is waiting for the answer.
    await check_server(url, wait_s=0)
    host = socket.gethostname()
    async with connect(url, is_worker=False) as client:
        if program == "worker":
            living = await WorkerRegistry(client).living()
            is_alive = any(beat.host == host for beat in living)
        else:
            with queue_errors(client):
                state = await client.get(bot_key(host))
            if state == _DEAF:
                raise NothingFetched(host=host)
            is_alive = state is not None
    if not is_alive:
        raise NoHeartbeat(program=program, host=host, seconds=DEAD_AFTER_S)
