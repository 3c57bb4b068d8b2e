"""Who is let in, in words; and what commands say."""

import pytest
from telegram import Message

from bot.gateway.messenger import ChatTarget
from bot.owner.access import CommandAttempt, people_text, refusal
from bot.owner.handlers import persons_of
from bot.people import Person, Role
from bot.texts import ENGLISH


def test_stranger_hears_the_number_that_the_owner_needs_and_whom_to_ask() -> None:
    assert refusal(Role.STRANGER, 4242, "@owner", ENGLISH) == (
        "This bot is private. Its owner can give you access: your id is 4242. The owner: @owner"
    )


def test_without_a_contact_none_is_named() -> None:
    assert refusal(Role.STRANGER, 4242, "", ENGLISH).endswith("4242.")


def test_banned_person_hears_why() -> None:
    assert "has banned you" in refusal(Role.BANNED, 7, "", ENGLISH)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/status", "status"),
        ("/Status@animato_bot now", "status"),
        ("status", ""),
        ("", ""),
        ("  /ban 7", "ban"),
        ("/", ""),
    ],
)
def test_command_of_a_text(text: str, command: str) -> None:
    assert CommandAttempt(ChatTarget(7), 7, text).command == command


def test_list_of_people_tells_both_kinds() -> None:
    people = {7: Person(is_allowed=True), 8: Person(is_banned=True), 9: Person(is_allowed=True)}
    assert people_text(people, ENGLISH).splitlines()[:2] == ["Allowed: 7, 9", "Banned: 8"]
    assert people_text({}, ENGLISH).splitlines()[:2] == ["Allowed: nobody", "Banned: nobody"]


@pytest.mark.parametrize(
    ("text", "chat", "is_for_bot"),
    [
        ("/weather@other_bot", -5, False),
        ("/weather", -5, False),
        ("/animate", -5, True),
        ("/weather@Animato_bot", -5, True),
        ("hello", -5, False),
        ("hello", 7, True),
    ],
)
def test_in_a_group_only_commands_for_this_bot_are_for_it(
    text: str, chat: int, is_for_bot: bool
) -> None:
    assert CommandAttempt(ChatTarget(chat), 7, text, bot="animato_bot").is_for_bot is is_for_bot


def test_numbers_of_a_command_are_whole_numbers() -> None:
    message = Message.de_json(
        {"message_id": 3, "date": 1, "chat": {"id": 7, "type": "private"}, "text": "/ban --5 -6 7"},
        None,
    )
    assert persons_of(message) == [-6, 7]
