"""Edits that arrive late do not undo what came after them."""

import asyncio

import pytest

from bot.drafts.draft_store import draft_id_of
from jobs.queues.assignment import Assignment
from jobs.queues.keys import DELIVER
from tests.integration.bot import talk as talks
from tests.integration.bot.parts import FACE, hurry
from tests.integration.bot.running import until
from tests.integration.bot.talk import Message, Talk, labels, text_of
from tests.integration.bot.test_taps import SECOND
from tests.integration.sandbox.desk import ALICE

pytestmark = pytest.mark.local_sockets

newcomers = talks.newcomers
talk = talks.talk

# Time for an edit that does not wait to overtake one that is held back; one that waits needs none.
_WHILE_S = 0.3


async def test_faces_that_are_found_late_do_not_bring_back_a_photo_that_was_deleted(
    talk: Talk,
) -> None:
    talk.worker.faces = (FACE, SECOND)
    faces = talk.hold("editMessageMedia")
    photo = await talk.photo()
    card = await talk.shows("Looking at your photo")
    await faces.is_here.wait()
    await talk.tap("Cancel", card)
    await asyncio.sleep(_WHILE_S)
    faces.let_go()

    draft_id = draft_id_of(ALICE, photo["message_id"])

    async def is_over() -> bool:
        was_shown = await talk.desk.calls("editMessageMedia")
        return bool(was_shown) and await talk.parts.drafts.read(draft_id) is None

    await until(is_over)
    shown = await _now(talk, card)
    assert text_of(shown) == "The photo is deleted. Send another one at any time."
    assert labels(shown) == []


async def test_movements_that_are_shown_once_more_do_not_hide_the_status_of_an_order(
    talk: Talk,
) -> None:
    hold = asyncio.Event()

    async def wait(_: Assignment) -> None:
        await hold.wait()

    talk.worker.before_video = wait
    await talk.desk.fault(method="editMessageText", drop=True, contains="Which movement?")
    await talk.photo()
    card = await talk.shows("Which movement?")
    again = talk.hold("editMessageText")

    async def is_tried_again() -> bool:
        await hurry(talk.parts.services.queues.client, DELIVER)
        return again.is_here.is_set()

    await until(is_tried_again)
    await talk.tap("😊", card)
    await asyncio.sleep(_WHILE_S)
    again.let_go()

    async def are_made() -> bool:
        return len(await talk.desk.calls("editMessageText")) == 3

    await until(are_made)
    assert text_of(await _now(talk, card)).startswith("😊 Smile\n")
    hold.set()
    await talk.shows("done in")


async def test_photo_has_one_card_though_a_clip_comes_while_its_movements_are_being_shown(
    talk: Talk,
) -> None:
    movements = talk.hold("editMessageText")
    photo = await talk.photo()
    await movements.is_here.wait()
    await talk.clip(reply_to=photo["message_id"])
    await asyncio.sleep(_WHILE_S)
    movements.let_go()
    card = await talk.shows("Your clip, or another movement?")
    assert [one["message_id"] for one in await talk.said()][1:] == [card["message_id"]]


async def _now(talk: Talk, message: Message) -> Message:
    found = [one for one in await talk.said() if one["message_id"] == message["message_id"]]
    return found[0]
