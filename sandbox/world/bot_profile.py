"""What a bot says of itself: commands for chats and languages, name and descriptions."""

import re
from dataclasses import dataclass
from typing import Literal

from sandbox.errors import bad_request
from sandbox.json_types import JsonObject

Scope = tuple[str, int, int]  # type, chat id, user id; 0 where the type has none
Text = Literal["name", "description", "short_description"]
TEXT_LIMITS: dict[Text, int] = {"name": 64, "description": 512, "short_description": 120}
COMMANDS_LIMIT = 100


@dataclass(frozen=True)
class Place:
    """Where somebody looks at the commands."""

    chat_id: int
    user_id: int
    is_group: bool
    is_admin: bool
    language_code: str


def scope_of(given: JsonObject | None) -> Scope:
    """The key of a BotCommandScope.

    Raises:
        ApiError: 400 for a scope that does not exist or lacks its chat or user.
    """
    kind = str((given or {}).get("type", "default"))
    needs_chat = kind in {"chat", "chat_administrators", "chat_member"}
    plain = {"default", "all_private_chats", "all_group_chats", "all_chat_administrators"}
    if not needs_chat and kind not in plain:
        raise bad_request("can't parse BotCommandScope: Unsupported type specified")
    chat_id, user_id = (given or {}).get("chat_id", 0), (given or {}).get("user_id", 0)
    try:
        ids = (int(chat_id) if needs_chat else 0, int(user_id) if kind == "chat_member" else 0)
    except (TypeError, ValueError, OverflowError):
        raise bad_request("chat not found") from None
    if needs_chat and not ids[0]:
        raise bad_request("chat_id is empty")
    if kind == "chat_member" and not ids[1]:
        raise bad_request("can't parse BotCommandScope: Can't find field user_id")
    return (kind, *ids)


def checked_commands(given: list[JsonObject] | None) -> list[JsonObject]:
    """The commands as they are kept.

    Raises:
        ApiError: 400 for a bad name or description, or too many.
    """
    commands = []
    for command in given or []:
        name = str(command.get("command", "")).removeprefix("/").strip()
        description = str(command.get("description", "")).strip()
        if not re.fullmatch(r"[a-z0-9_]{1,32}", name):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(description) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        commands.append({"command": name, "description": description})
    if len(commands) > COMMANDS_LIMIT:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    return commands


def checked_language(given: str | None) -> str:
    """A two-letter code, or nothing for all languages.

    Raises:
        ApiError: 400 for anything else.
    """
    if given and not re.fullmatch(r"[a-z]{2}", given):
        raise bad_request("invalid language code specified")
    return given or ""


class BotProfile:
    """Commands and texts by language, commands also by scope."""

    def __init__(self) -> None:
        self._commands: dict[tuple[Scope, str], list[JsonObject]] = {}
        self._texts: dict[tuple[Text, str], str] = {}

    def set_commands(self, scope: Scope, language: str, commands: list[JsonObject]) -> None:
        """Puts a list in the place of the one before; an empty one removes it."""
        self._commands.pop((scope, language), None)
        if commands:
            self._commands[scope, language] = commands

    def commands(self, scope: Scope, language: str) -> list[JsonObject]:
        """The list that was set for exactly this scope and language."""
        return self._commands.get((scope, language), [])

    def commands_at(self, place: Place) -> list[JsonObject]:
        """The list that a person sees there: of the narrowest scope, in their language first."""
        scopes: list[Scope] = [("chat", place.chat_id, 0)]
        if place.is_group:
            scopes.insert(0, ("chat_member", place.chat_id, place.user_id))
            if place.is_admin:
                scopes.insert(1, ("chat_administrators", place.chat_id, 0))
                scopes.append(("all_chat_administrators", 0, 0))
            scopes.append(("all_group_chats", 0, 0))
        else:
            scopes.append(("all_private_chats", 0, 0))
        for scope in (*scopes, ("default", 0, 0)):
            for language in (place.language_code, ""):
                if found := self.commands(scope, language):
                    return found
        return []

    def set_text(self, kind: Text, language: str, text: str) -> None:
        """Sets one of the texts; an empty one removes it.

        Raises:
            ApiError: 400 if it is too long.
        """
        if len(text) > TEXT_LIMITS[kind]:
            raise bad_request(f"bot {kind.replace('_', ' ')} is too long")
        self._texts[kind, language] = text

    def text(self, kind: Text, language: str) -> str:
        """The text in the language, or else for all languages; empty if there is none."""
        return self._texts.get((kind, language)) or self._texts.get((kind, ""), "")
