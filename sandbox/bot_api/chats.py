"""Chat actions, members and profile pictures."""

from sandbox.bot_api.sending import destination_of, known_chat
from sandbox.errors import bad_request
from sandbox.json_types import JsonObject
from sandbox.parameters import Parameters
from sandbox.world.membership import as_member
from sandbox.world.people import Person
from sandbox.world.telegram import Telegram

ACTIONS = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)


async def send_chat_action(telegram: Telegram, call: Parameters) -> bool:
    """Show what the bot is doing, for five seconds or until its next message."""
    destination = destination_of(telegram, call)
    action = call.text("action")
    if action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    thread_id = None if destination.topic is None else destination.topic.message_id
    telegram.events.emit(
        "chat_action", chat_id=destination.chat.chat_id, thread_id=thread_id, action=action
    )
    return True


async def get_chat_member(telegram: Telegram, call: Parameters) -> JsonObject:
    """Return a ChatMember."""
    chat, user_id = known_chat(telegram, call), _user_id(call)
    if user_id == telegram.bot.user_id:
        return as_member(telegram.bot, chat.bot_status)
    person = _person(telegram, user_id)
    if not chat.is_group:
        return as_member(person, "member" if user_id == chat.chat_id else "left")
    return as_member(person, chat.members.get(user_id, "left"))


async def get_user_profile_photos(telegram: Telegram, call: Parameters) -> JsonObject:
    """Return a person's profile picture; nobody has more than one."""
    user_id = _user_id(call)
    sizes = [] if user_id == telegram.bot.user_id else _person(telegram, user_id).photo
    is_wanted = sizes and not call.integer("offset")
    return {"total_count": 1 if sizes else 0, "photos": [sizes] if is_wanted else []}


def _user_id(call: Parameters) -> int:
    user_id = call.integer("user_id")
    if user_id is None:
        raise bad_request("invalid user_id specified")
    return user_id


def _person(telegram: Telegram, user_id: int) -> Person:
    person = telegram.persons.get(user_id)
    if person is None:
        raise bad_request("user not found")
    return person
