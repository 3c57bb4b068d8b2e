"""A sandbox, a browser with its chat page, and bots behind it, for the tests of that page."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest_asyncio
from playwright.async_api import Page, async_playwright, expect

from sandbox.server import Sandbox
from tests.conftest import Require
from tests.e2e.chat_page import PATIENCE_MS, Desktop
from tests.echo_bot import EchoBot, echo_bot
from tests.integration.sandbox.desk import Desk
from tests.integration.sandbox.raw_bot import RawBot

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"),
    # A microphone that beeps, and may be used without asking.
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def desk(sandbox: Sandbox) -> AsyncIterator[Desk]:
    async with aiohttp.ClientSession() as session:
        yield Desk(session, sandbox.url)


@pytest_asyncio.fixture(loop_scope="module")
async def bot(sandbox: Sandbox) -> AsyncIterator[RawBot]:
    async with aiohttp.ClientSession() as session:
        yield RawBot(session, sandbox)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tab(require: Require) -> AsyncIterator[Page]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    require(chromium, "chromium is not installed")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=str(chromium), args=list(FLAGS))
        context = await running.new_context()
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        yield await context.new_page()
        await running.close()


@pytest_asyncio.fixture(loop_scope="module")
async def desktop(tab: Page, sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Desktop]:
    found = Desktop(tab, sandbox, tmp_path)
    yield found
    await found.close()
    assert [screen.wrong for screen in found.screens if screen.wrong] == []


@pytest_asyncio.fixture(loop_scope="module")
async def echo(sandbox: Sandbox) -> AsyncIterator[EchoBot]:
    async with echo_bot(sandbox, pause_s=0.1) as running:
        yield running
