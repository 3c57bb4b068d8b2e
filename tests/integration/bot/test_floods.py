"""One person floods the bot: the others are answered before the flood is worked off."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from redis.asyncio import Redis
from telegram import Update

from bot.gateway.application import Backoff, Context
from bot.gateway.update_processor import allow_early_release
from sandbox.server import Sandbox
from tests.integration.bot.running import built, left_in_inbox, running, until
from tests.integration.bot.served_bot import serve_bot
from tests.integration.bot.talk import text_of
from tests.integration.sandbox.desk import ALICE, BOB, FAMILY, Desk

pytestmark = pytest.mark.local_sockets
FLOOD = 300
IMPATIENT = Backoff(first_pause_s=0.01, start_pauses_s=(), grace_s=0.1)


COMMANDS = 60  # five times as many as are answered


async def flood(desk: Desk, person: int, chat: int) -> None:
    """Sends very many messages at once."""
    says = (desk.say(f"/{number}", user_id=person, chat_id=chat) for number in range(FLOOD))
    await asyncio.gather(*says)


async def test_updates_that_wait_for_the_rate_limit_take_no_place_from_others(
    sandbox: Sandbox, redis: Redis, desk: Desk
) -> None:
    heard: Counter[int] = Counter()

    async def handle(update: Update, context: Context) -> None:
        user = update.effective_user
        assert user is not None
        heard[user.id] += 1
        if user.id == ALICE:
            allow_early_release()
            await context.bot.send_message(ALICE, "hello")

    await desk.fault(method="sendMessage", chat_id=ALICE, retry_after=600)
    async with running(built(sandbox, redis, handle, backoff=IMPATIENT)):
        await flood(desk, ALICE, ALICE)
        await until(lambda: heard[ALICE] == FLOOD)
        await desk.say("hello", user_id=BOB, chat_id=BOB)
        await until(lambda: heard[BOB])
        assert await left_in_inbox(redis) >= FLOOD


@pytest.mark.parametrize("is_private", [False, True])
async def test_person_in_a_busy_group_is_heard_before_a_flood_of_another_is_over(
    sandbox: Sandbox, redis: Redis, desk: Desk, is_private: bool
) -> None:
    """Bob writes in the group that Alice floods, or in his private chat."""
    heard: list[int] = []
    go = asyncio.Event()

    async def handle(update: Update, _context: Context) -> None:
        user = update.effective_user
        assert user is not None
        heard.append(user.id)
        await go.wait()

    await desk.post("settings", privacy_mode="false")
    async with running(built(sandbox, redis, handle)):
        await flood(desk, ALICE, FAMILY)
        await until(lambda: heard)
        await desk.say("hello", user_id=BOB, chat_id=BOB if is_private else FAMILY)
        if is_private:
            await until(lambda: BOB in heard)
        else:

            async def has_all() -> bool:
                return await left_in_inbox(redis) > FLOOD

            await until(has_all)
        go.set()
        await until(lambda: len(heard) > FLOOD)
    assert heard.index(BOB) < 10


async def test_group_flooded_with_commands_answers_another_person_among_the_first(
    sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path
) -> None:
    async with serve_bot(sandbox, valkey, desk, tmp_path) as served_bot, served_bot.working():
        await served_bot.people.agree(BOB)
        photo = await served_bot.photo(BOB, chat_id=FAMILY)
        says = [
            desk.say("/help@animato_bot", user_id=ALICE, chat_id=FAMILY) for _ in range(COMMANDS)
        ]
        await asyncio.gather(*says)
        reply = {"chat_id": FAMILY, "reply_to": photo["message_id"]}
        await served_bot.says("/animate@animato_bot", BOB, **reply)
        card = await served_bot.shows("Which movement?", FAMILY)
        taps = (served_bot.tap("▶️", card, ALICE) for _ in range(2))
        for answer in await asyncio.gather(*taps):
            assert "too many taps" in answer["text"]
        said = [text_of(one) for one in await served_bot.said(FAMILY)]
    assert sum("Reply to a photo" in text for text in said) == 12
