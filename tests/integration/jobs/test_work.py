"""A station at a queue: it takes, keeps, reports, gives back and finishes jobs."""

import asyncio
import base64
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from jobs.errors import EngineFailed, NoFaceFound
from jobs.orders import Order, OrderState, Progress, Record, Stage
from jobs.queues.assignment import Assignment, Later, Stop
from jobs.queues.keys import RESULT_FIELD, prefix_of
from jobs.queues.queue_worker import QueueWorker, WorkRules
from jobs.queues.queues import Queues
from jobs.service_errors import BrokenRecord, OrderFailed, UnknownSchema
from jobs.tasks import end_tasks
from jobs.weights_errors import WeightsMissing
from tests.integration.jobs.bench import LIMIT_S, QUICK, Bench, until
from tests.integration.jobs.hand import ENGINE, QUEUE, Hand, make_order, make_result

pytestmark = pytest.mark.local_sockets

SHORT_LOCK = WorkRules(lock_s=1.0, stalled_check_s=0.3, beat_s=0.05, stop_s=0.5, idle_s=0.1)
REF = make_order(2).ref


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey, [ENGINE]) as opened:
        yield opened


def raising(*errors: Exception) -> Callable[[Assignment], Awaitable[Record | None]]:
    """Work that raises these, one at each start, and then succeeds."""
    left = list(errors)

    async def work(assignment: Assignment) -> Record | None:
        if left:
            raise left.pop(0)
        return make_result(assignment.ref, assignment.start_number)

    return work


# --- taking and finishing -------------------------------------------------------------------------


async def test_order_comes_as_it_was_sent_and_its_result_is_committed(
    queues: Queues, valkey: str, redis: Redis
) -> None:
    order = make_order(2, options={"relative": True, "strength": 0.5})
    seen = []

    async def work(assignment: Assignment) -> Record:
        seen.append(Order.read(assignment.text))
        return make_result(assignment.ref, assignment.start_number)

    await queues.submit(order)
    async with QueueWorker(valkey, QUEUE, work, QUICK):
        status = await until(queues, REF, OrderState.DONE)
    assert seen == [order]
    assert status.video() == make_result(REF)
    assert status.starts == 1
    assert not await redis.keys("bull:*:lock")


async def test_idle_station_starts_an_order_when_it_comes(queues: Queues, valkey: str) -> None:
    async with QueueWorker(valkey, QUEUE, raising(), WorkRules()):
        await asyncio.sleep(0.1)
        await queues.submit(make_order(2))
        await until(queues, REF, OrderState.DONE)


async def test_progress_is_told_by_beats_and_only_the_last_of_each(
    queues: Queues, valkey: str
) -> None:
    bench = Bench()
    await queues.submit(make_order(2))
    async with QueueWorker(valkey, QUEUE, bench, QUICK):
        assignment = await bench.has_begun()
        for frame in range(1, 31):
            assignment.report(Progress(stage=Stage.ANIMATING, frames_done=frame, frames_total=75))
        async with asyncio.timeout(LIMIT_S):
            while (status := await until(queues, REF, OrderState.RUNNING)).progress is None:
                await asyncio.sleep(0.01)
        assert status.progress.frames_done == 30
        bench.word.set()
        await until(queues, REF, OrderState.DONE)


# --- failing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [NoFaceFound(name="a.png"), WeightsMissing(path="/a", hint="fetch them")]
)
async def test_what_would_fail_again_is_not_tried_again(
    queues: Queues, valkey: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="jobs")
    await queues.submit(make_order(2))
    async with QueueWorker(valkey, QUEUE, raising(error), QUICK):
        status = await until(queues, REF, OrderState.FAILED)
    assert (type(status.error), str(status.error)) == (type(error), str(error))
    assert status.starts == 1
    # A file's name is its person's affair.
    assert f"{REF.job_id}: {type(error).__name__}" in caplog.text
    assert str(error) not in caplog.text


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (EngineFailed(name="still", reason="no memory"), EngineFailed),
        (ZeroDivisionError("a slip"), OrderFailed),
    ],
)
async def test_what_may_pass_is_tried_again(
    queues: Queues, valkey: str, redis: Redis, error: Exception, told: type[Exception]
) -> None:
    await queues.submit(make_order(2))
    async with QueueWorker(valkey, QUEUE, raising(error, error, error), QUICK):
        for starts in (1, 2):
            while (await until(queues, REF, OrderState.RETRYING)).starts < starts:
                await asyncio.sleep(0.01)
            await end_pause(redis)
        status = await until(queues, REF, OrderState.FAILED)
    assert isinstance(status.error, told)
    assert status.starts == 3


