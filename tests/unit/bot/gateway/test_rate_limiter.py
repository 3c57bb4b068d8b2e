"""The counting of calls and their order, with times that the test gives."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

import pytest
from telegram import Chat, Message, Update

from bot.gateway.rate_limiter import ChatRateLimiter, Window, seconds
from bot.gateway.update_processor import InOrderPerChat, allow_early_release


def test_window_has_room_until_it_is_full_and_again_when_the_first_call_is_old() -> None:
    window = Window(3, 10.0)
    for now in (0.0, 1.0, 2.0):
        assert window.wait_s(now) == 0
        window.take(now)
    wait_s = window.wait_s(4.0)
    assert 6 <= wait_s < 6.5
    assert window.wait_s(4.0 + wait_s) == 0


@pytest.mark.parametrize(("limit", "window_s"), [(3, 3.0), (20, 60.0), (30, 1.0)])
def test_no_stretch_of_time_has_more_calls_than_allowed(limit: int, window_s: float) -> None:
    window, now = Window(limit, window_s), 0.0
    times = []
    for _ in range(5 * limit):
        now += window.wait_s(now)
        window.take(now)
        times.append(now)
    for first, beyond in zip(times, times[limit:], strict=False):
        assert beyond - first > window_s


def test_window_is_idle_when_its_last_call_is_old() -> None:
    window = Window(3, 10.0)
    assert window.is_idle(0.0)
    window.take(0.0)
    window.take(5.0)
    assert not window.is_idle(12.0)
    assert window.is_idle(16.0)


@pytest.mark.parametrize("duration", [5, 5.0, timedelta(seconds=5)])
def test_duration_is_read_in_both_of_the_librarys_ways(duration: float | timedelta) -> None:
    assert seconds(duration) == 5


@pytest.mark.parametrize(("limit", "windows"), [(30, 3), (50, 1), (100, 0)])
async def test_all_chats_together_get_as_many_messages_as_is_set(limit: int, windows: int) -> None:
    now = 0.0

    async def sleep(wait_s: float) -> None:
        nonlocal now
        now += wait_s

    async def send() -> None: ...

    limiter = ChatRateLimiter(lambda: now, sleep, limit)
    for chat in range(1, 101):
        await limiter.process_request(send, (), {}, "sendMessage", {"chat_id": chat}, None)
    assert windows <= now < windows + 0.5


# --- beyond the limit of all chats ----------------------------------------------------------------

DROPPABLE = {"droppable": True}


class Overload:
    """A bot that may send one message a second to all chats, and has just sent one.

    Time passes when a test calls `free`. `made` lists the calls, `waiting` are those without room.
    """

    def __init__(self) -> None:
        self.made: list[str] = []
        self._now = 0.0
        self._has_room = asyncio.Event()
        self._limiter = ChatRateLimiter(lambda: self._now, self._sleep, messages_per_second=1)
        self._processor = InOrderPerChat()
        self._tasks: list[asyncio.Future[object]] = []

    async def _sleep(self, wait_s: float) -> None:
        await self._has_room.wait()
        self._now += wait_s

    async def call(
        self,
        name: str,
        chat: int,
        endpoint: str = "sendMessage",
        message_id: int | None = None,
        arguments: dict[str, bool] | None = None,
    ) -> object:
        async def make() -> str:
            self.made.append(name)
            return name

        data = {"chat_id": chat, "message_id": message_id}
        return await self._limiter.process_request(make, (), {}, endpoint, data, arguments)

    async def turn_page(self, name: str, chat: int, message_id: int = 1) -> None:
        """Show a page after the answer to a tap."""
        allow_early_release()
        await self.call(name, chat, "editMessageText", message_id)

    async def handle(self, chat: int, work: Awaitable[object]) -> None:
        """Begin to handle an update, until it waits."""
        update = Update(len(self._tasks), Message(1, datetime.now(UTC), Chat(chat, "private")))
        await self.begin(self._processor.do_process_update(update, work))

    async def begin(self, work: Awaitable[object]) -> "asyncio.Future[object]":
        """Begin something that is no update, such as a delivery, until it waits."""
        task = asyncio.ensure_future(work)
        self._tasks.append(task)
        for _ in range(5):
            await asyncio.sleep(0)
        return task

    async def free(self) -> list[str]:
        """Let time pass until all calls are made; return their names."""
        self._has_room.set()
        await asyncio.gather(*self._tasks)
        return self.made


@pytest.fixture
async def overload() -> Overload:
    overload = Overload()
    await overload.call("first", 99)
    overload.made.clear()
    return overload


async def test_what_somebody_waits_for_goes_before_pages_in_all_chats(overload: Overload) -> None:
    for chat in (1, 2):
        await overload.handle(chat, overload.turn_page(f"page {chat}", chat))
    await overload.handle(3, overload.call("help", 3))
    await overload.handle(2, overload.call("help for 2", 2))
    assert await overload.free() == ["help", "help for 2", "page 1", "page 2"]


async def test_next_update_of_a_chat_is_handled_while_a_page_waits(overload: Overload) -> None:
    began: list[int] = []

    async def turn(page: int) -> None:
        began.append(page)
        await overload.turn_page(f"page {page}", 1)

    for page in (1, 2, 3):
        await overload.handle(1, turn(page))
    assert began == [1, 2, 3]
    assert await overload.free() == ["page 1", "page 2", "page 3"]


async def test_calls_that_change_the_same_message_keep_their_order(overload: Overload) -> None:
    await overload.handle(1, overload.turn_page("page", 1, message_id=5))
    await overload.begin(overload.call("order", 1, "editMessageText", 5))
    await overload.begin(overload.call("card of a photo", 1, "editMessageText", 6))
    assert await overload.free() == ["card of a photo", "page", "order"]


async def test_only_edits_are_dropped_when_all_chats_together_have_no_room(
    overload: Overload,
) -> None:
    assert await overload.call("progress", 1, "editMessageText", 5, DROPPABLE) is True
    await overload.handle(1, overload.turn_page("page", 1))
    sending = await overload.begin(overload.call("result", 2, "sendVideo", None, DROPPABLE))
    assert await overload.free() == ["result", "page"]
    assert sending.result() == "result"
