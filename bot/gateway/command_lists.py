"""What Telegram shows of the bot: the commands behind `/`, and what it says of itself.

They are written at each start, and only where they differ. Whatever goes wrong is no more than a
line in the log: people can do without.
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
"""Names, and what Telegram says of them."""


class CommandLists:
    """Keeps them.

    Args:
        bot: the connection.
        texts: the sentences.
    """

    def __init__(self, bot: "ExtBot[Any]", texts: Texts) -> None:
        self._bot = bot
        self._texts = texts

    async def write(self, admins: Iterable[int]) -> None:
        """Writes all lists that differ, and the descriptions.

        Args:
            admins: who gets a list with the admins' commands in the private chat.
        """
        _ = self._texts
        await self._write(private_commands(_), BotCommandScopeAllPrivateChats())
        await self._write(group_commands(_), BotCommandScopeAllGroupChats())
        await _harmless("the descriptions", self._describe())
        for admin in sorted(admins):
            await self.write_for(admin)

    async def write_for(self, admin: int) -> None:
        """Writes an admin's list; Telegram knows the chat once the admin has written there."""
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
        log.warning("%s cannot be written: %s", what, error)


def private_commands(_: Texts) -> Commands:
    """Of everybody, in private."""
    return (
        ("templates", _("The movements")),
        ("queue", _("How your videos stand")),
        ("cancel", _("Take a video back")),
        ("help", _("What works well, and what is taken")),
        ("privacy", _("What is kept, and for how long")),
        ("about", _("Whose bot this is, and its licences")),
    )


def group_commands(_: Texts) -> Commands:
    """Of everybody, in groups."""
    return (
        ("animate", _("In answer to a photo: bring it to life")),
        ("cancel", _("Take your videos back")),
        ("help", _("How to use this bot here")),
    )


def owner_commands(_: Texts) -> Commands:
    """Of admins, in private, besides everybody's."""
    return (
        ("status", _("How everything stands")),
        ("jobs", _("What waits, runs or has failed")),
        ("pause", _("Take no new videos")),
        ("resume", _("Take videos again")),
        ("allow", _("Let people in")),
        ("ban", _("Shut people out")),
        ("unban", _("Shut people out no longer")),
    )


def descriptions(_: Texts) -> tuple[str, str]:
    """What stands in an empty chat with the bot, and on its profile."""
    return (
        _(
            "Send me a portrait, a selfie, an old photo or a painting, choose a movement or send a "
            "clip of your own, and get it back alive, as a video."
        ),
        _("Brings portraits to life: photo in, video out. Made with AI, and labelled so."),
    )
