"""Reports errors: notes to the admins, and apologies to people whose updates were given up."""

import logging
from collections.abc import Callable

from telegram import Update
from telegram.error import TelegramError

from bot.error_text import OURS
from bot.gateway.application import Context
from bot.gateway.inbox import UnreadableUpdate
from bot.gateway.messenger import ChatBusy, ChatTarget, MessageContent, Messenger
from bot.services import Services
from bot.texts import ENGLISH, Texts, msgid, speaking

log = logging.getLogger(__name__)

_EVERY_S = 60.0


class AdminNotes:
    """Tells the admins that something went wrong; `/status` shows the rest."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._told_s = 0.0
        self._told: set[str] = set()

    async def tell(self, message: str, *, once: str = "", **fields: object) -> None:
        """Write to every admin in their language, at most once a minute; the log has all notes.

        Args:
            message: the note, a msgid.
            once: a name; of the notes with this name only the first is written, at any time.
            **fields: those of the note.
        """
        if once in self._told:
            return
        log.error("%s", ENGLISH(message, **fields))
        now_s = self._services.clock()
        if once:
            self._told.add(once)
        elif now_s - self._told_s < _EVERY_S:
            return
        self._told_s = now_s
        await self.send(lambda: self._services.texts(message, **fields))

    async def send(self, text: Callable[[], str]) -> None:
        """Write to every admin; `text` is called for each, in that admin's language."""
        for admin in sorted(await self._services.people.admins()):
            with speaking(await self._services.languages.of(admin, admin)):
                content = MessageContent(text())
            try:
                await self._services.messenger.send(ChatTarget(admin), content, droppable=True)
            except (TelegramError, ChatBusy) as error:
                log.info("could not notify an admin: %s", type(error).__name__)


class ErrorReporter:
    """Reports updates that were given up, without details, which are in the log."""

    def __init__(self, messenger: Messenger, notes: AdminNotes, texts: Texts) -> None:
        self._messenger = messenger
        self._notes = notes
        self._texts = texts

    async def apologise(self, update: Update) -> None:
        """Apologise to the person who tapped, or who wrote in private."""
        text, query = self._texts(OURS), update.callback_query
        chat, message = update.effective_chat, update.effective_message
        try:
            if query is not None and await self._messenger.answer(query.id, text, is_alert=True):
                return
            if chat is not None and chat.type == chat.PRIVATE:
                reply_to = message.message_id if message else None
                target = ChatTarget(chat.id, reply_to=reply_to)
                await self._messenger.send(target, MessageContent(text), droppable=True)
        except (TelegramError, ChatBusy) as error:
            log.info("the apology was not sent: %s", type(error).__name__)

    async def report(self, update: object, context: Context) -> None:
        """Handle an error of the application, which has given up an update."""
        if isinstance(update, UnreadableUpdate):
            note = msgid(
                "An update ({kind}) could not be read and was set aside: {error}. Its sender gets "
                "no answer. Others of this kind are only noted in the log."
            )
            facts = {"kind": update.kind, "error": update.error}
            await self._notes.tell(note, once=f"unreadable: {update.kind}", **facts)
        if isinstance(update, Update):
            await self.apologise(update)
            note = msgid(
                "The update {number} could not be handled and was set aside: {error}. The log says "
                "more."
            )
            reason = type(context.error).__name__
            await self._notes.tell(note, number=update.update_id, error=reason)
