"""Second tries: by themselves, by an admin; and the orders for which there is none."""

import time
from collections.abc import AsyncIterator

import pytest
from bullmq.custom_errors import UnrecoverableError
from redis.asyncio import Redis

from jobs.errors import Cancelled, EngineFailed, NoFaceFound
from jobs.orders import OrderState
from jobs.queues.failures import CANCELLED, reason_of
from jobs.queues.keys import JobRef, open_key, prefix_of
from jobs.queues.queues import Queues
from jobs.queues.status import Status
from jobs.service_errors import OrderNotFailed, OrderStalled
from tests.integration.jobs.hand import (
    ENGINE,
    QUEUE,
    Hand,
    admins_order,
    make_order,
    members,
)

pytestmark = pytest.mark.local_sockets

REF = make_order(2).ref


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey, [ENGINE]) as opened:
        yield opened


@pytest.fixture
def hand(redis: Redis) -> Hand:
    return Hand(redis)


async def status(queues: Queues, ref: JobRef = REF) -> Status:
    found = await queues.status(ref)
    assert found is not None
    return found


async def fail_for_good(queues: Queues, hand: Hand, person: int, error: Exception) -> JobRef:
    await queues.submit(make_order(person))
    await hand.fail(await hand.take(), error)
    return make_order(person).ref


async def test_queue_has_what_waits_if_it_could_be_taken_now(
    valkey: str, hand: Hand, redis: Redis
) -> None:
    clock_s = time.time()
    async with Queues(valkey, [ENGINE], clock=lambda: clock_s) as queues:
        assert not await queues.waits(QUEUE)
        await queues.submit(admins_order())
        assert await queues.waits(QUEUE)
        await hand.finish(await hand.take())
        assert not await queues.waits(QUEUE)
        await queues.submit(make_order(2))
        assert await queues.waits(QUEUE)
        await hand.fail(await hand.take(), RuntimeError("again"))
        assert not await queues.waits(QUEUE)
        ((_, score),) = await members(redis, f"{prefix_of(QUEUE)}delayed")
        clock_s = (score // 2**12 - 1) / 1000
        assert not await queues.waits(QUEUE)
        clock_s = score // 2**12 / 1000
        assert await queues.waits(QUEUE)


async def test_three_attempts_then_a_dead_letter(queues: Queues, hand: Hand, redis: Redis) -> None:
    await queues.submit(make_order(2))
    reason = reason_of(EngineFailed(name="still", reason="no memory"))
    for attempt in range(1, 4):
        # If it pauses, that is over.
        await redis.zadd(f"{prefix_of(QUEUE)}delayed", {REF.job_id: 0}, xx=True)
        await hand.fail(await hand.take(), RuntimeError(reason))
        found = await status(queues)
        is_last = attempt == 3
        assert found.state is (OrderState.FAILED if is_last else OrderState.RETRYING)
        assert found.starts == attempt
    assert isinstance((await status(queues)).error, EngineFailed)
    (letter,) = await queues.dead_letters()
    assert letter.status.ref == REF
    assert '"person":2' in letter.order


async def test_poison_fails_without_another_run_and_its_neighbours_go_on(
    queues: Queues, hand: Hand
) -> None:
    await queues.submit(make_order(2))
    await queues.submit(make_order(3))
    for _ in range(4):
        assert await hand.take() == REF.job_id
        await hand.drop(REF.job_id)
        await hand.find_stalled()
    # The next worker is told at once that this one is not to be run.
    poison = await hand.take()
    assert hand.doom_of(poison)
    await hand.fail(poison, UnrecoverableError(hand.doom_of(poison)))
    found = await status(queues)
    assert found.state is OrderState.FAILED
    assert isinstance(found.error, OrderStalled)
    assert [letter.status.ref for letter in await queues.dead_letters()] == [REF]
    assert await hand.work_through() == ["c3-7-1"]


async def test_persons_mistakes_and_cancels_are_no_dead_letters(queues: Queues, hand: Hand) -> None:
    no_face = UnrecoverableError(reason_of(NoFaceFound(name="a.png")))
    assert (await status(queues, await fail_for_good(queues, hand, 2, no_face))).starts == 1
    cancelled = await fail_for_good(queues, hand, 3, UnrecoverableError(CANCELLED))
    found = await status(queues, cancelled)
    assert found.state is OrderState.CANCELLED
    assert isinstance(found.error, Cancelled)
    assert await queues.dead_letters() == []
    # What nobody foresaw is one.
    unknown = await fail_for_good(queues, hand, 4, UnrecoverableError("?"))
    (letter,) = await queues.dead_letters()
    assert letter.status.ref == unknown
    assert "c4-7-1 failed" in str(letter.status.error)


async def test_admins_retry_gives_all_attempts_again(
    queues: Queues, hand: Hand, redis: Redis
) -> None:
    ref = await fail_for_good(queues, hand, 2, UnrecoverableError("?"))
    await redis.hset(ref.key, "stc", 3)
    await queues.cancel(ref)  # too late, and it leaves its mark
    await queues.retry(ref)
    assert (await status(queues)).state is OrderState.WAITING
    assert not await redis.exists(f"animato:cancel:{ref.job_id}")
    assert await redis.zscore(open_key(2), ref.key) is not None
    await hand.take()
    await hand.drop(ref.job_id)
    await hand.find_stalled()
    assert await hand.work_through() == [ref.job_id]
    found = await status(queues)
    # Starts go on counting: each has its own file.
    assert (found.state, found.starts) == (OrderState.DONE, 3)
    assert found.video().attempt == 3
    assert await queues.dead_letters() == []


async def test_only_failed_orders_can_be_tried_again(queues: Queues, hand: Hand) -> None:
    with pytest.raises(OrderNotFailed, match="c2-7-1 has not failed"):
        await queues.retry(REF)
    await queues.submit(make_order(2))
    with pytest.raises(OrderNotFailed):
        await queues.retry(REF)
    await hand.work_through()
    with pytest.raises(OrderNotFailed):
        await queues.retry(REF)
    assert (await status(queues)).state is OrderState.DONE


async def test_order_that_failed_once_and_then_succeeded_is_done(
    queues: Queues, hand: Hand, redis: Redis
) -> None:
    await queues.submit(make_order(2))
    await hand.fail(await hand.take(), RuntimeError("once"))
    await redis.zadd(f"{prefix_of(QUEUE)}delayed", {REF.job_id: 0})  # its pause is over
    await hand.work_through()
    found = await status(queues)
    assert (found.state, found.error) == (OrderState.DONE, None)
    assert found.video().attempt == 2
