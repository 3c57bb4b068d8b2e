"""Groups and the fate of chats, with the whole bot: one card, the video in its topic."""

from typing import Any

import pytest

from bot.drafts.draft_store import DraftStore, draft_id_of
from bot.orders.order_cards import OrderCards
from jobs.model import CropBox, Face
from jobs.store.files import FileStore
from tests.integration.bot.parts import FACE
from tests.integration.bot.running import until
from tests.integration.bot.served_bot import Message, ServedBot
from tests.integration.bot.talk import labels, text_of
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, CLUB, FAMILY, Part
from tests.integration.sandbox.media import clip, voice

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]
HERE = {"chat_id": FAMILY}


async def asked(served_bot: ServedBot, command: str, **where: Any) -> Message:
    """Alice's photo, and Bob's command that answers to it; the command's message."""
    place = HERE | where
    photo = await served_bot.photo(ALICE, **place)
    return await served_bot.says(command, BOB, **place, reply_to=photo["message_id"])


async def newcomer(served_bot: ServedBot) -> int:
    """Somebody else in all groups."""
    person: int = (await served_bot.desk.post("persons", first_name="Carol"))["person"]["id"]
    return person


async def shown(served_bot: ServedBot, message: Message) -> Message:
    """A message as it is now."""
    chat, number = message["chat"]["id"], message["message_id"]
    (found,) = [one for one in await served_bot.desk.messages(chat) if one["message_id"] == number]
    return dict(found)


# --- /animate -------------------------------------------------------------------------------------


async def test_command_in_answer_to_a_photo_brings_one_card_and_one_video(
    served_bot: ServedBot,
) -> None:
    command = await asked(served_bot, "/animate@animato_bot")
    card = await served_bot.shows("Which movement?", FAMILY)
    assert card["reply_to_message"]["message_id"] == command["message_id"]
    await served_bot.tap("😊", card, BOB)
    video = await served_bot.video(FAMILY)
    assert video["reply_to_message"]["message_id"] == command["message_id"]
    await served_bot.shows("done in", FAMILY)
    assert len(await served_bot.said(FAMILY)) == 2
    edits = [
        one for one in await served_bot.desk.calls() if one["method"].startswith("editMessage")
    ]
    assert len(edits) <= 4


async def test_movement_that_is_named_is_made_at_once(served_bot: ServedBot) -> None:
    await asked(served_bot, "/animate@animato_bot Smile")
    await served_bot.video(FAMILY)
    (order,) = served_bot.worker.orders
    assert (order.wish.movement.template, order.person, order.chat) == ("smile", BOB, FAMILY)


async def test_unknown_movement_is_told_with_those_that_there_are(served_bot: ServedBot) -> None:
    await asked(served_bot, "/animate@animato_bot fly")
    said = await served_bot.shows("There is no movement fly.", FAMILY)
    assert "smile" in text_of(said)
    assert "Or write only /animate@animato_bot and choose" in text_of(said)
    assert served_bot.worker.looks == []


async def test_command_without_a_photo_says_how_it_is_done(served_bot: ServedBot) -> None:
    await served_bot.says("/animate@animato_bot", BOB, **HERE)
    await served_bot.shows("Reply to a photo with /animate@animato_bot", FAMILY)


async def test_command_of_the_private_chat_is_answered_if_it_names_the_bot(
    served_bot: ServedBot,
) -> None:
    # The terms name /privacy; Telegram's apps add the bot's name to a command that is tapped.
    await served_bot.says("/privacy@animato_bot", ALICE, chat_id=FAMILY)
    await served_bot.shows("What is stored, and how long:", FAMILY)
    await served_bot.says("/history@animato_bot", ALICE, chat_id=FAMILY)
    await served_bot.shows("/history works only in our private chat: t.me/animato_bot", FAMILY)


async def test_command_in_a_photos_caption_is_about_that_photo(served_bot: ServedBot) -> None:
    await served_bot.desk.post("settings", caption_commands="true", privacy_mode="false")
    for name in ("other_bot", "animato_bot"):
        caption = f"/animate@{name} smile"
        await served_bot.photo(BOB, **HERE, caption=caption)
    await served_bot.video(FAMILY)
    assert len(served_bot.worker.looks) == 1


