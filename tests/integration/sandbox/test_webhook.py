"""Updates that are pushed to the bot's own server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from tests.integration.sandbox.desk import Desk
from tests.integration.sandbox.raw_bot import RawBot

pytestmark = pytest.mark.local_sockets

SECRET = "a_secret-1"  # noqa: S105 - of this test


@dataclass
class Receiver:
    """The bot's server: answers the statuses that it is told to, then 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    received: "asyncio.Queue[tuple[str | None, Any]]" = field(default_factory=asyncio.Queue)

    async def take(self, request: web.Request) -> web.Response:
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token")
        self.received.put_nowait((secret, await request.json()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def next(self) -> tuple[str | None, Any]:
        async with asyncio.timeout(40):
            return await self.received.get()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.add_routes([web.post("/updates", found.take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/updates"
    yield found
    await runner.cleanup()


async def nothing_pends(bot: RawBot) -> Any:
    async with asyncio.timeout(40):
        while (info := await bot.call("getWebhookInfo"))["pending_update_count"]:
            await asyncio.sleep(0.01)
    return info


async def test_updates_are_pushed_in_order_with_the_secret(
    bot: RawBot, desk: Desk, receiver: Receiver
) -> None:
    await desk.say("before it was set")
    await bot.call("setWebhook", url=receiver.url, secret_token=SECRET)
    await desk.say("after")
    assert [(await receiver.next())[1]["message"]["text"] for _ in range(2)] == [
        "before it was set",
        "after",
    ]
    await desk.say("/start")
    secret, update = await receiver.next()
    assert secret == SECRET
    assert update["message"]["entities"] == [{"type": "bot_command", "offset": 0, "length": 6}]
    info = await nothing_pends(bot)
    assert info["url"] == receiver.url
    assert "last_error_message" not in info


async def test_failed_push_is_repeated_until_it_succeeds(
    bot: RawBot, desk: Desk, receiver: Receiver
) -> None:
    receiver.statuses = [500, 302]
    await bot.call("setWebhook", url=receiver.url)
    await desk.say("stubborn")
    pushed = [(await receiver.next()) for _ in range(3)]
    assert pushed[0] == pushed[1] == pushed[2]
    assert pushed[0][0] is None
    info = await nothing_pends(bot)
    assert info["last_error_message"] == "Wrong response from the webhook: 302 Found"


async def test_webhook_that_nobody_serves_keeps_the_update(bot: RawBot, desk: Desk) -> None:
    await bot.call("setWebhook", url="http://127.0.0.1:9/updates")
    await desk.say("kept")
    async with asyncio.timeout(40):
        while "last_error_message" not in (info := await bot.call("getWebhookInfo")):
            await asyncio.sleep(0.01)
    assert info["last_error_message"].startswith("Connection failed")
    assert info["pending_update_count"] == 1
    await bot.call("deleteWebhook")
    (update,) = await bot.call("getUpdates")
    assert update["message"]["text"] == "kept"


async def test_polling_and_webhook_exclude_each_other(bot: RawBot, receiver: Receiver) -> None:
    await bot.call("setWebhook", url=receiver.url, allowed_updates=["message"])
    assert (await bot.call("getWebhookInfo"))["allowed_updates"] == ["message"]
    answer = await bot.ask("getUpdates")
    assert answer.status == 409
    assert answer.error.startswith("Conflict: can't use getUpdates method while webhook is active")
    await bot.call("setWebhook", url="")
    assert (await bot.call("getWebhookInfo"))["url"] == ""
    assert await bot.call("getUpdates") == []


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"url": "https://example.org/x"}, "this server reaches loopback addresses only"),
        ({"url": "http://192.0.2.1/x"}, "this server reaches loopback addresses only"),
        ({"url": "http:///x"}, "Failed to parse URL"),
        ({"url": "ftp://127.0.0.1/x"}, "Failed to parse URL"),
        ({"url": "http://[::1/x"}, "Failed to parse URL"),
        ({"url": "http://127.0.0.1:99999/x"}, "Failed to parse URL"),
        ({"url": "http://127.0.0.1:abc/x"}, "Failed to parse URL"),
        ({"url": "http://127.0.0.1:1/", "secret_token": "no spaces"}, "unallowed characters"),
        ({"url": "http://127.0.0.1:1/", "secret_token": "x" * 257}, "too long"),
    ],
)
async def test_bad_webhooks_are_refused(bot: RawBot, wish: dict[str, str], error: str) -> None:
    answer = await bot.ask("setWebhook", **wish)
    assert answer.status == 400
    assert error in answer.error
    assert (await bot.call("getWebhookInfo"))["url"] == ""
