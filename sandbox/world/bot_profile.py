"""The bot's commands and descriptions, by scope and language."""

import re
from dataclasses import dataclass
from typing import Literal

from sandbox.errors import bad_request
from sandbox.json_types import JsonObject

Scope = tuple[str, int, int]  # type, chat id, user id; 0 if the type has none
Text = Literal["description", "short_description"]
TEXT_LIMITS: dict[Text, int] = {"description": 512, "short_description": 120}
COMMANDS_LIMIT = 100


@dataclass(frozen=True)
class Viewer:
    """Who looks at the commands, and where."""

    chat_id: int
    user_id: int
    is_group: bool
    is_admin: bool
    language_code: str


def scope_of(given: JsonObject | None) -> Scope:
    """Return the key of a BotCommandScope.

    Raises:
        ApiError: 400 for an unknown scope, or one without its chat or user.
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
    """Return commands without slashes and surrounding spaces.

    Raises:
        ApiError: 400 for an invalid name or description, or too many commands.
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
    """Return a two-letter code, or "" for all languages.

    Raises:
        ApiError: 400 for anything else.
    """
    if given and not re.fullmatch(r"[a-z]{2}", given):
        raise bad_request("invalid language code specified")
    return given or ""


class BotProfile:
    """Commands by scope and language, texts by language."""

    def __init__(self) -> None:
        self._commands: dict[tuple[Scope, str], list[JsonObject]] = {}
        self._texts: dict[tuple[Text, str], str] = {}

    def set_commands(self, scope: Scope, language: str, commands: list[JsonObject]) -> None:
        """Replace a list of commands; an empty one removes it."""
        self._commands.pop((scope, language), None)
        if commands:
            self._commands[scope, language] = commands

    def commands(self, scope: Scope, language: str) -> list[JsonObject]:
        """Return the commands of exactly this scope and language."""
        return self._commands.get((scope, language), [])

    def commands_for(self, viewer: Viewer) -> list[JsonObject]:
        """Return what a person sees: the narrowest scope first, then their language."""
        scopes: list[Scope] = [("chat", viewer.chat_id, 0)]
        if viewer.is_group:
            scopes.insert(0, ("chat_member", viewer.chat_id, viewer.user_id))
            if viewer.is_admin:
                scopes.insert(1, ("chat_administrators", viewer.chat_id, 0))
                scopes.append(("all_chat_administrators", 0, 0))
            scopes.append(("all_group_chats", 0, 0))
        else:
            scopes.append(("all_private_chats", 0, 0))
        for scope in (*scopes, ("default", 0, 0)):
            for language in (viewer.language_code, ""):
                if found := self.commands(scope, language):
                    return found
        return []

    def set_text(self, kind: Text, language: str, text: str) -> None:
        """Set a text; an empty one removes it.

        Raises:
            ApiError: 400 if it is too long.
        """
        if len(text) > TEXT_LIMITS[kind]:
            raise bad_request(f"bot {kind.replace('_', ' ')} is too long")
        self._texts[kind, language] = text

    def text(self, kind: Text, language: str) -> str:
        """Return the text in a language, or else for all languages, or ""."""
        return self._texts.get((kind, language)) or self._texts.get((kind, ""), "")
