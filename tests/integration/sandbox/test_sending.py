"""What the bot sends, and what comes back of it, through both libraries."""

import struct
from collections.abc import Callable
from functools import partial

import pytest

from tests.integration.sandbox import media
from tests.integration.sandbox.clients import Client, heard, refused, seconds
from tests.integration.sandbox.desk import ALICE, CLUB, Desk

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("alice")]

UMLAUTS = "ü" * 32  # 64 bytes


def keyboard(client: Client, *rows: list[dict[str, object]]) -> object:
    """An inline keyboard of buttons that are given as the Bot API names their fields."""
    button = client.types.InlineKeyboardButton
    made = [[button(**fields) for fields in row] for row in rows]
    return client.types.InlineKeyboardMarkup(inline_keyboard=made)


# --- texts ----------------------------------------------------------------------------------------

FORMATTED = (
    "<b>bold</b> 🙂 <i>italic</i> &amp; <code>code</code> "
    '<a href="https://example.org/">link</a> <tg-spoiler>secret</tg-spoiler>'
)


async def test_formatted_text_comes_back_as_entities(client: Client) -> None:
    message = await client.bot.send_message(chat_id=ALICE, text=FORMATTED, parse_mode="HTML")
    assert message.text == "bold 🙂 italic & code link secret"
    # Offsets count UTF-16 units, of which the smiling face has two.
    places = [(entity.type, entity.offset, entity.length) for entity in message.entities]
    assert places == [
        ("bold", 0, 4),
        ("italic", 8, 6),
        ("code", 17, 4),
        ("text_link", 22, 4),
        ("spoiler", 27, 6),
    ]
    assert message.entities[3].url == "https://example.org/"


async def test_entities_that_nobody_gave_are_found(client: Client) -> None:
    text = "/help @animato_bot https://example.org"
    message = await client.bot.send_message(chat_id=ALICE, text=text)
    kinds = [entity.type for entity in message.entities]
    assert kinds == ["bot_command", "mention", "url"]


async def test_broken_formatting_is_refused(client: Client) -> None:
    with refused(client, 400, "can't parse entities"):
        await client.bot.send_message(chat_id=ALICE, text="<b>open", parse_mode="HTML")


async def test_text_has_4096_characters_at_most_and_one_at_least(client: Client) -> None:
    send = client.bot.send_message
    assert len((await send(chat_id=ALICE, text="x" * 4096)).text) == 4096
    with refused(client, 400, "message is too long"):
        await send(chat_id=ALICE, text="x" * 4097)
    with refused(client, 400, "message text is empty"):
        await send(chat_id=ALICE, text=" \n")


# --- keyboards ------------------------------------------------------------------------------------


async def test_callback_data_has_64_bytes_at_most(client: Client, alice: Desk) -> None:
    send = client.bot.send_message
    fits = keyboard(client, [{"text": "Fits", "callback_data": UMLAUTS}])
    message = await send(chat_id=ALICE, text="card", reply_markup=fits)
    assert message.reply_markup.inline_keyboard[0][0].callback_data == UMLAUTS
    over = keyboard(client, [{"text": "Over", "callback_data": UMLAUTS + "x"}])
    with refused(client, 400, "BUTTON_DATA_INVALID"):
        await send(chat_id=ALICE, text="card", reply_markup=over)
    assert (await alice.transcript()).count("Bot: card") == 1


async def test_every_kind_of_button_comes_back(client: Client) -> None:
    types = client.types
    markup = keyboard(
        client,
        [
            {"text": "Tap", "callback_data": "tap"},
            {"text": "Open", "url": "https://example.org/"},
            {"text": "Copy", "copy_text": types.CopyTextButton(text="42")},
        ],
        [
            {"text": "There", "switch_inline_query": "smile"},
            {"text": "Here", "switch_inline_query_current_chat": ""},
            {
                "text": "Share",
                "switch_inline_query_chosen_chat": types.SwitchInlineQueryChosenChat(
                    query="smile", allow_user_chats=True
                ),
            },
        ],
    )
    message = await client.bot.send_message(chat_id=ALICE, text="card", reply_markup=markup)
    first, second = message.reply_markup.inline_keyboard
    assert [button.text for button in first] == ["Tap", "Open", "Copy"]
    assert first[2].copy_text.text == "42"
    assert second[0].switch_inline_query == "smile"
    assert second[1].switch_inline_query_current_chat == ""
    assert second[2].switch_inline_query_chosen_chat.allow_user_chats is True


# --- where ----------------------------------------------------------------------------------------


async def test_reply_quotes_and_missing_message_is_refused_unless_allowed(
    client: Client, alice: Desk
) -> None:
    said = (await alice.say("animate me"))["message"]["message_id"]
    reply, send = client.types.ReplyParameters, client.bot.send_message
    message = await send(chat_id=ALICE, text="which?", reply_parameters=reply(message_id=said))
    assert message.reply_to_message.text == "animate me"
    with refused(client, 400, "message to be replied not found"):
        await send(chat_id=ALICE, text="lost", reply_parameters=reply(message_id=999))
    kind = reply(message_id=999, allow_sending_without_reply=True)
    assert (await send(chat_id=ALICE, text="kind", reply_parameters=kind)).reply_to_message is None