async def test_answer_comes_in_the_same_topic(served_bot: ServedBot) -> None:
    opened = await served_bot.desk.post("topics", chat_id=CLUB, name="Portraits")
    thread = opened["message_thread_id"]
    await asked(served_bot, "/animate@animato_bot smile", chat_id=CLUB, thread_id=thread)
    video = await served_bot.video(CLUB)
    assert video["message_thread_id"] == thread
    assert video["is_topic_message"] is True


async def test_only_the_asker_and_the_groups_admins_may_tap(served_bot: ServedBot) -> None:
    await asked(served_bot, "/animate@animato_bot")
    card = await served_bot.shows("Which movement?", FAMILY)
    stranger = (await served_bot.desk.post("persons", first_name="Carol"))["person"]["id"]
    await served_bot.desk.post("members", chat_id=FAMILY, user_id=stranger, status="member")
    refused = await served_bot.tap("😊", card, stranger)
    assert "Only the person who asked, or an admin" in refused["text"]
    await served_bot.tap("😊", card, ALICE)
    await served_bot.video(FAMILY)
    (order,) = served_bot.worker.orders
    assert order.person == BOB


async def test_admin_of_the_group_varies_a_result_and_it_counts_for_the_asker(
    served_bot: ServedBot,
) -> None:
    await asked(served_bot, "/animate@animato_bot smile")
    video = await served_bot.video(FAMILY)
    await served_bot.shows("done in", FAMILY)
    await served_bot.tap("More", video, ALICE)
    await served_bot.tap("More movement", video, ALICE)
    await until(lambda: _orders(served_bot, 2))
    assert [order.person for order in served_bot.worker.orders] == [BOB, BOB]
    refused = await served_bot.tap("Less movement", video, await newcomer(served_bot))
    assert "Only the person who asked, or an admin" in refused["text"]


async def _orders(served_bot: ServedBot, count: int) -> bool:
    return len(served_bot.worker.orders) == count


async def test_photo_waits_until_its_asker_agrees_and_nobody_else_can(
    served_bot: ServedBot,
) -> None:
    await served_bot.people.change(BOB, consent_version=0)
    await asked(served_bot, "/animate@animato_bot smile")
    terms = await served_bot.shows("Before we begin", FAMILY)
    assert (await served_bot.tap("I agree", terms, ALICE))["show_alert"] is True
    assert served_bot.worker.looks == []
    await served_bot.tap("I agree", terms, BOB)
    await served_bot.video(FAMILY)


async def test_clip_that_answers_to_the_card_belongs_to_its_photo(served_bot: ServedBot) -> None:
    await asked(served_bot, "/animate@animato_bot")
    card = await served_bot.shows("Which movement?", FAMILY)
    part = Part("video", clip(), "clip.mp4")
    await served_bot.desk.send(part, user_id=BOB, **HERE, reply_to=card["message_id"])
    await served_bot.shows("Your clip, or another movement?", FAMILY)


async def test_voice_that_answers_to_the_card_is_said_by_its_photo(served_bot: ServedBot) -> None:
    await asked(served_bot, "/animate@animato_bot")
    card = await served_bot.shows("Which movement?", FAMILY)
    await served_bot.tap("A voice message", card, BOB)
    question = await served_bot.shows("Reply to this message with a voice message", FAMILY)
    part = Part("voice", voice(), "voice.ogg")
    where = {"user_id": BOB, **HERE}
    unheard = await served_bot.desk.send(part, **where)
    assert not unheard["delivered"], "privacy mode hides what is no answer to the bot"
    await served_bot.desk.send(part, **where, reply_to=question["message_id"])
    assert "video" in await served_bot.video(FAMILY)


async def test_anonymous_admin_orders_for_the_group_and_its_admins_tap(
    served_bot: ServedBot,
) -> None:
    photo = await served_bot.photo(BOB, **HERE)
    where = {**HERE, "reply_to": photo["message_id"], "anonymous": "true"}
    await served_bot.says("/animate@animato_bot", ALICE, **where)
    terms = await served_bot.shows("Before we begin", FAMILY)
    assert "an admin of this group" in (await served_bot.tap("I agree", terms, BOB))["text"]
    await served_bot.tap("I agree", terms, ADMIN)
    card = await served_bot.shows("Which movement?", FAMILY)
    await served_bot.tap("😊", card, ALICE)
    video = await served_bot.video(FAMILY)
    (order,) = served_bot.worker.orders
    assert order.person == FAMILY
    await served_bot.tap("More movement", video, ALICE)
    await until(lambda: len(served_bot.worker.orders) == 2)


