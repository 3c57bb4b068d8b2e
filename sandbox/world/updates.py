"""The bot's updates: kept until they are confirmed, handed out by long polling."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from sandbox.errors import conflict
from sandbox.json_types import JsonObject

DEFAULT_KINDS = frozenset(
    {
        "message",
        "edited_message",
        "channel_post",
        "edited_channel_post",
        "inline_query",
        "chosen_inline_result",
        "callback_query",
        "shipping_query",
        "pre_checkout_query",
        "poll",
        "poll_answer",
        "my_chat_member",
        "chat_join_request",
        "guest_message",
    }
)
MAX_HELD_S = 50.0
BETWEEN_POLLS_S = 3.0
# Ids begin with the clock, so that a new server goes on above an older one; 31 bits do to 2032.
FIRST_DAY, IDS_PER_S = 1_767_225_600, 10
# What is further ahead than this is no confirmation of anything, and is not heeded.
OFFSET_AHEAD = 10
TERMINATED = (
    "terminated by other getUpdates request; make sure that only one bot instance is running"
)


class UpdateQueue:
    """Updates in the order of their ids.

    Args:
        now_s: the clock's time, with which the ids begin.
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
        """True while somebody polls, and shortly after; `now_s` is of the loop's clock."""
        return self._waiting > 0 or now_s - self._left_at < BETWEEN_POLLS_S

    @property
    def allowed_kinds(self) -> list[str] | None:
        """The kinds that the bot asked for; None for the default set."""
        return None if self._kinds == DEFAULT_KINDS else sorted(self._kinds)

    def allow(self, kinds: Sequence[str] | None) -> None:
        """Takes only these kinds from now on; an empty list is the default set, None no change."""
        if kinds is not None:
            self._kinds = frozenset(kinds) or DEFAULT_KINDS

    def add(self, kind: str, content: JsonObject) -> JsonObject | None:
        """A new update, or None if the bot has not asked for this kind.

        Which kinds are wanted is decided here, when something happens, and not when it is fetched.
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
        """The oldest update that is not confirmed."""
        return next(iter(self._pending.values()), None)

    def forget_before(self, update_id: int) -> None:
        """Confirms every update with a lower id."""
        while self._pending and next(iter(self._pending)) < update_id:
            self._pending.popitem(last=False)

    def forget_all(self) -> None:
        """Drops what is pending."""
        self._pending.clear()

    def open(self) -> None:
        """Lets pollers wait."""
        self._is_closed = False

    def close(self) -> None:
        """Ends all waiting, and any that would begin, until `open`."""
        self._is_closed = True
        self._wake()

    def end_polls(self, reason: str) -> None:
        """Ends the waiting of whoever polls, with 409."""
        self._poller += 1
        self._why_ended = reason
        self._wake()

    async def poll(self, offset: int, limit: int, timeout_s: float) -> list[JsonObject]:
        """The updates from `offset` on, confirming those before it; waits until there is one.

        A negative offset counts from the end and confirms everything before that.

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
        """Returns when something has happened to the queue, or after the time."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return

    def _wake(self) -> None:
        # Whoever waits holds the old event; whoever comes later waits for the new one.
        self._changed.set()
        self._changed = asyncio.Event()
