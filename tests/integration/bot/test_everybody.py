"""What strangers and banned people may do: read what is stored, and delete it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobs.queues.keys import person_key
from sandbox.server import Sandbox
from tests.integration.bot.running import until
from tests.integration.bot.served_bot import ServedBot, serve_bot
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, Desk, Part

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]


@pytest.fixture
async def served_bot(
    sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path
) -> AsyncIterator[ServedBot]:
    """The private bot and a worker; Alice is a stranger, Bob is banned."""
    serving = serve_bot(sandbox, valkey, desk, tmp_path, open=False)
    async with serving as found, found.working():
        await found.people.agree(BOB)
        await found.people.change(BOB, is_banned=True, language="en")
        yield found


@pytest.mark.parametrize("person", [ALICE, BOB])
async def test_stranger_and_banned_person_read_and_delete_what_is_stored(
    served_bot: ServedBot, person: int
) -> None:
    await served_bot.says("/privacy", person)
    await served_bot.shows("What is stored, and how long", person)
    await served_bot.says("/delete_me", person)
    question = await served_bot.shows("Shall I delete everything about you?", person)
    await served_bot.tap("Delete everything", question, person)
    await served_bot.shows("Everything is deleted here", person)
    known = await served_bot.people.person(person)
    assert (known.has_agreed, known.is_banned) == (False, person == BOB)
    await served_bot.says("/queue", person)
    await served_bot.shows("has banned you" if person == BOB else "This bot is private", person)


async def test_photo_with_such_a_command_as_its_caption_is_refused(served_bot: ServedBot) -> None:
    part = Part("photo", media.photo())
    await served_bot.desk.send(part, user_id=ALICE, chat_id=ALICE, caption="/privacy")
    await served_bot.shows("This bot is private", ALICE)
    assert served_bot.worker.looks == []


async def test_nothing_is_stored_of_a_stranger_who_blocks_the_bot_or_comes_back(
    served_bot: ServedBot,
) -> None:
    await served_bot.says("/start", ALICE)
    await served_bot.shows("This bot is private", ALICE)
    for what in ("block", "unblock"):
        await served_bot.desk.post(what, user_id=ALICE)
    await served_bot.desk.post("block", user_id=BOB)  # of whom something is stored

    async def is_noted() -> bool:
        return (await served_bot.people.person(BOB)).has_blocked

    await until(is_noted)
    assert not await served_bot.queues.client.exists(person_key(ALICE))
    assert not (await served_bot.people.person(ADMIN)).has_blocked
