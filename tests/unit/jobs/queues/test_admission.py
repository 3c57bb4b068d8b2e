"""Admission: units, and scripts that are there. What they decide is tested on a real server."""

import re
from pathlib import Path

import pytest

import jobs.queues
from jobs.queues.admission import NO_LIMITS, OrderLimits, lua, units
from jobs.settings import Settings

FOLDER = Path(jobs.queues.__file__).parent


@pytest.mark.parametrize(("cost_s", "expected"), [(0, 1), (3, 1), (10, 1), (25, 2.5), (600, 60)])
def test_cost_is_counted_in_tens_of_seconds_and_at_least_once(
    cost_s: float, expected: float
) -> None:
    assert units(cost_s) == expected


def test_every_script_is_used_and_every_used_one_is_there() -> None:
    there = {path.stem for path in FOLDER.glob("*.lua")}
    sources = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.py"))
    assert there == set(re.findall(r'lua\("(\w+)"\)', sources))
    assert all(lua(name).startswith("-- ") for name in there)


def test_limits_are_those_of_the_settings() -> None:
    settings = Settings()
    assert OrderLimits() == OrderLimits(
        settings.open_orders_per_person, settings.orders_per_day, settings.queue_limit
    )
    assert OrderLimits(0, 0, 0) == NO_LIMITS
