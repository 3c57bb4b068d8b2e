"""What Telegram shows of the bot keeps to Telegram's limits."""

import re

import pytest

from bot.gateway.command_lists import (
    CommandList,
    admin_commands,
    descriptions,
    group_commands,
    private_commands,
)
from bot.owner.access import OWNER_COMMANDS
from bot.texts import ENGLISH

ALL = [private_commands(ENGLISH), group_commands(ENGLISH), admin_commands(ENGLISH)]


@pytest.mark.parametrize("commands", ALL)
def test_commands_are_within_the_limits(commands: CommandList) -> None:
    for name, description in commands:
        assert re.fullmatch(r"[a-z0-9_]{1,32}", name)
        assert 1 <= len(description) <= 256
    assert len({name for name, _ in commands}) == len(commands)


def test_every_admin_command_is_listed_for_admins_alone() -> None:
    assert tuple(name for name, _ in admin_commands(ENGLISH)) == OWNER_COMMANDS
    assert not {name for name, _ in private_commands(ENGLISH)} & set(OWNER_COMMANDS)


def test_descriptions_are_within_the_limits() -> None:
    description, short = descriptions(ENGLISH)
    assert len(description) <= 512
    assert len(short) <= 120
