"""The order of updates: one after the other within a chat, different chats concurrently.

Messages of a chat keep their order, and so do taps. Taps go before waiting messages, because the
person is looking at the button.

An update that has only something left to show may release its chat's lock while it waits for the
rate limiter, so that the next tap is answered at once.
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

_MAX_CONCURRENT = 256


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


class _HeldLock:
    """A chat's lock while it is held; released once."""

    def __init__(self, lock: _ChatLock) -> None:
        self._lock = lock
        self._is_released = False
        self.may_release_early = False

    def release(self) -> None:
        if not self._is_released:
            self._is_released = True
            self._lock.release()


_held_lock: ContextVar[_HeldLock | None] = ContextVar("held_lock", default=None)


def allow_early_release() -> None:
    """Allow the chat's next update to begin while this one waits for the rate limiter."""
    if (held := _held_lock.get()) is not None:
        held.may_release_early = True


def release_if_allowed() -> None:
    """Release the lock of this update's chat, if `allow_early_release` was called."""
    if (held := _held_lock.get()) is not None and held.may_release_early:
        held.release()


class InOrderPerChat(BaseUpdateProcessor):
    """Handles the updates of a chat in order, and those of different chats concurrently.

    Args:
        max_concurrent: the most updates that are handled at the same time.
    """

    def __init__(self, max_concurrent: int = _MAX_CONCURRENT) -> None:
        # The library's limit includes updates that wait for their chat, so that one slow chat could
        # use it up. Therefore `slots` limits the updates that are actually handled.
        super().__init__(sys.maxsize)
        self.slots = asyncio.Semaphore(max_concurrent)
        self._locks: WeakValueDictionary[int, _ChatLock] = WeakValueDictionary()

    async def do_process_update(self, update: object, coroutine: Awaitable[Any]) -> None:
        """Handle an update when its chat's lock is free."""
        chat_id = chat_of(update)
        if chat_id is None:
            await coroutine
            return
        # A lock lives as long as it is held or awaited.
        lock = self._locks.setdefault(chat_id, _ChatLock())
        is_tap = isinstance(update, Update) and update.callback_query is not None
        await lock.acquire(is_tap=is_tap)
        held = _HeldLock(lock)
        _held_lock.set(held)
        try:
            await coroutine
        finally:
            held.release()

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
