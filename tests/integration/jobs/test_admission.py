"""Which orders are taken: duplicates, limits, and wishes that are new."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from bullmq.custom_errors import UnrecoverableError
from redis.asyncio import Redis

from jobs.errors import NoFaceFound, UnknownEngine
from jobs.orders import LookJob, OrderState
from jobs.queues.admission import NO_LIMITS, OrderLimits
from jobs.queues.failures import reason_of
from jobs.queues.keys import (
    INTAKE,
    LOOK,
    JobRef,
    accepted_key,
    accepting_key,
    day_key,
    fair_key,
    open_key,
)
from jobs.queues.outcomes import CancelOutcome
from jobs.queues.queues import Queues
from jobs.service_errors import QueueFull, TooManyOpenOrders, TooManyOrdersToday, TooManyPhotos
from tests.integration.jobs.hand import QUEUE, Hand, admins_order, make_order

pytestmark = pytest.mark.local_sockets

HOUR_S = 3600.0


class Clock:
    """Shows what it is set to."""

    now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def queues(valkey: str, clock: Clock) -> AsyncIterator[Queues]:
    limits = OrderLimits(open_orders=3, per_day=6, queue=10)
    async with Queues(valkey, ["still", "mesh"], limits, clock) as opened:
        yield opened


@pytest.fixture
def hand(redis: Redis) -> Hand:
    return Hand(redis)


# --- the same wish, and new ones ------------------------------------------------------------------


async def test_double_tap_makes_one_order(queues: Queues, hand: Hand, redis: Redis) -> None:
    both = await asyncio.gather(queues.submit(make_order(2)), queues.submit(make_order(2)))
    assert sorted(one.is_new for one in both) == [False, True]
    assert await redis.hgetall(fair_key(QUEUE)) == {"V": "1.1", "u:2": "2"}
    again = await queues.submit(make_order(2))
    assert (again.is_new, again.status.state, again.status.ahead) == (False, OrderState.WAITING, 0)
    assert await hand.work_through() == ["c2-7-1"]


async def test_repeated_update_finds_the_finished_order(queues: Queues, hand: Hand) -> None:
    await queues.submit(make_order(2))
    await hand.work_through()
    again = await queues.submit(make_order(2))
    assert (again.is_new, again.status.state) == (False, OrderState.DONE)
    assert again.status.video().key == "results/c2-7-1/1.mp4"
    assert await hand.take() == ""


async def test_same_tap_with_another_engine_is_the_same_order(queues: Queues) -> None:
    await queues.submit(make_order(2))
    again = await queues.submit(make_order(2, engine="mesh"))
    assert not again.is_new
    assert again.status.ref.queue == QUEUE


async def test_cancelling_and_ordering_again_works(queues: Queues, hand: Hand) -> None:
    await queues.submit(make_order(2, 1))
    assert await queues.cancel(make_order(2, 1).ref) is CancelOutcome.REMOVED
    assert (await queues.submit(make_order(2, 2))).is_new
    # The old button, tapped late, does not bring the cancelled order back.
    late = await queues.submit(make_order(2, 1))
    assert (late.is_new, late.status.state) == (False, OrderState.CANCELLED)
    assert await hand.work_through() == ["c2-7-2"]


async def test_failing_and_ordering_again_works(queues: Queues, hand: Hand) -> None:
    await queues.submit(make_order(2, 1))
    await hand.fail(await hand.take(), UnrecoverableError(reason_of(NoFaceFound(name="a.png"))))
    failed = await queues.status(make_order(2, 1).ref)
    assert failed is not None
    assert failed.state is OrderState.FAILED
    assert str(failed.error) == str(NoFaceFound(name="a.png"))
    assert (await queues.submit(make_order(2, 2))).is_new
    assert await hand.work_through() == ["c2-7-2"]


async def test_order_for_an_engine_without_a_queue_is_refused(queues: Queues) -> None:
    with pytest.raises(UnknownEngine, match="choose one of still, mesh"):
        await queues.submit(make_order(2, engine="fomm"))


async def test_same_movement_with_another_face_is_a_new_order(queues: Queues, hand: Hand) -> None:
    first = make_order(2, 1)
    second = make_order(2, 2, face_box={"left": 0, "upper": 0, "right": 90, "lower": 90})
    assert (await queues.submit(first)).is_new
    assert (await queues.submit(second)).is_new
    assert await hand.work_through() == ["c2-7-1", "c2-7-2"]


async def test_death_between_admission_and_adding_does_not_block_the_order(
    queues: Queues, redis: Redis
) -> None:
    order = make_order(2)
    request = queues.request_of(order)
    assert await queues.admission.admit(request, NO_LIMITS, 0) is not None
    assert not await redis.exists(accepted_key(order.order_id))
    await redis.pexpire(accepting_key(order.order_id), 50)  # it lasts a few seconds
    assert (await queues.submit(order)).is_new


async def test_order_that_was_half_taken_does_not_stand_in_its_own_way(
    queues: Queues, redis: Redis
) -> None:
    await queues.submit(make_order(2, 1))
    await queues.submit(make_order(2, 2))
    await queues.admission.admit(queues.request_of(make_order(2, 3)), OrderLimits(), queues.clock())
    await redis.pexpire(accepting_key("c2-7-3"), 50)
    assert (await queues.submit(make_order(2, 3))).is_new


# --- limits ---------------------------------------------------------------------------------------


async def test_fourth_open_order_is_refused_over_all_engines(queues: Queues) -> None:
    for number, engine in ((1, "still"), (2, "mesh"), (3, "still")):
        await queues.submit(make_order(2, number, engine=engine))
    with pytest.raises(TooManyOpenOrders, match="3 of your videos are still being made"):
        await queues.submit(make_order(2, 4))
    assert (await queues.submit(make_order(3))).is_new
    # A duplicate is no fourth order.
    assert not (await queues.submit(make_order(2, 1))).is_new


async def test_place_is_free_again_after_finishing_cancelling_or_vanishing(
    queues: Queues, hand: Hand, redis: Redis, clock: Clock
) -> None:
    for number in range(1, 4):
        await queues.submit(make_order(2, number))
    await hand.work_through(1)
    await queues.submit(make_order(2, 4))
    await queues.cancel(make_order(2, 4).ref)
    await queues.submit(make_order(2, 5))
    with pytest.raises(TooManyOpenOrders):
        await queues.submit(make_order(2, 6))
    # Somebody else's tool removes a job behind our back.
    await queues.remove(make_order(2, 5).ref)
    clock.now_s += 31
    assert (await queues.submit(make_order(2, 6))).is_new
    assert len(await redis.zrange(open_key(2), 0, -1)) == 3


async def test_order_on_its_way_into_the_queue_counts(queues: Queues) -> None:
    for number in range(1, 4):
        request = queues.request_of(make_order(2, number))
        await queues.admission.admit(request, OrderLimits(), queues.clock(), queues.engine_queues)
    with pytest.raises(TooManyOpenOrders):
        await queues.submit(make_order(2, 4))


async def test_many_taps_at_once_do_not_pass_the_limit(queues: Queues, hand: Hand) -> None:
    wishes = [queues.submit(make_order(2, number)) for number in range(1, 21)]
    answers = await asyncio.gather(*wishes, return_exceptions=True)
    assert sum(isinstance(one, TooManyOpenOrders) for one in answers) == 17
    assert len(await hand.work_through()) == 3


async def test_seventh_order_of_a_day_is_refused_and_told_when_it_may_come(
    queues: Queues, hand: Hand, clock: Clock
) -> None:
    for number in range(1, 7):
        await queues.submit(make_order(2, number))
        await hand.work_through()
        clock.now_s += HOUR_S
    with pytest.raises(TooManyOrdersToday, match=r"next one is possible in 18 h 0 min\.$"):
        await queues.submit(make_order(2, 7))
    clock.now_s += 18 * HOUR_S - 1
    with pytest.raises(TooManyOrdersToday, match=r"next one is possible in 0 h 1 min\.$"):
        await queues.submit(make_order(2, 7))
    clock.now_s += 1
    assert (await queues.submit(make_order(2, 7))).is_new
    with pytest.raises(TooManyOrdersToday, match=r"next one is possible in 1 h 0 min\.$"):
        await queues.submit(make_order(2, 8))


async def test_limit_that_was_lowered_counts_from_the_order_that_must_leave_first(
    queues: Queues, hand: Hand, clock: Clock
) -> None:
    for number in range(1, 5):
        await queues.submit(make_order(2, number))
        await hand.work_through()
        clock.now_s += HOUR_S
    # Of four, three must leave; the third was given two hours ago.
    with pytest.raises(TooManyOrdersToday, match=r"next one is possible in 22 h 0 min\.$"):
        await queues.submit(make_order(2, 5), OrderLimits(open_orders=3, per_day=2, queue=10))


async def test_order_that_was_cancelled_before_it_began_is_not_counted(
    queues: Queues, redis: Redis
) -> None:
    for number in range(1, 10):
        await queues.submit(make_order(2, number))
        await queues.cancel(make_order(2, number).ref)
    assert await redis.zcard(day_key(2)) == 0


async def test_full_queue_refuses_and_says_how_many_wait(queues: Queues, hand: Hand) -> None:
    for person in range(2, 12):
        engine = "still" if person % 2 else "mesh"
        await queues.submit(make_order(person, engine=engine))
    await hand.take()  # what runs counts
    with pytest.raises(QueueFull, match="10 videos are waiting"):
        await queues.submit(make_order(50))
    await hand.work_through(1)
    assert (await queues.submit(make_order(50))).is_new


async def test_admins_have_no_limits_and_go_first(queues: Queues, hand: Hand) -> None:
    for person in range(2, 12):
        await queues.submit(make_order(person))
    for number in range(1, 9):
        await queues.submit(admins_order(number), NO_LIMITS)
    assert await hand.work_through(8) == [f"c1-7-{number}" for number in range(1, 9)]


async def test_looks_are_fair_and_use_up_no_place_of_orders(queues: Queues, redis: Redis) -> None:
    def look(person: int, number: int) -> LookJob:
        return LookJob(
            look_id=f"l{person}-{number}",
            person=person,
            draft="7",
            photo_key="inputs/7/photo",
        )

    for number in range(1, 41):
        assert await queues.send(look(2, number).ref, look(2, number), 2)
    assert not await queues.send(look(2, 1).ref, look(2, 1), 2)
    await queues.send(look(3, 1).ref, look(3, 1), 3)
    assert await Hand(redis, LOOK).work_through(3) == ["l2-1", "l3-1", "l2-2"]
    assert (await queues.submit(make_order(2))).is_new


async def test_photos_of_a_person_that_are_fetched_or_looked_at_are_limited_together(
    queues: Queues, redis: Redis
) -> None:
    limits = OrderLimits(open_orders=3, per_day=0, queue=0)

    async def fetch(person: int, number: int) -> bool:
        ref = JobRef(INTAKE, f"in-{person}-{number}")
        return await queues.send(ref, make_order(person), person, limits)

    for number in range(3):
        assert await fetch(2, number)
    with pytest.raises(TooManyPhotos) as caught:
        await fetch(2, 3)
    assert caught.value.fields["count"] == 3
    assert not await fetch(2, 0)  # the same once more is none more
    assert await fetch(3, 0)
    assert (await queues.submit(make_order(2))).is_new
    # What is fetched is looked at, which is never refused, and counts as long as that takes.
    fetched = JobRef(INTAKE, await (hand := Hand(redis, INTAKE)).take())
    look = JobRef(LOOK, "look-2-0")
    assert await queues.send(look, make_order(2), 2, follows=fetched)
    with pytest.raises(TooManyPhotos):
        await fetch(2, 3)
    await hand.finish(fetched.job_id)
    with pytest.raises(TooManyPhotos):
        await fetch(2, 3)
    await Hand(redis, LOOK).work_through(1)
    assert await fetch(2, 3)
