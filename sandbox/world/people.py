"""Who there is: the bot, and the persons who chat with it."""

import re
from dataclasses import dataclass, field

from sandbox.json_types import JsonObject

DEFAULT_TOKEN = "4242:sandbox"  # noqa: S105 - it opens nothing but a sandbox
DEFAULT_USERNAME = "animato_bot"
LANGUAGES = ("en", "ru", "de", "es")


@dataclass(frozen=True)
class Bot:
    """The one bot of a sandbox."""

    user_id: int
    username: str = DEFAULT_USERNAME
    first_name: str = "Animato"

    def as_user(self) -> JsonObject:
        """The bot as the author of a message."""
        return {
            "id": self.user_id,
            "is_bot": True,
            "first_name": self.first_name,
            "username": self.username,
        }


@dataclass
class Person:
    """Somebody who chats.

    `photo` holds the sizes of the profile picture, none without one. `is_met`: the bot has seen
    something of theirs.
    """

    user_id: int
    first_name: str
    username: str | None
    language_code: str
    blocks_bot: bool = False
    is_met: bool = False
    photo: list[JsonObject] = field(default_factory=list)

    def as_user(self) -> JsonObject:
        """The person as the author of a message."""
        user: JsonObject = {"id": self.user_id, "is_bot": False, "first_name": self.first_name}
        if self.username:
            user["username"] = self.username
        return user | {"language_code": self.language_code}

    def as_private_chat(self) -> JsonObject:
        """The chat between the person and the bot."""
        chat: JsonObject = {"id": self.user_id, "type": "private", "first_name": self.first_name}
        return chat | ({"username": self.username} if self.username else {})


def is_token(text: str) -> bool:
    """True for what has the form of a token: the bot's id, a colon, a secret.

    Ids of less than four digits are persons'.
    """
    return re.fullmatch(r"[1-9][0-9]{3,14}:[A-Za-z0-9_-]+", text, re.ASCII) is not None


def is_username(text: str) -> bool:
    """True for what can be a bot's name."""
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{3,30}", text, re.ASCII) is not None


def first_persons() -> list[Person]:
    """Who is there at the start."""
    return [
        Person(7, "Alice", "alice", "en"),
        Person(8, "Bob", "bob", "de"),
        Person(9, "Admin", "admin", "en"),
    ]
