"""What runs in the background: queue workers reopen, tasks repeat, mistakes end the bot."""

import asyncio
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from bot.app import serve
from bot.periodic_tasks import run_in_background, run_periodically
from jobs.orders import OrderState, Record
from jobs.queues.assignment import Assignment
from jobs.queues.keys import DELIVER, INTAKE, LOOK, JobRef, prefix_of
from jobs.queues.known_engines import KnownEngines
from jobs.queues.outbox import Outbox
from jobs.queues.queue_workers import QueueWorkers
from jobs.queues.queues import Queues
from jobs.service_errors import QueueUnavailable
from jobs.tasks import end_tasks
from sandbox.server import Sandbox
from tests.integration.bot.parts import RULES, local_store
from tests.integration.bot.running import PATIENCE_S, settings_for, until
from tests.integration.jobs.hand import ENGINE, QUEUE, Hand, make_order, make_result
from tests.integration.sandbox.desk import Desk

pytestmark = pytest.mark.local_sockets


async def test_queue_worker_that_has_stopped_by_itself_is_opened_again(valkey: str) -> None:
    async def work(assignment: Assignment) -> Record:
        return make_result(assignment.ref, assignment.start_number)

    async with Queues(valkey, [ENGINE]) as queues:
        workers = QueueWorkers(valkey, reopen_after_s=0.01)
        keeping = asyncio.create_task(workers.run(QUEUE, work, RULES))
        try:
            for number in (1, 2):
                order = make_order(2, number)
                await queues.submit(order)
                await until(partial(is_done, queues, order.ref))
                (loop,) = [task for task in asyncio.all_tasks() if runs(task)]
                loop.cancel()
        finally:
            await end_tasks([keeping])
    assert not [task for task in asyncio.all_tasks() if runs(task)]


def runs(task: "asyncio.Task[Any]") -> bool:
    """Whether a task is the loop in which BullMQ's worker takes jobs."""
    return getattr(task.get_coro(), "__qualname__", "") == "Worker.run"


async def is_done(queues: Queues, ref: JobRef) -> bool:
    status = await queues.status(ref)
    return status is not None and status.state is OrderState.DONE


async def test_failure_is_told_and_the_rest_goes_on_until_the_end() -> None:
    told: list[BaseException] = []
    answered, ended = asyncio.Event(), asyncio.Event()

    def failed(error: BaseException) -> None:
        told.append(error)
        answered.set()

    async def slip() -> None:
        raise ZeroDivisionError

    async def once() -> None:
        """Is done at once, as it should be."""

    async def last() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with run_in_background((slip(), once(), last()), failed):
        await answered.wait()
        assert not ended.is_set()
    assert ended.is_set()
    assert [type(error) for error in told] == [ZeroDivisionError]


async def test_mistake_in_a_part_of_the_bot_ends_it(
    sandbox: Sandbox, valkey: str, desk: Desk, redis: Redis, tmp_path: Path
) -> None:
    settings = settings_for(sandbox, redis_url=SecretStr(valkey), data_dir=tmp_path)
    serve_bot = asyncio.create_task(
        serve(settings, local_store(tmp_path), asyncio.Event(), lambda _line: None)
    )
    try:
        await until(lambda: is_listening(desk))
        await KnownEngines(redis).add(ENGINE)
        # No such time is foreseen where finished orders are looked for.
        await redis.zadd(f"{prefix_of(QUEUE)}completed", {"c1-1-1": math.inf})
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait({serve_bot})
        with pytest.raises(OverflowError):
            serve_bot.result()
    finally:
        await end_tasks([serve_bot])


async def is_listening(desk: Desk) -> bool:
    return bool((await desk.get("chats"))["bot"]["is_listening"])


class Unlucky:
    """Fails every other time."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self) -> None:
        self.times += 1
        if self.times % 2:
            raise QueueUnavailable(place="here", reason="it does not answer")


async def test_periodic_task_that_fails_is_run_again() -> None:
    unlucky = Unlucky()
    keeping = asyncio.create_task(run_periodically("one", 0.001, unlucky))
    try:
        await until(lambda: unlucky.times > 4)
    finally:
        await end_tasks([keeping])


async def test_mistake_of_ours_ends_a_periodic_task_loudly() -> None:
    async def slip() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_periodically("one", 0.001, slip)


async def test_finished_orders_become_deliveries(valkey: str) -> None:
    async with Queues(valkey, [ENGINE]) as queues:
        outbox = Outbox(queues, [*queues.engine_queues, LOOK, INTAKE])
        keeping = asyncio.create_task(run_periodically("outbox", 0.01, outbox.sweep))
        try:
            await queues.submit(make_order(2))
            await Hand(queues.client).work_through()
            await until(lambda: waits(queues))
        finally:
            await end_tasks([keeping])


async def waits(queues: Queues) -> bool:
    return (await queues.statistics(DELIVER)).counts["wait"] == 1
