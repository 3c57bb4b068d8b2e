"""A server for each test, a person's desk beside it, and both client libraries in turn."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from sandbox.server import Sandbox
from tests.integration.sandbox.clients import CLIENTS, Client, connected
from tests.integration.sandbox.desk import Desk
from tests.integration.sandbox.raw_bot import RawBot


@pytest.fixture(autouse=True)
def machine_has_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the machine's would be asked for loopback addresses too."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    # python-telegram-bot warns wherever it gives seconds as a plain number, which is its default.
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def desk(sandbox: Sandbox) -> AsyncIterator[Desk]:
    """A desk where everybody's private chat is still unopened."""
    async with aiohttp.ClientSession() as session:
        yield Desk(session, sandbox.url)


@pytest.fixture
async def alice(desk: Desk, client: Client) -> Desk:
    """A desk where Alice has pressed START, and the bot has heard of it."""
    await desk.say("/start")
    (update,) = await client.bot.get_updates()
    await client.bot.get_updates(offset=update.update_id + 1)
    return desk


@pytest.fixture(params=list(CLIENTS))
async def client(request: pytest.FixtureRequest, sandbox: Sandbox) -> AsyncIterator[Client]:
    found = connected(request.param, sandbox)
    yield found
    await found.close()


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[RawBot]:
    """A bot without a library."""
    async with aiohttp.ClientSession() as session:
        yield RawBot(session, sandbox)
