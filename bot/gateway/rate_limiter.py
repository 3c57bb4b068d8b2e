"""Telegram's flood limits per chat: a chat that must wait delays no other.

A private chat gets 3 messages in any 3 s, a group 20 in any minute, all chats together 30 in any
second (`ANIMATO_MESSAGES_PER_SECOND`). Edits and reactions count as messages. After a 429 only that
chat waits.
"""

import asyncio
import heapq
import itertools
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from telegram.error import RetryAfter
from telegram.ext import BaseRateLimiter

from bot.gateway.update_processor import is_release_allowed, release_if_allowed

log = logging.getLogger(__name__)

_PRIVATE = (3, 3.0)
_GROUP = (20, 60.0)
_TOTAL, _TOTAL_WINDOW_S = 30, 1.0
_MARGIN = 1.02  # Telegram counts when a message arrives, a little later than this does
_BACK_OFF_MARGIN_S = 0.2
_TRIES = 5
_MANY_CHATS = 1000
_COUNTED = ("send", "edit", "copy", "forward", "setMessageReaction")
_NOT_COUNTED = "sendChatAction"
_READS = "get"

Callback = Callable[..., Coroutine[Any, Any, Any]]
Sleep = Callable[[float], Awaitable[None]]


class Window:
    """At most `limit` calls in any `window_s` seconds; times are of a monotonic clock, s."""

    def __init__(self, limit: int, window_s: float) -> None:
        self._times: deque[float] = deque(maxlen=limit)
        self._limit = limit
        self._window_s = window_s * _MARGIN

    def wait_s(self, now: float) -> float:
        """Return the time until there is room, 0 if there is."""
        if len(self._times) < self._limit:
            return 0.0
        return max(0.0, self._times[0] + self._window_s - now)

    def take(self, now: float) -> None:
        """Count a call."""
        self._times.append(now)

    def is_idle(self, now: float) -> bool:
        """Whether no counted call is within the window."""
        return not self._times or self._times[-1] + self._window_s <= now


class _Ticket(NamedTuple):
    """A waiting call. Those that can wait go last; numbers follow the order of arrival."""

    can_wait: bool
    number: int
    is_first: asyncio.Event


