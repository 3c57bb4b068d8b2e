"""Work that goes on though its order has gone to another worker: what comes of it is refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis

from jobs.orders import OrderState, Record
from jobs.queues.assignment import Assignment
from jobs.queues.keys import DELIVER
from jobs.queues.outbox import Outbox
from jobs.queues.queue_worker import QueueWorker, WorkRules
from jobs.queues.queues import Queues
from tests.integration.jobs.bench import LIMIT_S, until
from tests.integration.jobs.hand import ENGINE, QUEUE, Hand, make_order, make_result

pytestmark = pytest.mark.local_sockets

REF = make_order(2).ref
UNAWARE = WorkRules(beat_s=600, stop_s=0.5, idle_s=0.1)


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey, [ENGINE]) as opened:
        yield opened


async def succeed(assignment: Assignment) -> Record | None:
    return make_result(assignment.ref, assignment.start_number)


async def fail(_: Assignment) -> Record | None:
    message = "the zombie has failed"
    raise RuntimeError(message)


@pytest.mark.parametrize("end", [succeed, fail])
@pytest.mark.parametrize("is_done_before", [True, False])
async def test_what_comes_of_it_is_refused_and_the_other_workers_result_is_delivered_once(
    queues: Queues,
    redis: Redis,
    end: Callable[[Assignment], Awaitable[Record | None]],
    is_done_before: bool,
) -> None:
    begun, word = asyncio.Event(), asyncio.Event()

    async def work(assignment: Assignment) -> Record | None:
        begun.set()
        await word.wait()
        return await end(assignment)

    await queues.submit(make_order(2))
    hand, outbox = Hand(redis), Outbox(queues, [QUEUE])
    async with asyncio.timeout(LIMIT_S), QueueWorker(queues.url, QUEUE, work, UNAWARE) as station:
        await begun.wait()
        await redis.delete(REF.lock_key)
        await hand.find_stalled()
        assert await hand.take() == REF.job_id
        if is_done_before:
            await hand.finish(REF.job_id)
        word.set()
        while station.in_progress:
            await asyncio.sleep(0.01)
        await station.drain(grace_s=0)
    if not is_done_before:
        status = await until(queues, REF, OrderState.RUNNING)
        assert (status.result, status.error) == (None, None)
        await hand.finish(REF.job_id)
    status = await until(queues, REF, OrderState.DONE)
    assert (status.starts, status.video().attempt) == (2, 2)
    assert [await outbox.sweep(), await outbox.sweep()] == [1, 0]
    assert len(await Hand(redis, DELIVER).work_through()) == 1
