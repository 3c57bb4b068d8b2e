"""Editing, deleting and reacting to messages."""

from sandbox.bot_api.media import content_of, input_media
from sandbox.bot_api.sending import caption_fields, chat_of, markup_of, text_fields
from sandbox.errors import bad_request
from sandbox.json_types import JsonObject
from sandbox.parameters import Parameters
from sandbox.world.chats import Chat, Message
from sandbox.world.telegram import Telegram

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
MOST_DELETED = 100
# The reactions that the Bot API's documentation lists.
_REACTIONS = """
    👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥
    🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨
    🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡
"""
REACTIONS = frozenset(_REACTIONS.split())


def _message_to_edit(telegram: Telegram, call: Parameters) -> Message:
    """Return the bot's message that a call names."""
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
    """Replace the content; a keyboard that is not repeated is removed."""
    markup = markup_of(call)
    if content == message.content and markup == message.reply_markup:
        raise bad_request(NOT_MODIFIED)
    message.edit(content, markup)
    telegram.show_again(message)
    return True if call.text("inline_message_id") is not None else message.as_json()


async def edit_message_text(telegram: Telegram, call: Parameters) -> object:
    """Change a text."""
    message = _message_to_edit(telegram, call)
    content = text_fields(call)
    if "text" not in message.content:
        raise bad_request("there is no text in the message to edit")
    return _change(telegram, call, message, content)


async def edit_message_caption(telegram: Telegram, call: Parameters) -> object:
    """Change a caption."""
    message = _message_to_edit(telegram, call)
    if "text" in message.content or {"video_note", "sticker"} & message.content.keys():
        raise bad_request("there is no caption in the message to edit")
    kept = {
        name: value
        for name, value in message.content.items()
        if name not in {"caption", "caption_entities"}
    }
    return _change(telegram, call, message, kept | caption_fields(call))


async def edit_message_media(telegram: Telegram, call: Parameters) -> object:
    """Replace media, or a text by media."""
    message = _message_to_edit(telegram, call)
    kind, item = input_media(call.json_object("media"))
    if message.inline_message_id is not None and call.uploads:
        # Nothing can be uploaded into an inline message.
        raise bad_request("wrong file identifier/HTTP URL specified")
    markup_of(call)
    content = await content_of(telegram, call, kind, item)
    message = _message_to_edit(telegram, call)  # it may have been deleted meanwhile
    return _change(telegram, call, message, content)


async def edit_message_reply_markup(telegram: Telegram, call: Parameters) -> object:
    """Change only the keyboard."""
    message = _message_to_edit(telegram, call)
    return _change(telegram, call, message, message.content)


async def delete_message(telegram: Telegram, call: Parameters) -> bool:
    """Delete the bot's own message; or another's, in private chats and as an administrator."""
    chat = chat_of(telegram, call)
    message = _message(chat, call, "delete")
    if not message.is_of_bot and chat.is_group and chat.bot_status != "administrator":
        raise bad_request("message can't be deleted for everyone")
    telegram.delete(message)
    return True


async def delete_messages(telegram: Telegram, call: Parameters) -> bool:
    """Delete several messages as `delete_message` does; those that are not found are skipped."""
    chat, ids = chat_of(telegram, call), call.array("message_ids")
    if not ids or len(ids) > MOST_DELETED or not all(type(one) is int for one in ids):
        raise bad_request("message identifiers are not specified or too many")
    found = [chat.messages[one] for one in ids if isinstance(one, int) and one in chat.messages]
    for message in found:
        if not message.is_of_bot and chat.is_group and chat.bot_status != "administrator":
            raise bad_request("message can't be deleted for everyone")
    for message in found:
        telegram.delete(message)
    return True


async def set_message_reaction(telegram: Telegram, call: Parameters) -> bool:
    """Set the bot's reaction: one emoji, or none."""
    message = _message(chat_of(telegram, call), call, "react")
    reactions = call.objects("reaction") or []
    if len(reactions) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    emoji = tuple(str(one.get("emoji", "")).replace("\ufe0f", "") for one in reactions)
    if not set(emoji) <= REACTIONS:
        raise bad_request("REACTION_INVALID")
    message.reactions = emoji
    telegram.show_again(message)
    return True