async def test_channel_orders_for_itself_and_the_groups_admins_tap(served_bot: ServedBot) -> None:
    photo = await served_bot.photo(ALICE, **HERE)
    where = {**HERE, "reply_to": photo["message_id"], "channel": "Bob's news"}
    await served_bot.says("/animate@animato_bot smile", BOB, **where)
    terms = await served_bot.shows("Before we begin", FAMILY)
    assert (await served_bot.tap("I agree", terms, BOB))["show_alert"] is True
    await served_bot.tap("I agree", terms, ADMIN)
    await served_bot.video(FAMILY)
    (order,) = served_bot.worker.orders
    assert order.person == -1_003_000_000_000 - BOB


async def test_anonymous_admin_cancels_what_the_group_ordered_before_it_moved(
    served_bot: ServedBot,
) -> None:
    served_bot.worker.before_video = lambda assignment: until(lambda: assignment.stop_reason)
    await served_bot.people.agree(FAMILY)
    photo = await served_bot.photo(BOB, **HERE)
    where = {**HERE, "reply_to": photo["message_id"], "anonymous": "true"}
    await served_bot.says("/animate@animato_bot smile", ALICE, **where)
    await until(lambda: served_bot.worker.orders)
    moved = (await served_bot.desk.post("upgrade", chat_id=FAMILY))["chat_id"]
    await served_bot.says("/cancel@animato_bot", ALICE, chat_id=moved, anonymous="true")
    await served_bot.shows("1 video cancelled.", moved)


async def test_author_of_the_photo_may_cancel_and_delete_but_not_order(
    served_bot: ServedBot,
) -> None:
    carol = await newcomer(served_bot)
    photo = await served_bot.photo(carol, **HERE)
    reply = {**HERE, "reply_to": photo["message_id"]}
    await served_bot.says("/animate@animato_bot", BOB, **reply)
    card = await served_bot.shows("Which movement?", FAMILY)
    assert (await served_bot.tap("😊", card, carol))["show_alert"] is True
    await served_bot.tap("😊", card, BOB)
    video = await served_bot.video(FAMILY)
    assert "Only the person" in (await served_bot.tap("As file", video, carol))["text"]
    assert "Deleted" in (await served_bot.tap("Delete", video, carol))["text"]
    command = await served_bot.says("/animate@animato_bot", BOB, **reply)
    card = await served_bot.shows("Which movement?", FAMILY, after=command)
    await served_bot.tap("Cancel", card, carol)
    await served_bot.shows("The photo is deleted.", FAMILY)


async def test_reactions_tell_that_a_command_was_seen_and_is_done(served_bot: ServedBot) -> None:
    reactions: list[list[str]] = []

    async def look(_assignment: object) -> None:
        reactions.append((await shown(served_bot, command))["sim"]["reactions"])

    served_bot.worker.before_video = look
    command = await asked(served_bot, "/animate@animato_bot smile")
    await served_bot.video(FAMILY)

    async def is_done() -> bool:
        found: list[str] = (await shown(served_bot, command))["sim"]["reactions"]
        return found == ["👍"]

    await until(is_done)
    assert reactions == [["👀"]]


async def test_chat_that_allows_no_reactions_gets_its_video(served_bot: ServedBot) -> None:
    description = "Bad Request: REACTION_INVALID"
    await served_bot.desk.fault(
        method="setMessageReaction", code=400, description=description, times=9
    )
    await asked(served_bot, "/animate@animato_bot smile")
    await served_bot.video(FAMILY)


async def test_one_of_several_faces_or_all_of_them_by_numbers(served_bot: ServedBot) -> None:
    other = Face(number=2, box=CropBox(left=80, upper=10, right=130, lower=60), votes=3)
    served_bot.worker.faces = (FACE, other)
    await asked(served_bot, "/animate@animato_bot smile")
    card = await served_bot.shows("I found 2 faces", FAMILY)
    assert labels(card)[:2] == [["1", "2"], ["👥 All of them"]]
    await served_bot.tap("All of them", card, BOB)
    await served_bot.video(FAMILY)
    (order,) = served_bot.worker.orders
    assert order.wish.face_count == 2


