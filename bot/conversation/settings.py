"""`/settings` and `/language`: of a person in private, of a group for its admins."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from bot.callback_data import ButtonData
from bot.conversation.settings_pages import Setting, SettingsPages
from bot.gateway.messenger import CardMessage, MessageContent
from bot.gateway.updates import Command, IncomingMessage, IncomingTap, TapAnswer
from bot.services import Services
from bot.texts import Texts, current_language, language_name, msgid, speak

LANGUAGE = "language"
_LABEL = msgid("🌐 Language")
_QUESTION = msgid("Which language should I speak here?")
_AS_IN_TELEGRAM = ""


class SettingsCommands:
    """Shows and changes settings.

    Args:
        private: the settings of a person.
        group: the settings of a group.
        language_chosen: called with the id of a person who has chosen a language.
    """

    def __init__(
        self,
        services: Services,
        private: Sequence[Setting],
        group: Sequence[Setting],
        language_chosen: Callable[[int], Awaitable[object]],
    ) -> None:
        self._services = services
        self._language_chosen = language_chosen
        self._private = SettingsPages(private, services.texts, msgid("Your settings"))
        self._group = SettingsPages(group, services.texts, msgid("The settings of this group"))
        self.by_name: dict[str, Command] = {
            "settings": self.settings,
            "language": self.language,
        }

    async def settings(self, incoming: IncomingMessage) -> None:
        """Show all settings."""
        pages, owner_id = self._of(incoming)
        await self._answer(incoming, await pages.overview(owner_id))

    async def language(self, incoming: IncomingMessage) -> None:
        """Show the languages to choose from."""
        pages, owner_id = self._of(incoming)
        await self._answer(incoming, await pages.choices(owner_id, LANGUAGE))

    async def tap(self, tap: IncomingTap) -> TapAnswer:
        """Do what a button says, and show the result in its message."""
        if not await self._may_change(tap):
            text = self._services.texts("Only the admins of this group can change its settings.")
            return TapAnswer(text, is_alert=True)
        button = ButtonData.decode(tap.data)
        return TapAnswer(then=partial(self._change, tap, button.argument if button else ""))

    async def _change(self, tap: IncomingTap, argument: str) -> None:
        pages, owner_id = self._of(tap)
        before = current_language()
        content = await pages.tap(owner_id, argument)
        card = CardMessage(message_id=tap.message_id)
        await self._services.messenger.edit(tap.chat_id, card, content)
        if current_language() != before and tap.chat_id > 0:
            await self._language_chosen(tap.person_id)

    def _of(self, where: IncomingMessage | IncomingTap) -> tuple[SettingsPages, int]:
        if where.chat_id < 0:
            return self._group, where.chat_id
        return self._private, where.person_id

    async def _may_change(self, where: IncomingMessage | IncomingTap) -> bool:
        # In private the ids are the same; in a group they are those of an anonymous admin.
        if where.person_id == where.chat_id:
            return True
        return await self._services.messenger.is_chat_admin(where.chat_id, where.person_id)

    async def _answer(self, incoming: IncomingMessage, content: MessageContent) -> None:
        if not await self._may_change(incoming):
            _ = self._services.texts
            content = MessageContent(_("Only the admins of this group can change its settings."))
        await self._services.messenger.send(incoming.target, content)


def language_of_person(services: Services) -> Setting:
    """Return the setting of a person's language."""

    def choices(_: Texts) -> Mapping[str, str]:
        return {_AS_IN_TELEGRAM: _("As in Telegram"), **_names(services)}

    async def current(person_id: int) -> str:
        return (await services.people.person(person_id)).language or _AS_IN_TELEGRAM

    async def choose(person_id: int, language: str) -> None:
        await services.people.change(person_id, language=language or None)
        speak(await services.languages.of(person_id, person_id))

    return Setting(LANGUAGE, _LABEL, _QUESTION, choices, current, choose)


def language_of_group(services: Services) -> Setting:
    """Return the setting of a group's language."""

    async def current(chat_id: int) -> str:
        return await services.languages.of(chat_id, chat_id)

    async def choose(chat_id: int, language: str) -> None:
        await services.group_settings.change(chat_id, language=language)
        speak(language)

    return Setting(LANGUAGE, _LABEL, _QUESTION, lambda _: _names(services), current, choose)


def _names(services: Services) -> dict[str, str]:
    return {code: language_name(code) for code in services.languages.known}
