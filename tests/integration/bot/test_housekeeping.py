"""What the bot does again and again, also after a failure."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from bot.periodic_tasks import PeriodicTask, periodic_tasks, run_periodic_tasks
from jobs.cleaning import Cleaning
from jobs.metrics.queue_metrics import QueueMetrics
from jobs.queues.keys import DELIVER, INTAKE, LOOK
from jobs.queues.outbox import Outbox
from jobs.queues.queues import Queues
from jobs.service_errors import QueueUnavailable
from jobs.store.retention import Retention
from jobs.tasks import end_tasks
from tests.integration.bot.conftest import until
from tests.integration.bot.staff import local_store
from tests.integration.jobs.hand import ENGINE, Hand, make_order

pytestmark = pytest.mark.local_sockets


class Unlucky:
    """Fails every other time."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self) -> None:
        self.times += 1
        if self.times % 2:
            raise QueueUnavailable(place="here", reason="it does not answer")


async def test_chore_that_fails_is_done_again_and_delays_no_other() -> None:
    unlucky, other = Unlucky(), Unlucky()

    async def hang() -> None:
        other.times += 1
        await asyncio.Event().wait()

    chores = (PeriodicTask("one", 0.001, unlucky), PeriodicTask("two", 0.001, hang))
    keeping = asyncio.create_task(run_periodic_tasks(chores))
    try:
        await until(lambda: unlucky.times > 4)
    finally:
        await end_tasks([keeping])
    assert other.times == 1


async def test_mistake_of_ours_ends_it_loudly() -> None:
    async def slip() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_periodic_tasks(
            (PeriodicTask("one", 0.001, slip), PeriodicTask("two", 0.001, Unlucky()))
        )


async def test_finished_orders_become_deliveries(valkey: str, tmp_path: Path) -> None:
    async with Queues(valkey, [ENGINE]) as queues:
        outbox = Outbox(queues, [*queues.engine_queues, LOOK, INTAKE])
        retention = Retention(queues.client, local_store(tmp_path), input_s=60, result_s=60)
        chores = periodic_tasks(
            outbox,
            Cleaning(queues, outbox, retention),
            QueueMetrics(queues, CollectorRegistry()),
            queues.clock,
        )
        keeping = asyncio.create_task(run_periodic_tasks(chores))
        try:
            await queues.submit(make_order(2))
            await Hand(queues.client).work_through()
            await until(lambda: waits(queues))
        finally:
            await end_tasks([keeping])


async def waits(queues: Queues) -> bool:
    return (await queues.counts(DELIVER))["wait"] == 1
