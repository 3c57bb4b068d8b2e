"""Chats, their members, and what is going on in them."""

from sandbox.bot_api.sending import destination_of, known_chat
from sandbox.errors import bad_request
from sandbox.json_types import JsonObject
from sandbox.parameters import Parameters
from sandbox.world.chats import Chat
from sandbox.world.membership import bot_as_member, change_bot_status, person_as_member
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
NO_GIFTS = {
    "unlimited_gifts": False,
    "limited_gifts": False,
    "unique_gifts": False,
    "premium_subscription": False,
    "gifts_from_channels": False,
}


async def send_chat_action(telegram: Telegram, call: Parameters) -> bool:
    """SendChatAction: shown for five seconds or until the next message."""
    destination = destination_of(telegram, call)
    action = call.text("action")
    if action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    thread_id = None if destination.topic is None else destination.topic.message_id
    telegram.events.emit(
        "chat_action", chat_id=destination.chat.chat_id, thread_id=thread_id, action=action
    )
    return True


async def get_chat(telegram: Telegram, call: Parameters) -> JsonObject:
    """GetChat."""
    chat = known_chat(telegram, call)
    return chat.as_json() | {
        "accent_color_id": chat.chat_id % 7,
        "max_reaction_count": 11,
        "accepted_gift_types": NO_GIFTS,
    }


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


def _group(telegram: Telegram, call: Parameters) -> Chat:
    chat = known_chat(telegram, call)
    if not chat.is_group:
        raise bad_request("there are no administrators in the private chat")
    return chat


async def get_chat_member(telegram: Telegram, call: Parameters) -> JsonObject:
    """GetChatMember."""
    chat, user_id = known_chat(telegram, call), _user_id(call)
    if user_id == telegram.bot.user_id:
        return bot_as_member(telegram.bot, chat.bot_status)
    person = _person(telegram, user_id)
    if not chat.is_group:
        return person_as_member(person, "member" if user_id == chat.chat_id else "left")
    return person_as_member(person, chat.members.get(user_id, "left"))


async def get_chat_administrators(telegram: Telegram, call: Parameters) -> list[JsonObject]:
    """GetChatAdministrators: the group's owner and admins, other bots left out."""
    chat = _group(telegram, call)
    found = [
        person_as_member(telegram.persons[user_id], status)
        for user_id, status in chat.members.items()
        if telegram.is_admin(chat, user_id)
    ]
    if chat.bot_status == "administrator":
        found.append(bot_as_member(telegram.bot, chat.bot_status))
    return found


async def leave_chat(telegram: Telegram, call: Parameters) -> bool:
    """LeaveChat."""
    chat = known_chat(telegram, call)
    if not chat.is_group:
        raise bad_request("can't leave private chats")
    change_bot_status(telegram, chat, "left", by=telegram.bot)
    return True


async def get_user_profile_photos(telegram: Telegram, call: Parameters) -> JsonObject:
    """GetUserProfilePhotos: everybody here has one at most."""
    user_id = _user_id(call)
    if user_id == telegram.bot.user_id:
        return {"total_count": 0, "photos": []}
    sizes = _person(telegram, user_id).photo
    total = 1 if sizes else 0
    is_wanted = sizes and not call.integer("offset")
    return {"total_count": total, "photos": [sizes] if is_wanted else []}
