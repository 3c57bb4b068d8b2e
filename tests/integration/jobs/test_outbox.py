"""Finished orders become deliveries: each, once, and kept until they are delivered."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from bullmq.custom_errors import UnrecoverableError
from redis.asyncio import Redis

from jobs.orders import OrderState, Record
from jobs.queues.assignment import Assignment, Later
from jobs.queues.delivery_records import (
    DeliveryRecord,
    NextStep,
    next_step,
    read_record,
    write_record,
)
from jobs.queues.failures import CANCELLED
from jobs.queues.keys import DELIVER, LOOK, JobRef, accepted_key, prefix_of
from jobs.queues.outbox import DeliveryJob, Outbox
from jobs.queues.queue_worker import QueueWorker
from jobs.queues.queues import Queues
from tests.integration.jobs.bench import QUICK, until
from tests.integration.jobs.hand import ENGINE, QUEUE, Hand, make_order

pytestmark = pytest.mark.local_sockets

HOUR_S = 3600.0


class Clock:
    """Real time and what a test adds."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey, [ENGINE, "mesh"]) as opened:
        yield opened


@pytest.fixture
def outbox(queues: Queues, clock: Clock) -> Outbox:
    return Outbox(queues, [*queues.engine_queues, LOOK], clock)


@pytest.fixture
def hand(redis: Redis) -> Hand:
    return Hand(redis)


@pytest.fixture
def postman(redis: Redis) -> Hand:
    return Hand(redis, DELIVER)


async def delivered(postman: Hand) -> list[str]:
    """The orders whose deliveries there were, each ended."""
    return [job_id.removeprefix("d-").rpartition("-")[0] for job_id in await postman.work_through()]


async def test_every_end_is_delivered_once(
    queues: Queues, outbox: Outbox, hand: Hand, postman: Hand, redis: Redis
) -> None:
    for person in (2, 3, 4):
        await queues.submit(make_order(person))
    await queues.submit(make_order(5, engine="mesh"))
    await hand.finish(await hand.take())
    await hand.fail(await hand.take(), UnrecoverableError("?"))
    await hand.fail(await hand.take(), UnrecoverableError(CANCELLED))
    await Hand(redis, "animate-mesh").work_through()
    assert [await outbox.sweep() for _ in range(3)] == [4, 0, 0]
    assert sorted(await delivered(postman)) == ["c2-7-1", "c3-7-1", "c4-7-1", "c5-7-1"]
    assert await outbox.sweep() == 0


async def test_sweep_asks_about_a_delivery_again_after_some_seconds_only(
    queues: Queues, outbox: Outbox, hand: Hand, clock: Clock
) -> None:
    async def questions() -> int:
        stats = await queues.client.info("commandstats")
        return int(stats.get("cmdstat_hexists", {"calls": 0})["calls"])

    await queues.submit(make_order(2))
    await hand.finish(await hand.take())
    assert await outbox.sweep() == 1
    before = await questions()
    for _ in range(5):
        assert await outbox.sweep() == 0
    assert await questions() == before
    # A crash of Redis may lose a delivery that was just added.
    await queues.client.delete(*await queues.client.keys(f"{prefix_of(DELIVER)}*"))
    clock.ahead_s = 6.0
    assert await outbox.sweep() == 1


async def test_orders_that_end_while_the_bot_is_down_are_delivered(
    queues: Queues, outbox: Outbox, hand: Hand, postman: Hand, clock: Clock
) -> None:
    for number in range(1, 4):
        await queues.submit(make_order(2, number))
    await hand.work_through(1)
    assert await outbox.sweep() == 1
    await hand.work_through()
    clock.ahead_s = 30 * HOUR_S
    restarted = Outbox(queues, queues.engine_queues, clock=clock)
    assert await restarted.sweep() == 2
    assert len(await delivered(postman)) == 3


async def test_order_of_a_worker_with_a_slow_clock_is_late_and_not_lost(
    queues: Queues, outbox: Outbox, hand: Hand, redis: Redis, clock: Clock
) -> None:
    await outbox.sweep()
    await queues.submit(make_order(2))
    await hand.work_through()
    long_ago_ms = round((clock() - HOUR_S) * 1000)
    await redis.zadd(f"{prefix_of(QUEUE)}completed", {"c2-7-1": long_ago_ms})
    assert await outbox.sweep() == 0
    clock.ahead_s += 600
    assert await outbox.sweep() == 1


async def test_second_try_of_a_failed_order_is_delivered_anew(
    queues: Queues, outbox: Outbox, hand: Hand, postman: Hand
) -> None:
    await queues.submit(make_order(2))
    await hand.fail(await hand.take(), UnrecoverableError("?"))
    assert await outbox.sweep() == 1
    await queues.retry(make_order(2).ref)
    await asyncio.sleep(0.002)  # not within one ms of each other
    await hand.work_through()
    assert await outbox.sweep() == 1
    assert await delivered(postman) == ["c2-7-1", "c2-7-1"]


