"""People send and delete messages."""

import itertools
from dataclasses import dataclass
from typing import get_args

from sandbox.errors import SimError
from sandbox.formatting.entities import CAPTION_LIMIT, TEXT_LIMIT, formatted, utf16_length
from sandbox.json_types import JsonObject
from sandbox.media.attachments import MediaOptions, attach
from sandbox.media.files import Kind
from sandbox.parameters import Parameters, Upload
from sandbox.person_side.finding import chat_of, message_of, person_of
from sandbox.world.chats import Chat, Message
from sandbox.world.people import Person
from sandbox.world.privacy import why_hidden
from sandbox.world.telegram import Telegram

KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
LIMITS = {"text": TEXT_LIMIT, "caption": CAPTION_LIMIT}

_album_numbers = itertools.count(1)


@dataclass(frozen=True)
class Delivery:
    """A message, and its update for the bot, or why there is none."""

    message: Message
    update: JsonObject | None
    reason: str | None


def deliver(telegram: Telegram, message: Message) -> Delivery:
    """Tell the bot about a person's message, if it may know, and show the message."""
    settings = telegram.settings
    reason = why_hidden(
        message,
        telegram.bot,
        privacy_mode=settings.privacy_mode,
        caption_commands=settings.caption_commands,
    )
    update = None
    if reason is None:
        if isinstance(message.author, Person):
            message.author.is_met = True
        update = telegram.tell_bot("message", message.as_json())
        reason = None if update is not None else "the bot did not ask for messages"
    message.hidden_because = reason
    telegram.show(message)
    return Delivery(message, update, reason)


async def send(telegram: Telegram, call: Parameters) -> JsonObject:
    """Send a text, files (several are an album), or any other content."""
    _place(telegram, call)
    uploads = [upload for upload in call.uploads if upload.part in KINDS]
    if uploads:
        contents = await _media(telegram, call, uploads)
    else:
        contents = [call.json_object("content") or _text(call, "text")]
    # Looked up again: the chat may have changed while the media was read.
    person, chat, reply_to, topic = _place(telegram, call)
    person.language_code = call.text("language_code") or person.language_code
    album = call.text("media_group")
    if album is None and len(contents) > 1:
        album = str(2 * 10**16 + next(_album_numbers))
    is_anonymous = call.boolean("anonymous")
    if is_anonymous and not telegram.is_admin(chat, person.user_id):
        raise SimError(f"{person.first_name} is not an administrator of this group.")
    if not telegram.has_listener:
        telegram.events.emit("state")  # the page says that no bot listens
    if not chat.is_group and not chat.is_started:
        chat.is_started = True
        telegram.events.emit("state")
    channel = call.text("channel") or ""
    if channel and not chat.is_group:
        raise SimError("People write as a channel only in groups.")
    details = {"reply_to": reply_to, "topic": topic, "media_group_id": album, "channel": channel}
    messages = [
        telegram.put(chat, person, content, is_anonymous=is_anonymous, **details)
        for content in contents
    ]
    return _report([deliver(telegram, message) for message in messages])


def _place(
    telegram: Telegram, call: Parameters
) -> tuple[Person, Chat, Message | None, Message | None]:
    """Return the person, the chat, the message that is answered, and the topic."""
    person = person_of(telegram, call)
    chat = chat_of(telegram, call, person)
    if person.blocks_bot and not chat.is_group:
        raise SimError(f"{person.first_name} has blocked the bot: unblock it first.")
    reply_to = message_of(chat, call, "reply_to") if call.text("reply_to") else None
    thread_id = call.integer("thread_id")
    if thread_id is None:
        return person, chat, reply_to, reply_to.topic if reply_to is not None else None
    topic = chat.topics.get(thread_id)
    if topic is None:
        raise SimError(f"Chat {chat.chat_id} has no topic {thread_id}.")
    return person, chat, reply_to, topic


def _report(deliveries: list[Delivery]) -> JsonObject:
    first = deliveries[0]
    messages = [delivery.message.as_seen() for delivery in deliveries]
    report: JsonObject = {"message": messages[0], "messages": messages}
    if first.update is None:
        return report | {"delivered": False, "reason": first.reason}
    updates = [delivery.update for delivery in deliveries]
    return report | {"delivered": True, "update": updates[0], "updates": updates}


def _text(call: Parameters, name: str) -> JsonObject:
    raw = (call.text(name) or "").strip()
    if utf16_length(raw) > LIMITS[name]:
        raise SimError(f"A {name} has at most {LIMITS[name]} characters.")
    text = formatted(raw)
    if not text.text and name == "text":
        kinds = ", ".join(KINDS)
        raise SimError(f"There is nothing to send: give a text, or a file as one of {kinds}.")
    return text.as_fields(name)


async def _media(telegram: Telegram, call: Parameters, uploads: list[Upload]) -> list[JsonObject]:
    caption = _text(call, "caption")
    in_album = len(uploads) > 1 or call.text("media_group") is not None
    options = MediaOptions(in_album=in_album, is_from_person=True)
    contents: list[JsonObject] = []
    files = telegram.files
    for upload in uploads:
        attachment = await attach(files, KINDS[upload.part], upload, options)
        # Telegram's apps put the caption of an album under its first item.
        shown = {} if attachment.kind in {"video_note", "sticker"} or contents else caption
        contents.append(attachment.fields | shown)
    if telegram.files is not files:
        raise SimError("The sandbox was reset during the upload: send the file again.")
    return contents


async def delete(telegram: Telegram, call: Parameters) -> JsonObject:
    """Delete a message; bots get no update."""
    chat = chat_of(telegram, call, None)
    telegram.delete(message_of(chat, call, "message_id"))
    return {"deleted": True}
