"""Whether what the server has answered would outlive its death.

A server with `appendfsync everysec` answers at once. While its disk is busy with the writes of the
last second, it keeps newer ones in its own memory, for up to 2 s: killed then, it has forgotten
what it had accepted. `WAITAOF` is no help: Valkey 9.1 answers it before anything reaches the disk.
"""

import asyncio

from redis.asyncio import Redis

from jobs.connection import place_of
from jobs.service_errors import QueueUnavailable

_ASK_AGAIN_S = 0.02
_LONGEST_S = 10.0


async def wait_until_durable(client: Redis, url: str) -> None:
    """Returns when the server has handed all that it has accepted to its operating system.

    From then on only a power cut can lose it, and of that the last second. A server that keeps
    nothing on a disk is not waited for.

    Args:
        client: the server of the queues.
        url: its address.

    Raises:
        QueueUnavailable: it cannot write.
        RedisError: it does not answer.
    """
    if not await can_keep(client):
        raise QueueUnavailable(place=place_of(url), reason="it cannot write to its disk")


async def can_keep(client: Redis) -> bool:
    """As `wait_until_durable`; False if the server cannot write.

    Raises:
        RedisError: it does not answer.
    """
    deadline_s = asyncio.get_running_loop().time() + _LONGEST_S
    while True:
        facts = await client.info("persistence")
        # Other people's writes of this very moment may be among them, but not for long.
        if not facts.get("aof_buffer_length"):
            return True
        is_over = asyncio.get_running_loop().time() > deadline_s
        if is_over or facts.get("aof_last_write_status") != "ok":
            return False
        await asyncio.sleep(_ASK_AGAIN_S)
