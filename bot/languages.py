"""Which language a text is in.

    in private: the person's setting, else the language of their Telegram, else the default
    in a group: the group's setting, else the default

The language is set for each update before it is handled. What is sent later (results, status
cards) uses `of`.
"""

from typing import TYPE_CHECKING

from telegram import Update
from telegram.ext import TypeHandler

from bot.gateway.application import AnyApplication, Context, Turn
from bot.gateway.update_processor import chat_of
from bot.people import People, Role
from bot.texts import Texts, best_language, speak
from jobs.errors import BadSettings

if TYPE_CHECKING:
    from bot.groups.group_settings import GroupSettingsStore


def check_default(language: str, texts: Texts) -> None:
    """Raise unless the bot speaks a language.

    Raises:
        BadSettings: it does not.
    """
    if language not in texts.languages:
        known = ", ".join(sorted(texts.languages))
        raise BadSettings(reason=f"ANIMATO_LANGUAGE is {language!r}: choose one of {known}.")


class Languages:
    """Finds the language for a chat and a person.

    All its methods raise QueueUnavailable if Redis does not answer.

    Args:
        people: their settings, and the languages of their Telegram.
        groups: the groups' settings.
        texts: has the languages that the bot speaks.
        default: used where no other is known.

    Raises:
        BadSettings: the bot does not speak the default language.
    """

    def __init__(
        self, people: People, groups: "GroupSettingsStore", texts: Texts, default: str = "en"
    ) -> None:
        self._people = people
        self._groups = groups
        self.known = texts.languages
        self.default = default
        check_default(default, texts)

    async def of(self, chat_id: int, person_id: int) -> str:
        """Return the language of what is sent to a chat for a person."""
        if chat_id < 0:
            return self._best((await self._groups.read(chat_id)).language)
        person = await self._people.person(person_id)
        return self._best(person.language, person.client_language)

    async def of_update(self, update: Update) -> str:
        """Return the language of the answers to an update, and store that of its sender."""
        user, chat_id = update.effective_user, chat_of(update) or 0
        if user is None or user.is_bot:
            return await self.of(chat_id, chat_id)
        person, client = await self._people.person(user.id), user.language_code
        is_new = bool(client) and client != person.client_language
        # Nothing is stored of those who may not use the bot.
        if is_new and await self._people.role(user.id) in (Role.ADMIN, Role.GUEST):
            await self._people.change(user.id, client_language=client)
        if chat_id < 0:
            return await self.of(chat_id, user.id)
        return self._best(person.language, client or person.client_language)

    def _best(self, *codes: str | None) -> str:
        found = (best_language(code, self.known) for code in codes)
        return next(filter(None, found), self.default)


def add_language_handler(application: AnyApplication, languages: Languages) -> None:
    """Register the handler that sets the language of an update, before all others."""

    async def handle(update: Update, _context: Context) -> None:
        # For the whole task of the update: its other handlers, and the apology if they fail.
        speak(await languages.of_update(update))

    application.add_handler(TypeHandler(Update, handle), group=Turn.LANGUAGE)
