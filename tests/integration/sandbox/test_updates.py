"""Every kind of update, parsed by both libraries."""

import asyncio

import pytest

from sandbox.server import Sandbox
from tests.integration.sandbox import media
from tests.integration.sandbox.clients import Client, heard, refused, seconds
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, CLUB, FAMILY, Desk, Part

pytestmark = pytest.mark.local_sockets

KINDS = ("photo", "video", "animation", "video_note", "document", "sticker")
LETTER = b"%PDF-1.4 not really"


def part(kind: str) -> Part:
    """A file of this kind, as a person would send it."""
    if kind == "photo":
        return Part(kind, media.photo(), "me.jpg")
    if kind == "document":
        return Part(kind, LETTER, "letter.pdf")
    if kind == "sticker":
        return Part(kind, media.webp(), "me.webp")
    return Part(kind, media.clip(has_sound=kind != "animation"), "me.mp4")


async def test_text_with_a_command_and_a_payload(client: Client, desk: Desk) -> None:
    report = await desk.say("/start tpl_smile")
    (update,) = await heard(client)
    assert update.update_id == report["update"]["update_id"]
    message = update.message
    assert message.text == "/start tpl_smile"
    assert (message.chat.id, message.chat.type) == (ALICE, "private")
    assert (message.from_user.first_name, message.from_user.language_code) == ("Alice", "en")
    (entity,) = message.entities
    assert (entity.type, entity.offset, entity.length) == ("bot_command", 0, 6)


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_media_arrives_as_that_kind(
    client: Client, desk: Desk, kind: str
) -> None:
    await desk.send(part(kind))
    (update,) = await heard(client)
    message = update.message
    assert getattr(message, kind)
    is_also_document = kind == "animation"
    assert bool(message.document) == (kind == "document" or is_also_document)
    others = set(KINDS) - {kind, "document"}
    assert not any(getattr(message, other) for other in others)


async def test_photo_comes_in_sizes_and_with_its_caption(client: Client, desk: Desk) -> None:
    await desk.send(Part("photo", media.photo(640, 480)), caption="me, /animate it")
    (update,) = await heard(client)
    sizes = [(size.width, size.height) for size in update.message.photo]
    assert len(sizes) >= 2
    assert sizes[-1] == (640, 480)
    assert sizes == sorted(sizes)
    assert update.message.caption == "me, /animate it"
    assert [entity.type for entity in update.message.caption_entities] == ["bot_command"]


async def test_clips_tell_their_measures(client: Client, desk: Desk) -> None:
    await desk.send(part("video"))
    await desk.send(Part("video_note", media.clip(64, 64, has_sound=True), "me.mp4"))
    video, note = [update.message for update in await heard(client)]
    assert (video.video.width, video.video.height) == (96, 64)
    assert seconds(video.video.duration) == 1
    assert (video.video.mime_type, video.video.file_name) == ("video/mp4", "me.mp4")
    assert video.video.thumbnail.width <= 320
    content = await client.download(note.video_note.file_id)
    assert media.shown(content)[:2] == (note.video_note.length,) * 2


async def test_document_keeps_its_name_its_type_and_its_bytes(client: Client, desk: Desk) -> None:
    await desk.send(part("document"))
    (update,) = await heard(client)
    document = update.message.document
    assert (document.file_name, document.mime_type) == ("letter.pdf", "application/pdf")
    assert document.file_size == len(LETTER)
    assert await client.download(document.file_id) == LETTER


async def test_album_arrives_as_several_updates_with_one_group(client: Client, desk: Desk) -> None:
    first, second = (Part("photo", media.photo(seed=seed)) for seed in (1, 2))
    await desk.send(first, second, caption="two of me")
    one, two = [update.message for update in await heard(client)]
    assert one.media_group_id == two.media_group_id is not None
    assert (one.caption, two.caption) == ("two of me", None)
    assert one.photo[-1].file_unique_id != two.photo[-1].file_unique_id


async def test_reply_quotes_one_level_deep(client: Client, alice: Desk) -> None:
    card = await client.bot.send_message(chat_id=ALICE, text="Which movement?")
    answer = await alice.say("this one", reply_to=card.message_id)
    await alice.say("or that", reply_to=answer["message"]["message_id"])
    first, second = [update.message for update in await heard(client)]
    assert first.reply_to_message.text == "Which movement?"
    assert first.reply_to_message.from_user.is_bot
    assert second.reply_to_message.text == "this one"
    assert second.reply_to_message.reply_to_message is None


async def test_tap_is_told_with_its_message_and_answered_once(client: Client, alice: Desk) -> None:
    types = client.types
    button = types.InlineKeyboardButton(text="Wink", callback_data="v1|wink")
    keyboard = types.InlineKeyboardMarkup(inline_keyboard=[[button]])
    card = await client.bot.send_message(chat_id=ALICE, text="Which?", reply_markup=keyboard)
    tap = asyncio.create_task(alice.tap("Wink", chat_id=ALICE))
    (update,) = await heard(client, timeout=50)
    query = update.callback_query
    assert (query.data, query.from_user.id) == ("v1|wink", ALICE)
    assert query.message.message_id == card.message_id
    assert query.message.reply_markup.inline_keyboard[0][0].text == "Wink"
    assert await client.bot.answer_callback_query(
        callback_query_id=query.id, text="Winking", show_alert=True
    )
    told = await tap
    assert told["update_id"] == update.update_id
    assert (told["answer"]["text"], told["answer"]["show_alert"]) == ("Winking", True)
    with refused(client, 400, "query is too old"):
        await client.bot.answer_callback_query(callback_query_id=query.id)