async def end_pause(redis: Redis) -> None:
    """Lets the order's pause be over; the marker wakes the worker."""
    await redis.zadd(f"{prefix_of(QUEUE)}delayed", {REF.job_id: 0}, xx=True)
    await redis.zadd(f"{prefix_of(QUEUE)}marker", {"0": 0})


async def test_work_that_cannot_go_on_now_is_not_charged(
    queues: Queues, valkey: str, redis: Redis
) -> None:
    await queues.submit(make_order(2))
    async with QueueWorker(valkey, QUEUE, raising(Later(0.05)), QUICK):
        status = await until(queues, REF, OrderState.DONE)
    assert status.starts == 2
    assert await redis.hget(REF.key, "atm") == "1"


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        pytest.param('"schema_version":2', '"schema_version":99', UnknownSchema, id="form"),
        pytest.param('"loop":1', '"loop":1,"something_new":true', BrokenRecord, id="field"),
    ],
)
async def test_order_of_a_later_version_fails_at_once_and_can_be_retried_after_the_update(
    queues: Queues, valkey: str, redis: Redis, old: str, new: str, error: type[Exception]
) -> None:
    async def work(assignment: Assignment) -> None:
        Order.read(assignment.text)

    await queues.submit(make_order(2))
    text = await redis.hget(REF.key, "data")
    assert old in str(text)
    await redis.hset(REF.key, "data", str(text).replace(old, new))
    async with QueueWorker(valkey, QUEUE, work, QUICK):
        status = await until(queues, REF, OrderState.FAILED)
    assert isinstance(status.error, error)
    assert status.starts == 1
    assert [letter.status.ref for letter in await queues.dead_letters()] == [REF]
    await queues.retry(REF)
    async with QueueWorker(valkey, QUEUE, raising(), QUICK):
        await until(queues, REF, OrderState.DONE)


# --- losing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(WorkRules(lock_s=600, beat_s=0.05, stop_s=0.5), id="by a beat"),
        pytest.param(WorkRules(lock_s=1, beat_s=600, stop_s=0.5), id="by renewing its lock"),
    ],
)
async def test_work_whose_lock_is_gone_stops_and_touches_nothing(
    queues: Queues, valkey: str, redis: Redis, rules: WorkRules
) -> None:
    bench = Bench()
    await queues.submit(make_order(2))
    async with QueueWorker(valkey, QUEUE, bench, rules) as station:
        await bench.has_begun()
        await redis.set(REF.lock_key, "another worker's")
        async with asyncio.timeout(LIMIT_S):
            while station.in_progress:
                await asyncio.sleep(0.01)
    assert bench.stops == [Stop.LOST]
    assert await redis.get(REF.lock_key) == "another worker's"
    assert (await until(queues, REF, OrderState.RUNNING)).starts == 1


async def renewed(redis: Redis) -> None:
    """Returns when the order's lock was renewed once more."""
    last_ms = await redis.pttl(REF.lock_key)
    async with asyncio.timeout(LIMIT_S):
        while (left_ms := await redis.pttl(REF.lock_key)) <= last_ms:
            last_ms = left_ms
            await asyncio.sleep(0.01)


async def test_lock_is_renewed_while_the_work_lasts(
    queues: Queues, valkey: str, redis: Redis
) -> None:
    bench = Bench()
    await queues.submit(make_order(2))
    rules = replace(SHORT_LOCK, lock_s=2.0, stalled_check_s=0.2)
    async with QueueWorker(valkey, QUEUE, bench, rules):
        await bench.has_begun()
        for _ in range(3):  # each renewal is half of its time later
            await renewed(redis)
        bench.word.set()
        assert (await until(queues, REF, OrderState.DONE)).starts == 1


async def test_stubborn_work_that_lost_its_order_is_refused(
    queues: Queues, valkey: str, redis: Redis
) -> None:
    bench = Bench()
    bench.is_stubborn = True
    await queues.submit(make_order(2))
    rules = WorkRules(beat_s=60, stop_s=0.5, idle_s=0.1)  # it does not even notice
    async with QueueWorker(valkey, QUEUE, bench, rules) as station:
        await bench.has_begun()
        await redis.delete(REF.lock_key)
        hand = Hand(redis)
        await hand.find_stalled()
        assert await hand.take() == REF.job_id
        bench.word.set()
        async with asyncio.timeout(LIMIT_S):
            while station.in_progress:
                await asyncio.sleep(0.01)
        assert (await until(queues, REF, OrderState.RUNNING)).result is None
        await hand.finish(REF.job_id)
        status = await until(queues, REF, OrderState.DONE)
    assert status.video().attempt == 2


