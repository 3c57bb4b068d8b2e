"""What becomes of an update: order, failures, and the end of the program."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Generator
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis
from telegram import Chat, InlineKeyboardButton, InlineKeyboardMarkup, Message, Update
from telegram.error import BadRequest, NetworkError
from telegram.ext import TypeHandler

from bot.gateway.application import Backoff, Context
from bot.gateway.connection import build_application
from bot.gateway.update_processor import InOrderPerChat, allow_early_release, release_if_allowed
from jobs.queues.keys import failed_update_key
from jobs.service_errors import QueueUnavailable
from sandbox.server import Sandbox
from tests.integration.bot.running import (
    BOT,
    Heard,
    built,
    left_in_inbox,
    running,
    settings_for,
    text_of,
    until,
)
from tests.integration.sandbox.desk import ALICE, BOB, Desk

pytestmark = pytest.mark.local_sockets


async def test_handled_update_leaves_the_inbox(sandbox: Sandbox, redis: Redis, desk: Desk) -> None:
    answered = Heard()
    async with running(built(sandbox, redis, answered)):
        await desk.say("/start")
        await until(lambda: answered.texts == ["/start"])
        await until(lambda: left_in_inbox_is_empty(redis))


async def left_in_inbox_is_empty(redis: Redis) -> bool:
    return await left_in_inbox(redis) == 0


async def test_message_and_tap_of_one_person_keep_their_order(
    sandbox: Sandbox, redis: Redis, desk: Desk
) -> None:
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Smile", callback_data="smile")]])
    may_go_on = asyncio.Event()

    async def be_slow(update: Update, context: Context) -> None:
        if text_of(update) == "slow":
            await may_go_on.wait()
        if text_of(update) == "/start":
            await context.bot.send_message(ALICE, "Which?", reply_markup=keyboard)

    answered = Heard(be_slow)
    async with running(built(sandbox, redis, answered)):
        await desk.say("/start")
        await desk.sees("Which?")
        await desk.say("slow")
        await desk.tap("Smile", wait_s=0)
        await desk.say("Hello", user_id=BOB, chat_id=BOB)
        await until(lambda: "Hello" in answered.texts)
        assert "smile" not in answered.texts
        may_go_on.set()
        await until(lambda: len(answered.texts) == 4)
    assert answered.texts == ["/start", "Hello", "slow", "smile"]


async def test_tap_goes_before_the_messages_of_its_chat_that_wait(
    sandbox: Sandbox, redis: Redis, desk: Desk
) -> None:
    row = [InlineKeyboardButton(name, callback_data=name) for name in ("smile", "nod")]
    may_go_on = asyncio.Event()

    async def be_slow(update: Update, context: Context) -> None:
        if text_of(update) == "0":
            await may_go_on.wait()
        if text_of(update) == "/start":
            markup = InlineKeyboardMarkup([row])
            await context.bot.send_message(ALICE, "Which?", reply_markup=markup)

    answered = Heard(be_slow)
    async with running(built(sandbox, redis, answered)):
        await desk.say("/start")
        await desk.sees("Which?")
        for number in range(6):
            await desk.say(str(number))
        await desk.tap("smile", wait_s=0)
        await desk.tap("nod", wait_s=0)
        await desk.say("6")
        await until(lambda: seven_messages_and_two_taps_are_left(redis))
        may_go_on.set()
        await until(lambda: len(answered.texts) == 10)
    assert answered.texts == ["/start", "0", "smile", "nod", "1", "2", "3", "4", "5", "6"]


async def seven_messages_and_two_taps_are_left(redis: Redis) -> bool:
    return await left_in_inbox(redis) == 9


class Handling:
    """The handling of an update: notes that it begins, and does what the test says."""

    def __init__(self, number: int, begun: list[int], act: Callable[[], Awaitable[None]]) -> None:
        self._number, self._begun, self._act = number, begun, act

    def __await__(self) -> Generator[Any, None, None]:
        self._begun.append(self._number)
        return self._act().__await__()


async def test_update_that_is_cancelled_while_it_waits_lets_the_next_one_go() -> None:
    processor, begun, may_go_on = InOrderPerChat(), list[int](), asyncio.Event()

    async def act() -> None:
        await may_go_on.wait()
        allow_early_release()
        release_if_allowed()  # the turn is passed on
        tasks[2].cancel()

    def handled(number: int) -> "asyncio.Task[None]":
        chat = Chat(ALICE, "private")
        update = Update(number, Message(number, datetime.now(UTC), chat))
        handling = Handling(number, begun, act)
        return asyncio.create_task(processor.do_process_update(update, handling))

    tasks = [handled(number) for number in range(4)]
    await until(lambda: begun == [0])
    tasks[1].cancel()
    may_go_on.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [task.cancelled() for task in tasks] == [False, True, True, False]
    assert begun == [0, 3]


async def test_chat_that_hangs_with_many_updates_delays_nobody(
    sandbox: Sandbox, redis: Redis, desk: Desk
) -> None:
    answered = Heard(hang_for_alice)
    async with running(built(sandbox, redis, answered, backoff=Backoff(grace_s=0.01))):
        for number in range(300):  # more than are handled at once
            await desk.say(f"again {number}")
        await desk.say("Hello", user_id=BOB, chat_id=BOB)
        await until(lambda: answered.texts == ["Hello"])
    assert await left_in_inbox(redis) == 300


async def test_no_more_than_256_updates_are_handled_at_once(sandbox: Sandbox, redis: Redis) -> None:
    at_work, most, may_go_on = 0, 0, asyncio.Event()

    async def count(*_: object) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await may_go_on.wait()
        at_work -= 1

    application = built(sandbox, redis, answered := Heard(count))
    async with running(application):
        for number in range(1, 301):
            chat = {"id": number, "type": "private"}
            content = {"message_id": 1, "date": 0, "chat": chat}
            await application.inbox.put(
                Update.de_json({"update_id": number, "message": content}, application.bot)
            )
        await until(lambda: at_work == 256)
        may_go_on.set()
        await until(lambda: len(answered.texts) == 300)
    assert most == 256


async def hang_for_alice(update: Update, _: Context) -> None:
    if update.effective_user is not None and update.effective_user.id == ALICE:
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    "error",
    [QueueUnavailable(place="here", reason="it does not answer"), NetworkError("Bad Gateway")],
    ids=["queues", "network"],
)
async def test_update_waits_for_a_server_that_is_away_and_later_ones_of_its_chat_behind_it(
    sandbox: Sandbox, redis: Redis, desk: Desk, error: Exception
) -> None:
    tries = 0

    async def fail_often(update: Update, _: Context) -> None:
        nonlocal tries
        tries += text_of(update) == "first"
        if tries < 6:
            raise error

    answered = Heard(fail_often)
    async with running(built(sandbox, redis, answered)):
        await desk.say("first")
        await desk.say("second")
        await until(lambda: answered.texts)
        await until(lambda: left_in_inbox_is_empty(redis))
    assert answered.texts == ["first", "second"]
    assert tries == 6


@pytest.mark.parametrize("error", [ValueError("private words"), BadRequest("Chat not found")])
async def test_poison_is_put_aside_after_three_tries_told_once_and_not_written_to_the_log(
    sandbox: Sandbox,
    redis: Redis,
    desk: Desk,
    error: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries = 0
    told: list[object] = []

    async def fail(update: Update, _: Context) -> None:
        nonlocal tries
        if text_of(update) == "poison":
            tries += 1
            raise error

    async def apologise(_: object, context: Context) -> None:
        told.append(context.error)

    application = built(sandbox, redis, answered := Heard(fail))
    application.add_error_handler(apologise)
    async with running(application):
        await desk.say("poison")
        await desk.say("next")
        await until(lambda: answered.texts == ["next"])
        await until(lambda: left_in_inbox_is_empty(redis))
    assert tries == 3
    assert told == [error]
    (key,) = [key async for key in redis.scan_iter(failed_update_key("*"))]
    assert str(error) in json.loads(await redis.get(key) or "")["error"]
    assert "poison" not in caplog.text
    assert "private" not in caplog.text
    assert "test_application.py" in caplog.text  # where it was raised


async def test_handlers_of_later_groups_run_only_when_the_earlier_ones_went_well(
    sandbox: Sandbox, redis: Redis, desk: Desk
) -> None:
    tries = 0

    async def fail_once(*_: object) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise NetworkError("Bad Gateway")

    application = built(sandbox, redis, Heard(fail_once))
    application.add_handler(TypeHandler(Update, later := Heard()), group=1)
    async with running(application):
        await desk.say("/start")
        await until(lambda: left_in_inbox_is_empty(redis))
        await until(lambda: later.texts)
    assert (tries, later.texts) == (2, ["/start"])


async def test_answer_to_somebody_who_has_blocked_the_bot_is_tried_once(
    sandbox: Sandbox, redis: Redis, desk: Desk
) -> None:
    async def answer(_: Update, context: Context) -> None:
        await context.bot.send_message(ALICE, "Hello")

    answered = Heard(answer)
    await desk.say("/start")
    await desk.fault(method="sendMessage", code=403, times=100)
    async with running(built(sandbox, redis, answered)):
        await until(lambda: len_of_calls(desk))
        await until(lambda: left_in_inbox_is_empty(redis))
    assert len(await desk.calls("sendMessage")) == 1


async def len_of_calls(desk: Desk) -> int:
    return len(await desk.calls("sendMessage"))


async def test_handler_that_was_cancelled_from_inside_forgets_nothing(
    sandbox: Sandbox, redis: Redis, desk: Desk
) -> None:
    tries = 0

    async def cancel_once(*_: object) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise asyncio.CancelledError

    answered = Heard(cancel_once)
    async with running(built(sandbox, redis, answered)):
        await desk.say("/start")
        await until(lambda: answered.texts == ["/start"])
    assert tries == 2


# --- the end --------------------------------------------------------------------------------------


async def test_what_runs_may_finish_and_the_rest_is_there_after_a_restart(
    sandbox: Sandbox, redis: Redis, desk: Desk
) -> None:
    began, may_go_on = asyncio.Event(), asyncio.Event()

    async def be_slow(*_: object) -> None:
        began.set()
        await may_go_on.wait()

    first = Heard(be_slow)
    application = built(sandbox, redis, first)
    async with running(application) as ending:
        await desk.say("/start")
        await began.wait()
        await desk.say("waits")
        await until(lambda: len(sandbox.telegram.updates) == 0)
        ending.set()
        await until(lambda: application.is_ending)
        may_go_on.set()
    assert first.texts == ["/start"]
    assert await left_in_inbox(redis) == 1
    await desk.say("new")
    second = Heard()
    async with running(built(sandbox, redis, second)):
        await until(lambda: second.texts == ["waits", "new"])


async def test_update_that_waits_for_another_try_does_not_delay_the_end(
    sandbox: Sandbox, redis: Redis, desk: Desk
) -> None:
    slow = Backoff(first_pause_s=1000.0)
    tried = asyncio.Event()

    async def fail(*_: object) -> None:
        tried.set()
        raise NetworkError("Bad Gateway")

    async with asyncio.timeout(60), running(built(sandbox, redis, Heard(fail), backoff=slow)):
        await desk.say("/start")
        await tried.wait()
    assert await left_in_inbox(redis) == 1


async def test_hooks_are_awaited_around_the_work(sandbox: Sandbox, redis: Redis) -> None:
    application = build_application(settings_for(sandbox), redis)
    said: list[str] = []

    async def begin(_: object) -> None:
        said.append(f"begin {application.running}")

    async def end(_: object) -> None:
        await application.bot.get_me()  # it can still speak
        said.append(f"end {application.running}")

    application.post_init, application.post_stop = begin, end
    async with running(application):
        assert said == ["begin False"]
    assert said == ["begin False", "end False"]
    assert application.bot.id == BOT
