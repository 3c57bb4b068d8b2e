"""Whose turn is when: the order of starts, with one worker that a test leads by the hand."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from jobs.orders import Order
from jobs.queues.admission import NO_LIMITS, UNIT_S
from jobs.queues.keys import fair_key, prefix_of
from jobs.queues.queues import Queues
from tests.integration.jobs.hand import ENGINE, QUEUE, Hand, admins_order, make_order, members

pytestmark = pytest.mark.local_sockets

HEAVY = 100


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey, [ENGINE], NO_LIMITS) as opened:
        yield opened


@pytest.fixture
def hand(redis: Redis) -> Hand:
    return Hand(redis)


def names(ids: list[str]) -> str:
    """`100.3` for the third order of person 100, one after the other."""
    return " ".join(f"{one.split('-')[0][1:]}.{one.split('-')[2]}" for one in ids)


async def submit_all(queues: Queues, orders: list[Order]) -> None:
    for order in orders:
        await queues.submit(order)


# --- sequences ------------------------------------------------------------------------------------


async def test_newcomers_and_an_admin_start_before_the_rest_of_a_long_row(
    queues: Queues, hand: Hand
) -> None:
    await submit_all(queues, [make_order(HEAVY, number) for number in range(1, 21)])
    assert names(await hand.work_through(5)) == "100.1 100.2 100.3 100.4 100.5"
    await submit_all(queues, [make_order(2), make_order(3), make_order(4), admins_order()])
    rest = " ".join(f"100.{number}" for number in range(6, 21))
    assert names(await hand.work_through()) == f"1.1 2.1 3.1 4.1 {rest}"


async def test_shares_are_of_work_and_not_of_orders(queues: Queues, hand: Hand) -> None:
    for number in range(1, 3):
        await queues.submit(make_order(5, number, estimated_cost_s=30))
    for number in range(1, 7):
        await queues.submit(make_order(6, number, estimated_cost_s=10))
    assert names(await hand.work_through()) == "5.1 6.1 6.2 6.3 5.2 6.4 6.5 6.6"


@pytest.mark.parametrize("ran", [0, 1, 50])
async def test_newcomer_starts_next_while_one_person_has_a_hundred_orders(
    queues: Queues, hand: Hand, ran: int
) -> None:
    await submit_all(queues, [make_order(HEAVY, number) for number in range(1, 101)])
    await hand.work_through(ran)
    running = await hand.take()
    assert (await queues.submit(make_order(2))).status.ahead == 0
    await hand.finish(running)
    assert names([await hand.take()]) == "2.1"


async def test_newcomer_has_not_saved_up_turns_of_the_time_before(
    queues: Queues, hand: Hand
) -> None:
    await submit_all(queues, [make_order(HEAVY, number) for number in range(1, 61)])
    await hand.work_through(50)
    running = await hand.take()
    await submit_all(queues, [make_order(2, number) for number in range(1, 5)])
    await hand.finish(running)
    assert names(await hand.work_through(7)) == "2.1 100.52 2.2 100.53 2.3 100.54 2.4"


async def test_returning_person_does_not_starve_among_newcomers(queues: Queues, hand: Hand) -> None:
    await submit_all(queues, [make_order(2, number) for number in range(1, 4)])
    starts: list[str] = []
    newcomers = iter(range(1000, 2000))
    # Two come for each one that is done, for ever.
    for _ in range(40):
        await submit_all(queues, [make_order(next(newcomers)) for _ in range(2)])
        starts += await hand.work_through(1)
    at = [place for place, one in enumerate(starts) if one.startswith("c2-")]
    # Each of the others has waited for less time, or has had nothing yet.
    assert len(at) == 3
    assert max(at) <= 22


async def test_whoever_had_a_costly_order_does_not_starve_among_newcomers(
    queues: Queues, hand: Hand
) -> None:
    await submit_all(queues, [make_order(2, one, estimated_cost_s=120) for one in (1, 2)])
    starts: list[str] = []
    newcomers = iter(range(1000, 2000))
    # Three come for each two that are done.
    for _ in range(60):
        await submit_all(queues, [make_order(next(newcomers)) for _ in range(3)])
        starts += await hand.work_through(2)
    assert "c2-7-2" in starts


@pytest.mark.parametrize("was_here", [False, True])
async def test_whoever_comes_into_an_overload_waits_for_a_few_orders_of_each_other_person(
    queues: Queues, hand: Hand, *, was_here: bool
) -> None:
    heavy, light = (101, 102, 103), range(1000, 1120)
    if was_here:
        await queues.submit(make_order(2))
    for number in range(1, 31):
        await submit_all(queues, [make_order(person, number) for person in heavy])
    await hand.work_through(30 + was_here)
    running = await hand.take()
    await submit_all(queues, [make_order(person) for person in light])
    ahead = (await queues.submit(make_order(2, 2))).status.ahead or 0
    await hand.finish(running)
    others = [one.split("-")[0] for one in await hand.work_through(ahead)]
    assert set(map("c{}".format, light)) <= set(others)
    assert max(Counter(others).values()) <= 6
    assert names(await hand.work_through(1)) == "2.2"


async def test_light_persons_are_not_delayed_by_one_who_always_has_six_orders(
    queues: Queues, hand: Hand
) -> None:
    number, light_starts, starts = 6, [], Counter[str]()
    await submit_all(queues, [make_order(HEAVY, one) for one in range(1, 7)])
    for turn in range(60):
        running = await hand.take()
        starts[running.split("-")[0]] += 1
        if turn % 5 == 0:
            light = await queues.submit(make_order(200 + turn))
            light_starts.append(light.status.ahead)
        if running.startswith("c100-"):
            number += 1
            await queues.submit(make_order(HEAVY, number))
        await hand.finish(running)
    assert light_starts == [0] * 12
    assert starts["c100"] >= 0.78 * 60


async def test_ordering_and_cancelling_costs_nobody_a_turn(queues: Queues, hand: Hand) -> None:
    await submit_all(queues, [make_order(9, number) for number in range(1, 4)])
    for number in range(1, 11):
        wish = make_order(2, number)
        await queues.submit(wish)
        await queues.cancel(wish.ref)
    await queues.submit(make_order(2, 11))
    assert names(await hand.work_through()) == "9.1 2.11 9.2 9.3"


async def test_order_that_stalled_starts_again_before_all_others(
    queues: Queues, hand: Hand
) -> None:
    await submit_all(queues, [make_order(person) for person in (2, 3, 4)])
    await hand.drop(await hand.take())
    assert await hand.find_stalled() == ["c2-7-1"]
    await queues.submit(admins_order())
    assert names(await hand.work_through()) == "2.1 1.1 3.1 4.1"


async def test_order_that_failed_keeps_its_old_tag_for_its_next_try(
    queues: Queues, hand: Hand, redis: Redis
) -> None:
    await submit_all(queues, [make_order(2, number) for number in range(1, 4)])
    await hand.fail(await hand.take(), RuntimeError("once more"))
    await redis.zadd(f"{prefix_of(QUEUE)}delayed", {"c2-7-1": 0})  # its pause is over
    assert names(await hand.work_through()) == "2.1 2.2 2.3"


# --- the tags themselves --------------------------------------------------------------------------


async def test_many_at_once_lose_nothing_when_the_tags_are_reset(
    queues: Queues, redis: Redis
) -> None:
    done: list[str] = []

    async def person(number: int) -> None:
        for order in range(1, 61):
            await queues.submit(make_order(number, order))
            await asyncio.sleep(0)

    async def worker() -> None:
        hand = Hand(redis)
        while len(done) < 480:
            done.extend(await hand.work_through(1))

    await asyncio.gather(*map(person, range(2, 10)), *(worker() for _ in range(3)))
    assert len(done) == len(set(done)) == 480


async def test_tags_begin_anew_when_nothing_is_left(
    queues: Queues, hand: Hand, redis: Redis
) -> None:
    await submit_all(queues, [make_order(2, number) for number in range(1, 6)])
    await hand.work_through()
    await queues.submit(make_order(2, 6))
    assert await redis.hgetall(fair_key(QUEUE)) == {"V": "1.1", "u:2": "2"}


async def test_persons_of_the_past_are_forgotten(queues: Queues, redis: Redis) -> None:
    await queues.submit(make_order(2))
    await redis.hset(fair_key(QUEUE), mapping={f"u:{one}": "1" for one in range(1000, 2100)})
    await queues.submit(make_order(3))
    assert set(await redis.hgetall(fair_key(QUEUE))) == {"V", "u:2", "u:3"}


async def test_queue_that_is_not_empty_for_most_of_a_year_serves_first_come_first_served(
    queues: Queues, hand: Hand, redis: Redis
) -> None:
    days_until_the_cap = 2_000_000 * UNIT_S / 86_400
    assert 231 < days_until_the_cap < 232
    await queues.submit(make_order(2, 1))
    for field in await redis.hkeys(fair_key(QUEUE)):
        await redis.hincrbyfloat(fair_key(QUEUE), field, 2_000_000)
    for number in range(2, 6):
        await queues.submit(make_order(2, number))
    for person in (3, 4):
        await submit_all(queues, [make_order(person, number) for number in (1, 2)])
    waiting = await members(redis, f"{prefix_of(QUEUE)}prioritized")
    assert all(score < (2**21 + 1) * 2**32 for _, score in waiting)
    assert names(await hand.work_through()) == "2.1 2.2 2.3 2.4 2.5 3.1 3.2 4.1 4.2"
    # Shares are fair again as soon as the queue was empty once.
    await queues.submit(make_order(5))
    assert float(await redis.hget(fair_key(QUEUE), "V") or 0) < 2


async def test_one_person_alone_cannot_make_tags_too_large(
    queues: Queues, hand: Hand, redis: Redis
) -> None:
    for number in range(1, 4):
        await queues.submit(make_order(2, number, estimated_cost_s=25_000_000))
    await queues.submit(make_order(3))
    assert all(
        score <= 2_000_001 * 2**32
        for _, score in await members(redis, f"{prefix_of(QUEUE)}prioritized")
    )
    assert names(await hand.work_through()) == "2.1 3.1 2.2 2.3"