async def test_message_goes_into_its_topic(client: Client, desk: Desk) -> None:
    thread = (await desk.post("topics", chat_id=CLUB, name="Pets"))["message_thread_id"]
    send = client.bot.send_message
    message = await send(chat_id=CLUB, text="meow", message_thread_id=thread)
    assert (message.message_thread_id, message.is_topic_message) == (thread, True)
    assert not (await send(chat_id=CLUB, text="to all")).is_topic_message
    with refused(client, 400, "message thread not found"):
        await send(chat_id=CLUB, text="nowhere", message_thread_id=999)


async def test_general_is_no_thread_that_can_be_named(client: Client, desk: Desk) -> None:
    club = next(chat for chat in (await desk.get("chats"))["chats"] if chat["id"] == CLUB)
    threads = [topic["message_thread_id"] for topic in club["topics"]]
    assert threads
    assert 1 not in threads
    with refused(client, 400, "message thread not found"):
        await client.bot.send_message(chat_id=CLUB, text="to all", message_thread_id=1)


async def test_answer_goes_into_the_topic_of_what_it_answers(client: Client, desk: Desk) -> None:
    thread = (await desk.post("topics", chat_id=CLUB, name="Pets"))["message_thread_id"]
    said = (await desk.say("cats?", chat_id=CLUB, thread_id=thread))["message"]["message_id"]
    message = await client.bot.send_message(
        chat_id=CLUB, text="cats!", reply_parameters=client.types.ReplyParameters(message_id=said)
    )
    assert (message.message_thread_id, message.is_topic_message) == (thread, True)


# --- media ----------------------------------------------------------------------------------------


async def test_photo_comes_back_in_sizes_with_caption(client: Client) -> None:
    message = await client.bot.send_photo(
        chat_id=ALICE,
        photo=client.file(media.photo(640, 480), "me.jpg"),
        caption="<b>me</b>",
        parse_mode="HTML",
    )
    assert (message.photo[-1].width, message.photo[-1].height) == (640, 480)
    assert message.caption == "me"
    assert message.caption_entities[0].type == "bold"


async def test_silent_video_comes_back_as_animation(client: Client) -> None:
    content = media.clip()
    message = await client.bot.send_video(
        chat_id=ALICE,
        video=client.file(content, "me.mp4"),
        width=96,
        height=64,
        duration=1,
        supports_streaming=True,
    )
    assert message.video is None
    assert (message.animation.width, message.animation.height) == (96, 64)
    assert message.animation.file_name == "me.mp4"
    assert message.document.file_id == message.animation.file_id
    again = await client.bot.send_animation(chat_id=ALICE, animation=message.animation.file_id)
    assert again.animation.file_unique_id == message.animation.file_unique_id


async def test_video_with_sound_stays_a_video(client: Client) -> None:
    message = await client.bot.send_video(
        chat_id=ALICE, video=client.file(media.clip(has_sound=True), "me.mp4")
    )
    assert (message.animation, message.document) == (None, None)
    assert (message.video.width, message.video.height) == (96, 64)
    assert seconds(message.video.duration) == 1


async def test_round_video_has_a_length_and_no_caption(client: Client) -> None:
    content = media.clip(64, 64, has_sound=True)
    message = await client.bot.send_video_note(
        chat_id=ALICE, video_note=client.file(content, "round.mp4"), length=64, duration=1
    )
    assert (message.video_note.length, seconds(message.video_note.duration)) == (64, 1)
    assert message.caption is None
    assert await client.download(message.video_note.file_id) == content


@pytest.mark.parametrize(
    ("size", "facts", "problem"),
    [
        ((96, 64), {}, "must be a square"),
        ((64, 64), {"length": 96}, "must be a square"),
        ((704, 704), {}, "wrong video note length"),
    ],
)
async def test_round_video_must_be_a_small_square(
    client: Client, size: tuple[int, int], facts: dict[str, int], problem: str
) -> None:
    file = client.file(media.clip(*size), "round.mp4")
    with refused(client, 400, problem):
        await client.bot.send_video_note(chat_id=ALICE, video_note=file, **facts)


async def test_video_sticker_comes_back_as_such(client: Client) -> None:
    file = client.file(media.video_sticker(), "me.webm")
    sent = await client.bot.send_sticker(chat_id=ALICE, sticker=file)
    assert (sent.sticker.is_video, sent.sticker.width, sent.sticker.height) == (True, 512, 512)
    again = await client.bot.send_sticker(chat_id=ALICE, sticker=sent.sticker.file_id)
    assert again.sticker.file_unique_id == sent.sticker.file_unique_id


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (media.webm, "512 px"),
        (partial(media.webm, 512, 512, frame_count=90), "3 seconds"),
        (partial(media.webm, 512, 512, rate_fps=50), "30 frames"),
        (lambda: media.webm(512, 512) + bytes(256 * 1024), "STICKER_VIDEO_BIG"),
    ],
    ids=["small", "long", "fast", "large"],
)
async def test_video_sticker_must_keep_to_the_limits(
    client: Client, content: Callable[[], bytes], problem: str
) -> None:
    with refused(client, 400, problem):
        await client.bot.send_sticker(chat_id=ALICE, sticker=client.file(content(), "me.webm"))


