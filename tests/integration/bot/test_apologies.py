"""An update that cannot be handled is put aside in plain sight."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.error_text import OURS
from jobs.queues.keys import history_key, person_key
from sandbox.server import Sandbox
from tests.integration.bot.served_bot import ServedBot, serve_bot
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, Desk

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]


@pytest.fixture
async def served_bot(
    sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path
) -> AsyncIterator[ServedBot]:
    async with serve_bot(sandbox, valkey, desk, tmp_path) as found:
        await found.people.agree(ALICE)
        yield found


async def test_person_gets_an_apology_and_the_admin_the_reason(served_bot: ServedBot) -> None:
    await served_bot.says("/start", ADMIN)
    await served_bot.queues.client.set(person_key(ALICE), "no JSON")
    sent = await served_bot.photo(ALICE)
    said = await served_bot.shows(OURS, ALICE)
    assert said["reply_to_message"]["message_id"] == sent["message_id"]
    note = await served_bot.shows("could not be handled and was set aside: BrokenRecord", ADMIN)
    assert "no JSON" not in note["text"]
    # Nobody else notices.
    await served_bot.says("/start", BOB)
    await served_bot.shows("I bring portraits to life", BOB)


async def test_who_taps_gets_an_apology_in_a_window(served_bot: ServedBot) -> None:
    await served_bot.photo(ALICE)
    async with served_bot.working():
        card = await served_bot.shows("Which movement?", ALICE)
        await served_bot.queues.client.set(person_key(ALICE), "no JSON")
        answer = await served_bot.tap("🙂 Nod", card, ALICE)
    assert answer == {"text": OURS, "show_alert": True, "url": None}


async def test_who_tapped_gets_an_apology_in_the_chat_if_the_tap_is_answered_already(
    served_bot: ServedBot,
) -> None:
    await served_bot.says("/delete_me", ALICE)
    question = await served_bot.shows("Shall I delete everything about you?", ALICE)
    await served_bot.queues.client.set(history_key(ALICE), "no JSON")
    await served_bot.tap("Delete everything", question, ALICE)
    await served_bot.shows(OURS, ALICE)
