"""Edits of one message are made one after the other."""

import asyncio
from datetime import timedelta

import pytest
from telegram.error import RetryAfter

from bot.gateway.rate_limiter import Callback, ChatRateLimiter

FIRST_MESSAGE, SECOND_MESSAGE = ({"chat_id": 7, "message_id": number} for number in (1, 2))


async def test_edit_waits_for_the_answer_to_an_earlier_edit_of_its_message() -> None:
    limiter, made = ChatRateLimiter(), list[str]()
    go = asyncio.Event()

    async def slow() -> None:
        await go.wait()
        made.append("a large picture")

    async def quick(name: str) -> None:
        made.append(name)

    def edit(data: dict[str, int], call: Callback, *args: str) -> "asyncio.Task[None]":
        work = limiter.process_request(call, args, {}, "editMessageMedia", data, None)
        return asyncio.create_task(work)

    tasks = [edit(FIRST_MESSAGE, slow), edit(FIRST_MESSAGE, quick, "after it")]
    await edit(SECOND_MESSAGE, quick, "another message")
    assert made == ["another message"]
    go.set()
    await asyncio.gather(*tasks)
    assert made == ["another message", "a large picture", "after it"]


async def test_refused_edit_is_made_before_later_ones_of_its_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # else the library warns of its own default
    made = list[str]()
    refusals = [RetryAfter(timedelta(seconds=1))]

    async def sleep(_wait_s: float) -> None:
        await asyncio.sleep(0)
        clock.append(clock[-1] + 10)

    clock = [0.0]
    limiter = ChatRateLimiter(lambda: clock[-1], sleep)

    async def edit(name: str) -> None:
        await asyncio.sleep(0)
        if refusals:
            raise refusals.pop()
        made.append(name)

    works = (
        limiter.process_request(edit, (name,), {}, "editMessageText", FIRST_MESSAGE, None)
        for name in ("earlier", "later")
    )
    await asyncio.gather(*works)
    assert made == ["earlier", "later"]
