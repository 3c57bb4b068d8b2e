"""What Telegram shows of the bot: its command menus and descriptions.

They are updated at each start where they differ. Errors are only logged.
"""

import logging
from collections.abc import Coroutine, Iterable
from typing import Any

from telegram import (
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
)
from telegram.error import TelegramError
from telegram.ext import ExtBot

from bot.texts import Texts

log = logging.getLogger(__name__)

Commands = tuple[tuple[str, str], ...]
"""Names and descriptions."""


class CommandLists:
    """Updates commands and descriptions."""

    def __init__(self, bot: "ExtBot[Any]", texts: Texts) -> None:
        self._bot = bot
        self._texts = texts

    async def write(self, admins: Iterable[int]) -> None:
        """Update all lists and the descriptions; `admins` get the admins' commands."""
        _ = self._texts
        await self._write(private_commands(_), BotCommandScopeAllPrivateChats())
        await self._write(group_commands(_), BotCommandScopeAllGroupChats())
        await _harmless("the descriptions", self._describe())
        for admin in sorted(admins):
            await self.write_for(admin)

    async def write_for(self, admin: int) -> None:
        """Update an admin's list; Telegram knows the chat once the admin has written there."""
        commands = (*private_commands(self._texts), *owner_commands(self._texts))
        await self._write(commands, BotCommandScopeChat(admin))

    async def _write(self, commands: Commands, scope: BotCommandScope) -> None:
        await _harmless(f"the commands of {scope.type}", self._replace(commands, scope))

    async def _replace(self, commands: Commands, scope: BotCommandScope) -> None:
        shown = await self._bot.get_my_commands(scope)
        if tuple((one.command, one.description) for one in shown) != commands:
            await self._bot.set_my_commands([BotCommand(*one) for one in commands], scope)

    async def _describe(self) -> None:
        description, short = descriptions(self._texts)
        if (await self._bot.get_my_description()).description != description:
            await self._bot.set_my_description(description)
        if (await self._bot.get_my_short_description()).short_description != short:
            await self._bot.set_my_short_description(short)


async def _harmless(what: str, call: Coroutine[Any, Any, None]) -> None:
    try:
        await call
    except TelegramError as error:
        log.warning("%s could not be updated: %s", what, error)


def private_commands(_: Texts) -> Commands:
    """For everybody, in private."""
    return (
        ("templates", _("The movements")),
        ("history", _("Your last videos")),
        ("queue", _("Your orders")),
        ("cancel", _("Cancel an order")),
        ("help", _("What works well, and which files I accept")),
        ("privacy", _("What is stored, and for how long")),
        ("about", _("About this bot, and licences")),
    )


def group_commands(_: Texts) -> Commands:
    """For everybody, in groups."""
    return (
        ("animate", _("Reply to a photo to bring it to life")),
        ("cancel", _("Cancel your orders")),
        ("help", _("How to use this bot here")),
    )


def owner_commands(_: Texts) -> Commands:
    """For admins, in private, besides everybody's."""
    return (
        ("status", _("Service status")),
        ("jobs", _("Waiting, running and failed orders")),
        ("pause", _("Pause new orders")),
        ("resume", _("Resume new orders")),
        ("allow", _("Give people access")),
        ("ban", _("Ban people")),
        ("unban", _("Unban people")),
    )


def descriptions(_: Texts) -> tuple[str, str]:
    """The texts of an empty chat with the bot, and of its profile."""
    return (
        _(
            "Send me a portrait, a selfie, an old photo or a painting, choose a movement or send "
            "your own clip, and get a video back."
        ),
        _("Brings portraits to life: photo in, video out. Made with AI, and labelled so."),
    )
