"""Which person, chat and message a request of the person side means."""

from sandbox.errors import SimError
from sandbox.parameters import Parameters
from sandbox.world.chats import Chat, Message
from sandbox.world.people import Person
from sandbox.world.telegram import OWNER_ID, Telegram


def person_of(telegram: Telegram, call: Parameters, name: str = "user_id") -> Person:
    """The person who acts; Alice if nobody is named."""
    user_id = call.integer(name)
    person = telegram.persons.get(OWNER_ID if user_id is None else user_id)
    if person is None:
        known = ", ".join(
            f"{found.user_id} {found.first_name}" for found in telegram.persons.values()
        )
        raise SimError(f"Nobody here has the id {user_id}: there are {known}.")
    return person


def chat_of(telegram: Telegram, call: Parameters, person: Person | None) -> Chat:
    """The chat that is named, or else the person's private one.

    Raises:
        SimError: there is none, it is somebody else's, or it has been upgraded.
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
    """The group that is named."""
    chat = chat_of(telegram, call, None)
    if not chat.is_group:
        raise SimError(f"Chat {chat.chat_id} is not a group.")
    return chat


def message_of(chat: Chat, call: Parameters, name: str) -> Message:
    """The message of the chat that is named."""
    message_id = call.integer(name)
    message = chat.messages.get(message_id or 0)
    if message is None:
        raise SimError(f"Chat {chat.chat_id} has no message {message_id}.")
    return message
