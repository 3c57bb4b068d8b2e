"""The order of updates: one after the other within a chat, different chats concurrently.

Messages of a chat keep their order, and so do taps. Taps go before waiting messages, because the
person is looking at the button.

An update with only something left to show may release its chat's lock: the next update begins while
a call of this one waits for the rate limiter, so that a tap is answered at once.
"""

import asyncio
import heapq
import itertools
import sys
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Any
from weakref import WeakValueDictionary

from telegram import Update
from telegram.ext import BaseUpdateProcessor

_AT_ONCE = 256


class _ChatLock:
    """A lock that serves waiting taps before waiting messages, each kind in order."""

    def __init__(self) -> None:
        self._is_held = False
        self._numbers = itertools.count()
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []

    async def acquire(self, *, is_tap: bool) -> None:
        if not self._is_held:
            self._is_held = True
            return
        passed_on = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (not is_tap, next(self._numbers), passed_on))
        try:
            await passed_on
        except asyncio.CancelledError:
            if not passed_on.cancelled():
                self.release()  # it was passed on at the same moment
            raise

    def release(self) -> None:
        while self._waiting:
            *_, passed_on = heapq.heappop(self._waiting)
            if not passed_on.done():
                passed_on.set_result(None)
                return
        self._is_held = False


class _Turn:
    """A chat's lock while it is held; released once."""

    def __init__(self, lock: _ChatLock) -> None:
        self._lock = lock
        self._is_over = False
        self.is_lent = False

    def end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._lock.release()


_turn: ContextVar[_Turn | None] = ContextVar("turn", default=None)


def lend_turn() -> None:
    """Declare that the current update has only something left to show."""
    if (turn := _turn.get()) is not None:
        turn.is_lent = True


def wait_for_room() -> None:
    """Release this chat's lock while the current update waits for the rate limiter."""
    if (turn := _turn.get()) is not None and turn.is_lent:
        turn.end()


class InOrderPerChat(BaseUpdateProcessor):
    """Handles the updates of a chat in order, and those of different chats concurrently.

    Args:
        at_once: the most updates that are handled at the same time.
    """

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        # The library's limit includes updates that wait for their chat, so that one slow chat could
        # use it up. Therefore `slots` limits the updates that are actually handled.
        super().__init__(sys.maxsize)
        self.slots = asyncio.Semaphore(at_once)
        self._turns: WeakValueDictionary[int, _ChatLock] = WeakValueDictionary()

    async def do_process_update(self, update: object, coroutine: Awaitable[Any]) -> None:
        """Handle an update when its chat's lock is free."""
        chat = chat_of(update)
        if chat is None:
            await coroutine
            return
        # A lock lives as long as it is held or awaited.
        lock = self._turns.setdefault(chat, _ChatLock())
        is_tap = isinstance(update, Update) and update.callback_query is not None
        await lock.acquire(is_tap=is_tap)
        turn = _Turn(lock)
        _turn.set(turn)
        try:
            await coroutine
        finally:
            turn.end()

    async def initialize(self) -> None:
        """Do nothing."""

    async def shutdown(self) -> None:
        """Do nothing."""


def chat_of(update: object) -> int | None:
    """Return the chat in whose order an update is handled, or None.

    Inline queries and taps under inline messages have no chat: they belong to the person's private
    chat, which has the person's id.
    """
    if not isinstance(update, Update):
        return None
    if update.effective_chat is not None:
        return update.effective_chat.id
    return None if update.effective_user is None else update.effective_user.id
