"""Changing and deleting what has been sent."""

from sandbox.bot_api.media import EDITABLE, content_of, input_media
from sandbox.bot_api.sending import caption_fields, chat_of, inline_markup_of, text_fields
from sandbox.errors import bad_request
from sandbox.json_types import JsonObject
from sandbox.media.files import Kind
from sandbox.parameters import Parameters
from sandbox.world.chats import Chat, Message
from sandbox.world.telegram import Telegram

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
CAPTION_FIELDS = ("caption", "caption_entities", "show_caption_above_media")
# What a bot may react with: one of these (the documentation's list).
_REACTIONS = """
    👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥
    🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨
    🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡
"""
REACTIONS = frozenset(_REACTIONS.split())


def _edited(telegram: Telegram, call: Parameters) -> Message:
    """The message that a call names, if it is the bot's."""
    inline_id = call.text("inline_message_id")
    if inline_id is not None:
        message = telegram.inline_messages.get(inline_id)
        if message is None or not message.is_there:
            raise bad_request("MESSAGE_ID_INVALID")
        return message
    message = _message(chat_of(telegram, call), call, "edit")
    if not message.is_of_bot:
        raise bad_request("message can't be edited")
    return message


def _message(chat: Chat, call: Parameters, verb: str) -> Message:
    message_id = call.integer("message_id")
    if message_id is None:
        raise bad_request("message identifier is not specified")
    message = chat.messages.get(message_id)
    if message is None:
        raise bad_request(f"message to {verb} not found")
    return message


def _change(telegram: Telegram, call: Parameters, message: Message, content: JsonObject) -> object:
    """Puts the content in; a keyboard that is not given again goes away."""
    markup = inline_markup_of(call)
    if content == message.content and markup == message.inline_keyboard:
        raise bad_request(NOT_MODIFIED)
    message.edit(content, markup)
    telegram.show_again(message)
    return True if call.text("inline_message_id") is not None else message.as_json()


async def edit_message_text(telegram: Telegram, call: Parameters) -> object:
    """EditMessageText."""
    message = _edited(telegram, call)
    content = text_fields(call)
    if "text" not in message.content:
        raise bad_request("there is no text in the message to edit")
    return _change(telegram, call, message, content)


async def edit_message_caption(telegram: Telegram, call: Parameters) -> object:
    """EditMessageCaption."""
    message = _edited(telegram, call)
    if "text" in message.content or {"video_note", "sticker"} & message.content.keys():
        raise bad_request("there is no caption in the message to edit")
    kept = {name: value for name, value in message.content.items() if name not in CAPTION_FIELDS}
    return _change(telegram, call, message, kept | caption_fields(call))


async def edit_message_media(telegram: Telegram, call: Parameters) -> object:
    """EditMessageMedia; it can also put media into the place of a text."""
    message = _edited(telegram, call)
    kind, item = input_media(call.json_object("media"), EDITABLE)
    if message.inline_message_id is not None and call.uploads:
        raise bad_request(
            "wrong file identifier/HTTP URL specified"
        )  # nothing can be uploaded there
    inline_markup_of(call)
    is_of_album = message.media_group_id is not None
    if is_of_album and kind not in _kinds_of_album(message):
        raise bad_request("can't use the media of the specified type in the album")
    content = await content_of(telegram, call, kind, item, in_album=is_of_album)
    message = _edited(telegram, call)  # it may have been deleted meanwhile
    return _change(telegram, call, message, content)


def _kinds_of_album(item: Message) -> frozenset[Kind]:
    """What an item of an album can be replaced by: a document by documents, others by others."""
    return frozenset({"document"}) if "document" in item.content else frozenset({"photo", "video"})


async def edit_message_reply_markup(telegram: Telegram, call: Parameters) -> object:
    """EditMessageReplyMarkup."""
    message = _edited(telegram, call)
    return _change(telegram, call, message, message.content)


async def delete_message(telegram: Telegram, call: Parameters) -> bool:
    """DeleteMessage: the bot's own anywhere, others' in private chats and as a group's admin."""
    chat = chat_of(telegram, call)
    message = _message(chat, call, "delete")
    if not message.is_of_bot and chat.is_group and chat.bot_status != "administrator":
        raise bad_request("message can't be deleted for everyone")
    telegram.delete(message)
    return True


async def delete_messages(telegram: Telegram, call: Parameters) -> bool:
    """DeleteMessages: those that are not there are skipped."""
    chat = chat_of(telegram, call)
    message_ids = call.array("message_ids") or []
    if not 1 <= len(message_ids) <= 100:
        raise bad_request("there must be 1-100 message identifiers")
    for message_id in message_ids:
        if isinstance(message_id, int) and message_id in chat.messages:
            await delete_message(
                telegram, Parameters({"chat_id": chat.chat_id, "message_id": message_id})
            )
    return True


async def set_message_reaction(telegram: Telegram, call: Parameters) -> bool:
    """SetMessageReaction: one emoji of the documented ones, or none."""
    message = _message(chat_of(telegram, call), call, "react")
    wishes = call.objects("reaction") or []
    if len(wishes) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    emoji = tuple(str(wish.get("emoji", "")).replace("\ufe0f", "") for wish in wishes)
    if not set(emoji) <= REACTIONS:
        raise bad_request("REACTION_INVALID")
    message.reactions = emoji
    telegram.show_again(message)
    return True
