"""Changes of membership, and the updates about them."""

import time

from sandbox.errors import SimError
from sandbox.json_types import JsonObject
from sandbox.world.chats import OUTSIDE, Chat
from sandbox.world.people import Bot, Person
from sandbox.world.telegram import Telegram

STATUSES = frozenset({"member", "administrator"}) | OUTSIDE
RIGHTS = (
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_pin_messages",
    "can_manage_topics",
    "can_send_welcome_messages",
)


def as_member(who: Person | Bot, status: str) -> JsonObject:
    """Return the ChatMember."""
    member: JsonObject = {"user": who.as_user(), "status": status}
    if status == "creator":
        member["is_anonymous"] = False
    elif status == "administrator":
        member |= {"can_be_edited": False, "is_anonymous": False} | dict.fromkeys(RIGHTS, True)
    elif status == "kicked":
        member["until_date"] = 0
    return member


def change_bot_status(telegram: Telegram, chat: Chat, status: str, by: Person | Bot) -> None:
    """Change the bot's status in a group."""
    old, chat.bot_status = chat.bot_status, status
    if old == status:
        return
    if (old in OUTSIDE) != (status in OUTSIDE):
        user = telegram.bot.as_user()
        joins = old in OUTSIDE
        event = {"new_chat_members": [user]} if joins else {"left_chat_member": user}
        message = telegram.post(chat, by, event)
        if joins:
            telegram.tell_bot("message", message.as_json())
    _tell(telegram, "my_chat_member", chat, by, _change(telegram.bot, old, status))
    telegram.events.emit("state")


def change_person_status(
    telegram: Telegram, chat: Chat, person: Person, status: str, by: Person
) -> None:
    """Change a person's status in a group."""
    old = chat.members.get(person.user_id, "left")
    if old == "creator":
        raise SimError(f"{person.first_name} is the owner of the group and cannot leave it.")
    if old == status:
        return
    chat.members[person.user_id] = status
    if (old in OUTSIDE) != (status in OUTSIDE):
        user = person.as_user()
        event = {"new_chat_members": [user]} if old in OUTSIDE else {"left_chat_member": user}
        message = telegram.post(chat, by, event)
        if chat.has_bot:
            telegram.tell_bot("message", message.as_json())
    if chat.bot_status == "administrator":
        _tell(telegram, "chat_member", chat, by, _change(person, old, status))
    telegram.events.emit("state")


def change_blocking(telegram: Telegram, person: Person, *, blocks: bool) -> None:
    """Let a person block or unblock the bot."""
    if person.blocks_bot == blocks:
        return
    person.blocks_bot = blocks
    old, new = ("member", "kicked") if blocks else ("kicked", "member")
    chat = telegram.chats[person.user_id]
    _tell(telegram, "my_chat_member", chat, person, _change(telegram.bot, old, new))
    telegram.events.emit("state")


def _change(who: Person | Bot, old: str, new: str) -> JsonObject:
    return {"old_chat_member": as_member(who, old), "new_chat_member": as_member(who, new)}


def _tell(telegram: Telegram, kind: str, chat: Chat, by: Person | Bot, change: JsonObject) -> None:
    about = {"chat": chat.as_json(), "from": by.as_user(), "date": int(time.time())}
    telegram.tell_bot(kind, about | change)
