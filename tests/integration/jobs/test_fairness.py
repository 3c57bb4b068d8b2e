"""Whose turn is when: the order of starts, with one worker that a test leads by the hand."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from jobs.orders import Order
from jobs.queues.admission import NO_LIMITS
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
    at = [position for position, one in enumerate(starts) if one.startswith("c2-")]
    assert len(at) == 3
    assert max(at) <= 22


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


async def test_rebase_keeps_the_order_and_the_time_of_service_does_not_jump_back(
    queues: Queues, hand: Hand, redis: Redis
) -> None:
    prefix = prefix_of(QUEUE)
    await submit_all(queues, [make_order(2, 1), make_order(2, 2), make_order(2, 3)])
    first, second, third = await hand.take(), await hand.take(), await hand.take()
    await hand.fail(third, RuntimeError("it waits for a second try"))
    await submit_all(queues, [make_order(person) for person in (3, 4, 5)])
    await submit_all(queues, [make_order(3, number) for number in (2, 3)])
    await queues.submit(admins_order())
    # As if the queue had not been empty for most of a year.
    lift = 2_000_000
    for job_id in (first, second, third):
        await redis.hincrby(prefix + job_id, "priority", lift)
    for job_id, score in await members(redis, f"{prefix}prioritized"):
        await redis.zadd(f"{prefix}prioritized", {job_id: score + lift * 2**32})
        await redis.hincrby(prefix + job_id, "priority", lift)
    for field in await redis.hkeys(fair_key(QUEUE)):
        await redis.hincrbyfloat(fair_key(QUEUE), field, lift)
    before = [job_id for job_id, _ in await members(redis, f"{prefix}prioritized")]

    last = make_order(6)
    assert (await queues.submit(last)).is_new
    after = await members(redis, f"{prefix}prioritized")
    kept = [job_id for job_id, _ in after if job_id != last.order_id]
    assert kept == before
    assert all(score < 100 * 2**32 for _, score in after)
    tags = {name: float(tag) for name, tag in (await redis.hgetall(fair_key(QUEUE))).items()}
    assert all(1 <= tag < 100 for tag in tags.values())
    assert tags["V"] % 1 != 0
    for job_id in [first, second, third, *kept]:
        assert 1 <= int(await redis.hget(prefix + job_id, "priority") or 0) < 100
    # What runs does not lift V straight back: the next one needs no rebase.
    await queues.submit(make_order(7))
    assert float(await redis.hget(fair_key(QUEUE), "V") or 0) < 100
    starts = names(await hand.work_through())
    assert starts.startswith("1.1 ")
    assert starts.index("3.1") < starts.index("3.2") < starts.index("3.3")


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


async def test_rebase_keeps_the_order_of_tags_that_become_one(
    queues: Queues, hand: Hand, redis: Redis
) -> None:
    await submit_all(queues, [make_order(2, number) for number in range(1, 4)])
    await queues.submit(make_order(3))
    await redis.hset(fair_key(QUEUE), "V", 10.5)
    assert await queues.admission.rebase(QUEUE) == 9
    await queues.submit(make_order(4))
    assert names(await hand.work_through()) == "2.1 3.1 2.2 2.3 4.1"
