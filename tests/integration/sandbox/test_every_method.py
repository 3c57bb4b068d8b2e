"""One walk through every method that the server has, with both libraries."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aiogram
import pytest
from pydantic import TypeAdapter, ValidationError

from sandbox.bot_api.methods import METHODS
from sandbox.server import Sandbox
from tests.integration.sandbox import media
from tests.integration.sandbox.clients import Client, connected, heard
from tests.integration.sandbox.desk import ALICE, FAMILY, Desk

pytestmark = pytest.mark.local_sockets


async def test_every_method_of_the_server_is_understood(client: Client, desk: Desk) -> None:
    await introduces_itself(client)
    await desk.say("/start")
    await looks_around(client)
    await heard(client)
    await sends_and_edits(client)
    await answers(client, desk)
    calls = await desk.calls()
    assert {call["method"] for call in calls} | {"getUpdates"} == METHODS.keys()
    assert {call["status"] for call in calls} == {200}


async def test_values_have_exactly_the_documented_types(sandbox: Sandbox, desk: Desk) -> None:
    """The libraries would take "4" for 4; here nothing is converted, but for dates and times."""
    client = connected("aiogram", sandbox)
    started = (await desk.say("/start"))["update"]
    await heard(client)
    await looks_around(client)
    await heard(client)
    await sends_and_edits(client)
    await answers(client, desk)
    await client.close()
    found = [*wrong_types(aiogram.types.Update, started)]
    for call in await desk.calls():
        name = call["method"][0].upper() + call["method"][1:]
        kind = getattr(aiogram.methods, name).__returning__
        found += [f"{name}: {wrong}" for wrong in wrong_types(kind, call["response"]["result"])]
    assert found == []


def wrong_types(kind: Any, value: object) -> Iterator[str]:
    try:
        TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
    except ValidationError as exc:
        for error in exc.errors():
            # Where a method gives a Message or True, a Message is not True.
            if error["type"] != "datetime_type" and error["loc"] != ("bool",):
                yield f"{'.'.join(map(str, error['loc']))} {error['type']}"


async def introduces_itself(client: Client) -> None:
    bot, types = client.bot, client.types
    assert (await bot.get_me()).is_bot
    command = types.BotCommand(command="start", description="Begin")
    assert await bot.set_my_commands(commands=[command])
    assert [each.command for each in await bot.get_my_commands()] == ["start"]
    assert await bot.delete_my_commands()
    assert list(await bot.get_my_commands()) == []
    assert (await bot.get_my_name()).name == "Animato"
    assert await bot.set_my_description(description="Brings portraits to life")
    assert (await bot.get_my_description()).description == "Brings portraits to life"
    assert await bot.set_my_short_description(short_description="Portraits")
    assert (await bot.get_my_short_description()).short_description == "Portraits"
    assert await bot.set_webhook(url="http://127.0.0.1:9/hook")
    assert (await bot.get_webhook_info()).url
    assert await bot.delete_webhook()


async def looks_around(client: Client) -> None:
    bot = client.bot
    assert (await bot.get_chat_member(chat_id=FAMILY, user_id=ALICE)).status == "creator"
    assert (await bot.get_user_profile_photos(user_id=ALICE)).total_count == 0


async def sends_and_edits(client: Client) -> None:
    bot, types, to = client.bot, client.types, {"chat_id": ALICE}
    photo = client.file(media.photo(), "a.jpg")
    clip, speech = media.clip(64, 64), media.clip(64, 64, has_sound=True)
    assert await bot.send_chat_action(**to, action="upload_video")
    card = await bot.send_message(**to, text="Which?")
    sent = [
        await bot.send_photo(**to, photo=photo),
        await bot.send_video(**to, video=client.file(speech, "a.mp4")),
        await bot.send_animation(**to, animation=client.file(clip, "a.mp4")),
        await bot.send_video_note(**to, video_note=client.file(clip, "a.mp4")),
        await bot.send_document(**to, document=client.file(b"a", "a.txt")),
        await bot.send_sticker(**to, sticker=client.file(media.webp(), "a.webp")),
    ]
    assert (await bot.get_file(file_id=sent[1].video.file_id)).file_path
    where = to | {"message_id": card.message_id}
    assert await bot.set_message_reaction(**where, reaction=[types.ReactionTypeEmoji(emoji="👍")])
    assert (await bot.edit_message_text(**where, text="40 %")).text == "40 %"
    item = types.InputMediaAnimation(media=sent[2].animation.file_id)
    assert (await bot.edit_message_media(**where, media=item)).animation
    assert (await bot.edit_message_caption(**where, caption="Done")).caption == "Done"
    button = types.InlineKeyboardButton(text="Again", callback_data="again")
    markup = types.InlineKeyboardMarkup(inline_keyboard=[[button]])
    assert (await bot.edit_message_reply_markup(**where, reply_markup=markup)).reply_markup
    assert await bot.delete_message(**to, message_id=sent[0].message_id)
    assert await bot.delete_messages(**to, message_ids=[sent[1].message_id])


async def answers(client: Client, desk: Desk) -> None:
    tap = asyncio.create_task(desk.tap("Again"))
    (update,) = await heard(client, timeout=50)
    assert await client.bot.answer_callback_query(callback_query_id=update.callback_query.id)
    assert (await tap)["answer"] is not None
    inline = asyncio.create_task(desk.post("inline", query=""))
    (update,) = await heard(client, timeout=50)
    query_id = update.inline_query.id
    assert await client.bot.answer_inline_query(inline_query_id=query_id, results=[])
    assert (await inline)["answer"]["results"] == []