async def test_bot_hears_how_it_stands_in_groups(client: Client, desk: Desk) -> None:
    for status in ("left", "member", "administrator"):
        await desk.post("members", chat_id=FAMILY, status=status, by=ADMIN)
    updates = await heard(client)
    changes = [update.my_chat_member for update in updates if update.my_chat_member]
    told = [(each.old_chat_member.status, each.new_chat_member.status) for each in changes]
    assert told == [("member", "left"), ("left", "member"), ("member", "administrator")]
    assert {each.chat.id for each in changes} == {FAMILY}
    assert {each.from_user.id for each in changes} == {ADMIN}
    joined = [update.message for update in updates if update.message]
    assert [message.new_chat_members[0].username for message in joined] == ["animato_bot"]


async def test_bot_hears_that_it_is_blocked(client: Client, alice: Desk) -> None:
    await alice.post("block", user_id=ALICE)
    await alice.post("unblock", user_id=ALICE)
    blocked, unblocked = [update.my_chat_member for update in await heard(client)]
    assert (blocked.chat.type, blocked.new_chat_member.status) == ("private", "kicked")
    assert unblocked.new_chat_member.status == "member"


async def test_admin_bot_that_asks_hears_of_members(client: Client, desk: Desk) -> None:
    await desk.post("members", chat_id=FAMILY, status="administrator")
    await heard(client, allowed_updates=["message", "chat_member"])
    for status in ("left", "member", "kicked"):
        await desk.post("members", chat_id=FAMILY, user_id=BOB, status=status)
    updates = await heard(client)
    changes = [update.chat_member for update in updates if update.chat_member]
    assert [each.new_chat_member.status for each in changes] == ["left", "member", "kicked"]
    assert {each.new_chat_member.user.id for each in changes} == {BOB}
    service = [update.message for update in updates if update.message]
    assert service[0].left_chat_member.id == BOB
    assert service[1].new_chat_members[0].id == BOB


async def test_opened_topic_is_told_and_its_messages_lie_in_it(client: Client, desk: Desk) -> None:
    await desk.post("settings", privacy_mode=False)
    thread = (await desk.post("topics", chat_id=CLUB, name="Pets"))["message_thread_id"]
    await desk.say("a cat", chat_id=CLUB, thread_id=thread)
    await desk.say("in General", chat_id=CLUB)
    opened, cat, general = [update.message for update in await heard(client)]
    assert opened.forum_topic_created.name == "Pets"
    assert opened.message_thread_id == cat.message_thread_id == thread
    assert cat.is_topic_message
    assert general.message_thread_id is None
    assert not general.is_topic_message


async def test_answer_outside_of_topics_carries_a_thread_that_cannot_be_sent_to(
    client: Client, desk: Desk
) -> None:
    """A trap of the real server's: every reply chain of a supergroup is a thread, and no topic."""
    await desk.post("settings", privacy_mode=False)
    root = (await desk.say("who wants to be animated?", chat_id=CLUB))["message"]["message_id"]
    answer = (await desk.say("me!", chat_id=CLUB, reply_to=root))["message"]["message_id"]
    await desk.say("me too!", chat_id=CLUB, reply_to=answer)
    _, first, second = [update.message for update in await heard(client)]
    assert first.message_thread_id == second.message_thread_id == root
    assert not first.is_topic_message
    with refused(client, 400, "message thread not found"):
        await client.bot.send_message(chat_id=CLUB, text="you!", message_thread_id=root)


async def test_upgrade_is_told_from_both_sides(client: Client, desk: Desk) -> None:
    new = (await desk.post("upgrade", chat_id=FAMILY))["chat_id"]
    old_side, new_side = [update.message for update in await heard(client)]
    assert (old_side.chat.id, old_side.migrate_to_chat_id) == (FAMILY, new)
    assert (new_side.chat.id, new_side.migrate_from_chat_id) == (new, FAMILY)


async def test_bot_gets_only_the_kinds_that_it_asked_for(client: Client, desk: Desk) -> None:
    await heard(client, allowed_updates=["callback_query"])
    report = await desk.say("unheard")
    assert report["delivered"] is False
    assert await heard(client) == []  # the wish is remembered
    await heard(client, allowed_updates=[])
    await desk.say("heard")
    assert [update.message.text for update in await heard(client)] == ["heard"]


async def test_offset_and_limit_choose_and_confirm(client: Client, desk: Desk) -> None:
    for text in "abcd":
        await desk.say(text)
    get_updates = client.bot.get_updates
    first = await get_updates(limit=2)
    assert [update.message.text for update in first] == ["a", "b"]
    second = await get_updates(offset=first[-1].update_id)
    assert [update.message.text for update in second] == ["b", "c", "d"]
    (last,) = await get_updates(offset=-1)
    assert last.message.text == "d"
    assert [update.message.text for update in await get_updates()] == ["d"]


async def test_long_poll_ends_with_the_first_update(
    client: Client, desk: Desk, sandbox: Sandbox
) -> None:
    poll = asyncio.create_task(client.bot.get_updates(timeout=30))
    while sandbox.telegram.calls.polls == 0:
        await asyncio.sleep(0.001)
    await desk.say("now")
    (update,) = await poll
    assert update.message.text == "now"
    assert sandbox.telegram.calls.polls == 1
