"""What Telegram shows of the bot: its command menus and descriptions.

They are updated at each start where they differ. Errors are only logged.
"""

import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from telegram import (
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
)
from telegram.error import TelegramError
from telegram.ext import ExtBot

from bot.texts import Texts, speaking
from jobs.service_errors import QueueUnavailable

if TYPE_CHECKING:
    from bot.services import Services

log = logging.getLogger(__name__)

CommandList = tuple[tuple[str, str], ...]
"""Names and descriptions of commands."""


class CommandLists:
    """Updates commands and descriptions, for each language and in the default one for all others.

    The bot's name stays as its owner has set it.
    """

    def __init__(self, bot: "ExtBot[Any]", services: "Services") -> None:
        self._bot = bot
        self._texts = services.texts
        self._people = services.people
        self._languages = services.languages

    async def write(self) -> None:
        """Update all lists and the descriptions."""
        _, languages = self._texts, self._languages
        for code, language in ((None, languages.default), *((one, one) for one in languages.known)):
            with speaking(language):
                await self._write(private_commands(_), BotCommandScopeAllPrivateChats(), code)
                await self._write(group_commands(_), BotCommandScopeAllGroupChats(), code)
                of_admins = (*group_commands(_), *group_admin_commands(_))
                await self._write(of_admins, BotCommandScopeAllChatAdministrators(), code)
                await _harmless("the descriptions", self._describe(code))
        try:
            for admin in sorted(await self._people.admins()):
                await self.write_for(admin)
        except QueueUnavailable as error:
            log.warning("the commands of the admins were not updated: %s", error)

    async def write_for(self, person_id: int) -> None:
        """Update the list of an admin, or of somebody who has chosen a language.

        Telegram knows the chat once the person has written there.

        Raises:
            QueueUnavailable: it is not known who they are.
        """
        commands: CommandList = ()
        with speaking(await self._languages.of(person_id, person_id)):
            if person_id in await self._people.admins():
                commands = (*private_commands(self._texts), *admin_commands(self._texts))
            elif (await self._people.person(person_id)).language is not None:
                commands = private_commands(self._texts)
        await self._write(commands, BotCommandScopeChat(person_id))

    async def _write(
        self, commands: CommandList, scope: BotCommandScope, language: str | None = None
    ) -> None:
        await _harmless(f"the commands of {scope.type}", self._replace(commands, scope, language))

    async def _replace(
        self, commands: CommandList, scope: BotCommandScope, language: str | None
    ) -> None:
        shown = await self._bot.get_my_commands(scope, language)
        if tuple((one.command, one.description) for one in shown) == commands:
            return
        if commands:
            listed = [BotCommand(*one) for one in commands]
            await self._bot.set_my_commands(listed, scope, language)
        else:
            await self._bot.delete_my_commands(scope, language)

    async def _describe(self, language: str | None) -> None:
        description, short = descriptions(self._texts)
        if (await self._bot.get_my_description(language)).description != description:
            await self._bot.set_my_description(description, language)
        if (await self._bot.get_my_short_description(language)).short_description != short:
            await self._bot.set_my_short_description(short, language)


async def _harmless(what: str, call: Coroutine[Any, Any, None]) -> None:
    try:
        await call
    except TelegramError as error:
        log.warning("%s could not be updated: %s", what, error)


def private_commands(_: Texts) -> CommandList:
    """For everybody, in private."""
    return (
        ("templates", _("The movements")),
        ("history", _("Your last videos")),
        ("queue", _("Your orders")),
        ("cancel", _("Cancel an order")),
        ("help", _("What works well, and which files I accept")),
        ("language", _("The language I speak")),
        ("settings", _("Your settings")),
        ("privacy", _("What is stored, and for how long")),
        ("delete_me", _("Delete everything about you")),
        ("about", _("About this bot, and licences")),
    )


def group_commands(_: Texts) -> CommandList:
    """For everybody, in groups."""
    return (
        ("animate", _("Reply to a photo to bring it to life")),
        ("cancel", _("Cancel your orders")),
        ("help", _("How to use this bot here")),
    )


def group_admin_commands(_: Texts) -> CommandList:
    """For the admins of groups, besides everybody's."""
    return (
        ("settings", _("The settings of this group")),
        ("language", _("The language I speak here")),
    )


def admin_commands(_: Texts) -> CommandList:
    """For admins, in private, besides everybody's."""
    return (
        ("status", _("Service status")),
        ("jobs", _("Waiting, running and failed orders")),
        ("pause", _("Pause new orders")),
        ("resume", _("Resume new orders")),
        ("allow", _("Give people access")),
        ("ban", _("Ban people")),
        ("unban", _("Unban people")),
        ("limits", _("How much people may order")),
        ("stats", _("The last day and week in numbers")),
        ("broadcast", _("Write to everybody who uses the bot")),
        ("add_template", _("Add a movement: send it with a clip")),
        ("templates_admin", _("Rename, hide or remove your movements")),
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