class _Queue:
    """The calls that share a limit: those to one chat, or all."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.closed_until = 0.0
        self.waiting: list[_Ticket] = []  # a heap

    def wait_s(self, now: float, *, counts: bool = True) -> float:
        closed_s = max(0.0, self.closed_until - now)
        return max(closed_s, self.window.wait_s(now)) if counts else closed_s

    def is_idle(self, now: float) -> bool:
        return not self.waiting and self.closed_until <= now and self.window.is_idle(now)

    @contextmanager
    def joined(self, ticket: _Ticket) -> Iterator[None]:
        heapq.heappush(self.waiting, ticket)
        try:
            yield
        finally:
            self.waiting.remove(ticket)
            heapq.heapify(self.waiting)
            if self.waiting:
                self.waiting[0].is_first.set()


class ChatRateLimiter(BaseRateLimiter[dict[str, Any]]):
    """Delays each call until there is room for it, in its chat and in the limit of all chats.

    Calls of an update that has been answered (`allow_early_release`) go last, but calls that change
    the same message keep their order. With `rate_limit_args={"droppable": True}` a call is not
    made, and returns True, if its chat has no room, or for an edit if there is none in the limit of
    all chats. Calls without a chat (answers to taps, files) and calls that only read never wait.

    Args:
        clock: a monotonic clock, s.
        sleep: waits that many seconds of that clock.
        messages_per_second: the limit of all chats together.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        messages_per_second: int = _TOTAL,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._numbers = itertools.count()
        self._queues: dict[int | str, _Queue] = {}
        self._total = _Queue(Window(messages_per_second, _TOTAL_WINDOW_S))
        self._edits: WeakValueDictionary[tuple[Any, Any], asyncio.Lock] = WeakValueDictionary()

    async def initialize(self) -> None:
        """Needs nothing."""

    async def shutdown(self) -> None:
        """Holds nothing."""

    def closed_s(self, chat_id: int | str) -> float:
        """Return the least time that a message to a chat must wait now, s."""
        now = self._clock()
        queue = self._queues.get(chat_id)
        return max(queue.wait_s(now, counts=True) if queue else 0.0, self._total.wait_s(now))

    async def process_request(
        self,
        callback: Callback,
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: dict[str, Any] | None,
    ) -> Any:
        """Make the call when there is room for it.

        Raises:
            RetryAfter: Telegram refused it five times.
        """
        chat_id = _chat_number(data.get("chat_id"))
        if chat_id is None or endpoint.startswith(_READS):
            return await callback(*args, **kwargs)
        counts = endpoint.startswith(_COUNTED) and endpoint != _NOT_COUNTED
        queue = self._queue_of(chat_id)
        is_droppable = bool((rate_limit_args or {}).get("droppable"))
        if is_droppable and self._is_busy(queue, endpoint, counts=counts):
            return True
        ticket = _Ticket(is_release_allowed(), next(self._numbers), asyncio.Event())
        async with self._turn_of_edit(endpoint, data):
            for tries_left in reversed(range(_TRIES)):
                await self._wait_and_count(queue, ticket, counts=counts)
                try:
                    return await callback(*args, **kwargs)
                except RetryAfter as exc:
                    self._close(queue, exc)
                    if is_droppable:
                        return True
                    if not tries_left:
                        raise
        raise AssertionError  # the last try returns or raises

    @asynccontextmanager
    async def _turn_of_edit(self, endpoint: str, data: dict[str, Any]) -> AsyncIterator[None]:
        """Let edits of a message be made one after another, each until its answer.

        A large picture takes longer to arrive than a text that is sent after it.
        """
        if not endpoint.startswith("edit"):
            yield
            return
        message = data.get("chat_id"), data.get("message_id")
        lock = self._edits.setdefault(message, asyncio.Lock())
        if lock.locked():
            release_if_allowed()
        async with lock:
            yield

    def _is_busy(self, queue: _Queue, endpoint: str, *, counts: bool) -> bool:
        """Whether a call that need not be made would have to wait."""
        now = self._clock()
        # In a lasting overload, results would never find room without waiting for it.
        waits_for_all = counts and not endpoint.startswith("send")
        queues = (queue, self._total) if waits_for_all else (queue,)
        return any(one.waiting or one.wait_s(now, counts=counts) for one in queues)

    async def _wait_and_count(self, queue: _Queue, ticket: _Ticket, *, counts: bool) -> None:
        """Wait for this call's turn, and count it.

        A refused call keeps its number, so that it goes before later ones.
        """
        with queue.joined(ticket):
            while True:
                await self._turn(queue, ticket, counts=counts)
                if not counts:
                    return
                with self._total.joined(ticket):
                    await self._turn(self._total, ticket)
                    now = self._clock()
                    # Meanwhile its chat may have been closed, or another call gone before it.
                    if queue.waiting[0] is ticket and not queue.wait_s(now):
                        queue.window.take(now)
                        self._total.window.take(now)
                        return

    async def _turn(self, queue: _Queue, ticket: _Ticket, *, counts: bool = True) -> None:
        """Wait until a call is the first one of a queue that has room."""
        while True:
            if queue.waiting[0] is not ticket:
                release_if_allowed()
                await ticket.is_first.wait()
                ticket.is_first.clear()
            elif wait_s := queue.wait_s(self._clock(), counts=counts):
                release_if_allowed()
                await self._sleep(wait_s)
            else:
                return

    def _close(self, queue: _Queue, refusal: RetryAfter) -> None:
        wait_s = seconds(refusal.retry_after)
        log.warning("Telegram closes a chat for %.0f s", wait_s)
        queue.closed_until = max(queue.closed_until, self._clock() + wait_s + _BACK_OFF_MARGIN_S)

    def _queue_of(self, chat_id: int | str) -> _Queue:
        if chat_id not in self._queues:
            if len(self._queues) >= _MANY_CHATS:
                now = self._clock()
                busy = {
                    name: queue for name, queue in self._queues.items() if not queue.is_idle(now)
                }
                self._queues = busy
            is_private = isinstance(chat_id, int) and chat_id > 0
            self._queues[chat_id] = _Queue(Window(*(_PRIVATE if is_private else _GROUP)))
        return self._queues[chat_id]


def seconds(duration: float | timedelta) -> float:
    """Convert a duration of python-telegram-bot, which may be either type, to s."""
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)


def _chat_number(chat: object) -> int | str | None:
    """Return a chat's id as a number if it is one, else its @name; None without a chat."""
    if chat is None or isinstance(chat, int):
        return chat
    text = str(chat)
    return int(text) if text.removeprefix("-").isdecimal() else text
