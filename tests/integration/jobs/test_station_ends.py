"""A station that ends, at whatever moment: it leaves no job, no connection and no task behind."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from jobs.orders import Record
from jobs.queues.assignment import Assignment
from jobs.queues.keys import prefix_of
from jobs.queues.queue_worker import QueueWorker, WorkRules
from jobs.queues.queues import Queues
from jobs.tasks import end_tasks, run_shielded
from tests.integration.jobs.bench import LIMIT_S, Bench
from tests.integration.jobs.hand import ENGINE, QUEUE, make_order, make_result

pytestmark = pytest.mark.local_sockets

RULES = WorkRules(max_concurrent=4, beat_s=0.05, stop_s=0.5, idle_s=0.1, stalled_check_s=0.01)
MOMENTS = range(40)  # how often the event loop turns; that covers connecting and the first fetches


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey, [ENGINE]) as opened:
        yield opened


async def work(assignment: Assignment) -> Record:
    return make_result(assignment.ref, assignment.start_number)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def connections(redis: Redis, most: int) -> int:
    """How many there are; the server may notice only a little later that one was closed."""
    count = 0
    for _ in range(100):
        count = len(await redis.client_list())
        if count <= most:
            break
        await asyncio.sleep(0.01)
    return count


async def test_station_that_is_closed_at_any_moment_leaves_nothing_open(
    valkey: str, redis: Redis
) -> None:
    before, tasks = len(await redis.client_list()), asyncio.all_tasks()
    for moment in MOMENTS:
        async with QueueWorker(valkey, QUEUE, work, RULES):
            await turns(moment)
        assert asyncio.all_tasks() == tasks
        assert await connections(redis, before) == before


async def test_order_that_is_being_fetched_while_the_station_closes_is_given_back(
    valkey: str, redis: Redis, queues: Queues
) -> None:
    for moment in MOMENTS:
        for number in range(4):
            await queues.submit(make_order(1000 * (moment + 1) + number))
        async with QueueWorker(valkey, QUEUE, work, RULES):
            await turns(moment)
        assert await redis.llen(f"{prefix_of(QUEUE)}active") == 0


async def test_end_of_a_station_is_not_cut_short(valkey: str, redis: Redis, queues: Queues) -> None:
    await queues.submit(make_order(2))
    before, tasks = len(await redis.client_list()), asyncio.all_tasks()
    bench = Bench()
    bench.is_stubborn = True

    async def attend() -> None:
        async with QueueWorker(valkey, QUEUE, bench, RULES):
            await asyncio.Event().wait()

    attending = asyncio.create_task(attend())
    await bench.has_begun()
    async with asyncio.timeout(LIMIT_S):
        await end_tasks([attending])  # that cancels it again and again
    assert attending.cancelled()
    assert asyncio.all_tasks() == tasks
    assert await connections(redis, before) == before
    assert await redis.llen(f"{prefix_of(QUEUE)}active") == 0


async def test_tasks_that_a_task_ends_have_ended_when_that_is_cancelled() -> None:
    word = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            while not word.is_set():
                try:
                    await word.wait()
                except asyncio.CancelledError:
                    continue

    async def outer(inner: "asyncio.Task[None]") -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await end_tasks([inner])

    inner = asyncio.create_task(slow())
    task = asyncio.create_task(outer(inner))
    await turns(2)
    for _ in range(2):
        task.cancel()
        await turns(2)
    has_left_it = task.done()
    word.set()
    assert not has_left_it
    async with asyncio.timeout(LIMIT_S):
        await asyncio.wait({task})
    assert inner.done()
    assert task.cancelled()


async def test_work_that_must_not_be_cut_short_fails_as_it_would() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_shielded(fail())
