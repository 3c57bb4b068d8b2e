"""The bot's commands and descriptions, by scope and language."""

import re
from typing import Literal

from sandbox.errors import bad_request
from sandbox.json_types import JsonObject

Scope = tuple[str, int]  # type, and chat id or 0
Text = Literal["description", "short_description"]
TEXT_LIMITS: dict[Text, int] = {"description": 512, "short_description": 120}
COMMANDS_LIMIT = 100


def scope_of(given: JsonObject | None) -> Scope:
    """Return the key of a BotCommandScope.

    Raises:
        ApiError: 400 for an unknown scope, or one without its chat.
    """
    kind = str((given or {}).get("type", "default"))
    if kind in {
        "default",
        "all_private_chats",
        "all_group_chats",
        "all_chat_administrators",
    }:
        return kind, 0
    if kind != "chat":
        raise bad_request("can't parse BotCommandScope: Unsupported type specified")
    try:
        chat_id = int((given or {}).get("chat_id", 0))
    except (TypeError, ValueError, OverflowError):
        raise bad_request("chat not found") from None
    if not chat_id:
        raise bad_request("chat_id is empty")
    return kind, chat_id


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

    def commands_for(
        self, chat_id: int, language: str, *, is_admin: bool = False
    ) -> list[JsonObject]:
        """Return what a person sees in a chat: the narrowest scope first, then their language.

        Args:
            chat_id: the chat.
            language: the person's.
            is_admin: whether the person is an administrator of the chat.
        """
        everywhere = ["all_group_chats" if chat_id < 0 else "all_private_chats", "default"]
        if is_admin:
            everywhere.insert(0, "all_chat_administrators")
        for scope in (("chat", chat_id), *((kind, 0) for kind in everywhere)):
            for code in (language, ""):
                if found := self.commands(scope, code):
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
