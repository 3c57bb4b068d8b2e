"""The application: each update is handled until it is done, or is given up in plain sight.

    the handlers return             -> done
    a server is away                -> the whole update again, later and later, for up to a day
    Telegram forbids (blocked us)   -> done: there is nobody to tell
    anything else, three times      -> put aside; the error handlers are told

Handlers run again after a failure or a death, so they must be idempotent. They must also be
blocking ones (the default): what runs on behind them is not waited for.
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
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
from bot.gateway.webhook import Webhook
from jobs.errors import OperatorError
from jobs.service_errors import QueueUnavailable, StoreUnavailable

log = logging.getLogger(__name__)

Context: TypeAlias = ContextTypes.DEFAULT_TYPE
_Data: TypeAlias = dict[Any, Any]
AnyApplication: TypeAlias = Application[Any, Any, Any, Any, Any, Any]
_Base: TypeAlias = Application[PollingBot, Context, _Data, _Data, _Data, None]

_MOST_FAILURES = 3
_PASSING = (
    QueueUnavailable,
    StoreUnavailable,
    RedisConnectionError,
    RedisTimeoutError,
    NetworkError,
    RetryAfter,
    InvalidToken,  # no fault of the update
)


@dataclass(frozen=True)
class Patience:
    """How long what is waited for, s.

    Attributes:
        grace_s: handlers that run when the application stops may run on for so long.
        first_pause_s: between the first failure of an update and its next try; then twice as long
            each time.
        longest_pause_s: the end of that.
        outage_s: an update is not given up for a server that is away for less than this; Telegram
            itself keeps updates for a day.
        start_pauses_s: between the tries to reach Telegram at the start, which then fails.
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
        slots: one is held by each update that is being handled.
        webhook: where updates are pushed to; None: they are fetched.
        hearing: told each time that updates were fetched.
        patience: how long what is waited for.
        **parts: what the library's builder gives.

    Attributes:
        has_begun: whether `post_init` was begun, so that `post_stop` has something to end.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        slots: asyncio.Semaphore,
        webhook: Webhook | None,
        polling_health: PollingHealth,
        patience: Patience,
        **parts: Any,
    ) -> None:
        super().__init__(**parts)
        self.inbox = inbox
        self.webhook = webhook
        self.polling_health = polling_health
        self.has_begun = False
        self._slots = slots
        self.patience = patience
        self._ending = asyncio.Event()
        self._at_work: set[asyncio.Task[Any]] = set()
        self._errors: dict[int, Exception | None] = {}  # of the updates that are being handled

    @property
    def is_ending(self) -> bool:
        """Whether no other update is begun."""
        return self._ending.is_set()

    def begin_no_more(self) -> None:
        """Leaves everything in the inbox that has not begun."""
        self._ending.set()

    async def process_update(self, update: object) -> None:
        """Handles an update until it is done or given up; or leaves it in the inbox at the end."""
        task = asyncio.current_task()
        if isinstance(update, UnreadableUpdate):
            await self._tell(update, ValueError(update.error))
            return
        if not isinstance(update, Update) or task is None:
            await super().process_update(update)
            return
        self._at_work.add(task)
        try:
            await self._handle(update)
        finally:
            self._at_work.discard(task)

    async def process_error(
        self, update: object, error: Exception, *rest: Any, **named: Any
    ) -> bool:
        """Keeps the error of an update that is being handled; the handlers are told at its end."""
        if isinstance(update, Update) and update.update_id in self._errors:
            self._errors[update.update_id] = error
            return True  # no other group's handlers: all of them run again
        log.error("a task of the bot failed: %s", described(error))
        return await self._tell(update, error, *rest, **named)

    async def _tell(self, update: object, error: Exception, *rest: Any, **named: Any) -> bool:
        # Without error handlers the library would log the error's words, which may be private.
        if not self.error_handlers:
            return False
        return await super().process_error(update, error, *rest, **named)

    async def stop(self) -> None:
        """Stops: what runs may end within the grace; the rest stays in the inbox for next time."""
        self.begin_no_more()
        if self._at_work:
            _, late = await asyncio.wait(set(self._at_work), timeout=self.patience.grace_s)
            if late:
                log.warning("%d updates could not be finished and will come again", len(late))
            for task in late:
                task.cancel()
        await super().stop()

    async def _handle(self, update: Update) -> None:
        failures, pause_s = 0, self.patience.first_pause_s
        began_s = time.monotonic()
        while not self.is_ending:
            error = await self._try(update)
            if error is None or isinstance(error, Forbidden):
                if error is not None:
                    log.info("nobody hears the answer to the update %d", update.update_id)
                await self.inbox.done(update)
                return
            if may_pass(error) and time.monotonic() - began_s < self.patience.outage_s:
                log.warning("update %d waits: %s", update.update_id, described(error))
            else:
                failures += 1
                log.error("update %d failed: %s", update.update_id, described(error))
            if failures == _MOST_FAILURES:
                await self.inbox.put_aside(update, error)
                await self._tell(update, error)
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause_s)
            pause_s = min(2 * pause_s, self.patience.longest_pause_s)

    async def _try(self, update: Update) -> Exception | None:
        """Runs the handlers once, and returns what went wrong."""
        async with self._slots:
            self._errors[update.update_id] = None
            try:
                await super().process_update(update)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # Not we were cancelled, but something that the handler waited for.
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


def may_pass(error: BaseException) -> bool:
    """Whether an error comes of a server that is away, so that another try may go well."""
    return isinstance(error, _PASSING) and not isinstance(error, BadRequest)


def described(error: BaseException) -> str:
    """An error for the log: where it was raised, and its words only if they hold nothing private.

    The words of any other error may hold what somebody wrote, a file's name, or the token.
    """
    is_ours = isinstance(error, OperatorError | TelegramError) and not isinstance(
        error, InvalidToken
    )
    name = type(error).__name__
    if is_ours and may_pass(error):
        return f"{name}: {error}"
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{name}: {error}\n{frames}" if is_ours else f"{name}\n{frames}"