async def test_sticker_and_document_come_back_as_such(client: Client) -> None:
    sent = await client.bot.send_sticker(
        chat_id=ALICE, sticker=client.file(media.webp(), "me.webp")
    )
    assert (sent.sticker.type, sent.sticker.is_animated, sent.sticker.is_video) == (
        "regular",
        False,
        False,
    )
    letter = await client.bot.send_document(
        chat_id=ALICE, document=client.file(b"dear bot", "letter.txt"), caption="a letter"
    )
    assert (letter.document.file_name, letter.document.mime_type) == ("letter.txt", "text/plain")
    assert letter.caption == "a letter"


async def test_mp4_sent_as_document_stays_one(client: Client) -> None:
    message = await client.bot.send_document(
        chat_id=ALICE,
        document=client.file(media.clip(), "me.mp4"),
        disable_content_type_detection=True,
    )
    assert message.document.file_name == "me.mp4"
    assert (message.animation, message.video) == (None, None)


async def test_thumbnail_part_becomes_the_thumbnail(client: Client, alice: Desk) -> None:
    thumbnail = media.photo(90, 60, seed=5)
    message = await client.bot.send_video(
        chat_id=ALICE,
        video=client.file(media.clip(has_sound=True), "me.mp4"),
        thumbnail=client.attached(thumbnail, "thumbnail.jpg"),
    )
    found = message.video.thumbnail
    assert (found.width, found.height) == (90, 60)
    assert await client.download(found.file_id) == thumbnail
    (call,) = await alice.calls("sendVideo")
    assert len(call["files"]) == 2
    assert call["parameters"]["thumbnail"].startswith("attach://")


async def test_large_video_of_a_bot_has_no_preview_of_its_own(client: Client, alice: Desk) -> None:
    # A box of free space at the end, which players pass over.
    padding = 10_000_000
    large = media.clip() + struct.pack(">I", padding) + b"free" + bytes(padding - 8)
    without = await client.bot.send_video(chat_id=ALICE, video=client.file(large, "me.mp4"))
    assert without.animation.thumbnail is None
    with_one = await client.bot.send_animation(
        chat_id=ALICE,
        animation=client.file(large, "me.mp4"),
        thumbnail=client.attached(media.photo(90, 60), "thumbnail.jpg"),
    )
    assert with_one.animation.thumbnail.width == 90
    assert "thumbnail" in (await alice.messages(ALICE))[-1]["animation"]


async def test_caption_has_1024_characters_at_most(client: Client) -> None:
    photo = client.file(media.photo(), "me.jpg")
    with refused(client, 400, "caption is too long"):
        await client.bot.send_photo(chat_id=ALICE, photo=photo, caption="x" * 1025)
    sent = await client.bot.send_photo(chat_id=ALICE, photo=photo, caption="x" * 1024)
    assert len(sent.caption) == 1024


async def test_broken_photo_and_address_in_the_internet_are_refused(client: Client) -> None:
    send = client.bot.send_photo
    with refused(client, 400, "IMAGE_PROCESS_FAILED"):
        await send(chat_id=ALICE, photo=client.file(b"no picture", "me.jpg"))
    with refused(client, 400):
        await send(chat_id=ALICE, photo="https://example.org/me.jpg")
    with refused(client, 400, "wrong file identifier"):
        await send(chat_id=ALICE, photo="AgACAgIAAxkBAAIB")


@pytest.mark.parametrize(
    "action", ["typing", "upload_photo", "upload_video", "upload_video_note", "record_video"]
)
async def test_chat_action_is_taken(client: Client, action: str) -> None:
    assert await client.bot.send_chat_action(chat_id=ALICE, action=action) is True


async def test_reaction_shows_on_the_persons_message(client: Client, alice: Desk) -> None:
    said = (await alice.say("animate me"))["message"]["message_id"]
    react, emoji = client.bot.set_message_reaction, client.types.ReactionTypeEmoji
    assert await react(chat_id=ALICE, message_id=said, reaction=[emoji(emoji="👀")]) is True
    assert (await alice.messages())[-1]["sim"]["reactions"] == ["👀"]
    with refused(client, 400, "REACTION_INVALID"):
        await react(chat_id=ALICE, message_id=said, reaction=[emoji(emoji="🐌")])
    assert await react(chat_id=ALICE, message_id=said, reaction=[]) is True
    assert (await alice.messages())[-1]["sim"]["reactions"] == []
    assert len(await heard(client)) == 1
