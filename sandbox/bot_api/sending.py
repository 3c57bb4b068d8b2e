"""Where a message goes, its text and keyboard, and sending it."""

from dataclasses import dataclass

from sandbox.errors import ApiError, bad_request, forbidden
from sandbox.formatting.entities import (
    CAPTION_LIMIT,
    RAW_TEXT_LIMIT,
    TEXT_LIMIT,
    formatted,
    utf16_length,
)
from sandbox.formatting.keyboards import checked_markup
from sandbox.json_types import JsonObject
from sandbox.parameters import Parameters
from sandbox.world.chats import Chat, Message
from sandbox.world.telegram import Telegram


@dataclass(frozen=True)
class Destination:
    """A chat that the bot may write to, the topic, and the message that is answered."""

    chat: Chat
    topic: Message | None
    reply_to: Message | None


def chat_of(telegram: Telegram, call: Parameters) -> Chat:
    """Return the chat that a call names, if the bot may write to it.

    Raises:
        ApiError: 400 for a chat that does not exist or was upgraded, 403 without access.
    """
    chat = known_chat(telegram, call)
    if chat.person is not None and chat.person.blocks_bot:
        raise forbidden("bot was blocked by the user")
    return chat


def known_chat(telegram: Telegram, call: Parameters) -> Chat:
    """Return the chat that a call names, if the bot may know about it.

    Raises:
        ApiError: 400 for a chat that does not exist or was upgraded, 403 for a group without
            the bot.
    """
    chat = _existing_chat(telegram, call)
    if chat.migrated_to is not None:
        raise ApiError(
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
            {"migrate_to_chat_id": chat.migrated_to},
        )
    if not chat.has_bot:
        verb = "was kicked from" if chat.bot_status == "kicked" else "is not a member of"
        raise forbidden(f"bot {verb} the {chat.type} chat")
    return chat


def _existing_chat(telegram: Telegram, call: Parameters) -> Chat:
    text = call.text("chat_id")
    if text is None:
        raise bad_request("chat_id is empty")
    try:
        chat = telegram.chats.get(int(text))
    except ValueError:
        chat = None
    if chat is None:
        raise bad_request("chat not found")
    if chat.person is not None and not chat.is_started:
        # To the bot, a person it has never met does not exist.
        if chat.person.is_met:
            raise forbidden("bot can't initiate conversation with a user")
        raise bad_request("chat not found")
    return chat


def destination_of(telegram: Telegram, call: Parameters) -> Destination:
    """Return the chat, the topic and the message that is answered.

    Raises:
        ApiError: 400 if one of them does not exist, 403 without access.
    """
    chat = chat_of(telegram, call)
    thread_id = call.integer("message_thread_id")
    topic = None
    if thread_id is not None and chat.is_group:
        topic = chat.topics.get(thread_id)
        if topic is None:
            raise bad_request("message thread not found")
    reply_to = _replied_to(chat, call)
    if topic is None and reply_to is not None and reply_to.topic is not None:
        topic = reply_to.topic if reply_to.topic.is_there else None
    return Destination(chat, topic, reply_to)


def _replied_to(chat: Chat, call: Parameters) -> Message | None:
    given = call.json_object("reply_parameters") or {}
    message_id = given.get("message_id")
    if message_id is None:
        return None
    found = None
    if given.get("chat_id") in (None, chat.chat_id, str(chat.chat_id)):
        found = chat.messages.get(message_id) if isinstance(message_id, int) else None
    if found is None and not given.get("allow_sending_without_reply"):
        raise bad_request("message to be replied not found")
    return found


def markup_of(call: Parameters) -> JsonObject | None:
    """Return the inline keyboard of a call."""
    return checked_markup(call.json_object("reply_markup"))


def text_fields(call: Parameters) -> JsonObject:
    """Return text and entities of a text message.

    Raises:
        ApiError: 400 if the text is empty, too long, or its markup is not well-formed.
    """
    raw = call.text("text") or ""
    if len(raw) > RAW_TEXT_LIMIT:
        raise bad_request("message is too long")
    text = formatted(raw, call.text("parse_mode"))
    if not text.text.strip():
        raise bad_request("message text is empty")
    if utf16_length(text.text) > TEXT_LIMIT:
        raise bad_request("message is too long")
    return text.as_fields("text")


def caption_fields(call: Parameters) -> JsonObject:
    """Return caption and entities of a message with media; empty without a caption.

    Raises:
        ApiError: 400 if it is too long or its markup is not well-formed.
    """
    raw = call.text("caption") or ""
    if len(raw) > RAW_TEXT_LIMIT:
        raise bad_request("message caption is too long")
    caption = formatted(raw, call.text("parse_mode"))
    if utf16_length(caption.text) > CAPTION_LIMIT:
        raise bad_request("message caption is too long")
    return caption.as_fields("caption")


def post(
    telegram: Telegram, call: Parameters, destination: Destination, content: JsonObject
) -> JsonObject:
    """Send a message as the bot, and return it."""
    message = telegram.post(
        destination.chat,
        telegram.bot,
        content,
        reply_to=destination.reply_to,
        topic=destination.topic,
        reply_markup=markup_of(call),
    )
    return message.as_json()


async def send_message(telegram: Telegram, call: Parameters) -> JsonObject:
    """Send a text."""
    destination = destination_of(telegram, call)
    return post(telegram, call, destination, text_fields(call))
