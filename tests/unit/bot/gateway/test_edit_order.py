"""Edits of one message are made one after the other."""

import asyncio

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
