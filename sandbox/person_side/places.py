"""Persons, groups, members, blocking: the world around the messages."""

from sandbox.bot_api.methods import name_of
from sandbox.errors import SimError
from sandbox.faults import ANY, DOWNLOAD
from sandbox.json_types import JsonObject
from sandbox.media.attachments import MediaWishes, attach
from sandbox.parameters import Parameters
from sandbox.person_side.finding import group_of, person_of
from sandbox.person_side.messages import deliver
from sandbox.world.membership import (
    STATUSES,
    change_blocking,
    change_bot_status,
    change_person_status,
)
from sandbox.world.people import Person
from sandbox.world.telegram import OWNER_ID, Settings, Telegram

PERSONS_LIMIT = 900  # their ids have three digits, a bot's has more


async def set_person(telegram: Telegram, call: Parameters) -> JsonObject:
    """Changes a person, or adds one."""
    upload = call.upload("photo")
    attachment = None
    if upload is not None:
        attachment = await attach(telegram.files, "photo", upload, MediaWishes(is_from_person=True))
    if call.text("user_id") is not None:
        person = person_of(telegram, call)
        person.first_name = call.text("first_name") or person.first_name
    else:
        name = call.text("first_name")
        if name is None:
            raise SimError(
                "Give the user_id of a person to change, or the first_name of a new one."
            )
        if len(telegram.persons) >= PERSONS_LIMIT:
            raise SimError(f"There are {PERSONS_LIMIT} persons already: reset the sandbox.")
        person = telegram.add_person(Person(telegram.next_person_id(), name, None, "en"))
        for chat in telegram.chats.values():
            if chat.is_group:
                chat.members[person.user_id] = "member"
    person.username = call.text("username") or person.username
    person.language_code = call.text("language_code") or person.language_code
    if attachment is not None:
        person.photo = attachment.fields["photo"]
    elif not call.boolean("has_photo", default=True):
        person.photo = []
    telegram.events.emit("state")
    return {"person": person.as_user()}


async def add_group(telegram: Telegram, call: Parameters) -> JsonObject:
    """A new group of everybody."""
    is_forum = call.boolean("is_forum")
    status = call.text("bot_status") or "member"
    if status not in STATUSES:
        raise SimError(f"The bot's status is one of {', '.join(sorted(STATUSES))}.")
    chat = telegram.add_group(
        call.text("title") or "A new group",
        call.text("type") or ("supergroup" if is_forum else "group"),
        is_forum=is_forum,
        bot_status=status,
    )
    return {"chat": chat.as_seen()}


async def add_topic(telegram: Telegram, call: Parameters) -> JsonObject:
    """A new topic in a forum."""
    chat = group_of(telegram, call)
    if not chat.is_forum:
        raise SimError(f"{chat.title} has no topics.")
    message = chat.open_topic(person_of(telegram, call), call.text("name") or "A new topic")
    deliver(telegram, message)
    telegram.events.emit("state")
    return {"message_thread_id": message.message_id}


async def change_member(telegram: Telegram, call: Parameters) -> JsonObject:
    """Somebody joins a group, leaves it, or becomes an admin."""
    chat = group_of(telegram, call)
    status = call.text("status") or ""
    if status not in STATUSES:
        raise SimError(f"A status is one of {', '.join(sorted(STATUSES))}.")
    by = person_of(telegram, call, "by")
    user_id = call.integer("user_id")
    if user_id is None or user_id == telegram.bot.user_id:
        change_bot_status(telegram, chat, status, by)
    else:
        change_person_status(telegram, chat, person_of(telegram, call), status, by)
    return {"chat": chat.as_seen()}


async def upgrade(telegram: Telegram, call: Parameters) -> JsonObject:
    """A group becomes a supergroup, with another id."""
    return {"chat_id": telegram.upgrade(group_of(telegram, call)).chat_id}


async def block(telegram: Telegram, call: Parameters) -> JsonObject:
    """A person blocks the bot."""
    change_blocking(telegram, person_of(telegram, call), blocks=True)
    return {"blocks_bot": True}


async def unblock(telegram: Telegram, call: Parameters) -> JsonObject:
    """A person unblocks the bot."""
    change_blocking(telegram, person_of(telegram, call), blocks=False)
    return {"blocks_bot": False}


async def change_settings(telegram: Telegram, call: Parameters) -> JsonObject:
    """How the server behaves from now on."""
    changes: JsonObject = {}
    for name, field in Settings.__dataclass_fields__.items():
        if call.text(name) is None:
            continue
        changes[name] = _lifetime(call, name) if field.type is float else _truth(call, name)
    unknown = set(call) - set(Settings.__dataclass_fields__)
    if unknown:
        known = ", ".join(Settings.__dataclass_fields__)
        raise SimError(f"There is no setting {min(unknown)!r}: there are {known}.")
    telegram.change_settings(changes)
    return {"settings": telegram.as_seen()["settings"]}


def _truth(call: Parameters, name: str) -> bool:
    if (call.text(name) or "").lower() not in {"true", "false"}:
        raise SimError(f"The setting {name} is true or false.")
    return call.boolean(name)


def _lifetime(call: Parameters, name: str) -> float:
    seconds = call.number(name) or 0.0
    if seconds < 0:
        raise SimError(f"The setting {name} is a time in seconds, not less than 0.")
    return seconds


async def go_down(telegram: Telegram, call: Parameters) -> JsonObject:
    """An outage of everything that the bot calls; 0 s ends it."""
    seconds = call.number("seconds")
    if seconds is None or not 0 <= seconds <= 3600:
        raise SimError("An outage lasts between 0 and 3600 seconds.")
    telegram.go_down(seconds)
    return {"is_down": telegram.is_down}


async def order_fault(telegram: Telegram, call: Parameters) -> JsonObject:
    """A failure of some calls."""
    method = call.text("method") or ANY
    if method not in {ANY, DOWNLOAD} and name_of(method) is None:
        raise SimError(f"There is no method {method!r}.")
    return {"fault": telegram.faults.order(call).number}


async def clear_faults(telegram: Telegram, call: Parameters) -> JsonObject:
    """The end of the fault of this number, or of all."""
    telegram.faults.clear(call.integer("number"))
    return {"faults": telegram.faults.as_json()}


async def reset(telegram: Telegram, _: Parameters) -> JsonObject:
    """Everything as at the start."""
    telegram.reset()
    return {"reset": True, "user_id": OWNER_ID}
