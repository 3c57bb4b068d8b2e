"""The rate limiter against a server that counts, and against one that refuses."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from telegram import Chat, Message, Update
from telegram.error import RetryAfter
from telegram.ext import ExtBot
from telegram.request import HTTPXRequest

from bot.gateway.rate_limiter import ChatRateLimiter
from bot.gateway.update_processor import InOrderPerChat, allow_early_release
from sandbox.limits import FloodLimits
from sandbox.server import Sandbox
from tests.integration.bot.running import PATIENCE_S, until
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, FAMILY, Desk

pytestmark = pytest.mark.local_sockets

SPEED_UP = 60.0
DROPPABLE = {"droppable": True}


class StoppedClock:
    """A clock that whoever sleeps moves on, once `runs` is set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.runs = asyncio.Event()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, wait_s: float) -> None:
        await self.runs.wait()
        self.now += wait_s


class LimitsByClock(FloodLimits):
    """The server's limits, by the clock of a test."""

    def __init__(self, clock: StoppedClock) -> None:
        super().__init__()
        self._clock = clock

    def wait_s(self, method: str, chat_id: int | None, now: float) -> int:
        del now
        return super().wait_s(method, chat_id, self._clock())


def hasty_clock() -> float:
    return time.monotonic() * SPEED_UP


async def hasty_sleep(wait_s: float) -> None:
    await asyncio.sleep(wait_s / SPEED_UP)


@asynccontextmanager
async def limited(
    server: Sandbox, limiter: ChatRateLimiter
) -> AsyncIterator[ExtBot[dict[str, Any]]]:
    own = {"trust_env": False, "verify": False}
    bot: ExtBot[dict[str, Any]] = ExtBot(
        server.token,
        server.base_url,
        server.base_file_url,
        request=HTTPXRequest(httpx_kwargs=own),
        get_updates_request=HTTPXRequest(1, httpx_kwargs=own),
        rate_limiter=limiter,
    )
    async with bot:
        yield bot


@pytest.fixture
async def bot(sandbox: Sandbox, desk: Desk) -> AsyncIterator[ExtBot[dict[str, Any]]]:
    """A limited bot that Alice and Bob have started."""
    await desk.say("/start")
    await desk.say("/start", user_id=BOB, chat_id=BOB)
    async with limited(sandbox, ChatRateLimiter()) as running:
        yield running


async def test_busy_group_loses_nothing_and_delays_no_private_chat(
    sandbox: Sandbox, desk: Desk
) -> None:
    clock = StoppedClock()
    sandbox.telegram.limits = LimitsByClock(clock)
    sandbox.telegram.settings = type(sandbox.telegram.settings)(enforce_limits=True)
    newcomers = [await desk.post("persons", first_name=name) for name in ("Carol", "Dave")]
    persons = [ALICE, BOB, ADMIN, *(new["person"]["id"] for new in newcomers)]
    for person in persons:
        await desk.say("/start", user_id=person, chat_id=person)
    limiter = ChatRateLimiter(clock, clock.sleep)
    async with limited(sandbox, limiter) as bot:
        numbers = range(60)
        group = [asyncio.create_task(bot.send_message(FAMILY, f"no {n}")) for n in numbers]
        await until(lambda: sent_to(sandbox, FAMILY, 20))
        await asyncio.gather(*(bot.send_message(person, "at once") for person in persons))
        assert not group[20].done()
        clock.runs.set()
        await asyncio.gather(*group)
    shown = [message.get("text") for message in await desk.messages(FAMILY)]
    assert sorted(text for text in shown if text) == sorted(f"no {n}" for n in numbers)
    for person in persons:
        assert (await desk.messages(person))[-1]["text"] == "at once"


async def sent_to(server: Sandbox, chat: int, count: int) -> bool:
    return len(server.telegram.chats[chat].messages) >= count


async def test_refused_chat_waits_as_long_as_it_was_told(
    bot: ExtBot[dict[str, Any]], desk: Desk
) -> None:
    await desk.fault(method="sendMessage", chat_id=ALICE, retry_after=1)
    begun = time.monotonic()
    await bot.send_message(ALICE, "late")
    assert time.monotonic() - begun >= 1
    assert "late" in await desk.transcript(ALICE)


async def test_refused_chat_delays_no_other(bot: ExtBot[dict[str, Any]], desk: Desk) -> None:
    await bot.send_message(BOB, "first")
    await desk.fault(method="sendMessage", chat_id=ALICE, retry_after=60)
    refused = asyncio.create_task(bot.send_message(ALICE, "late"))
    await until(lambda: refused_calls(desk))
    async with asyncio.timeout(PATIENCE_S):
        await bot.send_message(BOB, "at once")
    assert not refused.done()
    refused.cancel()
    await asyncio.gather(refused, return_exceptions=True)


async def refused_calls(desk: Desk) -> int:
    return len([call for call in await desk.calls("sendMessage") if call["status"] != 200])


async def test_calls_of_a_chat_keep_their_order_and_a_refused_one_its_place() -> None:
    limiter = ChatRateLimiter(hasty_clock, hasty_sleep)
    made: list[int] = []

    async def send(number: int) -> int:
        made.append(number)
        if made == [0]:
            await asyncio.sleep(0)  # the next ones have begun to wait by now
            raise RetryAfter(timedelta(seconds=30))
        return number

    calls = [
        limiter.process_request(send, (n,), {}, "sendMessage", {"chat_id": ALICE}, None)
        for n in range(8)
    ]
    assert await asyncio.gather(*calls) == list(range(8))
    assert made == [0, 1, 2, 0, 3, 4, 5, 6, 7]