async def test_clip_that_answers_to_the_card_in_a_topic_stays_in_the_topic(
    served_bot: ServedBot,
) -> None:
    opened = await served_bot.desk.post("topics", chat_id=CLUB, name="Portraits")
    thread = opened["message_thread_id"]
    await asked(served_bot, "/animate@animato_bot", chat_id=CLUB, thread_id=thread)
    card = await served_bot.shows("Which movement?", CLUB)
    part = Part("video", clip(), "clip.mp4")
    where = {"user_id": BOB, "chat_id": CLUB, "reply_to": card["message_id"]}
    await served_bot.desk.send(part, **where)
    card = await served_bot.shows("Your clip, or another movement?", CLUB)
    await served_bot.tap("Follow my clip", card, BOB)
    video = await served_bot.video(CLUB)
    said = await served_bot.said(CLUB)
    assert {one["message_thread_id"] for one in (video, *said)} == {thread}


async def test_cancel_in_a_group_takes_back_what_was_ordered_there(served_bot: ServedBot) -> None:
    served_bot.worker.before_video = lambda assignment: until(lambda: assignment.stop_reason)
    await asked(served_bot, "/animate@animato_bot smile")
    await until(lambda: served_bot.worker.orders)
    await served_bot.says("/cancel@animato_bot", ALICE, **HERE)
    await served_bot.shows("You have no open orders here.", FAMILY)
    await served_bot.says("/cancel@animato_bot", BOB, **HERE)
    await served_bot.shows("1 video cancelled.", FAMILY)
    await served_bot.shows(": cancelled.", FAMILY)


# --- the fate of chats ----------------------------------------------------------------------------


def drafts_of(served_bot: ServedBot) -> DraftStore:
    return DraftStore(served_bot.queues.client, served_bot.queues.url)


async def files_of(store: FileStore) -> list[str]:
    return [file.key async for file in store.listing()]


async def test_bot_that_comes_to_a_group_says_how_it_is_used_once_a_day(
    served_bot: ServedBot,
) -> None:
    for _ in range(2):
        await served_bot.desk.post("members", chat_id=FAMILY, status="kicked")
        await served_bot.desk.post("members", chat_id=FAMILY, status="member")
        await served_bot.shows("Reply to a photo with", FAMILY)
    await served_bot.says("/cancel@animato_bot", BOB, **HERE)
    await served_bot.shows("You have no open orders here.", FAMILY)
    assert len(await served_bot.said(FAMILY)) == 2


async def test_orders_of_a_group_are_cancelled_when_the_bot_is_put_out(
    served_bot: ServedBot,
) -> None:
    served_bot.worker.before_video = lambda assignment: until(lambda: assignment.stop_reason)
    command = await asked(served_bot, "/animate@animato_bot smile")
    await until(lambda: served_bot.worker.orders)
    await served_bot.desk.post("members", chat_id=FAMILY, status="kicked")
    cards = OrderCards(served_bot.queues.client, served_bot.queues.url)

    draft = draft_id_of(FAMILY, command["message_id"])

    async def is_over() -> bool:
        return not await cards.all_unsettled() and await drafts_of(served_bot).read(draft) is None

    await until(is_over)


async def test_photos_of_a_person_who_blocks_the_bot_are_forgotten(served_bot: ServedBot) -> None:
    photo = await served_bot.photo(BOB)
    await served_bot.shows("Which movement?", BOB)
    assert await files_of(served_bot.store)
    await served_bot.desk.post("block", user_id=BOB)

    drafts = drafts_of(served_bot)

    async def are_gone() -> bool:
        return not await drafts.of_chat(BOB) and not await files_of(served_bot.store)

    await until(are_gone)
    assert await drafts.read(draft_id_of(BOB, photo["message_id"])) is None


async def test_group_that_gets_a_new_number_gets_its_video_there(served_bot: ServedBot) -> None:
    moved: list[int] = []

    async def move(_assignment: object) -> None:
        if not moved:
            answer = await served_bot.desk.post("upgrade", chat_id=FAMILY)
            moved.append(answer["chat_id"])

    served_bot.worker.before_video = move
    command = await asked(served_bot, "/animate@animato_bot smile")
    await until(lambda: moved)
    video = await served_bot.video(moved[0])
    assert not video.get("reply_to_message")
    draft = await drafts_of(served_bot).read(draft_id_of(FAMILY, command["message_id"]))
    assert draft is not None
    assert draft.chat_id == moved[0]
    await served_bot.tap("Another movement", video, BOB)
    await served_bot.shows("Which movement?", moved[0])
