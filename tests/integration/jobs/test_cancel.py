"""Orders are taken back: while they wait, while they run, and when the message is lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from jobs.errors import Cancelled
from jobs.orders import LookJob, OrderState
from jobs.queues.assignment import Stop
from jobs.queues.keys import BEAT_FIELD, CANCEL_CHANNEL, LOOK, cancel_key, prefix_of
from jobs.queues.outcomes import CancelOutcome
from jobs.queues.queue_worker import QueueWorker, WorkRules
from jobs.queues.queues import Queues
from tests.integration.jobs.bench import LIMIT_S, QUICK, Bench, until
from tests.integration.jobs.hand import ENGINE, QUEUE, Hand, make_order

pytestmark = pytest.mark.local_sockets

REF = make_order(2).ref
# Told by the channel alone, or by beats alone.
NO_BEATS = WorkRules(beat_s=60, stop_s=0.5, idle_s=0.1)


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey, [ENGINE]) as opened:
        yield opened


async def test_order_that_waits_is_removed_and_never_starts(queues: Queues, redis: Redis) -> None:
    await queues.submit(make_order(2))
    await queues.submit(make_order(3))
    assert await queues.cancel(REF) is CancelOutcome.REMOVED
    status = await queues.status(REF)
    assert status is not None
    assert status.state is OrderState.CANCELLED
    assert isinstance(status.error, Cancelled)
    assert await queues.cancel(REF) is CancelOutcome.REMOVED  # tapped twice
    assert await Hand(redis).work_through() == ["c3-7-1"]


async def test_order_that_waits_for_a_second_try_is_removed(queues: Queues, redis: Redis) -> None:
    hand = Hand(redis)
    await queues.submit(make_order(2))
    await hand.fail(await hand.take(), RuntimeError("once"))
    assert await queues.cancel(REF) is CancelOutcome.REMOVED
    assert await redis.zcard(f"{prefix_of(QUEUE)}delayed") == 0


async def test_order_that_runs_stops_at_once(queues: Queues, valkey: str, redis: Redis) -> None:
    bench = Bench()
    await queues.submit(make_order(2))
    async with QueueWorker(valkey, QUEUE, bench, NO_BEATS) as station:
        await bench.has_begun()
        async with asyncio.timeout(LIMIT_S):
            while not dict(await redis.pubsub_numsub(CANCEL_CHANNEL))[CANCEL_CHANNEL]:
                await asyncio.sleep(0.01)
        assert await queues.cancel(REF) is CancelOutcome.TOLD
        status = await until(queues, REF, OrderState.CANCELLED)
        assert (status.starts, bench.stops) == (1, [Stop.CANCELLED])
        assert isinstance(status.error, Cancelled)
        # The station is free for the next.
        bench.word.set()
        await queues.submit(make_order(3))
        await until(queues, make_order(3).ref, OrderState.DONE)
        assert station.in_progress == []


async def test_running_order_says_since_when_its_worker_is_silent(
    queues: Queues, valkey: str, redis: Redis
) -> None:
    bench = Bench()
    await queues.submit(make_order(2))
    waiting = await queues.status(REF)
    assert waiting is not None
    assert waiting.silent_s == 0
    async with QueueWorker(valkey, QUEUE, bench, NO_BEATS):
        await bench.has_begun()
        async with asyncio.timeout(LIMIT_S):
            while (reported := await redis.hget(REF.key, BEAT_FIELD)) is None:
                await asyncio.sleep(0.01)
        # As if its worker had been killed then.
        await redis.hset(REF.key, BEAT_FIELD, int(str(reported)) - 100)
        running = await queues.status(REF)
        assert running is not None
        assert running.state is OrderState.RUNNING
        assert 100 <= running.silent_s < 200
        bench.word.set()
        await until(queues, REF, OrderState.DONE)


async def test_wish_whose_message_was_lost_is_found_at_the_next_beat(
    queues: Queues, valkey: str, redis: Redis
) -> None:
    bench = Bench()
    await queues.submit(make_order(2))
    async with QueueWorker(valkey, QUEUE, bench, QUICK):
        await bench.has_begun()
        await redis.set(cancel_key(REF.job_id), "1")
        await until(queues, REF, OrderState.CANCELLED)
    assert bench.stops == [Stop.CANCELLED]


async def test_wish_that_came_before_the_start_is_found_at_the_start(
    queues: Queues, valkey: str
) -> None:
    bench = Bench()
    assert await queues.cancel(REF) is CancelOutcome.UNKNOWN  # its order is still on its way
    await queues.submit(make_order(2))
    async with QueueWorker(valkey, QUEUE, bench, NO_BEATS):
        await until(queues, REF, OrderState.CANCELLED)
    assert bench.begun == []


async def test_finished_order_stays_as_it_is(queues: Queues, redis: Redis) -> None:
    await queues.submit(make_order(2))
    await Hand(redis).work_through()
    assert await queues.cancel(REF) is CancelOutcome.TOO_LATE
    status = await queues.status(REF)
    assert status is not None
    assert status.state is OrderState.DONE


async def test_stubborn_work_is_cancelled_all_the_same(queues: Queues, valkey: str) -> None:
    bench = Bench()
    bench.is_stubborn = True
    await queues.submit(make_order(2))
    async with QueueWorker(valkey, QUEUE, bench, QUICK):
        await bench.has_begun()
        await queues.cancel(REF)
        await until(queues, REF, OrderState.CANCELLED)


async def test_cancelled_while_it_is_taken_ends_as_cancelled(queues: Queues, valkey: str) -> None:
    # Whoever is faster, the order is never done and never hangs.
    bench = Bench()
    async with QueueWorker(valkey, QUEUE, bench, QUICK):
        for number in range(1, 21):
            order = make_order(2, number)
            await queues.submit(order)
            await asyncio.sleep(0.0005 * (number % 7))
            await queues.cancel(order.ref)
            await until(queues, order.ref, OrderState.CANCELLED)
    async with asyncio.timeout(LIMIT_S):
        assert (await queues.statistics(QUEUE)).counts["active"] == 0


async def test_look_can_be_cancelled_too(queues: Queues, redis: Redis) -> None:
    look = LookJob(look_id="l1", person=2, draft="7", photo_key="inputs/7/photo")
    await queues.send(look.ref, look, 2)
    assert await queues.cancel(look.ref) is CancelOutcome.REMOVED
    assert await Hand(redis, LOOK).take() == ""