async def test_progress_is_dropped_in_a_refused_chat_and_yields_true(
    bot: ExtBot[dict[str, Any]], desk: Desk
) -> None:
    card = await bot.send_message(ALICE, "10 %")
    await desk.fault(method="editMessageText", retry_after=60)
    for text in ("20 %", "30 %"):
        edited = await bot.edit_message_text(
            text, ALICE, card.message_id, rate_limit_args=DROPPABLE
        )
        assert edited is True
    assert await bot.send_chat_action(ALICE, "typing", rate_limit_args=DROPPABLE) is True
    assert len(await desk.calls("editMessageText")) == 1
    assert await desk.calls("sendChatAction") == []
    assert "10 %" in await desk.transcript()


async def test_progress_that_finds_room_is_made(bot: ExtBot[dict[str, Any]], desk: Desk) -> None:
    card = await bot.send_message(ALICE, "10 %")
    edited = await bot.edit_message_text("20 %", ALICE, card.message_id, rate_limit_args=DROPPABLE)
    assert edited is not True
    assert "20 %" in await desk.transcript()


async def test_progress_takes_no_room_from_what_waits(
    bot: ExtBot[dict[str, Any]], desk: Desk
) -> None:
    card = await bot.send_message(ALICE, "10 %")
    waiting = [asyncio.create_task(bot.send_message(ALICE, f"no {n}")) for n in range(4)]
    await until(lambda: three_were_sent(desk))
    dropped = await bot.edit_message_text("20 %", ALICE, card.message_id, rate_limit_args=DROPPABLE)
    assert dropped is True
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def three_were_sent(desk: Desk) -> bool:
    return len(await desk.calls("sendMessage")) == 3


async def test_answers_to_taps_pass_a_refused_chat(bot: ExtBot[dict[str, Any]], desk: Desk) -> None:
    await desk.fault(method="sendMessage", retry_after=60)
    waiting = asyncio.create_task(bot.send_message(ALICE, "late"))
    await until(lambda: refused_calls(desk))
    assert (await bot.get_chat_member(ALICE, ALICE)).user.id == ALICE
    assert (await bot.get_me()).is_bot
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_call_that_is_cancelled_while_it_waits_lets_the_next_one_go(
    bot: ExtBot[dict[str, Any]], desk: Desk
) -> None:
    await desk.fault(method="sendMessage", retry_after=1)
    first = asyncio.create_task(bot.send_message(ALICE, "first"))
    await until(lambda: refused_calls(desk))
    second = asyncio.create_task(bot.send_message(ALICE, "second"))
    third = asyncio.create_task(bot.send_message(ALICE, "third"))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await third
    shown = await desk.transcript()
    assert "third" in shown
    assert "second" not in shown


async def test_call_that_is_refused_again_and_again_is_given_up(
    sandbox: Sandbox, desk: Desk
) -> None:
    await desk.say("/start")
    await desk.fault(method="sendMessage", retry_after=10, times=100)
    async with limited(sandbox, ChatRateLimiter(hasty_clock, hasty_sleep)) as bot:
        with pytest.raises(RetryAfter):
            await bot.send_message(ALICE, "never")
    assert await refused_calls(desk) == 5


@pytest.mark.parametrize("is_lent", [True, False])
async def test_update_with_only_something_to_show_lets_the_next_one_begin_while_it_waits(
    sandbox: Sandbox, desk: Desk, is_lent: bool
) -> None:
    await desk.say("/start")
    began: list[str] = []
    has_room, now = asyncio.Event(), 0.0

    async def sleep(wait_s: float) -> None:
        nonlocal now
        await has_room.wait()
        now += wait_s

    limiter = ChatRateLimiter(lambda: now, sleep)
    processor = InOrderPerChat()

    async def show(name: str) -> None:
        began.append(name)
        if is_lent:
            allow_early_release()
        for text in ("1", "2", "3", "4"):
            await caller.send_message(ALICE, f"{name}{text}")

    async with limited(sandbox, limiter) as caller:
        updates = [
            processor.do_process_update(update_of(number), show(name))
            for number, name in enumerate("ab")
        ]
        working = asyncio.gather(*updates)
        await until(lambda: three_were_sent(desk))
        if is_lent:
            await until(lambda: len(began) == 2)
        assert began == (["a", "b"] if is_lent else ["a"])
        has_room.set()
        await working
    calls = [call["parameters"]["text"] for call in await desk.calls("sendMessage")]
    assert calls.index("a4") < calls.index("b1")


def update_of(number: int) -> Update:
    """Alice's."""
    chat = Chat(ALICE, "private")
    return Update(number, Message(number, datetime.now(UTC), chat))


async def test_chats_that_have_been_quiet_are_forgotten() -> None:
    now = 0.0

    async def sleep(wait_s: float) -> None:
        nonlocal now
        now += wait_s

    async def send() -> bool:
        return True

    limiter = ChatRateLimiter(lambda: now, sleep)
    for chat in range(1, 3001):
        await limiter.process_request(send, (), {}, "sendMessage", {"chat_id": chat}, None)
    assert len(limiter._queues) <= 1000  # noqa: SLF001 - nothing else shows it
    assert now > 95  # 30 in a second


async def test_limiter_tells_how_long_a_chat_has_no_room() -> None:
    limiter = ChatRateLimiter(clock=lambda: 100.0)

    async def refuse() -> None:
        raise RetryAfter(30)

    async def droppable(chat: int) -> None:
        data = {"chat_id": chat}
        await limiter.process_request(refuse, (), {}, "sendMessage", data, DROPPABLE)

    assert limiter.closed_s(ALICE) == 0
    await droppable(ALICE)
    assert 30 <= limiter.closed_s(ALICE) < 31
    assert limiter.closed_s(BOB) == 0