async def test_delivery_names_the_order_it_is_about(
    queues: Queues, outbox: Outbox, hand: Hand, valkey: str
) -> None:
    seen = []

    async def work(assignment: Assignment) -> Record | None:
        seen.append(DeliveryJob.read(assignment.text))
        if len(seen) == 1:
            raise Later(0.01)  # Telegram says when to come again
        return None

    await queues.submit(make_order(2))
    await hand.work_through()
    await outbox.sweep()
    async with QueueWorker(valkey, DELIVER, work, QUICK):
        (order,) = await queues.finished_since(0, [QUEUE])
        ref = JobRef(DELIVER, DeliveryJob.of(order).delivery_id)
        assert (await until(queues, ref, OrderState.DONE)).starts == 2
    assert {one.ref for one in seen} == {make_order(2).ref}


async def test_failed_delivery_is_tried_again_after_longer_and_longer(
    queues: Queues, outbox: Outbox, hand: Hand, valkey: str, redis: Redis
) -> None:
    async def work(_: Assignment) -> Record | None:
        message = "no network"
        raise OSError(message)

    await queues.submit(make_order(2))
    await hand.work_through()
    await outbox.sweep()
    (order,) = await queues.finished_since(0, [QUEUE])
    ref = JobRef(DELIVER, DeliveryJob.of(order).delivery_id)
    pauses_ms = []
    for failures in (0, 1, 2, 30):
        await redis.hset(ref.key, "atm", failures)
        await redis.zadd(f"{prefix_of(DELIVER)}delayed", {ref.job_id: 0}, xx=True)
        async with QueueWorker(valkey, DELIVER, work, QUICK):
            while await redis.hget(ref.key, "atm") != str(failures + 1):
                await asyncio.sleep(0.01)
        pauses_ms.append(int(await redis.hget(ref.key, "delay") or 0))
    assert pauses_ms == [5_000, 10_000, 20_000, 900_000]


# --- keeping --------------------------------------------------------------------------------------


async def test_delivered_orders_go_after_48_h_and_their_deliveries_after_72_h(
    queues: Queues, outbox: Outbox, hand: Hand, postman: Hand, redis: Redis, clock: Clock
) -> None:
    await queues.submit(make_order(2))
    await hand.work_through()
    await outbox.sweep()
    await delivered(postman)
    clock.ahead_s = 47 * HOUR_S
    assert await outbox.clean() == 0
    clock.ahead_s = 49 * HOUR_S
    assert await outbox.clean() == 1
    assert not await redis.exists(make_order(2).ref.key)
    assert await outbox.sweep() == 0
    late = await queues.submit(make_order(2))  # a button that is two days old
    assert (late.is_new, late.status.state) == (False, OrderState.DONE)
    clock.ahead_s = 73 * HOUR_S
    assert await outbox.clean() == 1
    assert await redis.keys(f"{prefix_of(DELIVER)}d-*") == []


async def test_delivery_outlives_its_order_even_if_a_clock_was_wrong(
    queues: Queues, outbox: Outbox, hand: Hand, postman: Hand, redis: Redis, clock: Clock
) -> None:
    await queues.submit(make_order(2))
    await hand.work_through()
    ahead_ms = round((clock() + 100 * HOUR_S) * 1000)
    await redis.zadd(f"{prefix_of(QUEUE)}completed", {"c2-7-1": ahead_ms})
    await outbox.sweep()
    await delivered(postman)
    clock.ahead_s = 80 * HOUR_S
    assert await outbox.clean() == 0
    assert await outbox.sweep() == 0


async def test_undelivered_order_stays_however_old_it_is(
    queues: Queues, outbox: Outbox, hand: Hand, postman: Hand, redis: Redis, clock: Clock
) -> None:
    await queues.submit(make_order(2))
    await hand.work_through()
    await outbox.sweep()
    clock.ahead_s = 1000 * HOUR_S
    assert await outbox.clean() == 0
    await redis.delete(accepted_key("c2-7-1"))  # it has run out meanwhile
    assert not (await queues.submit(make_order(2))).is_new
    assert await delivered(postman) == ["c2-7-1"]
    assert await outbox.clean() == 2
    assert await outbox.sweep() == 0


async def test_mark_is_read_as_it_was_written(queues: Queues, redis: Redis) -> None:
    assert await read_record(queues, "d-1") == DeliveryRecord()
    mark = DeliveryRecord().begun(100.0)
    await write_record(queues, "d-1", mark)
    assert await read_record(queues, "d-1") == mark
    assert next_step(mark, 100.0)[0] is NextStep.WAIT
    assert 0 < await redis.ttl("animato:sent:d-1") <= 72 * HOUR_S
