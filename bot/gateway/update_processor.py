"""The order of updates: one after the other within a chat, different chats concurrently.

The messages of a person in a chat keep their order, and so do taps. Taps go before waiting
messages, because the person is looking at the button. In a group, the persons whose updates wait
take turns, so that a flood of one delays the others by one update.

An update that has only something left to show may release its chat's lock and its slot while it
waits for the rate limiter, so that the next tap is answered at once.
"""

import asyncio
import heapq
import itertools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakValueDictionary

from telegram import Update
from telegram.ext import BaseUpdateProcessor

_MAX_CONCURRENT = 256


class _ChatLock:
    """A lock that serves waiting persons by turns; of each, taps go before messages."""

    def __init__(self) -> None:
        self._is_held = False
        self._numbers = itertools.count()
        # By person, in the order of their turns.
        self._waiting: dict[int, list[tuple[bool, int, asyncio.Future[None]]]] = {}

    async def acquire(self, person_id: int, *, is_tap: bool) -> None:
        if not self._is_held:
            self._is_held = True
            return
        passed_on = asyncio.get_running_loop().create_future()
        line = self._waiting.setdefault(person_id, [])
        heapq.heappush(line, (not is_tap, next(self._numbers), passed_on))
        try:
            await passed_on
        except asyncio.CancelledError:
            if not passed_on.cancelled():
                self.release()  # it was passed on at the same moment
            raise

    def release(self) -> None:
        while self._waiting:
            person_id = next(iter(self._waiting))
            line = self._waiting.pop(person_id)
            *_, passed_on = heapq.heappop(line)
            if line:
                self._waiting[person_id] = line  # after the others
            if not passed_on.done():
                passed_on.set_result(None)
                return
        self._is_held = False


class _Held:
    """What an update holds: its chat's lock, and a slot while its handlers run."""

    def __init__(self) -> None:
        self._releases: list[Callable[[], None]] = []
        self.may_release_early = False

    def add(self, release: Callable[[], None]) -> None:
        self._releases.append(release)

    def release(self, release: Callable[[], None]) -> None:
        """Call `release` unless that was done early."""
        if release in self._releases:
            self._releases.remove(release)
            release()

    def release_all(self) -> None:
        for release in tuple(self._releases):
            self.release(release)


_held: ContextVar[_Held | None] = ContextVar("held", default=None)


def allow_early_release() -> None:
    """Allow the next update to begin while this one waits for the rate limiter."""
    if (held := _held.get()) is not None:
        held.may_release_early = True


def is_release_allowed() -> bool:
    """Whether this update only has something left to show: `allow_early_release` was called."""
    return (held := _held.get()) is not None and held.may_release_early


def release_if_allowed() -> None:
    """Release what this update holds, if `allow_early_release` was called."""
    if (held := _held.get()) is not None and held.may_release_early:
        held.release_all()


@asynccontextmanager
async def taking(slots: asyncio.Semaphore) -> AsyncIterator[None]:
    """Hold one of the slots during the block; it may be released early."""
    await slots.acquire()
    held = _held.get() or _Held()
    held.add(slots.release)
    try:
        yield
    finally:
        held.release(slots.release)


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
        await lock.acquire(person_of(update), is_tap=is_tap)
        held = _Held()
        held.add(lock.release)
        _held.set(held)
        try:
            await coroutine
        finally:
            held.release(lock.release)

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


def person_of(update: object) -> int:
    """Return who wrote or tapped; 0 if nobody did."""
    sender = update.effective_sender if isinstance(update, Update) else None
    return 0 if sender is None else sender.id
