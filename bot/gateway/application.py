"""The application: each update is handled until it succeeds, or is given up.

    the handlers return             -> done
    a server is away                -> the whole update again, with backoff, for up to a day
    Telegram forbids (blocked us)   -> done: nobody can be answered
    anything else, three times      -> put aside; the error handlers are called

Handlers run again after a failure or a restart, so they must be idempotent. They must also be
blocking (the default): tasks that go on behind them are not awaited.
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Any, TypeAlias

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from telegram import Message, Update
from telegram.error import (
    BadRequest,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.ext import Application, ContextTypes

from bot.gateway.inbox import Inbox, UnreadableUpdate
from bot.gateway.polling import PollingBot, PollingHealth
from bot.gateway.update_processor import taking
from bot.gateway.updates import Command, incoming_message
from bot.gateway.webhook import Webhook
from jobs.errors import OperatorError
from jobs.service_errors import QueueUnavailable, StoreUnavailable

log = logging.getLogger(__name__)

Context: TypeAlias = ContextTypes.DEFAULT_TYPE
_Data: TypeAlias = dict[Any, Any]
AnyApplication: TypeAlias = Application[Any, Any, Any, Any, Any, Any]
_Base: TypeAlias = Application[PollingBot, Context, _Data, _Data, _Data, None]

_MOST_FAILURES = 3
_TEMPORARY = (
    QueueUnavailable,
    StoreUnavailable,
    RedisConnectionError,
    RedisTimeoutError,
    NetworkError,
    RetryAfter,
    InvalidToken,  # not the update's fault
)


@unique
class Turn(IntEnum):
    """The groups of handlers, in their order.

    Of each group, only the first handler that matches gets an update, so each handler that checks
    every update has a group of its own.
    """

    LANGUAGE = -4
    FLOOD_GUARD = -3
    GUARD = -2
    ASKED_CLIPS = -1
    USUAL = 0  # python-telegram-bot's default
    AFTERWARDS = 1


@dataclass(frozen=True)
class Backoff:
    """Pauses and time limits, s.

    Attributes:
        grace_s: how long running handlers may go on when the application stops.
        first_pause_s: before an update that failed is tried again; doubled each time.
        longest_pause_s: the limit of that.
        outage_s: how long an update is retried while a server is away; Telegram itself keeps
            updates for a day.
        start_pauses_s: between the attempts to reach Telegram at the start.
    """

    grace_s: float = 10.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0
    outage_s: float = 24 * 3600.0
    start_pauses_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0)


class BotApplication(_Base):
    """An application that acknowledges updates.

    Args:
        inbox: its queue of updates.
        slots: limits how many updates are handled at the same time.
        webhook: where updates are pushed to; None: they are fetched.
        polling_health: notes when updates were fetched.
        backoff: pauses and time limits.
        **parts: what the library's builder passes.

    Attributes:
        has_begun: whether `post_init` was called, so that `post_stop` must be.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        slots: asyncio.Semaphore,
        webhook: Webhook | None,
        polling_health: PollingHealth,
        backoff: Backoff,
        **parts: Any,
    ) -> None:
        super().__init__(**parts)
        self.inbox = inbox
        self.webhook = webhook
        self.polling_health = polling_health
        self.has_begun = False
        self._slots = slots
        self.backoff = backoff
        self._ending = asyncio.Event()
        self._in_progress: set[asyncio.Task[Any]] = set()
        self._errors: dict[int, Exception | None] = {}  # of the updates that are being handled

    @property
    def is_ending(self) -> bool:
        """Whether no further update is handled."""
        return self._ending.is_set()

    def begin_no_more(self) -> None:
        """Leave all other updates in the inbox."""
        self._ending.set()

    async def process_update(self, update: object) -> None:
        """Handle an update until it is done or given up; at the end, leave it in the inbox."""
        task = asyncio.current_task()
        if isinstance(update, UnreadableUpdate):
            await self._call_error_handlers(update, ValueError(update.error))
            return
        if not isinstance(update, Update) or task is None:
            await super().process_update(update)
            return
        self._in_progress.add(task)
        try:
            await self._handle(update)
        finally:
            self._in_progress.discard(task)

    async def process_error(
        self, update: object, error: Exception, *rest: Any, **named: Any
    ) -> bool:
        """Keep the error of an update that is being handled, for `_handle`."""
        if isinstance(update, Update) and update.update_id in self._errors:
            self._errors[update.update_id] = error
            return True  # skip the other groups' handlers: all of them run again
        log.error("a task of the bot failed: %s", describe_error(error))
        return await self._call_error_handlers(update, error, *rest, **named)

    async def _call_error_handlers(
        self, update: object, error: Exception, *rest: Any, **named: Any
    ) -> bool:
        # Without error handlers the library would log the error's text, which may be private.
        if not self.error_handlers:
            return False
        return await super().process_error(update, error, *rest, **named)

    async def stop(self) -> None:
        """Stop: running handlers may end within the grace period; the other updates stay."""
        self.begin_no_more()
        if self._in_progress:
            _, late = await asyncio.wait(set(self._in_progress), timeout=self.backoff.grace_s)
            if late:
                log.warning("%d updates are unfinished and stay in the inbox", len(late))
            for task in late:
                task.cancel()
        await super().stop()

    async def _handle(self, update: Update) -> None:
        failures, pause_s = 0, self.backoff.first_pause_s
        began_s = time.monotonic()
        while not self.is_ending:
            error = await self._try(update)
            if error is None or isinstance(error, Forbidden):
                if error is not None:
                    log.info("cannot reply to the update %d", update.update_id)
                await self.inbox.done(update)
                return
            if is_temporary(error) and time.monotonic() - began_s < self.backoff.outage_s:
                log.warning("update %d waits: %s", update.update_id, describe_error(error))
            else:
                failures += 1
                log.error("update %d failed: %s", update.update_id, describe_error(error))
            if failures == _MOST_FAILURES:
                await self.inbox.put_aside(update, error)
                await self._call_error_handlers(update, error)
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause_s)
            pause_s = min(2 * pause_s, self.backoff.longest_pause_s)

    async def _try(self, update: Update) -> Exception | None:
        """Run the handlers once. Return their error, if any."""
        async with taking(self._slots):
            self._errors[update.update_id] = None
            try:
                await super().process_update(update)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # Not this task was cancelled, but one that the handler awaited.
                self._errors[update.update_id] = RuntimeError("a part of it was cancelled")
            finally:
                error = self._errors.pop(update.update_id)
        return error


def on_message(
    do: Callable[[Message], Awaitable[object]],
) -> Callable[[Update, Context], Coroutine[Any, Any, None]]:
    """Return a handler's callback that calls `do` with each new message."""

    async def handle(update: Update, _context: Context) -> None:
        if update.message is not None:
            await do(update.message)

    return handle


def on_command(do: Command) -> Callable[[Update, Context], Coroutine[Any, Any, None]]:
    """Same as `on_message`, for what takes an `IncomingMessage`."""
    return on_message(lambda message: do(incoming_message(message)))


def is_temporary(error: BaseException) -> bool:
    """Whether an error means that a server is away, so that a retry may succeed."""
    return isinstance(error, _TEMPORARY) and not isinstance(error, BadRequest)


def describe_error(error: BaseException) -> str:
    """Describe an error for the log: where it was raised, and its text if that is not private.

    The text of any other error may hold a message, a file name, or the token.
    """
    is_ours = isinstance(error, OperatorError | TelegramError) and not isinstance(
        error, InvalidToken
    )
    name = type(error).__name__
    if is_ours and is_temporary(error):
        return f"{name}: {error}"
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{name}: {error}\n{frames}" if is_ours else f"{name}\n{frames}"
