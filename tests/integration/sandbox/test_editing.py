"""Cards that change and go, through both libraries."""

import pytest

from tests.integration.sandbox import media
from tests.integration.sandbox.clients import Client, refused
from tests.integration.sandbox.desk import ADMIN, ALICE, FAMILY, Desk

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("alice")]


def one_button(client: Client, text: str, data: str = "x") -> object:
    button = client.types.InlineKeyboardButton(text=text, callback_data=data)
    return client.types.InlineKeyboardMarkup(inline_keyboard=[[button]])


async def test_text_changes_and_keeps_its_place(client: Client, alice: Desk) -> None:
    card = await client.bot.send_message(
        chat_id=ALICE, text="Which?", reply_markup=one_button(client, "Wink")
    )
    await client.bot.send_message(chat_id=ALICE, text="later")
    edited = await client.bot.edit_message_text(
        chat_id=ALICE, message_id=card.message_id, text="<b>40 %</b>", parse_mode="HTML"
    )
    assert (edited.message_id, edited.text) == (card.message_id, "40 %")
    assert edited.entities[0].type == "bold"
    assert edited.edit_date is not None
    assert edited.reply_markup is None  # a keyboard that is not given again goes
    assert await alice.transcript() == "Alice: /start\nBot (edited): 40 %\nBot: later\n"


async def test_edit_that_changes_nothing_is_refused(client: Client, alice: Desk) -> None:
    markup, words = one_button(client, "Cancel"), "message is not modified"
    where = {"chat_id": ALICE}
    card = await client.bot.send_message(**where, text="40 %", reply_markup=markup)
    where["message_id"] = card.message_id
    with refused(client, 400, words):
        await client.bot.edit_message_text(**where, text="40 %", reply_markup=markup)
    with refused(client, 400, words):
        await client.bot.edit_message_reply_markup(**where, reply_markup=markup)
    assert "edited" not in await alice.transcript()
    await client.bot.edit_message_text(**where, text="40 %")  # without the keyboard
    with refused(client, 400, words):
        await client.bot.edit_message_text(**where, text="40 %")


async def test_caption_changes_and_nothing_else(client: Client) -> None:
    sent = await client.bot.send_photo(
        chat_id=ALICE, photo=client.file(media.photo(), "a.jpg"), caption="before"
    )
    where = {"chat_id": ALICE, "message_id": sent.message_id}
    edited = await client.bot.edit_message_caption(
        **where, caption="<i>after</i>", parse_mode="HTML"
    )
    assert edited.caption == "after"
    assert edited.caption_entities[0].type == "italic"
    assert edited.photo == sent.photo
    with refused(client, 400, "message is not modified"):
        await client.bot.edit_message_caption(**where, caption="<i>after</i>", parse_mode="HTML")
    assert (await client.bot.edit_message_caption(**where)).caption is None
    with refused(client, 400, "there is no text in the message to edit"):
        await client.bot.edit_message_text(**where, text="text")


async def test_text_becomes_an_animation_with_a_caption(client: Client, alice: Desk) -> None:
    card = await client.bot.send_message(chat_id=ALICE, text="80 %")
    content = media.clip()
    item = client.types.InputMediaAnimation(
        media=client.attached(content, "me.mp4"),
        caption="Done",
        thumbnail=client.attached(media.photo(80, 60), "thumbnail.jpg"),
    )
    edited = await client.bot.edit_message_media(
        chat_id=ALICE,
        message_id=card.message_id,
        media=item,
        reply_markup=one_button(client, "Again"),
    )
    assert edited.text is None
    assert edited.caption == "Done"
    assert edited.animation.thumbnail.width == 80
    assert edited.reply_markup.inline_keyboard[0][0].text == "Again"
    assert await client.download(edited.animation.file_id) == content
    (call,) = await alice.calls("editMessageMedia")
    assert len(call["files"]) == 2
    with refused(client, 400, "there is no text in the message to edit"):
        await client.bot.edit_message_text(chat_id=ALICE, message_id=card.message_id, text="x")


