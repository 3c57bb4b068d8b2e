"""How updates come: fetched from Telegram (`Polling`), or pushed by it (`webhook.py`)."""

import asyncio
import json
import logging
import time
from contextlib import suppress
from typing import Any

from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError
from telegram.ext import ExtBot

from bot.gateway.hearing import Hearing
from bot.gateway.inbox import Inbox
from bot.gateway.rate_limiter import seconds
from bot.gateway.reading import read_update
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

# Without edits: an edited caption would begin a second animation.
ALLOWED_UPDATES = (
    "message",
    "callback_query",
    "inline_query",
    "chosen_inline_result",
    "my_chat_member",
    "pre_checkout_query",
)
_SAID_AGAIN_S = 300.0
_WAIT_S, _READ_S = 10, 15.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_CONFIRM_S = 5.0
_NO_UPDATES = "what it sent are no updates"
_TWO_BOTS = (
    "another program fetches the updates of this bot: stop it, for one token serves one program "
    "(of workers there may be many)"
)
_FOREIGN_WEBHOOK = (
    "another program has set a webhook for this bot, which now hears nothing: stop that program "
    "and start this one again"
)


class ListeningBot(ExtBot[dict[str, Any]]):
    """A bot that fetches updates unparsed, and says why it cannot."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._said, self._said_at_s = "", 0.0

    def __repr__(self) -> str:
        """Its name; the library's own words are its token."""
        return type(self).__name__

    async def fetch(self, offset: int = 0, wait_s: int = 0) -> list[dict[str, Any]]:
        """Fetch the updates that wait at Telegram.

        They are not parsed: one that the library cannot read must not hold up the others, nor may
        the library log what is in it.

        Args:
            offset: confirms all updates with a lower number; 0: confirms none.
            wait_s: how long Telegram waits for the first one.

        Returns:
            Updates, each with its integer `update_id`.

        Raises:
            InvalidToken: Telegram does not know the token, or not any more.
            TelegramError: it did not answer as it should.
        """
        data = {"offset": offset, "timeout": wait_s, "allowed_updates": ALLOWED_UPDATES}
        found: Any = await self._post("getUpdates", data, read_timeout=wait_s + _READ_S)
        if not isinstance(found, list) or not all(map(_is_update, found)):
            raise TelegramError(_NO_UPDATES)
        return found

    def say(self, error: TelegramError) -> None:
        """Log why nothing is fetched, unless that was said just now."""
        sentence, now_s = _why_deaf(error), time.monotonic()
        if sentence != self._said or now_s - self._said_at_s > _SAID_AGAIN_S:
            log.error("%s", sentence)
            self._said, self._said_at_s = sentence, now_s


def _is_update(found: object) -> bool:
    return isinstance(found, dict) and isinstance(found.get("update_id"), int)


def _why_deaf(error: TelegramError) -> str:
    if not isinstance(error, Conflict):
        return f"Telegram does not answer ({error}): it is asked again and again"
    return _FOREIGN_WEBHOOK if "webhook" in error.message else _TWO_BOTS


class Polling:
    """Fetches updates into the inbox.

    Args:
        bot: the connection.
        inbox: an update is confirmed to Telegram after it was stored there.
        hearing: told each time that Telegram answers.
    """

    way = "fetched"

    def __init__(self, bot: ListeningBot, inbox: Inbox, hearing: Hearing) -> None:
        self._bot = bot
        self._inbox = inbox
        self._hearing = hearing
        self._next = 0
        self._fetching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Remove a webhook that was set before, so that updates can be fetched.

        Raises:
            TelegramError: Telegram refused, or did not answer.
        """
        await self._bot.delete_webhook()

    def start(self) -> "asyncio.Future[None]":
        """Begin to fetch; the returned future ends only by an error.

        Among its errors is InvalidToken: Telegram does not know the token any more.
        """
        self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def stop(self) -> None:
        """Fetch no more, and tell Telegram what was stored; if that fails, it comes again."""
        if self._fetching is not None:
            await end_tasks([self._fetching])
        if self._next:
            with suppress(TimeoutError, TelegramError):
                async with asyncio.timeout(_CONFIRM_S):
                    await self._bot.fetch(self._next)

    async def _fetch(self) -> None:
        pause_s = 0.0
        self._hearing.heard()
        while True:
            try:
                found = await self._bot.fetch(self._next, _WAIT_S)
            except InvalidToken:
                raise
            except TelegramError as exc:
                self._bot.say(exc)
                pause_s = min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, 1.5 * pause_s))
                asked_s = seconds(exc.retry_after) if isinstance(exc, RetryAfter) else 0.0
                await asyncio.sleep(max(pause_s, asked_s))
                continue
            pause_s = 0.0
            self._hearing.heard()
            for update in found:
                await self._inbox.put(read_update(json.dumps(update), self._bot))
                self._next = update["update_id"] + 1
