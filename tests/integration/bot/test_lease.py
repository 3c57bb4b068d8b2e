"""Several processes of one bot behind a webhook: one serves, the others stand by."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from redis.asyncio import Redis

from bot.gateway.connection import run
from bot.gateway.lease import Lease, LeaseLost
from jobs.queues.keys import lease_key
from jobs.tasks import end_tasks
from sandbox.server import Sandbox
from tests.integration.bot.running import BOT, Heard, built, left_in_inbox, running, until
from tests.integration.jobs.servers import free_port
from tests.integration.sandbox.desk import Desk

pytestmark = pytest.mark.local_sockets

KEY = "animato:lease:test"
SOON_S, LATER_S = 0.3, 2.0


@asynccontextmanager
async def front(*ports: int) -> AsyncIterator[str]:
    """A web server that forwards to the first of several ports which takes a connection."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for port in ports:
            with suppress(ConnectionError):
                back = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(
                    copy(reader, back[1]), copy(back[0], writer), return_exceptions=True
                )
                break
        writer.close()

    async with await asyncio.start_server(forward, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/updates"


async def test_second_process_behind_a_webhook_serves_when_the_first_one_ends(
    sandbox: Sandbox, redis: Redis, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    ports, first, second = (free_port(), free_port()), Heard(), Heard()
    async with front(*ports) as url:
        here = {"webhook_url": url}
        both = [
            built(sandbox, redis, heard, webhook_listen=f"127.0.0.1:{port}", **here)
            for heard, port in zip((first, second), ports, strict=True)
        ]
        ending = asyncio.Event()
        async with running(both[0]) as first_ends:
            standing_by = asyncio.create_task(run(both[1], ending))
            await until(lambda: "another process serves" in caplog.text)
            assert [one.polling_health.word() for one in both] == ["ok", "standby"]
            await desk.say("one")
            await until(lambda: first.texts == ["one"])
            assert not both[1].running
            first_ends.set()
            await desk.say("two")
            await until(lambda: second.texts == ["two"])
            assert both[1].polling_health.word() == "ok"
        await desk.say("three")
        await until(lambda: second.texts == ["two", "three"])
        ending.set()
        await standing_by
    assert first.texts == ["one"]
    assert await left_in_inbox(redis) == 0
    assert not await redis.exists(lease_key(BOT))


async def test_bot_that_has_lost_its_lease_stops(sandbox: Sandbox, redis: Redis) -> None:
    port = free_port()
    application = built(
        sandbox,
        redis,
        Heard(),
        webhook_url=f"http://127.0.0.1:{port}/updates",
        webhook_listen=f"127.0.0.1:{port}",
    )
    application.inbox.lease = Lease(redis, lease_key(BOT), SOON_S)

    async def take_over() -> None:
        await until(lambda: application.running)
        await redis.set(lease_key(BOT), "another", ex=60)

    taking_over = asyncio.create_task(take_over())
    with pytest.raises(LeaseLost):
        await run(application, asyncio.Event())
    await taking_over
    assert await redis.get(lease_key(BOT)) == "another"


async def renewed(client: Redis) -> None:
    """Returns when the lease was renewed once more."""
    last_ms = await client.pttl(KEY)

    async def is_later() -> bool:
        nonlocal last_ms
        before_ms, last_ms = last_ms, await client.pttl(KEY)
        return last_ms > before_ms

    await until(is_later)


async def test_lease_is_held_for_longer_than_it_lasts_and_free_after_a_death(redis: Redis) -> None:
    first, second = Lease(redis, KEY, LATER_S), Lease(redis, KEY, LATER_S)
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    for _ in range(6):  # each renewal is a fifth of its time later
        await renewed(redis)
    assert not waiting.done()
    await end_tasks([first.kept])  # as if its process had died
    await redis.pexpire(KEY, 1)
    await waiting
    await second.release()
    assert not await redis.exists(KEY)
