"""Inline queries: typed behind the bot's name, answered, chosen, and edited afterwards."""

import asyncio
from typing import Any

import pytest

from tests.integration.sandbox import media
from tests.integration.sandbox.clients import Client, heard, refused
from tests.integration.sandbox.desk import ALICE, BOB, FAMILY, Desk

pytestmark = pytest.mark.local_sockets


def share(client: Client) -> object:
    button = client.types.InlineKeyboardButton(text="More", callback_data="more")
    return client.types.InlineKeyboardMarkup(inline_keyboard=[[button]])


async def asked(client: Client, desk: Desk, **query: object) -> tuple[Any, "asyncio.Task[Any]"]:
    """The query as the bot gets it, and the person who waits for the answer."""
    waiting = asyncio.create_task(desk.post("inline", **query))
    (update,) = await heard(client, timeout=50)
    return update.inline_query, waiting


async def animation_of(client: Client, seed: int = 0) -> str:
    """The file id of a clip that the bot has sent to Alice."""
    sent = await client.bot.send_animation(
        chat_id=ALICE, animation=client.file(media.clip(seed=seed), "a.mp4")
    )
    return str(sent.animation.file_id)


async def test_query_tells_who_asks_what_and_where(client: Client, desk: Desk) -> None:
    query, waiting = await asked(client, desk, query="smile", chat_id=FAMILY, user_id=BOB)
    assert (query.query, query.offset, query.chat_type) == ("smile", "", "group")
    assert query.from_user.id == BOB
    assert await client.bot.answer_inline_query(inline_query_id=query.id, results=[])
    assert (await waiting)["answer"]["results"] == []
    query, waiting = await asked(client, desk, query="", offset="20")
    assert (query.query, query.offset, query.chat_type) == ("", "20", "sender")
    assert await client.bot.answer_inline_query(inline_query_id=query.id, results=[])
    await waiting


async def test_every_kind_of_result_can_be_chosen(client: Client, alice: Desk) -> None:
    types, bot = client.types, client.bot
    file = {
        "photo": (await bot.send_photo(chat_id=ALICE, photo=client.file(media.photo(), "a.jpg"))),
        "video": (
            await bot.send_video(
                chat_id=ALICE, video=client.file(media.clip(has_sound=True), "b.mp4")
            )
        ),
        "document": (await bot.send_document(chat_id=ALICE, document=client.file(b"c", "c.txt"))),
        "sticker": (
            await bot.send_sticker(chat_id=ALICE, sticker=client.file(media.webp(), "d.webp"))
        ),
    }
    animation = await animation_of(client)
    text = types.InputTextMessageContent(message_text="<b>hello</b>", parse_mode="HTML")
    results = [
        types.InlineQueryResultArticle(id="1", title="Hello", input_message_content=text),
        types.InlineQueryResultCachedPhoto(id="2", photo_file_id=file["photo"].photo[-1].file_id),
        types.InlineQueryResultCachedVideo(
            id="3", video_file_id=file["video"].video.file_id, title="A video"
        ),
        types.InlineQueryResultCachedDocument(
            id="4", document_file_id=file["document"].document.file_id, title="A letter"
        ),
        types.InlineQueryResultCachedSticker(
            id="5", sticker_file_id=file["sticker"].sticker.file_id
        ),
        types.InlineQueryResultCachedMpeg4Gif(id="6", mpeg4_file_id=animation, caption="me"),
        types.InlineQueryResultCachedGif(id="7", gif_file_id=animation),
    ]
    query, waiting = await asked(client, alice, query="")
    button = types.InlineQueryResultsButton(text="Make one", start_parameter="new")
    assert await bot.answer_inline_query(
        inline_query_id=query.id, results=results, button=button, cache_time=0, is_personal=True
    )
    told = await waiting
    assert [result["id"] for result in told["answer"]["results"]] == list("1234567")
    assert told["answer"]["button"] == {"text": "Make one", "start_parameter": "new"}
    fields = ["text", "photo", "video", "document", "sticker", "animation", "animation"]
    for number, field in enumerate(fields, 1):
        chosen = await alice.post(
            "chosen", inline_query_id=told["inline_query_id"], result_id=number
        )
        assert field in chosen["message"]
        assert chosen["message"]["via_bot"]["username"] == "animato_bot"
    updates = await heard(client)
    feedback = [update.chosen_inline_result for update in updates]
    assert [each.result_id for each in feedback if each] == list("1234567")
    # Without a keyboard there is no way to edit the message later.
    assert {each.inline_message_id for each in feedback if each} == {None}
    via = [update.message for update in updates if update.message]
    assert {message.via_bot.username for message in via} == {"animato_bot"}
    assert via[0].text == "hello"
    assert via[5].animation.file_unique_id == via[6].animation.file_unique_id


