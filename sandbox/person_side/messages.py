"""Persons write, change and delete messages."""

import itertools
from dataclasses import dataclass
from typing import get_args

from sandbox.errors import SimError
from sandbox.formatting.entities import (
    CAPTION_LIMIT,
    RAW_TEXT_LIMIT,
    TEXT_LIMIT,
    formatted,
    utf16_length,
)
from sandbox.json_types import JsonObject
from sandbox.media.attachments import MediaWishes, attach
from sandbox.media.files import Kind
from sandbox.parameters import Parameters, Upload
from sandbox.person_side.finding import chat_of, message_of, person_of
from sandbox.world.chats import Chat, Message
from sandbox.world.people import Person
from sandbox.world.privacy import SERVICE, why_hidden
from sandbox.world.telegram import NewMessage, Telegram

KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}

_album_numbers = itertools.count(1)


@dataclass(frozen=True)
class Delivery:
    """What became of a message: the update that told the bot, or why it was not told."""

    message: Message
    update: JsonObject | None
    reason: str | None


def deliver(telegram: Telegram, message: Message) -> Delivery:
    """Tells the bot of a person's message, if it may know."""
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


def _write(telegram: Telegram, chat: Chat, person: Person, new: NewMessage) -> Delivery:
    if not chat.is_group and not chat.is_started:
        chat.is_started = True
        telegram.events.emit("state")
    return deliver(telegram, telegram.put(chat, person, new))


async def send(telegram: Telegram, call: Parameters) -> JsonObject:
    """A text, one or several files (which then are an album), or any other content."""
    _place(telegram, call)
    uploads = [upload for upload in call.uploads if upload.part in KINDS]
    if uploads:
        contents = await _media(telegram, call, uploads)
    else:
        contents = [call.json_object("content") or _text(call, "text", TEXT_LIMIT)]
    # Looked up after the media were made: meanwhile everything may have changed.
    person, chat, reply_to, topic = _place(telegram, call)
    language = call.text("language_code")
    if language is not None:
        person.language_code = language
    album = call.text("media_group")
    if album is None and len(contents) > 1:
        album = str(2 * 10**16 + next(_album_numbers))
    is_anonymous = call.boolean("anonymous")
    if is_anonymous and not telegram.is_admin(chat, person.user_id):
        raise SimError(f"{person.first_name} is no admin there, and cannot write as the group.")
    news = [
        NewMessage(content, reply_to, topic, media_group_id=album, is_anonymous=is_anonymous)
        for content in contents
    ]
    if not telegram.has_listener:
        telegram.events.emit("state")  # whoever waits for an answer should know that
    return _report([_write(telegram, chat, person, new) for new in news])


def _place(
    telegram: Telegram, call: Parameters
) -> tuple[Person, Chat, Message | None, Message | None]:
    """Who writes, where, what is answered, and the topic."""
    person = person_of(telegram, call)
    chat = chat_of(telegram, call, person)
    if person.blocks_bot and not chat.is_group:
        raise SimError(f"{person.first_name} has blocked the bot: unblock it first.")
    reply_to = message_of(chat, call, "reply_to") if call.text("reply_to") else None
    topic = _topic(chat, call) or (reply_to.topic if reply_to is not None else None)
    return person, chat, reply_to, topic


def _report(deliveries: list[Delivery]) -> JsonObject:
    first = deliveries[0]
    messages = [delivery.message.as_seen() for delivery in deliveries]
    report: JsonObject = {"message": messages[0], "messages": messages}
    if first.update is None:
        return report | {"delivered": False, "reason": first.reason}
    updates = [delivery.update for delivery in deliveries]
    return report | {"delivered": True, "update": updates[0], "updates": updates}


def _topic(chat: Chat, call: Parameters) -> Message | None:
    thread_id = call.integer("thread_id")
    if thread_id is None:
        return None
    topic = chat.topics.get(thread_id)
    if topic is None:
        raise SimError(f"Chat {chat.chat_id} has no topic {thread_id}.")
    return topic


def _text(call: Parameters, name: str, limit: int) -> JsonObject:
    raw = call.text(name) or ""
    if len(raw) > RAW_TEXT_LIMIT:
        raise SimError(f"A {name} has at most {limit} characters.")
    text = formatted(raw, None, None)
    if not text.text and name == "text":
        kinds = ", ".join(KINDS)
        raise SimError(f"There is nothing to send: give a text, or a file as one of {kinds}.")
    if utf16_length(text.text) > limit:
        raise SimError(f"A {name} has at most {limit} characters.")
    if not text.text:
        return {}
    entities = "entities" if name == "text" else "caption_entities"
    return {name: text.text} | ({entities: list(text.entities)} if text.entities else {})


async def _media(telegram: Telegram, call: Parameters, uploads: list[Upload]) -> list[JsonObject]:
    caption = _text(call, "caption", CAPTION_LIMIT)
    is_album = len(uploads) > 1 or call.text("media_group") is not None
    wishes = MediaWishes(
        silent_video_is_animation=telegram.settings.silent_video_is_animation and not is_album,
        is_from_person=True,
    )
    contents: list[JsonObject] = []
    beginnings = telegram.beginnings
    for upload in uploads:
        attachment = await attach(telegram.files, KINDS[upload.part], upload, wishes)
        # Telegram's clients put the caption of an album under its first picture.
        shown = {} if attachment.kind in {"video_note", "sticker"} or contents else caption
        contents.append(attachment.fields | shown)
    if telegram.beginnings != beginnings:
        raise SimError("Everything was reset while the file came in: send it again.")
    return contents


async def edit(telegram: Telegram, call: Parameters) -> JsonObject:
    """A person changes a text or a caption of theirs."""
    person = person_of(telegram, call)
    chat = chat_of(telegram, call, person)
    message = message_of(chat, call, "message_id")
    if message.author is not person or SERVICE & message.content.keys():
        raise SimError("Only one's own messages can be changed.")
    name = "text" if "text" in message.content else "caption"
    limit = TEXT_LIMIT if name == "text" else CAPTION_LIMIT
    given = Parameters({name: call.text("text") or call.text("caption")})
    entities = "entities" if name == "text" else "caption_entities"
    kept = {key: value for key, value in message.content.items() if key not in {name, entities}}
    message.edit(kept | _text(given, name, limit), message.reply_markup)
    update = None
    if message.hidden_because is None:
        update = telegram.tell_bot("edited_message", message.as_json())
    telegram.show_again(message)
    return {"message": message.as_seen(), "update": update}


async def delete(telegram: Telegram, call: Parameters) -> JsonObject:
    """A message goes away; bots are not told of that."""
    chat = chat_of(telegram, call, None)
    telegram.delete(message_of(chat, call, "message_id"))
    return {"deleted": True}
