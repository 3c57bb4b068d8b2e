"""People, groups, members, settings and faults."""

from collections.abc import Awaitable, Callable

from sandbox.bot_api.methods import name_of
from sandbox.errors import SimError
from sandbox.faults import ANY, DOWNLOAD
from sandbox.json_types import JsonObject
from sandbox.media.attachments import MediaOptions, attach
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
from sandbox.world.telegram import Settings, Telegram

PERSONS_LIMIT = 900  # their ids have three digits, a bot's has more


async def set_person(telegram: Telegram, call: Parameters) -> JsonObject:
    """Change a person, or add one."""
    upload = call.upload("photo")
    attachment = None
    if upload is not None:
        attachment = await attach(telegram.files, "photo", upload, MediaOptions())
    if call.text("user_id") is not None:
        person = person_of(telegram, call)
        person.first_name = call.text("first_name") or person.first_name
    else:
        name = call.text("first_name")
        if name is None:
            raise SimError("Give the user_id of a person, or the first_name of a new one.")
        if len(telegram.persons) >= PERSONS_LIMIT:
            raise SimError(f"There are {PERSONS_LIMIT} people already: reset the sandbox.")
        person = telegram.add_person(Person(max(telegram.persons) + 1, name, None, "en"))
        for chat in telegram.chats.values():
            if chat.is_group:
                chat.members[person.user_id] = "member"
    person.username = call.text("username") or person.username
    person.language_code = call.text("language_code") or person.language_code
    if attachment is not None:
        person.photo = attachment.fields["photo"]
    telegram.events.emit("state")
    return {"person": person.as_user()}


async def add_group(telegram: Telegram, call: Parameters) -> JsonObject:
    """Add a group with everybody in it."""
    is_forum = call.boolean("is_forum")
    chat = telegram.add_group(
        call.text("title") or "New group",
        call.text("type") or ("supergroup" if is_forum else "group"),
        is_forum=is_forum,
        bot_status=_status(call.text("bot_status") or "member"),
    )
    return {"chat": chat.as_seen()}


async def add_topic(telegram: Telegram, call: Parameters) -> JsonObject:
    """Open a topic in a forum."""
    chat = group_of(telegram, call)
    if not chat.is_forum:
        raise SimError(f"{chat.title} has no topics.")
    message = chat.open_topic(person_of(telegram, call), call.text("name") or "New topic")
    deliver(telegram, message)
    telegram.events.emit("state")
    return {"message_thread_id": message.message_id}


async def change_member(telegram: Telegram, call: Parameters) -> JsonObject:
    """Change the status of the bot, or of a person, in a group."""
    chat = group_of(telegram, call)
    status = _status(call.text("status") or "")
    by = person_of(telegram, call, "by")
    user_id = call.integer("user_id")
    if user_id is None or user_id == telegram.bot.user_id:
        change_bot_status(telegram, chat, status, by)
    else:
        change_person_status(telegram, chat, person_of(telegram, call), status, by)
    return {"chat": chat.as_seen()}


def _status(given: str) -> str:
    if given not in STATUSES:
        raise SimError(f"A status is one of {', '.join(sorted(STATUSES))}.")
    return given


async def upgrade(telegram: Telegram, call: Parameters) -> JsonObject:
    """Upgrade a group to a supergroup, which has another id."""
    return {"chat_id": telegram.upgrade(group_of(telegram, call)).chat_id}


def blocking(*, blocks: bool) -> Callable[[Telegram, Parameters], Awaitable[JsonObject]]:
    """Return the act that blocks or unblocks the bot."""

    async def change(telegram: Telegram, call: Parameters) -> JsonObject:
        change_blocking(telegram, person_of(telegram, call), blocks=blocks)
        return {"blocks_bot": blocks}

    return change


async def change_settings(telegram: Telegram, call: Parameters) -> JsonObject:
    """Change settings."""
    known = Settings.__dataclass_fields__
    if unknown := set(call) - set(known):
        raise SimError(f"There is no setting {min(unknown)!r}: there are {', '.join(known)}.")
    for name in call:
        if (call.text(name) or "").lower() not in {"true", "false"}:
            raise SimError(f"The setting {name} is true or false.")
    telegram.change_settings({name: call.boolean(name) for name in call})
    return {"settings": telegram.as_seen()["settings"]}


async def go_down(telegram: Telegram, call: Parameters) -> JsonObject:
    """Start an outage of everything that the bot calls; 0 s ends it."""
    seconds = call.number("seconds")
    if seconds is None or not 0 <= seconds <= 3600:
        raise SimError("An outage lasts between 0 and 3600 seconds.")
    telegram.go_down(seconds)
    return {"is_down": telegram.is_down}


async def order_fault(telegram: Telegram, call: Parameters) -> JsonObject:
    """Add a fault."""
    method = call.text("method") or ANY
    if method not in {ANY, DOWNLOAD} and name_of(method) is None:
        raise SimError(f"There is no method {method!r}.")
    return {"fault": telegram.faults.order(call).number}


async def clear_faults(telegram: Telegram, call: Parameters) -> JsonObject:
    """End the fault of this number, or all of them."""
    telegram.faults.clear(call.integer("number"))
    return {"faults": telegram.faults.as_json()}


async def reset(telegram: Telegram, _: Parameters) -> JsonObject:
    """Return to the start."""
    telegram.reset()
    return {"reset": True}
