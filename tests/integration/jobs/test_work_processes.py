"""Workers that are killed, frozen and told to end, as processes."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from jobs.orders import OrderState
from jobs.queues.keys import prefix_of
from jobs.queues.queue_worker import QueueWorker, WorkRules
from jobs.queues.queues import Queues
from jobs.service_errors import OrderStalled
from jobs.wish import Movement
from tests.integration.jobs.bench import LIMIT_S, Bench, until
from tests.integration.jobs.hand import ENGINE, QUEUE, make_order

pytestmark = pytest.mark.local_sockets

ROOT = Path(__file__).parents[3]
LOCK_S = 2.0
RULES = WorkRules(lock_s=LOCK_S, stalled_check_s=LOCK_S / 3, beat_s=0.1, stop_s=1)
REF = make_order(2).ref


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey, [ENGINE]) as opened:
        yield opened


class Program:
    """A worker's process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def says(self, word: str) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            while line := (await self.process.stdout.readline()).decode().strip():
                if line == word:
                    return
        pytest.fail(f"it ended without saying {word}")

    async def ends(self) -> int:
        async with asyncio.timeout(LIMIT_S):
            return await self.process.wait()


@asynccontextmanager
async def running(url: str, most_stalls: int = 3) -> AsyncIterator[Program]:
    """A worker's process while the block lasts."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.jobs.worker_program"),
        *(url, str(LOCK_S), str(most_stalls)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_order_of_a_killed_worker_is_taken_by_another(queues: Queues, valkey: str) -> None:
    bench = Bench()
    bench.word.set()
    await queues.submit(make_order(2, motion=Movement(template="wait")))
    async with running(valkey) as killed:
        await killed.says("begun 1")
        killed.process.kill()
        async with QueueWorker(valkey, QUEUE, bench, RULES):
            status = await until(queues, REF, OrderState.DONE)
    assert status.starts == 2
    assert status.video().attempt == 2


async def test_frozen_worker_stops_when_it_thaws_and_the_order_is_done_once(
    queues: Queues, valkey: str, redis: Redis
) -> None:
    bench = Bench()
    bench.word.set()
    await queues.submit(make_order(2, motion=Movement(template="wait")))
    async with running(valkey) as frozen:
        await frozen.says("begun 1")
        frozen.process.send_signal(signal.SIGSTOP)
        async with QueueWorker(valkey, QUEUE, bench, RULES):
            await until(queues, REF, OrderState.DONE)
        frozen.process.send_signal(signal.SIGCONT)
        await frozen.says("lost")
        frozen.process.terminate()
        await frozen.says("ended")
        assert await frozen.ends() == 0
    status = await until(queues, REF, OrderState.DONE)
    assert status.video().attempt == 2
    assert await redis.zcard(f"{prefix_of(QUEUE)}completed") == 1
    assert await redis.keys(f"{prefix_of(QUEUE)}*:lock") == []


async def test_poison_kills_few_workers_and_other_orders_go_on(queues: Queues, valkey: str) -> None:
    await queues.submit(make_order(2, motion=Movement(template="poison")))
    await queues.submit(make_order(3))
    died = 0
    for _ in range(2):
        async with running(valkey, most_stalls=1) as worker:
            assert await worker.ends() == -signal.SIGKILL
            died += 1
    async with running(valkey, most_stalls=1):
        status = await until(queues, REF, OrderState.FAILED)
        await until(queues, make_order(3).ref, OrderState.DONE)
    assert isinstance(status.error, OrderStalled)
    assert (died, status.starts) == (2, 3)
    assert [letter.status.ref for letter in await queues.dead_letters()] == [REF]


async def test_worker_that_is_told_to_end_gives_its_order_back_uncharged(
    queues: Queues, valkey: str, redis: Redis
) -> None:
    await queues.submit(make_order(2, motion=Movement(template="wait")))
    async with running(valkey) as worker:
        await worker.says("begun 1")
        worker.process.terminate()
        await worker.says("draining")
        assert await worker.ends() == 0
    assert await redis.hget(REF.key, "atm") is None
    assert (await until(queues, REF, OrderState.WAITING)).starts == 1
