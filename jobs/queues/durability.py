"""Waiting until Redis has written to its append-only file what it has acknowledged.

A server with `appendfsync everysec` answers at once. While its disk is busy with the last second's
writes, it buffers newer ones in memory for up to 2 s; killed then, it loses what it acknowledged.
`WAITAOF` does not help: Valkey 9.1 answers it before anything reaches the disk.
"""

import asyncio

from redis.asyncio import Redis

from jobs.connection import public_address
from jobs.service_errors import QueueUnavailable

_POLL_S = 0.02
_LONGEST_S = 10.0


async def wait_until_durable(client: Redis) -> None:
    """Return once the server has passed all acknowledged writes to its operating system.

    From then on only a power cut can lose them, and only those of the last second. A server
    without an append-only file is not waited for.

    Raises:
        QueueUnavailable: it cannot write.
        RedisError: it does not answer.
    """
    if not await can_keep(client):
        raise QueueUnavailable(place=public_address(client), reason="it cannot write to its disk")


async def can_keep(client: Redis) -> bool:
    """Wait like `wait_until_durable`; return False if the server cannot write.

    Raises:
        RedisError: it does not answer.
    """
    now = asyncio.get_running_loop().time
    deadline_s = now() + _LONGEST_S
    while True:
        facts = await client.info("persistence")
        # Other clients' latest writes may be buffered too, but not for long.
        if not facts.get("aof_buffer_length"):
            return True
        if now() > deadline_s or facts.get("aof_last_write_status") != "ok":
            return False
        await asyncio.sleep(_POLL_S)
