"""The backups of docs/operate.md, by its own commands: what they hold is there after a restore."""

import asyncio
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.limits import Limits
from bot.people import People
from jobs.connection import connect
from jobs.orders import OrderState
from jobs.queues.admission import OrderLimits
from jobs.queues.queues import Queues
from jobs.redis_server.server import RedisServer, ServerTimeouts
from tests.integration.jobs.bench import LIMIT_S
from tests.integration.jobs.hand import ENGINE, make_order

pytestmark = pytest.mark.local_sockets

DOCUMENT = Path(__file__).parents[3] / "docs" / "operate.md"
PATIENT = ServerTimeouts(start_s=LIMIT_S, stop_s=LIMIT_S)
PERSON, ORDERS = 4242, 20


def commands(heading: str) -> tuple[str, ...]:
    """The commands under a heading of the document."""
    section = DOCUMENT.read_text("utf-8").partition(f"### {heading}\n")[2].partition("\n#")[0]
    return tuple(re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL))


async def follow(commands: tuple[str, ...], folder: Path) -> None:
    for command in commands:
        text = command.replace(".venv/bin/python", sys.executable)
        done = await asyncio.to_thread(
            subprocess.run, ["sh", "-e"], input=text, cwd=folder, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")


def limits_of(client: Redis, url: str) -> Limits:
    return Limits(client, url, OrderLimits(), 15.0)


def people_of(client: Redis, url: str) -> People:
    return People(client, url, frozenset(), is_open=False)


async def fill(url: str) -> None:
    async with Queues(url, [ENGINE], OrderLimits(open_orders=0)) as queues:
        for number in range(1, ORDERS + 1):
            await queues.submit(make_order(PERSON, number))
        people = people_of(queues.client, url)
        await people.agree(PERSON)
        await people.change(PERSON, is_allowed=True)
        await limits_of(queues.client, url).change(per_day=77)


async def check(url: str) -> None:
    async with Queues(url, [ENGINE]) as queues:
        for number in range(1, ORDERS + 1):
            status = await queues.status(make_order(PERSON, number).ref)
            assert status is not None
            assert status.state is OrderState.WAITING
        person = await people_of(queues.client, url).person(PERSON)
        assert person.has_agreed
        assert person.is_allowed
        assert (await limits_of(queues.client, url).changed()).per_day == 77


@asynccontextmanager
async def writing(url: str) -> AsyncIterator[None]:
    """The service writes while the block lasts, and the server rewrites its files."""
    is_over = asyncio.Event()

    async def write_on(client: Redis) -> None:
        while not is_over.is_set():
            await client.set(f"busy:{time.monotonic_ns() % 1000}", "x" * 2000)

    async with connect(url, is_worker=False) as client:
        await client.bgrewriteaof()
        task = asyncio.create_task(write_on(client))
        try:
            yield
        finally:
            is_over.set()
            await task


@pytest.mark.parametrize("is_running", [False, True])
async def test_backup_holds_orders_settings_and_consents(tmp_path: Path, is_running: bool) -> None:
    (tmp_path / ".env").write_text("ANIMATO_LANGUAGE=de\n", "utf-8")
    async with RedisServer(tmp_path / "data", timeouts=PATIENT) as server:
        await fill(server.url)
        if is_running:
            async with writing(server.url):
                await follow(commands("While the service runs"), tmp_path)
            async with connect(server.url, is_worker=False) as client:
                percentage = await client.config_get("auto-aof-rewrite-percentage")
            assert percentage == {"auto-aof-rewrite-percentage": "100"}
    if not is_running:
        await follow(commands("While the service is stopped"), tmp_path)
    shutil.rmtree(tmp_path / "data")
    (tmp_path / ".env").unlink()
    await follow(commands("Restore"), tmp_path)
    async with RedisServer(tmp_path / "data", timeouts=PATIENT) as server:
        await check(server.url)
    assert (tmp_path / ".env").read_text("utf-8") == "ANIMATO_LANGUAGE=de\n"
