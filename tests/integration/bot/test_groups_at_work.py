"""Groups and the fate of chats, with the whole bot: one card, the video in its topic."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.drafts.draft_store import DraftStore, draft_id_of
from bot.orders.order_cards import OrderCards
from jobs.store.files import FileStore
from sandbox.server import Sandbox
from tests.integration.bot.conftest import until
from tests.integration.bot.house import House, Message, serving
from tests.integration.bot.talk import text_of
from tests.integration.sandbox.desk import ALICE, BOB, CLUB, FAMILY, Desk, Part
from tests.integration.sandbox.media import clip

pytestmark = pytest.mark.local_sockets
HERE = {"chat_id": FAMILY}


@pytest.fixture
async def house(sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path) -> AsyncIterator[House]:
    """The bot and a worker; Bob has agreed to the terms."""
    async with serving(sandbox, valkey, desk, tmp_path) as found, found.working():
        await found.people.agree(BOB)
        yield found


async def asked(house: House, command: str, **where: Any) -> Message:
    """Alice's photo, and Bob's command that answers to it; the command's message."""
    place = HERE | where
    photo = await house.photo(ALICE, **place)
    return await house.says(command, BOB, **place, reply_to=photo["message_id"])


# --- /animate -------------------------------------------------------------------------------------


async def test_command_in_answer_to_a_photo_brings_one_card_and_one_video(house: House) -> None:
    command = await asked(house, "/animate@animato_bot")
    card = await house.shows("Which movement?", FAMILY)
    assert card["reply_to_message"]["message_id"] == command["message_id"]
    await house.tap("😊", card, BOB)
    video = await house.video(FAMILY)
    assert video["reply_to_message"]["message_id"] == command["message_id"]
    await house.shows("done in", FAMILY)
    assert len(await house.said(FAMILY)) == 2
    edits = [one for one in await house.desk.calls() if one["method"].startswith("editMessage")]
    assert len(edits) <= 4


async def test_movement_that_is_named_is_made_at_once(house: House) -> None:
    await asked(house, "/animate@animato_bot Smile")
    await house.video(FAMILY)
    (order,) = house.worker.orders
    assert (order.wish.movement.template, order.person, order.chat) == ("smile", BOB, FAMILY)


async def test_unknown_movement_is_told_with_those_that_there_are(house: House) -> None:
    await asked(house, "/animate@animato_bot fly")
    said = await house.shows("There is no movement fly.", FAMILY)
    assert "smile" in text_of(said)
    assert house.worker.looks == []


async def test_command_without_a_photo_says_how_it_is_done(house: House) -> None:
    await house.says("/animate@animato_bot", BOB, **HERE)
    await house.shows("Reply to a photo with /animate@animato_bot", FAMILY)


async def test_command_in_a_photos_caption_is_about_that_photo(house: House) -> None:
    await house.desk.post("settings", caption_commands="true", privacy_mode="false")
    for name in ("other_bot", "animato_bot"):
        caption = f"/animate@{name} smile"
        await house.photo(BOB, **HERE, caption=caption)
    await house.video(FAMILY)
    assert len(house.worker.looks) == 1


async def test_answer_comes_in_the_same_topic(house: House) -> None:
    opened = await house.desk.post("topics", chat_id=CLUB, name="Portraits")
    thread = opened["message_thread_id"]
    await asked(house, "/animate@animato_bot smile", chat_id=CLUB, thread_id=thread)
    video = await house.video(CLUB)
    assert video["message_thread_id"] == thread
    assert video["is_topic_message"] is True


async def test_only_the_asker_and_the_groups_admins_may_tap(house: House) -> None:
    await asked(house, "/animate@animato_bot")
    card = await house.shows("Which movement?", FAMILY)
    stranger = (await house.desk.post("persons", first_name="Carol"))["person"]["id"]
    await house.desk.post("members", chat_id=FAMILY, user_id=stranger, status="member")
    refused = await house.tap("😊", card, stranger)
    assert "Only the person who asked, or an admin" in refused["text"]
    await house.tap("😊", card, ALICE)
    await house.video(FAMILY)
    (order,) = house.worker.orders
    assert order.person == BOB


