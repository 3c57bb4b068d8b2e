"""Fixtures: a sandbox, a Valkey, and the parts of a bot between them."""

import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from bot.gateway import rate_limiter
from jobs.queues.admission import OrderLimits
from jobs.store.files import FileStore
from sandbox.server import Sandbox
from tests.integration.bot.parts import BotParts, Maker, bot_parts, delivering, local_store
from tests.integration.bot.served_bot import ServedBot, serve_bot
from tests.integration.jobs import conftest as servers
from tests.integration.sandbox import conftest as sandboxes
from tests.integration.sandbox.desk import BOB, Desk

valkey_for_all = servers.valkey_for_all
redis = servers.redis
valkey = servers.valkey
machine_has_no_proxy = sandboxes.machine_has_no_proxy
sandbox = sandboxes.sandbox
desk = sandboxes.desk


if find_spec("sniffio") is None:
    # httpcore looks for it again and again, several times for each call.
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # not installed


@pytest.fixture
def quick_chats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Private chats have room for the next messages after a moment, in a bot that is served."""
    monkeypatch.setattr(rate_limiter, "_PRIVATE", (3, 0.1))


@pytest.fixture
async def served_bot(
    sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path
) -> AsyncIterator[ServedBot]:
    """The bot and a worker; Bob has agreed to the terms. Alice owns the group Family."""
    async with serve_bot(sandbox, valkey, desk, tmp_path) as found, found.working():
        await found.people.agree(BOB)
        yield found


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return local_store(tmp_path)


@pytest.fixture
def maker(store: FileStore) -> Maker:
    return Maker(store)


@pytest.fixture
def limits() -> OrderLimits | None:
    return OrderLimits(open_orders=2)


@pytest.fixture
async def parts(
    sandbox: Sandbox, valkey: str, store: FileStore, limits: OrderLimits | None
) -> AsyncIterator[BotParts]:
    """All parts of a bot, not yet at work."""
    async with bot_parts(sandbox, valkey, store, limits=limits) as found:
        yield found


@pytest.fixture
async def at_work(parts: BotParts) -> AsyncIterator[None]:
    """The parts fetch files, deliver results and update cards."""
    async with delivering(parts):
        yield
