"""What a night can bring: people change their minds, engines die, locks are lost, disks fill up."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from jobs.errors import EngineDied
from jobs.orders import Order, OrderState
from jobs.queues.heartbeats import WorkerState
from jobs.queues.keys import prefix_of
from jobs.queues.order_logs import LINES_KEPT, OrderLogs
from jobs.queues.outcomes import CancelOutcome
from jobs.queues.queues import Queues
from jobs.store.files import FileStore
from tests.integration.inference.test_look_children import look_children
from tests.integration.worker.conftest import (
    CLIP,
    engine_processes,
    look_ordered,
    ordered,
    seen,
    signs,
    tried_soon,
    until,
    working,
)
from worker.plan import WorkerPlan

pytestmark = pytest.mark.local_sockets

ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told from /proc")


class SmallStore(FileStore):
    """A file store whose room is as much as a test says."""

    free = 10_000_000_000

    def free_bytes(self) -> int | None:
        return self.free


async def begun(queues: Queues, order: Order) -> None:
    """Returns when a worker has told of the order's first frame."""

    async def has_frames() -> bool:
        status = await queues.status(order.ref)
        return bool(status and status.progress and status.progress.frames_done)

    await seen(has_frames)


async def results(store: FileStore) -> list[str]:
    return [file.key async for file in store.listing("results")]


# --- people change their minds --------------------------------------------------------------------


async def test_order_that_waits_or_runs_is_cancelled_and_the_engine_stays(
    queues: Queues, plan: WorkerPlan, word: Path, redis: Redis, store: FileStore
) -> None:
    runs, waits, stays = [await ordered(queues, 2 + number, "waiting") for number in range(3)]
    async with working(plan, "waiting"):
        await begun(queues, runs)
        engines = engine_processes(os.getpid())
        assert await queues.cancel(waits.ref) is CancelOutcome.REMOVED
        assert await queues.cancel(runs.ref) is CancelOutcome.TOLD
        status = await until(queues, runs.ref, OrderState.CANCELLED)
        assert status.starts == 1
        word.touch()
        await until(queues, stays.ref, OrderState.DONE)
        assert engine_processes(os.getpid()) == engines
    expected = [f"results/{stays.order_id}/1.{suffix}" for suffix in ("jpg", "mp4")]
    assert sorted(await results(store)) == expected
    assert await redis.hget(waits.ref.key, "ats") is None
    assert "stopped: cancelled" in (await OrderLogs(redis).last(runs.order_id, LINES_KEPT))[-1]


async def test_look_that_runs_is_cancelled_and_its_children_end(
    queues: Queues, plan: WorkerPlan, store: FileStore
) -> None:
    look = await look_ordered(queues, clip_key=CLIP)
    async with working(plan, "still"):
        await until(queues, look.ref, OrderState.RUNNING)
        assert await queues.cancel(look.ref) is CancelOutcome.TOLD
        assert (await until(queues, look.ref, OrderState.CANCELLED)).starts == 1
    # The photo that lies there is the one of before.
    assert [file.key async for file in store.listing("looks")] == ["looks/7/photo.png"]


# --- engines die ----------------------------------------------------------------------------------


@ON_LINUX
async def test_order_whose_engine_is_killed_is_done_by_a_fresh_one(
    queues: Queues, plan: WorkerPlan, word: Path, redis: Redis
) -> None:
    order = await ordered(queues, 2, "waiting")
    await tried_soon(redis, order.ref)
    async with working(plan, "waiting"):
        await begun(queues, order)
        (engine,) = engine_processes(os.getpid())
        os.kill(engine, signal.SIGKILL)
        word.touch()
        status = await until(queues, order.ref, OrderState.DONE)
        assert engine_processes(os.getpid()) != [engine]
    assert (status.starts, status.video().attempt) == (2, 2)
    assert status.video().key.endswith("/2.mp4")
    lines = await OrderLogs(redis).last(order.order_id, LINES_KEPT)
    assert any("SIGKILL" in line for line in lines)


@ON_LINUX
async def test_look_whose_process_is_killed_from_outside_is_tried_again(
    queues: Queues, plan: WorkerPlan, redis: Redis
) -> None:
    look = await look_ordered(queues)
    await tried_soon(redis, look.ref)
    async with working(plan, "still"):

        async def is_killed() -> bool:
            for child in look_children():
                os.kill(int(child.name), signal.SIGKILL)
                return True
            return False

        await seen(is_killed)
        assert (await until(queues, look.ref, OrderState.DONE)).starts == 2


async def test_poison_fails_after_three_attempts_and_others_go_on(
    queues: Queues, plan: WorkerPlan, redis: Redis
) -> None:
    poison = await ordered(queues, 2, "crashing")
    others = [await ordered(queues, 3 + number) for number in range(6)]
    await tried_soon(redis, poison.ref)
    async with working(plan, "crashing", "still"):
        status = await until(queues, poison.ref, OrderState.FAILED)
        ends = [(await until(queues, other.ref, OrderState.DONE)).finished_s for other in others]
    # Its other attempts had their turns while orders for the other engine waited.
    poison_s = status.finished_s or 0
    assert 0 < sum((end_s or 0) < poison_s for end_s in ends) < len(others)
    assert await redis.hget(poison.ref.key, "atm") == "3"
    assert isinstance(status.error, EngineDied)
    assert [letter.status.ref for letter in await queues.dead_letters()] == [poison.ref]


