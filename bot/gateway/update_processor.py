"""Which update is handled when: one after the other within a chat, and the chats side by side.

Within a chat messages keep their order, and so do taps. A tap goes before all messages that wait:
it is under an earlier message, and its person looks at the button.

What has only something left to show may lend its chat's turn: the next update is begun while a call
of this one waits for room in the chat (`rate_limiter.py`), so that a tap is answered at once.
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
    """A lock that serves waiting taps before waiting messages, and each kind in its order."""

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
                self.release()  # it was passed on in the same moment
            raise

    def release(self) -> None:
        while self._waiting:
            *_, passed_on = heapq.heappop(self._waiting)
            if not passed_on.done():
                passed_on.set_result(None)
                return
        self._is_held = False


class _Turn:
    """A chat's turn, taken; ended once."""

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
    """From now on the update that is being handled has only something left to show."""
    if (turn := _turn.get()) is not None:
        turn.is_lent = True


def wait_for_room() -> None:
    """A call of the update that is being handled has its place in the chat, and must wait."""
    if (turn := _turn.get()) is not None and turn.is_lent:
        turn.end()


class InOrderPerChat(BaseUpdateProcessor):
    """Two photos of a chat keep their order, and a slow chat delays no other.

    Args:
        at_once: so many updates are handled at the same time.
    """

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        # The library counts what waits for its turn too: a chat with many updates and one slow
        # handler would take up all its places. So the places that matter are counted in `slots`.
        super().__init__(sys.maxsize)
        self.slots = asyncio.Semaphore(at_once)
        self._turns: WeakValueDictionary[int, _ChatLock] = WeakValueDictionary()

    async def do_process_update(self, update: object, coroutine: Awaitable[Any]) -> None:
        """Handles an update when it is its turn in its chat."""
        chat = chat_of(update)
        if chat is None:
            await coroutine
            return
        # A lock lives as long as somebody holds or wants it.
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
        """Needs nothing."""

    async def shutdown(self) -> None:
        """Holds nothing."""


def chat_of(update: object) -> int | None:
    """The chat whose order an update keeps; None if it has none.

    An inline query and a tap under an inline message know no chat, and belong to their person's
    private one, which has the person's id.
    """
    if not isinstance(update, Update):
        return None
    if update.effective_chat is not None:
        return update.effective_chat.id
    return None if update.effective_user is None else update.effective_user.id
