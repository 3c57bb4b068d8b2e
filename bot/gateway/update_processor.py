"""Which update is handled when: one after the other within a chat, and the chats side by side.

What has only something left to show may lend its chat's turn: the next update is begun while a call
of this one waits for room in the chat (`rate_limiter.py`), so that a tap is answered at once.
"""

import asyncio
import sys
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Any
from weakref import WeakValueDictionary

from telegram import Update
from telegram.ext import BaseUpdateProcessor

_AT_ONCE = 256


class _Turn:
    """A chat's turn, taken; ended once."""

    def __init__(self, lock: asyncio.Lock) -> None:
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
    """A photo and the tap that follows it keep their order, and a slow chat delays no other.

    Args:
        at_once: so many updates are handled at the same time.
    """

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        # The library counts what waits for its turn too: a chat with many updates and one slow
        # handler would take up all its places. So the places that matter are counted in `slots`.
        super().__init__(sys.maxsize)
        self.slots = asyncio.Semaphore(at_once)
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def do_process_update(self, update: object, coroutine: Awaitable[Any]) -> None:
        """Handles an update when all earlier ones of its chat are done."""
        chat = chat_of(update)
        if chat is None:
            await coroutine
            return
        # A lock serves in the order of asking, and lives as long as somebody holds or wants it.
        lock = self._turns.setdefault(chat, asyncio.Lock())
        await lock.acquire()
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