# --- locks are lost -------------------------------------------------------------------------------


async def test_worker_that_has_lost_an_order_throws_its_work_away(
    queues: Queues, plan: WorkerPlan, redis: Redis, store: FileStore, word: Path
) -> None:
    order = await ordered(queues, 2, "waiting")
    async with working(plan, "waiting"):
        await begun(queues, order)
        await redis.set(order.ref.lock_key, "another worker's")

        async def is_stopped() -> bool:
            lines = await OrderLogs(redis).last(order.order_id, LINES_KEPT)
            return "stopped: lost" in lines[-1]

        await seen(is_stopped)
        word.touch()
        other = await ordered(queues, 3, "waiting")
        await until(queues, other.ref, OrderState.DONE)
    expected = [f"results/{other.order_id}/1.{suffix}" for suffix in ("jpg", "mp4")]
    assert sorted(await results(store)) == expected
    assert await redis.lrange(f"{prefix_of(order.ref.queue)}active", 0, -1) == [order.order_id]


# --- the worker is to end -------------------------------------------------------------------------


async def test_order_is_given_back_uncharged_when_the_worker_ends(
    queues: Queues, plan: WorkerPlan, redis: Redis, word: Path
) -> None:
    order = await ordered(queues, 2, "waiting")
    async with working(plan, "waiting") as worker:
        await begun(queues, order)
        worker.ending.ask()
        await worker.ended()
    status = await until(queues, order.ref, OrderState.WAITING)
    assert (status.starts, await redis.hget(order.ref.key, "atm")) == (1, None)
    assert await signs(redis) == []
    word.touch()
    async with working(plan, "waiting"):
        await until(queues, order.ref, OrderState.DONE)


async def test_order_that_is_nearly_done_is_finished_first(
    queues: Queues, plan: WorkerPlan, redis: Redis
) -> None:
    order, next_one = await ordered(queues, 2, "steady"), await ordered(queues, 3, "steady")

    async def can_be_told() -> bool:
        found = await signs(redis)
        return bool(found and found[0].frames_per_second)

    async with working(plan, "steady") as worker:
        await seen(can_be_told)
        worker.ending.ask()
        await worker.ended()
    assert (await until(queues, order.ref, OrderState.DONE)).starts == 1
    assert (await until(queues, next_one.ref, OrderState.WAITING)).starts == 0


async def test_who_asks_twice_does_not_wait_for_it(
    queues: Queues, plan: WorkerPlan, redis: Redis
) -> None:
    order = await ordered(queues, 2, "steady")

    async def can_be_told() -> bool:
        found = await signs(redis)
        return bool(found and found[0].frames_per_second)

    async with working(plan, "steady") as worker:
        await seen(can_be_told)
        worker.ending.ask()
        worker.ending.ask()
        await worker.ended()
    status = await until(queues, order.ref, OrderState.WAITING)
    assert (status.starts, await redis.hget(order.ref.key, "atm")) == (1, None)


# --- disks fill up --------------------------------------------------------------------------------


async def test_full_disk_pauses_the_worker_until_there_is_room(
    queues: Queues,
    plan: WorkerPlan,
    redis: Redis,
    store: FileStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    small = SmallStore.open(store.place, min_free_bytes=1_000_000_000)
    plan = replace(plan, store=small, min_free_bytes=1_000_000)

    async def is_paused() -> bool:
        return [sign.state for sign in await signs(redis)] == [WorkerState.PAUSED]

    async def is_not_paused() -> bool:
        return not await is_paused()

    async with working(plan, "still"):
        await until(queues, (await ordered(queues, 2)).ref, OrderState.DONE)
        small.free = 900_000
        await seen(is_paused)
        assert (await signs(redis))[0].free_bytes == 900_000
        order, look = await ordered(queues, 3), await look_ordered(queues)
        small.free = 1_010_000  # hardly more than the limit

        async def is_seen() -> bool:
            return (await signs(redis))[0].free_bytes == 1_010_000

        await seen(is_seen)
        assert await is_paused()
        counts = [(await queues.statistics(ref.queue)).counts for ref in (order.ref, look.ref)]
        assert [one["active"] + one["completed"] for one in counts] == [1, 0]
        small.free = 10_000_000_000
        await until(queues, order.ref, OrderState.DONE)
        await until(queues, look.ref, OrderState.DONE)
        await seen(is_not_paused)
    assert await redis.hget(order.ref.key, "ats") == "1"
    said = [record.message for record in caplog.records if record.name == "worker.agent"]
    assert any("too little disk space" in line and "0 MB left" in line for line in said)
    assert any("enough disk space again" in line for line in said)


async def test_disk_that_is_full_at_the_end_costs_no_attempt(
    queues: Queues, plan: WorkerPlan, redis: Redis, store: FileStore, word: Path
) -> None:
    small = SmallStore.open(store.place, min_free_bytes=1_000_000_000)
    plan = replace(plan, store=small, min_free_bytes=1_000_000_000)
    order = await ordered(queues, 2, "waiting")
    async with working(plan, "waiting"):
        await begun(queues, order)
        small.free = 999_000_000
        word.touch()
        await until(queues, order.ref, OrderState.WAITING)
    assert await redis.hget(order.ref.key, "atm") is None
    assert await results(store) == []