async def test_result_that_was_committed_is_not_computed_again(
    queues: Queues, valkey: str, redis: Redis
) -> None:
    await queues.submit(make_order(2))
    # A worker that died between writing its result down and completing.
    hand = Hand(redis)
    await hand.take()
    await redis.hset(REF.key, RESULT_FIELD, make_result(REF).to_json())
    await hand.drop(REF.job_id)
    await hand.find_stalled()
    bench = Bench()
    async with QueueWorker(valkey, QUEUE, bench, QUICK):
        status = await until(queues, REF, OrderState.DONE)
    assert bench.begun == []
    assert status.video() == make_result(REF)


# --- ending ---------------------------------------------------------------------------------------


async def test_drain_gives_back_what_is_far_from_done_and_another_goes_on(
    queues: Queues, valkey: str, redis: Redis
) -> None:
    bench, other = Bench(), Bench()
    await queues.submit(make_order(2))
    async with QueueWorker(valkey, QUEUE, bench, QUICK) as station:
        await bench.has_begun()
        await station.drain(grace_s=1)
        assert bench.stops == [Stop.DRAINING]
        assert await redis.hget(REF.key, "atm") is None
    other.word.set()
    async with QueueWorker(valkey, QUEUE, other, QUICK):
        assert (await until(queues, REF, OrderState.DONE)).starts == 2
    assert await redis.hget(REF.key, "priority") == "1"


async def test_drain_waits_for_what_is_nearly_done(queues: Queues, valkey: str) -> None:
    async def work(assignment: Assignment) -> Record:
        for frame in range(1, 11):
            assignment.report(Progress(frames_done=frame, frames_total=10))
            await asyncio.sleep(0.03)
        return make_result(assignment.ref, assignment.start_number)

    await queues.submit(make_order(2))
    async with QueueWorker(valkey, QUEUE, work, QUICK) as station:
        async with asyncio.timeout(LIMIT_S):
            while not (station.in_progress and station.in_progress[0].remaining_s()):
                await asyncio.sleep(0.01)
        await station.drain(grace_s=10)
    assert (await until(queues, REF, OrderState.DONE)).starts == 1


async def test_stubborn_work_does_not_hold_up_the_drain(
    queues: Queues, valkey: str, redis: Redis
) -> None:
    bench = Bench()
    bench.is_stubborn = True
    await queues.submit(make_order(2))
    async with asyncio.timeout(LIMIT_S):
        async with QueueWorker(valkey, QUEUE, bench, QUICK) as station:
            await bench.has_begun()
            await station.drain(grace_s=0)
    assert await redis.hget(REF.key, "atm") is None
    assert (await until(queues, REF, OrderState.WAITING)).ahead is None


async def test_paused_station_takes_nothing_until_it_is_resumed(
    queues: Queues, valkey: str
) -> None:
    async with QueueWorker(valkey, QUEUE, raising(), QUICK) as station:
        await station.pause()
        await queues.submit(make_order(2))
        await asyncio.sleep(0.4)
        assert (await until(queues, REF, OrderState.WAITING)).starts == 0
        station.resume()
        await until(queues, REF, OrderState.DONE)


async def test_bullmqs_tools_find_each_worker_once_by_the_name_of_a_connection(
    valkey: str, redis: Redis
) -> None:
    encoded = base64.b64encode(QUEUE.encode()).decode()

    async def names() -> list[str]:
        clients = await redis.client_list()
        return [one["name"] for one in clients if one["name"].startswith(f"bull:{encoded}")]

    async def is_named() -> None:
        async with asyncio.timeout(LIMIT_S):
            while await names() != [f"bull:{encoded}:w:{socket.gethostname()}-{os.getpid()}"]:
                await asyncio.sleep(0.01)

    async with QueueWorker(valkey, QUEUE, Bench(), QUICK):
        await is_named()
        await redis.client_kill_filter(skipme=True)
        await is_named()
    async with asyncio.timeout(LIMIT_S):
        while await names():
            await asyncio.sleep(0.01)


async def test_station_has_as_many_in_hand_as_it_may(queues: Queues, valkey: str) -> None:
    bench = Bench()
    for number in range(1, 4):
        await queues.submit(make_order(2, number))
    rules = WorkRules(max_concurrent=2, beat_s=0.05, stop_s=0.5, idle_s=0.1)
    async with QueueWorker(valkey, QUEUE, bench, rules) as station:
        await bench.has_begun(2)
        await asyncio.sleep(0.1)
        assert len(station.in_progress) == 2
        bench.word.set()
        await until(queues, make_order(2, 3).ref, OrderState.DONE)


async def test_task_that_swallows_a_cancellation_is_ended_all_the_same() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(LIMIT_S):
        await end_tasks([task])
    assert (task.done(), swallowed) == (True, 3)
