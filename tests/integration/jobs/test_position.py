"""The place in the queue and the time until an order is done."""

import math
import random
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from jobs.orders import Lane, OrderState, Progress
from jobs.queues.admission import NO_LIMITS
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry, WorkerState
from jobs.queues.queues import Queues
from jobs.queues.waiting import Backlog, Estimates, ShownPlace
from tests.integration.jobs.hand import ENGINE, Hand, make_order

pytestmark = pytest.mark.local_sockets


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey, [ENGINE], NO_LIMITS) as opened:
        yield opened


@pytest.fixture
def hand(redis: Redis) -> Hand:
    return Hand(redis)


def heartbeat(worker: str, **changes: object) -> Heartbeat:
    facts: dict[str, object] = {
        "worker": worker,
        "host": "here",
        "device": "cpu",
        "engines": ({"name": ENGINE},),
        "version": "1",
        "state": WorkerState.IDLE,
    }
    return Heartbeat.model_validate(facts | changes)


async def ahead(queues: Queues, person: int, number: int = 1) -> int | None:
    status = await queues.status(make_order(person, number).ref)
    assert status is not None
    return status.ahead


# --- the place ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_place_is_the_real_order_of_starts(queues: Queues, hand: Hand, seed: int) -> None:
    numbers = random.Random(seed)
    orders = []
    for number in range(1, 41):
        person = numbers.randint(2, 9)
        lane = Lane.EXPRESS if numbers.random() < 0.2 else Lane.FAIR
        cost_s = numbers.choice([5, 10, 25, 60])
        orders.append(make_order(person, number, lane=lane, estimated_cost_s=cost_s))
        await queues.submit(orders[-1])
    stalled = [await hand.take(), await hand.take()]
    for job_id in stalled:
        await hand.drop(job_id)
    await hand.find_stalled()
    places = {}
    for order in orders:
        status = await queues.status(order.ref)
        assert status is not None
        assert status.ahead is not None
        places[order.order_id] = status.ahead
    starts = await hand.work_through()
    assert [places[job_id] for job_id in starts] == list(range(40))


async def test_order_that_runs_or_pauses_has_no_place(queues: Queues, hand: Hand) -> None:
    await queues.submit(make_order(2))
    await hand.take()
    running = await queues.status(make_order(2).ref)
    assert running is not None
    assert (running.state, running.ahead, running.starts) == (OrderState.RUNNING, None, 1)
    await hand.fail("c2-7-1", RuntimeError("again"))
    pausing = await queues.status(make_order(2).ref)
    assert pausing is not None
    assert (pausing.state, pausing.ahead) == (OrderState.RETRYING, None)
    assert await queues.status(make_order(3).ref) is None


async def test_progress_of_another_version_hides_nothing_else(
    queues: Queues, hand: Hand, redis: Redis
) -> None:
    await queues.submit(make_order(2))
    await hand.take()
    await redis.hset(make_order(2).ref.key, "progress", '{"schema_version": 2}')
    status = await queues.status(make_order(2).ref)
    assert status is not None
    assert (status.state, status.progress) == (OrderState.RUNNING, None)
    assert (await Estimates(redis).backlog(make_order(2).ref)).own == 75


async def test_thousandth_of_a_thousand_has_999_before_it(queues: Queues) -> None:
    for person in range(2, 1002):
        await queues.submit(make_order(person))
    places = [await ahead(queues, person) for person in (2, 500, 1001)]
    assert places == [0, 498, 999]


async def test_card_never_counts_up(queues: Queues, hand: Hand) -> None:
    for number in range(1, 4):
        await queues.submit(make_order(100, number))
    shown = ShownPlace().updated(await ahead(queues, 100, 3))
    assert (shown.place, shown.others_passed) == (3, False)
    for person in range(2, 6):
        await queues.submit(make_order(person))
    shown = shown.updated(await ahead(queues, 100, 3))
    assert (shown.place, shown.others_passed) == (3, True)
    seen = [3]
    while (await hand.work_through(1)) and (place := await ahead(queues, 100, 3)) is not None:
        shown = ShownPlace.model_validate_json(shown.model_dump_json()).updated(place)
        assert shown.place is not None
        seen.append(shown.place)
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == 1


