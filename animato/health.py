"""Health checks of containers: whether the bot or a worker on this machine is alive.

Bot and workers write heartbeats to Redis, which expire soon. A program that hangs or cannot reach
Redis writes none. A bot's heartbeat says whether it can fetch updates.
"""

import asyncio
import socket
from pathlib import Path
from typing import Literal

from jobs.connection import check_server, connect
from jobs.errors import BadSettings, OperatorError
from jobs.queues.bot_heartbeats import DEAF, bot_state
from jobs.queues.heartbeats import DEAD_AFTER_S, WorkerRegistry
from jobs.settings import Settings


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


def check_health(program: Literal["bot", "worker"]) -> None:
    """Raise unless the bot or a worker on this machine is alive, and the bot fetches updates.

    Raises:
        BadSettings: a setting is invalid, or Redis is not set.
        QueueUnavailable: Redis does not answer.
        NoHeartbeat: the program is not alive.
        NothingFetched: the bot could not fetch updates for a minute.
    """
    asyncio.run(_check(program))


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
            state = await bot_state(client, host)
            if state == DEAF:
                raise NothingFetched(host=host)
            is_alive = state is not None
    if not is_alive:
        raise NoHeartbeat(program=program, host=host, seconds=DEAD_AFTER_S)
