"""What admins are told without having asked; rarely, for the rest is in /status."""

import logging

from telegram.error import TelegramError

from bot.gateway.messenger import ChatBusy, ChatTarget, MessageContent
from bot.services import Services

log = logging.getLogger(__name__)

_EVERY_S = 60.0


class AdminNotes:
    """Tells admins that something of ours went wrong."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._told_s = 0.0
        self._told: set[str] = set()

    async def tell(self, text: str, once: str = "") -> None:
        """Write to every admin, once a minute at most; what does not arrive is in the log.

        Args:
            text: the note.
            once: a name; notes that share one are written once, however recent the last note is.
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
                    ChatTarget(admin), MessageContent(text), at_once=True
                )
            except (TelegramError, ChatBusy) as error:
                log.info("an admin was not told: %s", type(error).__name__)