# --- the time -------------------------------------------------------------------------------------


async def test_no_time_is_told_before_there_is_history(queues: Queues, redis: Redis) -> None:
    await queues.submit(make_order(2))
    estimates, workers = Estimates(redis), WorkerRegistry(redis)
    ref = make_order(2).ref
    assert await estimates.until_done(ref, ENGINE) is None
    await workers.record_speed("cpu", ENGINE, 0.2)
    assert await estimates.until_done(ref, ENGINE) is None  # nobody is there to do it
    await workers.beat(heartbeat("one", device="cuda:0"), 0)
    assert await estimates.until_done(ref, ENGINE) is None  # somebody of another kind is
    await workers.beat(heartbeat("two"), 0)
    told = await estimates.until_done(ref, ENGINE)
    assert told is not None
    assert told.low_s < 75 * 0.2 < told.high_s


async def test_time_counts_what_is_before_and_what_is_left_of_what_runs(
    queues: Queues, hand: Hand, redis: Redis
) -> None:
    await queues.submit(make_order(2, frames=100))
    await queues.submit(make_order(3, frames=50))
    await queues.submit(make_order(4, frames=30))
    await queues.submit(make_order(1, frames=7, lane=Lane.EXPRESS))
    await hand.take()
    await hand.take()
    half = Progress(frames_done=50, frames_total=100)
    await redis.hset(make_order(2).ref.key, "progress", half.to_json())
    estimates = Estimates(redis)
    assert await estimates.backlog(make_order(4).ref) == Backlog(ahead=50, running=57, own=30)
    assert await estimates.backlog(make_order(2).ref) == Backlog(ahead=0, running=0, own=50)
    assert (await estimates.backlog(make_order(9).ref)).own == 0


async def test_speed_is_a_mean_that_follows_and_the_cost_is_made_of_it(redis: Redis) -> None:
    workers, estimates = WorkerRegistry(redis), Estimates(redis)
    await workers.beat(heartbeat("one"), 0)
    guessed_s = await estimates.cost_s(ENGINE, 100)
    assert 5 < guessed_s < 60
    await workers.record_speed("cpu", ENGINE, 1.0)
    await workers.record_speed("cpu", ENGINE, 2.0)
    assert await workers.speeds(["cpu", "mps"], ENGINE) == [pytest.approx(1.2), None]
    assert await estimates.cost_s(ENGINE, 100) == pytest.approx(120)


@pytest.mark.parametrize("impossible", [0.0, -1.0, 1e-9, 1e6, math.inf, math.nan])
async def test_speed_that_cannot_be_true_is_not_counted(redis: Redis, impossible: float) -> None:
    workers = WorkerRegistry(redis)
    await workers.record_speed("cpu", ENGINE, impossible)
    assert await workers.speeds(["cpu"], ENGINE) == [None]
    await workers.record_speed("cpu", ENGINE, 0.5)
    await workers.record_speed("cpu", ENGINE, impossible)
    assert await workers.speeds(["cpu"], ENGINE) == [0.5]


async def test_dead_draining_and_other_workers_do_not_count(redis: Redis) -> None:
    workers = WorkerRegistry(redis)
    await workers.beat(heartbeat("lives"), 0)
    await workers.beat(heartbeat("dies"), 0)
    await workers.beat(heartbeat("leaves"), 0)
    await workers.beat(heartbeat("drains", state=WorkerState.DRAINING), 0)
    await workers.beat(heartbeat("meshes", engines=({"name": "mesh"},)), 0)
    await workers.leave("leaves")
    await redis.delete("animato:worker:dies")
    living = await workers.living()
    assert {one.worker for one in living} == {"lives", "drains", "meshes"}
    assert [one.worker for one in living if one.serves(ENGINE)] == ["lives"]
