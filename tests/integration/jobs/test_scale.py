"""The simulation of `benchmarks/scale.py`, on a hundred orders, and what it says about fairness."""

from itertools import count

import pytest
from redis.asyncio import Redis

from benchmarks.demand import Arrival, Demand
from benchmarks.scale import Outcome, Scenario, jain_index, percentile, simulate
from jobs.queues.admission import NO_LIMITS, OrderLimits

pytestmark = pytest.mark.local_sockets

DEMAND = Demand(orders=100, people=20, days=1, seed=3)
FLOODER, WORKERS = 1, 2


def flood(person: int, orders: int, frames: int = 75) -> list[Arrival]:
    """Everything that one person orders at once."""
    numbers = count(1000 * person)
    return [Arrival(next(numbers), 0.0, person, frames, 1.0) for _ in range(orders)]


def scenario(limits: OrderLimits = NO_LIMITS) -> Scenario:
    return Scenario(DEMAND, WORKERS, frame_s=0.1, limits=limits)


async def test_order_behind_a_flood_waits_for_no_more_starts_than_there_are_other_people(
    redis: Redis,
) -> None:
    people = range(2, 22)
    others = [Arrival(one, 20.0 + one, person=one, frames=75, surprise=1.0) for one in people]
    outcome = await simulate(scenario(), redis, [*flood(FLOODER, 80), *others])
    passed = [one.passed for one in outcome.starts if one.person != FLOODER]
    assert len(passed) == len(people)
    assert max(passed) <= len(people)
    assert len(outcome.starts) == len(outcome.ends_s) == 100


async def test_two_floods_share_the_work_whatever_their_orders_cost(redis: Redis) -> None:
    outcome = await simulate(scenario(), redis, [*flood(1, 30, 225), *flood(2, 70, 75)])
    assert outcome.fairness
    assert (outcome.jain() or 0.0) > 0.95


async def test_limits_refuse_in_the_simulation_what_they_refuse_in_the_service(
    redis: Redis,
) -> None:
    limits = OrderLimits(open_orders=3, per_day=10, queue=0)
    outcome = await simulate(scenario(limits), redis, flood(FLOODER, 50))
    # The others are placed again, one by one, when an order has ended.
    assert len(outcome.starts) == 10
    assert outcome.refused["day"] > 0
    assert outcome.refused["full"] == 0
    await redis.flushall()
    full = await simulate(scenario(OrderLimits(0, 0, 5)), redis, flood(FLOODER, 50))
    assert len(full.starts) == 5
    assert full.refused == {"full": 45}


async def test_same_seed_gives_the_same_starts(redis: Redis) -> None:
    busy = Scenario.of_load(DEMAND, WORKERS, 3.0)
    first = await simulate(busy, redis)
    await redis.flushall()
    again = await simulate(busy, redis)
    assert first.starts == again.starts
    assert first.starts
    assert first.operations > 10 * len(first.ends_s)


def test_load_is_that_of_the_busiest_hours() -> None:
    assert Scenario.of_load(DEMAND, WORKERS, 0.7).load == pytest.approx(0.7)


def test_jain_index_is_one_for_equal_shares_and_least_if_one_person_has_all() -> None:
    assert jain_index([2.0, 2.0, 2.0]) == pytest.approx(1.0)
    assert jain_index([3.0, 0.0, 0.0]) == pytest.approx(1 / 3)
    assert jain_index([0.0, 0.0]) == 0.0
    assert Outcome().jain() is None


def test_percentile_is_a_value_that_so_many_do_not_exceed() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.0
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.95) == 4.0
    assert percentile([], 0.95) == 0.0
