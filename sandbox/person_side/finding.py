"""Finds the person, chat and message that a request names."""

from sandbox.errors import SimError
from sandbox.parameters import Parameters
from sandbox.world.chats import Chat, Message
from sandbox.world.people import Person
from sandbox.world.telegram import OWNER_ID, Telegram


def person_of(telegram: Telegram, call: Parameters, name: str = "user_id") -> Person:
    """Return the person who acts; Alice by default."""
    user_id = call.integer(name)
    person = telegram.persons.get(OWNER_ID if user_id is None else user_id)
    if person is None:
        known = ", ".join(
            f"{found.user_id} {found.first_name}" for found in telegram.persons.values()
        )
        raise SimError(f"There is no person {user_id}; known are {known}.")
    return person


def chat_of(telegram: Telegram, call: Parameters, person: Person | None) -> Chat:
    """Return the named chat; the person's private chat by default.

    Raises:
        SimError: it does not exist, the person is not in it, or it has been upgraded.
    """
    chat_id = call.integer("chat_id")
    if chat_id is None and person is not None:
        chat_id = person.user_id
    chat = telegram.chats.get(chat_id or 0)
    if chat is None:
        raise SimError(f"There is no chat {chat_id}.")
    if person is None:
        return chat
    if not chat.has_person(person.user_id):
        raise SimError(f"{person.first_name} is not in chat {chat_id}.")
    if chat.migrated_to is not None:
        raise SimError(f"{chat.title} was upgraded: its chat is {chat.migrated_to} now.")
    return chat


def group_of(telegram: Telegram, call: Parameters) -> Chat:
    """Return the named group."""
    chat = chat_of(telegram, call, None)
    if not chat.is_group:
        raise SimError(f"Chat {chat.chat_id} is not a group.")
    return chat


def message_of(chat: Chat, call: Parameters, name: str) -> Message:
    """Return the named message of a chat."""
    message_id = call.integer(name)
    message = chat.messages.get(message_id or 0)
    if message is None:
        raise SimError(f"Chat {chat.chat_id} has no message {message_id}.")
    return message
