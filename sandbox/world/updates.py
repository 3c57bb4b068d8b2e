"""The queue of updates: kept until they are confirmed, delivered by long polling."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from sandbox.errors import conflict
from sandbox.json_types import JsonObject

DEFAULT_KINDS = frozenset(
    {
        "message",
        "edited_message",
        "inline_query",
        "chosen_inline_result",
        "callback_query",
        "my_chat_member",
    }
)
MAX_HELD_S = 50.0
BETWEEN_POLLS_S = 3.0
# Ids start from the clock, so that a new sandbox continues above an older one (until 2032).
FIRST_DAY, IDS_PER_S = 1_767_225_600, 10
# An offset further ahead than this confirms nothing and is ignored.
OFFSET_AHEAD = 10
TERMINATED = (
    "terminated by other getUpdates request; make sure that only one bot instance is running"
)


class UpdateQueue:
    """Updates in the order of their ids.

    Args:
        now_s: the current time, from which the first id is derived.
    """

    def __init__(self, now_s: float) -> None:
        self._next_id = round(IDS_PER_S * (now_s - FIRST_DAY))
        self._pending: OrderedDict[int, JsonObject] = OrderedDict()
        self._kinds: frozenset[str] = DEFAULT_KINDS
        self._changed = asyncio.Event()
        self._poller = 0
        self._why_ended = TERMINATED
        self._is_closed = False
        self._waiting = 0
        self._left_at = float("-inf")

    def is_polled(self, now_s: float) -> bool:
        """Whether somebody polls, or did a moment ago; `now_s` is the event loop's time."""
        return self._waiting > 0 or now_s - self._left_at < BETWEEN_POLLS_S

    @property
    def allowed_kinds(self) -> list[str] | None:
        """The kinds that the bot asked for; None for the default."""
        return None if self._kinds == DEFAULT_KINDS else sorted(self._kinds)

    def allow(self, kinds: Sequence[str] | None) -> None:
        """Accept only these kinds; an empty list means the default, None no change."""
        if kinds is not None:
            self._kinds = frozenset(kinds) or DEFAULT_KINDS

    def add(self, kind: str, content: JsonObject) -> JsonObject | None:
        """Add an update; None if the bot has not asked for this kind.

        As on Telegram, this is decided when something happens, not when updates are fetched.
        """
        if kind not in self._kinds:
            return None
        update = {"update_id": self._next_id, kind: content}
        self._pending[self._next_id] = update
        self._next_id += 1
        self._wake()
        return update

    def __len__(self) -> int:
        return len(self._pending)

    def first(self) -> JsonObject | None:
        """Return the oldest unconfirmed update."""
        return next(iter(self._pending.values()), None)

    def forget_before(self, update_id: int) -> None:
        """Confirm every update with a lower id."""
        while self._pending and next(iter(self._pending)) < update_id:
            self._pending.popitem(last=False)

    def forget_all(self) -> None:
        """Drop all pending updates."""
        self._pending.clear()

    def open(self) -> None:
        """Allow polls to wait again."""
        self._is_closed = False

    def close(self) -> None:
        """End all polls, and let none wait until `open`."""
        self._is_closed = True
        self._wake()

    def end_polls(self, reason: str) -> None:
        """End the current poll with 409."""
        self._poller += 1
        self._why_ended = reason
        self._wake()

    async def poll(self, offset: int, limit: int, timeout_s: float) -> list[JsonObject]:
        """Return the updates from `offset` on, and confirm those before; wait until there is one.

        A negative offset counts from the end.

        Raises:
            ApiError: 409 as soon as somebody else polls.
        """
        self.end_polls(TERMINATED)
        poller = self._poller
        if offset < 0:
            kept = list(self._pending)[offset:]
            offset = kept[0] if kept else self._next_id
        elif offset > self._next_id + OFFSET_AHEAD:
            offset = 0
        self.forget_before(offset)
        self._waiting += 1
        try:
            return await self._wait(poller, offset, limit, min(timeout_s, MAX_HELD_S))
        finally:
            self._waiting -= 1
            self._left_at = asyncio.get_running_loop().time()

    async def _wait(
        self, poller: int, offset: int, limit: int, timeout_s: float
    ) -> list[JsonObject]:
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            if poller != self._poller:
                raise conflict(self._why_ended)
            found = [update for key, update in self._pending.items() if key >= offset][:limit]
            left_s = deadline - asyncio.get_running_loop().time()
            if found or left_s <= 0 or self._is_closed:
                return found
            await self.changed(left_s)

    async def changed(self, timeout_s: float | None = None) -> None:
        """Wait until the queue changes, or the timeout."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return

    def _wake(self) -> None:
        # Current waiters hold the old event; later ones wait for the new one.
        self._changed.set()
        self._changed = asyncio.Event()