async def chosen(client: Client, desk: Desk, **where: object) -> str:
    """The id of an inline message with a keyboard; its message is told to the bot, too."""
    await desk.say("/start")
    await heard(client)
    result = client.types.InlineQueryResultCachedMpeg4Gif(
        id="a", mpeg4_file_id=await animation_of(client), caption="me", reply_markup=share(client)
    )
    query, waiting = await asked(client, desk, query="me", **where)
    await client.bot.answer_inline_query(inline_query_id=query.id, results=[result])
    asked_id = (await waiting)["inline_query_id"]
    await desk.post("chosen", inline_query_id=asked_id, result_id="a", **where)
    feedback = [update.chosen_inline_result for update in await heard(client)]
    (found,) = [each for each in feedback if each]
    assert (found.result_id, found.query, found.from_user.id) == ("a", "me", ALICE)
    return str(found.inline_message_id)


async def test_chosen_message_with_a_keyboard_can_be_tapped_and_edited(
    client: Client, desk: Desk
) -> None:
    bot, name = client.bot, {"inline_message_id": await chosen(client, desk, chat_id=FAMILY)}
    tap = asyncio.create_task(desk.tap("More", chat_id=FAMILY, user_id=BOB))
    (update,) = await heard(client, timeout=50)
    query = update.callback_query
    assert (query.inline_message_id, query.message) == (name["inline_message_id"], None)
    await bot.answer_callback_query(callback_query_id=query.id, text="More it is")
    assert (await tap)["answer"]["text"] == "More it is"
    assert (
        await bot.edit_message_caption(**name, caption="more", reply_markup=share(client)) is True
    )
    assert await bot.edit_message_reply_markup(**name) is True
    shown = (await desk.messages(FAMILY))[-1]
    assert shown["caption"] == "more"
    assert "reply_markup" not in shown
    with refused(client, 400, "message is not modified"):
        await bot.edit_message_caption(**name, caption="more")


async def test_inline_message_takes_known_files_and_no_uploads(client: Client, desk: Desk) -> None:
    bot, name = client.bot, {"inline_message_id": await chosen(client, desk)}
    item = client.types.InputMediaAnimation
    with refused(client, 400):
        await bot.edit_message_media(
            **name, media=item(media=client.attached(media.clip(seed=7), "new.mp4"))
        )
    known = await animation_of(client, seed=2)
    assert await bot.edit_message_media(**name, media=item(media=known, caption="new")) is True
    assert (await desk.messages())[-2]["animation"]["file_id"] == known
    with refused(client, 400, "MESSAGE_ID_INVALID"):
        await bot.edit_message_text(inline_message_id="nothing", text="x")


async def test_feedback_can_be_off(client: Client, desk: Desk) -> None:
    await desk.post("settings", inline_feedback=False)
    text = client.types.InputTextMessageContent(message_text="hello")
    article = client.types.InlineQueryResultArticle(
        id="a", title="Hello", input_message_content=text
    )
    query, waiting = await asked(client, desk, query="")
    await client.bot.answer_inline_query(inline_query_id=query.id, results=[article])
    asked_id = (await waiting)["inline_query_id"]
    await desk.post("chosen", inline_query_id=asked_id, result_id="a")
    (update,) = await heard(client)
    assert update.message.text == "hello"


async def test_answers_that_cannot_be_are_refused(client: Client, alice: Desk) -> None:
    answer, types = client.bot.answer_inline_query, client.types
    text = types.InputTextMessageContent(message_text="hello")

    def article(name: str) -> object:
        return types.InlineQueryResultArticle(id=name, title="Hello", input_message_content=text)

    query, waiting = await asked(client, alice, query="")
    with refused(client, 400, "RESULT_ID_DUPLICATE"):
        await answer(inline_query_id=query.id, results=[article("a"), article("a")])
    with refused(client, 400, "RESULT_ID_INVALID"):
        await answer(inline_query_id=query.id, results=[article("ü" * 33)])
    with refused(client, 400, "RESULTS_TOO_MUCH"):
        await answer(
            inline_query_id=query.id, results=[article(str(number)) for number in range(51)]
        )
    with refused(client, 400, "wrong file identifier"):
        gif = types.InlineQueryResultCachedMpeg4Gif(id="a", mpeg4_file_id="nothing")
        await answer(inline_query_id=query.id, results=[gif])
    video = await client.bot.send_video(
        chat_id=ALICE, video=client.file(media.clip(has_sound=True), "b.mp4")
    )
    with refused(client, 400, 'field "title"'):
        untitled = types.InlineQueryResultCachedVideo(
            id="a", video_file_id=video.video.file_id, title=""
        )
        await answer(inline_query_id=query.id, results=[untitled])
    for parameter in ("", "two words", "x" * 65):
        with refused(client, 400, "START_PARAM_INVALID"):
            bad = types.InlineQueryResultsButton(text="New", start_parameter=parameter)
            await answer(inline_query_id=query.id, results=[], button=bad)
    fits = [article("ü" * 32)]
    assert await answer(inline_query_id=query.id, results=fits, next_offset="1")
    assert (await waiting)["answer"]["next_offset"] == "1"
    with refused(client, 400, "query is too old"):
        await answer(inline_query_id=query.id, results=fits)
