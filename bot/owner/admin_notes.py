"""Notes to the admins about errors."""

import logging

from telegram.error import TelegramError

from bot.gateway.messenger import ChatBusy, ChatTarget, MessageContent
from bot.services import Services

log = logging.getLogger(__name__)

_EVERY_S = 60.0


class AdminNotes:
    """Tells the admins that something went wrong, rarely: the rest is in /status."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._told_s = 0.0
        self._told: set[str] = set()

    async def tell(self, text: str, once: str = "") -> None:
        """Write to every admin, at most once a minute; the log has all notes.

        Args:
            text: the note.
            once: a name; of the notes with this name only the first is written, at any time.
        """
        if once in self._told:
            return
        log.error("%s", text)
        now_s = self._services.clock()
        if once:
            self._told.add(once)
        elif now_s - self._told_s < _EVERY_S:
            return
        self._told_s = now_s
        for admin in await self._services.people.admins():
            try:
                await self._services.messenger.send(
                    ChatTarget(admin), MessageContent(text), droppable=True
                )
            except (TelegramError, ChatBusy) as error:
                log.info("an admin was not told: %s", type(error).__name__)
