"""Who orders what and when, for `benchmarks/scale.py`: the same for the same seed.

A few people order very much and several at once, most order rarely. The busiest hour has 12 % of a
day's orders. 70 % of the orders are a movement of 75 frames, 20 % a clip of 5 to 15 s at 25 frames
per second, 10 % a movement of 75 frames for two to four faces.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

# Percent of a day's orders, by hour.
_HOURS = (2, 1, 0.5, 0.5, 0.5, 1, 1.5, 2, 3, 3.5, 4, 4, 4.5, 4.5, 4.5, 5, 5.5, 6.5, 8, 10, 12)
HOURS = (*_HOURS, 9, 4.5, 2.5)
PEAK_SHARE = max(HOURS) / 100
_TAIL = 1.6  # the exponent of the Pareto distribution of orders among people
_HEAVY_SHARE = 0.05
_HEAVY_AT_ONCE, _LIGHT_AT_ONCE = 10, 2  # at most
_TAPS_S = 4.0  # between two orders at once
_SHORT_FRAMES, _FRAME_RATE = 75, 25


@dataclass(frozen=True)
class Demand:
    """How much is ordered.

    Attributes:
        orders: how many orders in all.
        people: by how many people.
        days: within how many days.
        seed: of the random numbers.
        hours: only orders from the first of these hours to the second one are played.
    """

    orders: int
    people: int
    days: int
    seed: int
    hours: tuple[int, int] = (0, 24)

    @property
    def orders_per_day(self) -> float:
        """How many orders a day."""
        return self.orders / self.days


@dataclass(frozen=True)
class Arrival:
    """An order that a person wishes to place.

    Attributes:
        number: of the order.
        at_s: when, s since the first midnight.
        person: who.
        frames: how much work it is.
        surprise: how long it takes, relative to the estimate.
    """

    number: int
    at_s: float
    person: int
    frames: int
    surprise: float


def mean_frames() -> float:
    """Return how many frames an order has on average."""
    return 0.7 * _SHORT_FRAMES + 0.2 * 10 * _FRAME_RATE + 0.1 * 3 * _SHORT_FRAMES


@cache
def arrivals_of(demand: Demand) -> tuple[Arrival, ...]:
    """Return the orders, the earliest first."""
    found = sorted(_made(demand), key=lambda one: (one.at_s, one.number))
    first, last = demand.hours
    return tuple(one for one in found if first <= one.at_s / 3600 % 24 < last)


def heavy_people(demand: Demand) -> frozenset[int]:
    """Return the twentieth of the people who order the most."""
    by_person = Counter(one.person for one in arrivals_of(demand))
    count = max(1, round(demand.people * _HEAVY_SHARE))
    return frozenset(person for person, _ in by_person.most_common(count))


def _made(demand: Demand) -> Iterator[Arrival]:
    chance = random.Random(demand.seed)
    weights = sorted((chance.paretovariate(_TAIL) for _ in range(demand.people)), reverse=True)
    people = range(1, demand.people + 1)
    heavy = demand.people * _HEAVY_SHARE
    number = 0
    while number < demand.orders:
        person = chance.choices(people, weights)[0]
        most = _HEAVY_AT_ONCE if person <= heavy else _LIGHT_AT_ONCE
        hour = chance.choices(range(24), HOURS)[0]
        at_s = 86_400 * chance.randrange(demand.days) + 3600 * (hour + chance.random())
        for index in range(min(chance.randint(1, most), demand.orders - number)):
            number += 1
            yield Arrival(
                number,
                at_s + index * _TAPS_S,
                person,
                _frames(chance),
                chance.uniform(0.8, 1.2),
            )


def _frames(chance: random.Random) -> int:
    kind = chance.random()
    if kind < 0.7:
        return _SHORT_FRAMES
    if kind < 0.9:
        return round(chance.uniform(5, 15) * _FRAME_RATE)
    return _SHORT_FRAMES * chance.randint(2, 4)
