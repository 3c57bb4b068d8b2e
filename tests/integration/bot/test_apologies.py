"""An update that cannot be handled is put aside in plain sight."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.error_text import OURS
from jobs.queues.keys import person_key
from sandbox.server import Sandbox
from tests.integration.bot.house import House, serving
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, Desk

pytestmark = pytest.mark.local_sockets


@pytest.fixture
async def house(sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path) -> AsyncIterator[House]:
    async with serving(sandbox, valkey, desk, tmp_path) as found:
        await found.people.agree(ALICE)
        yield found


async def test_person_gets_an_apology_and_the_admin_the_reason(house: House) -> None:
    await house.says("/start", ADMIN)
    await house.queues.client.set(person_key(ALICE), "no JSON")
    sent = await house.photo(ALICE)
    said = await house.shows(OURS, ALICE)
    assert said["reply_to_message"]["message_id"] == sent["message_id"]
    note = await house.shows("could not be handled and was put aside: BrokenRecord", ADMIN)
    assert "no JSON" not in note["text"]
    # Nobody else notices.
    await house.says("/start", BOB)
    await house.shows("I bring portraits to life", BOB)


async def test_who_taps_gets_an_apology_in_a_window(house: House) -> None:
    await house.photo(ALICE)
    async with house.working():
        card = await house.shows("Which movement?", ALICE)
        await house.queues.client.set(person_key(ALICE), "no JSON")
        answer = await house.tap("🙂 Nod and smile", card, ALICE)
    assert answer == {"text": OURS, "show_alert": True, "url": None}
