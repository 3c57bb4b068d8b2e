"""The bot and the people who chat with it."""

import re
from dataclasses import dataclass, field

from sandbox.json_types import JsonObject

DEFAULT_TOKEN = "4242:sandbox"  # noqa: S105 - only valid in a sandbox
DEFAULT_USERNAME = "animato_bot"
LANGUAGES = ("en", "ru", "uk", "de", "es", "pt", "fr")


@dataclass(frozen=True)
class Bot:
    """The bot."""

    user_id: int
    username: str = DEFAULT_USERNAME
    first_name: str = "Animato"

    def as_user(self) -> JsonObject:
        """Return the User."""
        return {
            "id": self.user_id,
            "is_bot": True,
            "first_name": self.first_name,
            "username": self.username,
        }


@dataclass
class Person:
    """Somebody who chats.

    Attributes:
        is_met: whether the bot has received an update from them.
        photo: the sizes of the profile picture; empty without one.
    """

    user_id: int
    first_name: str
    username: str | None
    language_code: str
    blocks_bot: bool = False
    is_met: bool = False
    photo: list[JsonObject] = field(default_factory=list)

    def as_user(self) -> JsonObject:
        """Return the User."""
        user: JsonObject = {"id": self.user_id, "is_bot": False, "first_name": self.first_name}
        if self.username:
            user["username"] = self.username
        return user | {"language_code": self.language_code}

    def as_private_chat(self) -> JsonObject:
        """Return the private Chat."""
        chat: JsonObject = {"id": self.user_id, "type": "private", "first_name": self.first_name}
        return chat | ({"username": self.username} if self.username else {})


def is_token(text: str) -> bool:
    """Whether a text has the form of a token: the bot's id, a colon, a secret.

    Ids of fewer than four digits belong to people.
    """
    return re.fullmatch(r"[1-9][0-9]{3,14}:[A-Za-z0-9_-]+", text, re.ASCII) is not None


def is_username(text: str) -> bool:
    """Whether a text can be a bot's username."""
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{3,30}", text, re.ASCII) is not None


def first_persons() -> list[Person]:
    """Return the people of a new sandbox."""
    return [
        Person(7, "Alice", "alice", "en"),
        Person(8, "Bob", "bob", "de"),
        Person(9, "Admin", "admin", "en"),
    ]