async def test_photo_waits_until_its_asker_agrees_and_nobody_else_can(house: House) -> None:
    await house.people.change(BOB, consent_version=0)
    await asked(house, "/animate@animato_bot smile")
    terms = await house.shows("Before we begin", FAMILY)
    assert (await house.tap("I agree", terms, ALICE))["show_alert"] is True
    assert house.worker.looks == []
    await house.tap("I agree", terms, BOB)
    await house.video(FAMILY)


async def test_clip_that_answers_to_the_card_belongs_to_its_photo(house: House) -> None:
    await asked(house, "/animate@animato_bot")
    card = await house.shows("Which movement?", FAMILY)
    part = Part("video", clip(), "clip.mp4")
    await house.desk.send(part, user_id=BOB, **HERE, reply_to=card["message_id"])
    await house.shows("Your clip, or another movement?", FAMILY)


async def test_nobody_is_asked_to_speak_as_a_group(house: House) -> None:
    photo = await house.photo(BOB, **HERE)
    await house.says(
        "/animate@animato_bot", ALICE, **HERE, reply_to=photo["message_id"], anonymous="true"
    )
    await house.shows("write as yourself", FAMILY)


async def test_cancel_in_a_group_takes_back_what_was_ordered_there(house: House) -> None:
    house.worker.before_video = lambda assignment: until(lambda: assignment.stop_reason)
    await asked(house, "/animate@animato_bot smile")
    await until(lambda: house.worker.orders)
    await house.says("/cancel@animato_bot", ALICE, **HERE)
    await house.shows("You have no open orders here.", FAMILY)
    await house.says("/cancel@animato_bot", BOB, **HERE)
    await house.shows("1 video cancelled.", FAMILY)
    await house.shows(": cancelled.", FAMILY)


# --- the fate of chats ----------------------------------------------------------------------------


def drafts_of(house: House) -> DraftStore:
    return DraftStore(house.queues.client, house.queues.url)


async def files_of(store: FileStore) -> list[str]:
    return [file.key async for file in store.listing()]


async def test_bot_that_comes_to_a_group_says_how_it_is_used(house: House) -> None:
    await house.desk.post("members", chat_id=FAMILY, status="kicked")
    await house.desk.post("members", chat_id=FAMILY, status="member")
    await house.shows("Reply to a photo with", FAMILY)


async def test_orders_of_a_group_are_cancelled_when_the_bot_is_put_out(house: House) -> None:
    house.worker.before_video = lambda assignment: until(lambda: assignment.stop_reason)
    command = await asked(house, "/animate@animato_bot smile")
    await until(lambda: house.worker.orders)
    await house.desk.post("members", chat_id=FAMILY, status="kicked")
    cards = OrderCards(house.queues.client, house.queues.url)

    draft = draft_id_of(FAMILY, command["message_id"])

    async def is_over() -> bool:
        return not await cards.all_unsettled() and await drafts_of(house).read(draft) is None

    await until(is_over)


async def test_photos_of_a_person_who_blocks_the_bot_are_forgotten(house: House) -> None:
    photo = await house.photo(BOB)
    await house.shows("Which movement?", BOB)
    assert await files_of(house.store)
    await house.desk.post("block", user_id=BOB)

    drafts = drafts_of(house)

    async def are_gone() -> bool:
        return not await drafts.of_chat(BOB)

    await until(are_gone)
    assert await drafts.read(draft_id_of(BOB, photo["message_id"])) is None
    assert await files_of(house.store) == []


async def test_group_that_gets_a_new_number_gets_its_video_there(house: House) -> None:
    moved: list[int] = []

    async def move(_assignment: object) -> None:
        if not moved:
            answer = await house.desk.post("upgrade", chat_id=FAMILY)
            moved.append(answer["chat_id"])

    house.worker.before_video = move
    command = await asked(house, "/animate@animato_bot smile")
    await until(lambda: moved)
    video = await house.video(moved[0])
    assert not video.get("reply_to_message")
    draft = await drafts_of(house).read(draft_id_of(FAMILY, command["message_id"]))
    assert draft is not None
    assert draft.chat_id == moved[0]
    await house.tap("Another movement", video, BOB)
    await house.shows("Which movement?", moved[0])
