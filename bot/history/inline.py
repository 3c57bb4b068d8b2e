"""Inline mode: a person's own results, offered in any chat by Telegram's file ids."""

from telegram import (
    InlineKeyboardMarkup,
    InlineQuery,
    InlineQueryResultCachedMpeg4Gif,
    InlineQueryResultCachedVideo,
    InlineQueryResultsButton,
)
from telegram.error import BadRequest
from telegram.helpers import create_deep_linked_url

from bot.gateway.messenger import Button, markup
from bot.history.forms import caption_of
from bot.history.store import HistoryEntry
from bot.people import Role
from bot.services import Services
from bot.texts import speaking
from jobs.media_tasks import Form

NEW = "new"
"""The payload of the button that opens the bot."""

TEMPLATE_LINK = "tpl_"
"""A payload that names a movement begins with this."""

# Short: a result that was just made or deleted should show.
_CACHE_S = 5
_IN_GROUPS = ("group", "supergroup")
_OVER = ("query is too old", "query id is invalid")


class InlineResults:
    """Answers inline queries.

    Args:
        invites: whether results that are shared to groups have the button "Try it yourself".
    """

    def __init__(self, services: Services, *, invites: bool) -> None:
        self._services = services
        self._invites = invites

    async def answer(self, query: InlineQuery) -> None:
        """Offer the person's own results, the newest first; strangers get nothing."""
        services = self._services
        role = await services.people.role(query.from_user.id)
        if role not in (Role.ADMIN, Role.GUEST):
            await self._answer(query, [], None)
            return
        history = await services.history.read(query.from_user.id)
        words = query.query.casefold().split()
        found = [
            result
            for entry in history.entries[::-1]
            if self._matches(entry, words)
            and (result := self._result(entry, query.chat_type)) is not None
        ]
        text = services.texts("Make a new one")
        await self._answer(query, found, InlineQueryResultsButton(text, start_parameter=NEW))

    def count_chosen(self) -> None:
        """Count that a result was sent."""
        self._services.metrics.count_shared()

    async def _answer(
        self,
        query: InlineQuery,
        results: "list[InlineQueryResultCachedMpeg4Gif | InlineQueryResultCachedVideo]",
        button: InlineQueryResultsButton | None,
    ) -> None:
        try:
            await self._services.messenger.bot.answer_inline_query(
                query.id, results, cache_time=_CACHE_S, is_personal=True, button=button
            )
        except BadRequest as error:
            if not any(phrase in str(error).lower() for phrase in _OVER):
                raise

    def _matches(self, entry: HistoryEntry, words: list[str]) -> bool:
        """Whether a result is of a movement that was searched for, in any language."""
        names = [entry.movement]
        for language in self._services.texts.languages:
            with speaking(language):
                names.append(self._services.history.in_language(entry).title)
        text = " ".join(names).casefold()
        return all(word in text for word in words)

    def _result(
        self, entry: HistoryEntry, chat_type: str | None
    ) -> InlineQueryResultCachedMpeg4Gif | InlineQueryResultCachedVideo | None:
        file_id = entry.file_id(self._services.messenger.bot.id, Form.LOOP)
        if file_id is None:
            return None
        caption = caption_of(entry, self._services)
        name = f"{entry.draft}-{entry.number}"
        keyboard = self._invitation(entry, chat_type)
        if entry.has_sound:
            return InlineQueryResultCachedVideo(
                name, file_id, entry.title, caption=caption, reply_markup=keyboard
            )
        return InlineQueryResultCachedMpeg4Gif(
            name, file_id, title=entry.title, caption=caption, reply_markup=keyboard
        )

    def _invitation(
        self, entry: HistoryEntry, chat_type: str | None
    ) -> InlineKeyboardMarkup | None:
        if not self._invites or not entry.movement or chat_type not in _IN_GROUPS:
            return None
        _, name = self._services.texts, self._services.messenger.bot.username
        url = create_deep_linked_url(name, TEMPLATE_LINK + entry.movement)
        return markup(((Button(_("✨ Try it yourself"), url=url),),))