async def test_media_takes_the_place_of_other_media(client: Client) -> None:
    types = client.types
    sent = await client.bot.send_photo(
        chat_id=ALICE, photo=client.file(media.photo(), "a.jpg"), caption="a photo"
    )
    where = {"chat_id": ALICE, "message_id": sent.message_id}
    for kind, content, name in (
        ("video", media.clip(has_sound=True), "b.mp4"),
        ("document", b"letter", "c.txt"),
        ("photo", media.photo(seed=8), "d.jpg"),
    ):
        item = getattr(types, f"InputMedia{kind.capitalize()}")(
            media=client.attached(content, name)
        )
        edited = await client.bot.edit_message_media(**where, media=item)
        assert getattr(edited, kind)
        assert edited.caption is None
    known = types.InputMediaPhoto(media=sent.photo[-1].file_id)
    edited = await client.bot.edit_message_media(**where, media=known)
    assert edited.photo == sent.photo
    with refused(client, 400, "message is not modified"):
        await client.bot.edit_message_media(**where, media=known)


async def test_keyboard_alone_changes_and_goes(client: Client) -> None:
    card = await client.bot.send_message(
        chat_id=ALICE, text="Which?", reply_markup=one_button(client, "Wink")
    )
    where = {"chat_id": ALICE, "message_id": card.message_id}
    edited = await client.bot.edit_message_reply_markup(
        **where, reply_markup=one_button(client, "Nod")
    )
    assert edited.text == "Which?"
    assert edited.reply_markup.inline_keyboard[0][0].text == "Nod"
    assert (await client.bot.edit_message_reply_markup(**where)).reply_markup is None


async def test_only_what_is_there_and_ones_own_can_be_edited(client: Client, alice: Desk) -> None:
    edit = client.bot.edit_message_text
    with refused(client, 400, "message to edit not found"):
        await edit(chat_id=ALICE, message_id=999, text="x")
    said = (await alice.say("mine"))["message"]["message_id"]
    with refused(client, 400, "message can't be edited"):
        await edit(chat_id=ALICE, message_id=said, text="x")
    with refused(client, 400, "chat not found"):
        await edit(chat_id=123456, message_id=1, text="x")


async def test_bad_edit_leaves_the_message_as_it_was(client: Client, alice: Desk) -> None:
    card = await client.bot.send_message(
        chat_id=ALICE, text="Which?", reply_markup=one_button(client, "Wink")
    )
    where = {"chat_id": ALICE, "message_id": card.message_id}
    with refused(client, 400, "can't parse entities"):
        await client.bot.edit_message_text(**where, text="<b>40 %", parse_mode="HTML")
    with refused(client, 400, "BUTTON_DATA_INVALID"):
        await client.bot.edit_message_reply_markup(
            **where, reply_markup=one_button(client, "Wink", "x" * 65)
        )
    broken = client.types.InputMediaPhoto(media=client.attached(b"no picture", "a.jpg"))
    with refused(client, 400):
        await client.bot.edit_message_media(**where, media=broken)
    assert await alice.transcript() == "Alice: /start\nBot: Which?\n    [Wink]\n"


# --- deleting -------------------------------------------------------------------------------------


async def test_several_messages_are_deleted_and_missing_ones_skipped(
    client: Client, alice: Desk
) -> None:
    ids = [(await client.bot.send_message(chat_id=ALICE, text=text)).message_id for text in "ab"]
    assert await client.bot.delete_messages(chat_id=ALICE, message_ids=[*ids, 999_999]) is True
    assert await alice.transcript() == "Alice: /start\n"
    for wrong in ([], list(range(1, 102))):
        with refused(client, 400, "message identifiers are not specified"):
            await client.bot.delete_messages(chat_id=ALICE, message_ids=wrong)


async def test_deleted_message_is_gone_and_cannot_be_touched(client: Client, alice: Desk) -> None:
    card = await client.bot.send_message(chat_id=ALICE, text="80 %")
    where = {"chat_id": ALICE, "message_id": card.message_id}
    assert await client.bot.delete_message(**where) is True
    assert await alice.transcript() == "Alice: /start\n"
    with refused(client, 400, "message to delete not found"):
        await client.bot.delete_message(**where)
    with refused(client, 400, "message to edit not found"):
        await client.bot.edit_message_text(**where, text="100 %")


async def test_messages_of_others_can_be_deleted_by_admins_only(client: Client, desk: Desk) -> None:
    said = (await desk.say("spam", chat_id=FAMILY))["message"]["message_id"]
    where = {"chat_id": FAMILY, "message_id": said}
    with refused(client, 400, "message can't be deleted"):
        await client.bot.delete_message(**where)
    await desk.post("members", chat_id=FAMILY, status="administrator", by=ADMIN)
    assert await client.bot.delete_message(**where) is True
