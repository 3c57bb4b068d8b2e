"""Which engines a worker offers, and how it is told to end."""

import logging

import pytest

from inference.process.offer import EngineOffer, OfferedEngine
from jobs.errors import EngineUnavailable
from jobs.tasks import Shutdown
from worker.plan import only_ready
from worker.render import orderable_options

OFFER = EngineOffer(
    device="cpu",
    engines=(
        OfferedEngine(
            name="fomm",
            options=("checkpoint", "config", "device", "relative"),
            missing_files=("weights: fetch them",),
        ),
        OfferedEngine(name="mesh", options=()),
        OfferedEngine(name="still", options=()),
    ),
)


def test_engines_that_lack_files_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        left = only_ready(OFFER)
    assert [engine.name for engine in left.engines] == ["mesh", "still"]
    assert caplog.messages == ["fomm is not offered: weights: fetch them"]
    nothing = OFFER.model_copy(update={"engines": OFFER.engines[:1]})
    with pytest.raises(EngineUnavailable):
        only_ready(nothing)


def test_orders_may_not_name_files_and_devices_of_the_machine() -> None:
    assert orderable_options(OFFER) == {"fomm": ("relative",), "mesh": (), "still": ()}


def test_asking_again_is_urgent() -> None:
    ending = Shutdown()
    ending.ask()
    assert (ending.asked.is_set(), ending.is_urgent.is_set()) == (True, False)
    ending.ask()
    assert ending.is_urgent.is_set()
