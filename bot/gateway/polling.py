"""Polling: updates are fetched from Telegram and stored in the inbox."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError
from telegram.ext import ExtBot

from bot.gateway.inbox import Inbox, read_update
from bot.gateway.rate_limiter import seconds
from jobs.metrics.health import OK
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

# Without edits: an edited caption would begin a second animation.
ALLOWED_UPDATES = (
    "message",
    "callback_query",
    "my_chat_member",
    "inline_query",
    "chosen_inline_result",
)
_SAID_AGAIN_S = 300.0
_WAIT_S, _READ_S = 10, 15.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_CONFIRM_S = 5.0
SILENT_AFTER_S = 60.0
STARTING, STANDBY = "starting", "standby"
_NO_UPDATES = "the answer holds no updates"
_TWO_BOTS = (
    "another program fetches the updates of this bot: stop it, as only one program can use a token "
    "(any number of workers can run)"
)
_FOREIGN_WEBHOOK = (
    "another program has set a webhook for this bot, so it gets no updates: stop that program and "
    "start this one again"
)


class PollingHealth:
    """Remembers when Telegram last answered a request for updates.

    Args:
        clock: a monotonic clock, s.

    Attributes:
        waiting: why no updates can arrive yet, in a word; empty when they can.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.waiting = STARTING
        self._clock = clock
        self._answered_s: float | None = None

    def note_answer(self) -> None:
        """Note that Telegram answered, or that polling begins now."""
        self._answered_s = self._clock()

    def silence_s(self) -> float:
        """Return the time since Telegram last answered; 0 if updates are not fetched."""
        return 0.0 if self._answered_s is None else self._clock() - self._answered_s

    def measure(self, registry: CollectorRegistry) -> None:
        """Add the silence to the metrics."""
        gauge = Gauge(
            "animato_telegram_silence_seconds",
            "How long ago updates were last fetched from Telegram, s; 0 if they are pushed.",
            registry=registry,
        )
        gauge.set_function(self.silence_s)

    def is_silent(self) -> bool:
        """Whether Telegram has not answered for a minute."""
        return self.silence_s() > SILENT_AFTER_S

    def word(self) -> str:
        """Return in one word whether updates arrive, for the readiness check."""
        return self.waiting or ("silent" if self.is_silent() else OK)


class PollingBot(ExtBot[dict[str, Any]]):
    """A bot that fetches updates without parsing them, and logs why it cannot."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._logged, self._logged_s = "", 0.0

    def __repr__(self) -> str:
        """The class name; the library's own representation holds the token."""
        return type(self).__name__

    async def fetch(self, offset: int = 0, wait_s: int = 0) -> list[dict[str, Any]]:
        """Fetch pending updates as JSON objects, each with its integer `update_id`.

        They are not parsed: an update that the library cannot read must not hold up the others, and
        the library must not log its content.

        Args:
            offset: confirms all updates with a lower number; 0 confirms none.
            wait_s: how long Telegram waits for the first update.

        Raises:
            InvalidToken: Telegram does not know the token.
            TelegramError: Telegram did not answer correctly.
        """
        data = {"offset": offset, "timeout": wait_s, "allowed_updates": ALLOWED_UPDATES}
        found: Any = await self._post("getUpdates", data, read_timeout=wait_s + _READ_S)
        if not isinstance(found, list) or not all(map(_is_update, found)):
            raise TelegramError(_NO_UPDATES)
        return found

    def log_error(self, error: TelegramError) -> None:
        """Log why nothing is fetched, at most once in five minutes for each reason."""
        sentence, now_s = _reason(error), time.monotonic()
        if sentence != self._logged or now_s - self._logged_s > _SAID_AGAIN_S:
            log.error("%s", sentence)
            self._logged, self._logged_s = sentence, now_s


def _is_update(found: object) -> bool:
    return isinstance(found, dict) and isinstance(found.get("update_id"), int)


def _reason(error: TelegramError) -> str:
    if not isinstance(error, Conflict):
        return f"Telegram does not answer ({error}); trying again"
    return _FOREIGN_WEBHOOK if "webhook" in error.message else _TWO_BOTS


class Polling:
    """Fetches updates into the inbox.

    Args:
        bot: the connection.
        inbox: an update is confirmed to Telegram after it was stored there.
        health: notes when Telegram answers.
    """

    how = "fetched"  # for the log line at the start

    def __init__(self, bot: PollingBot, inbox: Inbox, health: PollingHealth) -> None:
        self._bot = bot
        self._inbox = inbox
        self._health = health
        self._next = 0
        self._fetching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Remove an earlier webhook, so that updates can be fetched.

        Raises:
            TelegramError: Telegram refused, or did not answer.
        """
        await self._bot.delete_webhook()

    def start(self) -> "asyncio.Future[None]":
        """Start polling. The future ends only with an error, such as InvalidToken."""
        self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def stop(self) -> None:
        """Stop polling, and confirm to Telegram what was stored."""
        if self._fetching is not None:
            await end_tasks([self._fetching])
        if self._next:
            with suppress(TimeoutError, TelegramError):
                async with asyncio.timeout(_CONFIRM_S):
                    await self._bot.fetch(self._next)

    async def _fetch(self) -> None:
        pause_s = 0.0
        self._health.note_answer()
        while True:
            try:
                found = await self._bot.fetch(self._next, _WAIT_S)
            except InvalidToken:
                raise
            except TelegramError as exc:
                self._bot.log_error(exc)
                pause_s = min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, 1.5 * pause_s))
                asked_s = seconds(exc.retry_after) if isinstance(exc, RetryAfter) else 0.0
                await asyncio.sleep(max(pause_s, asked_s))
                continue
            pause_s = 0.0
            self._health.note_answer()
            for update in found:
                await self._inbox.put(read_update(json.dumps(update), self._bot))
                self._next = update["update_id"] + 1
