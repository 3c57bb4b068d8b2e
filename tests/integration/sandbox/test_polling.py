"""How a bot gets its updates: kept until confirmed, waited for, one poller at a time."""

import asyncio
from typing import Any

import pytest

from sandbox.server import Sandbox
from tests.integration.sandbox.desk import Desk
from tests.integration.sandbox.raw_bot import RawBot

pytestmark = pytest.mark.local_sockets


def texts(updates: list[Any]) -> list[str]:
    return [update["message"]["text"] for update in updates]


async def begun(count: int, sandbox: Sandbox) -> None:
    """Returns once so many polls have come in."""
    while sandbox.telegram.calls.polls < count:
        await asyncio.sleep(0.001)


async def test_updates_come_again_until_they_are_confirmed(bot: RawBot, desk: Desk) -> None:
    for text in ("one", "two", "three"):
        await desk.say(text)
    first = await bot.call("getUpdates")
    assert texts(first) == ["one", "two", "three"]
    assert [update["update_id"] - first[0]["update_id"] for update in first] == [0, 1, 2]
    assert await bot.call("getUpdates") == first
    assert texts(await bot.call("getUpdates", offset=first[1]["update_id"])) == ["two", "three"]
    # The first one is forgotten, and no lower offset brings it back.
    assert texts(await bot.call("getUpdates", offset=1)) == ["two", "three"]
    assert await bot.call("getUpdates", offset=first[2]["update_id"] + 1) == []


async def test_limit_and_negative_offset(bot: RawBot, desk: Desk) -> None:
    for number in range(5):
        await desk.say(str(number))
    assert texts(await bot.call("getUpdates", limit=2)) == ["0", "1"]
    assert texts(await bot.call("getUpdates", limit=0)) == ["0"]
    assert texts(await bot.call("getUpdates", offset=-2)) == ["3", "4"]
    assert texts(await bot.call("getUpdates")) == ["3", "4"]


async def test_poll_is_answered_as_soon_as_something_happens(
    bot: RawBot, desk: Desk, sandbox: Sandbox
) -> None:
    waiting = asyncio.create_task(bot.call("getUpdates", timeout=50))
    await begun(1, sandbox)
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await desk.say("hello")
    async with asyncio.timeout(40):
        assert texts(await waiting) == ["hello"]


async def test_poll_ends_empty_after_its_time(bot: RawBot) -> None:
    async with asyncio.timeout(40):
        assert await bot.call("getUpdates", timeout=0.2) == []


async def test_waiting_costs_one_call_and_no_turns_of_the_loop(
    bot: RawBot, sandbox: Sandbox
) -> None:
    waiting = asyncio.create_task(bot.call("getUpdates", timeout=50))
    await begun(1, sandbox)
    await asyncio.sleep(0.05)
    scheduled = 0
    loop = asyncio.get_running_loop()
    call_soon = loop.call_soon

    def counted(*arguments: Any, **options: Any) -> asyncio.Handle:
        nonlocal scheduled
        scheduled += 1
        return call_soon(*arguments, **options)

    loop.call_soon = counted  # type: ignore[method-assign, assignment]  # a counter
    await asyncio.sleep(1)
    loop.call_soon = call_soon  # type: ignore[method-assign]
    assert not waiting.done()
    assert sandbox.telegram.calls.polls == 1
    assert scheduled < 20  # this test's own sleep, and what keeps connections alive
    waiting.cancel()


async def test_offset_far_ahead_confirms_nothing(bot: RawBot, desk: Desk) -> None:
    await desk.say("kept")
    assert texts(await bot.call("getUpdates", offset=2**31)) == ["kept"]
    assert texts(await bot.call("getUpdates")) == ["kept"]


async def test_older_poller_is_told_at_once_and_the_newer_one_goes_on(
    bot: RawBot, desk: Desk, sandbox: Sandbox
) -> None:
    older = asyncio.create_task(bot.ask("getUpdates", timeout=50))
    await begun(1, sandbox)
    newer = asyncio.create_task(bot.call("getUpdates", timeout=50))
    async with asyncio.timeout(40):
        answer = await older
        assert answer.status == 409
        assert answer.error.startswith("Conflict: terminated by other getUpdates request")
        await desk.say("for the newer one")
        assert texts(await newer) == ["for the newer one"]


async def test_what_is_not_asked_for_is_never_created(bot: RawBot, desk: Desk) -> None:
    await bot.call("getUpdates", allowed_updates=["callback_query"])
    said = await desk.say("unheard")
    assert said["delivered"] is False
    assert said["reason"] == "the bot did not ask for messages"
    # A list that is left out changes nothing; an empty one is the default again.
    assert await bot.call("getUpdates") == []
    assert (await bot.call("getWebhookInfo"))["allowed_updates"] == ["callback_query"]
    await bot.call("getUpdates", allowed_updates=[])
    await desk.say("heard")
    assert texts(await bot.call("getUpdates")) == ["heard"]


async def test_ids_grow_over_a_reset(bot: RawBot, desk: Desk) -> None:
    await desk.say("before")
    (before,) = await bot.call("getUpdates")
    await desk.post("reset")
    assert await bot.call("getUpdates") == []
    await desk.say("after")
    (after,) = await bot.call("getUpdates")
    assert after["update_id"] > before["update_id"]
    assert after["message"]["message_id"] == 1


async def test_server_that_stops_ends_the_wait_and_starts_again_where_it_was(
    bot: RawBot, desk: Desk, sandbox: Sandbox
) -> None:
    await desk.say("before")
    (before,) = await bot.call("getUpdates")
    waiting = asyncio.create_task(bot.ask("getUpdates", timeout=50, offset=before["update_id"] + 1))
    await begun(2, sandbox)
    address = sandbox.url
    async with asyncio.timeout(40):
        await sandbox.stop()
        assert (await waiting).body["result"] == []
        await sandbox.start()
    assert sandbox.url == address
    waiting = asyncio.create_task(bot.ask("getUpdates", timeout=50))
    await begun(3, sandbox)
    await desk.say("after")
    assert texts((await waiting).body["result"]) == ["after"]
    assert await desk.transcript() == "Alice: before\nAlice: after\n"


async def test_pending_updates_are_dropped_on_request(bot: RawBot, desk: Desk) -> None:
    await desk.say("old")
    assert (await bot.call("getWebhookInfo"))["pending_update_count"] == 1
    await bot.call("deleteWebhook", drop_pending_updates=True)
    assert await bot.call("getUpdates") == []
