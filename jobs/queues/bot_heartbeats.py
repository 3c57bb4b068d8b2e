"""The heartbeats of a bot: it is alive on a machine, and whether it can fetch updates."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from jobs.connection import connect, queue_errors
from jobs.queues.heartbeats import BEAT_EVERY_S, DEAD_AFTER_S
from jobs.queues.keys import bot_key
from jobs.service_errors import QueueUnavailable
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

ALIVE, DEAF = "alive", "deaf"


@asynccontextmanager
async def bot_heartbeats(
    url: str,
    is_deaf: Callable[[], bool],
    every_s: float = BEAT_EVERY_S,
    on_beat: Callable[[], None] = lambda: None,
) -> AsyncIterator[None]:
    """Write the bot's heartbeats while the block lasts.

    Args:
        url: the address of Redis.
        is_deaf: returns whether the bot could not fetch updates for a minute.
        every_s: the interval, s.
        on_beat: called after each one that was written.
    """
    async with connect(url, is_worker=False) as client:
        beating = asyncio.create_task(_write_heartbeats(client, is_deaf, every_s, on_beat))
        try:
            yield
        finally:
            await end_tasks([beating])


async def _write_heartbeats(
    client: Redis, is_deaf: Callable[[], bool], every_s: float, on_beat: Callable[[], None]
) -> None:
    while True:
        state = DEAF if is_deaf() else ALIVE
        try:
            with queue_errors(client):
                await client.set(bot_key(socket.gethostname()), state, ex=DEAD_AFTER_S)
        except QueueUnavailable as error:
            log.warning("%s", error)
        else:
            on_beat()
        await asyncio.sleep(every_s)


async def bot_state(client: Redis, host: str) -> str | None:
    """Return ALIVE or DEAF; None if no bot is alive on that machine."""
    with queue_errors(client):
        state = await client.get(bot_key(host))
    return None if state is None else str(state)
