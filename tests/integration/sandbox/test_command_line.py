"""`python -m sandbox` as its user starts it."""

import asyncio
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from sandbox.__main__ import main
from tests.integration.jobs.servers import free_port

pytestmark = pytest.mark.local_sockets


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def printed(process: asyncio.subprocess.Process) -> str:
    """What it prints until it is ready."""
    assert process.stdout is not None
    async with asyncio.timeout(40):
        return (await process.stdout.readuntil(b"Ctrl-C")).decode()


async def polls(session: aiohttp.ClientSession, address: str) -> int:
    """How often the bot has polled."""
    async with session.get(f"{address}/sim/calls") as response:
        found: int = (await response.json())["polls"]
        return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_prints_where_it_is_and_ends_with_the_signal(number: signal.Signals) -> None:
    async with started() as process:
        text = await printed(process)
        found = re.search(r"^Chat page +(http://127\.0\.0\.1:\d+)/$", text, re.MULTILINE)
        assert found is not None, text
        async with aiohttp.ClientSession() as session:
            address = found[1]
            assert f"{address}/bot<token>/<method>" in text
            async with session.get(f"{address}/bot4242:sandbox/getMe") as response:
                assert (await response.json())["ok"]
            # A page that is open and a bot that waits do not hold it up.
            events = await session.get(f"{address}/sim/events")
            poll = asyncio.create_task(
                session.get(f"{address}/bot4242:sandbox/getUpdates", params={"timeout": 50})
            )
            async with asyncio.timeout(40):
                while not await polls(session, address):
                    await asyncio.sleep(0.01)
            process.send_signal(number)
            async with asyncio.timeout(40):
                output, errors = await process.communicate()
                assert (await (await poll).json())["result"] == []
            events.close()
    assert process.returncode == 0
    assert errors == b""
    assert b"to stop" in output


async def test_options_are_obeyed() -> None:
    port = free_port()
    options = ("--token", "7777:mine", "--username", "my_bot", "--no-privacy-mode")
    async with started("--port", str(port), *options) as process:
        assert f"http://127.0.0.1:{port}/" in await printed(process)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/bot7777:mine/getMe") as response,
        ):
            me = (await response.json())["result"]
    assert me["username"] == "my_bot"
    assert me["can_read_all_group_messages"] is True


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--host", "0.0.0.0"), "0.0.0.0 is not a loopback address"),  # noqa: S104 - refused
        (("--host", "192.0.2.1"), "192.0.2.1 is not a loopback address"),
        (("--host", "::"), ":: is not a loopback address"),
        (("--port", "99999"), "port"),
        (("--token", "no token"), "token"),
        (("--token", "7:alice"), "token"),
        (("--username", "é <b>x"), "not a bot's username"),
    ],
)
def test_it_refuses_what_cannot_be_with_one_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    (line,) = errors.splitlines()
    assert line.startswith("python -m sandbox: ")
    assert sentence in line


async def test_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with started("--port", str(port)) as process, asyncio.timeout(40):
            output, errors = await process.communicate()
    assert process.returncode == 2
    assert output == b""
    (line,) = errors.decode().splitlines()
    assert line.startswith("python -m sandbox: ")
    assert str(port) in line
