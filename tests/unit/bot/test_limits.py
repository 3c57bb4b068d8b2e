"""A person's own limits come before those for everybody."""

from bot.limits import LimitValues
from bot.people import Person
from jobs.queues.admission import OrderLimits

LIMITS = LimitValues(open_orders=3, per_day=20, clip_s=15, group_per_day=None, queue=100)


def test_person_without_own_limits_has_those_of_everybody() -> None:
    assert LIMITS.of_person(Person()) == OrderLimits(open_orders=3, per_day=20, queue=100)


def test_each_own_limit_of_a_person_replaces_one() -> None:
    own = LIMITS.of_person(Person(open_orders=7))
    assert own == OrderLimits(open_orders=7, per_day=20, queue=100)
    own = LIMITS.of_person(Person(orders_per_day=50))
    assert own == OrderLimits(open_orders=3, per_day=50, queue=100)
