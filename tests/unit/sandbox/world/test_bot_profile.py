"""What a bot says of itself, and who sees which of it."""

from typing import Any

import pytest

from sandbox.errors import ApiError
from sandbox.world.bot_profile import (
    BotProfile,
    Scope,
    checked_commands,
    checked_language,
    scope_of,
)

PRIVATE, GROUP, OTHER_GROUP = 7, -1, -2

# From the widest to the narrowest, and where it is seen.
SCOPES: list[tuple[dict[str, Any], set[int]]] = [
    ({"type": "default"}, {PRIVATE, GROUP, OTHER_GROUP}),
    ({"type": "all_private_chats"}, {PRIVATE}),
    ({"type": "all_group_chats"}, {GROUP, OTHER_GROUP}),
    ({"type": "chat", "chat_id": GROUP}, {GROUP}),
]


def one(name: str) -> list[dict[str, str]]:
    return [{"command": name, "description": name}]


def seen(profile: BotProfile, chat_id: int) -> str | None:
    found = profile.commands_for(chat_id, "de")
    return found[0]["command"] if found else None


def test_narrower_scope_hides_the_wider_one() -> None:
    profile = BotProfile()
    shown: dict[int, str] = {}
    for number, (scope, chats) in enumerate(SCOPES):
        profile.set_commands(scope_of(scope), "", one(f"n{number}"))
        shown |= dict.fromkeys(chats, f"n{number}")
        assert {chat: seen(profile, chat) for chat in shown} == shown


def test_own_language_goes_before_all_languages_within_a_scope_only() -> None:
    profile = BotProfile()
    default: Scope = ("default", 0)
    profile.set_commands(default, "de", one("deutsch"))
    assert seen(profile, PRIVATE) == "deutsch"
    profile.set_commands(default, "ru", one("russian"))
    assert seen(profile, PRIVATE) == "deutsch"
    profile.set_commands(("all_private_chats", 0), "", one("private"))
    assert seen(profile, PRIVATE) == "private"
    assert seen(profile, GROUP) == "deutsch"


def test_administrators_of_a_group_see_their_own_commands() -> None:
    profile = BotProfile()
    profile.set_commands(("all_group_chats", 0), "", one("all"))
    profile.set_commands(scope_of({"type": "all_chat_administrators"}), "", one("admins"))
    assert seen(profile, GROUP) == "all"
    assert profile.commands_for(GROUP, "de", is_admin=True) == one("admins")
    profile.set_commands(("chat", GROUP), "", one("here"))
    assert profile.commands_for(GROUP, "de", is_admin=True) == one("here")


def test_empty_list_removes_the_commands() -> None:
    profile = BotProfile()
    profile.set_commands(("default", 0), "", one("a"))
    profile.set_commands(("default", 0), "", [])
    assert profile.commands_for(PRIVATE, "de") == []


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ({"command": "Big", "description": "x"}, "BOT_COMMAND_INVALID"),
        ({"command": "", "description": "x"}, "BOT_COMMAND_INVALID"),
        ({"command": "x" * 33, "description": "x"}, "BOT_COMMAND_INVALID"),
        ({"description": "x"}, "BOT_COMMAND_INVALID"),
        ({"command": "a-b", "description": "x"}, "BOT_COMMAND_INVALID"),
        ({"command": "a", "description": ""}, "BOT_COMMAND_DESCRIPTION_INVALID"),
        ({"command": "a", "description": "x" * 257}, "BOT_COMMAND_DESCRIPTION_INVALID"),
        ({"command": "a"}, "BOT_COMMAND_DESCRIPTION_INVALID"),
    ],
)
def test_bad_commands_are_refused(command: dict[str, str], error: str) -> None:
    with pytest.raises(ApiError, match=error):
        checked_commands([command])


def test_at_most_a_hundred_commands() -> None:
    commands = [{"command": f"c{number}", "description": "x"} for number in range(101)]
    assert len(checked_commands(commands[:100])) == 100
    with pytest.raises(ApiError, match="BOT_COMMANDS_TOO_MUCH"):
        checked_commands(commands)


@pytest.mark.parametrize(
    "scope",
    [
        {"type": "everybody"},
        {"type": ["default"]},
        {"type": "chat"},
        {"type": "chat", "chat_id": "x"},
        {"type": "chat", "chat_id": {}},
        {"type": "chat_member", "chat_id": -1, "user_id": 9},
    ],
)
def test_bad_scopes_are_refused(scope: dict[str, Any]) -> None:
    with pytest.raises(ApiError):
        scope_of(scope)


@pytest.mark.parametrize("language", ["deu", "DE", "d", "d1"])
def test_bad_languages_are_refused(language: str) -> None:
    with pytest.raises(ApiError, match="invalid language code"):
        checked_language(language)


@pytest.mark.parametrize(("kind", "limit"), [("description", 512), ("short_description", 120)])
def test_texts_have_limits_and_fall_back_to_all_languages(kind: Any, limit: int) -> None:
    profile = BotProfile()
    profile.set_text(kind, "", "x" * limit)
    with pytest.raises(ApiError, match="too long"):
        profile.set_text(kind, "", "x" * (limit + 1))
    profile.set_text(kind, "de", "deutsch")
    assert profile.text(kind, "de") == "deutsch"
    assert profile.text(kind, "es") == "x" * limit
    profile.set_text(kind, "de", "")
    assert profile.text(kind, "de") == "x" * limit
