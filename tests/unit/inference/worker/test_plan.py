"""Which engines a worker offers, and how it is told to end."""

import logging

import pytest

from inference.engine_process.render_job import Offer, OfferedEngine
from inference.worker.order_log import lines_of, stamped
from inference.worker.order_render import orderable_options
from inference.worker.plan import Ending, chosen
from jobs.errors import EngineUnavailable, NoFaceFound, UnknownEngine

OFFER = Offer(
    device="cpu",
    engines=(
        OfferedEngine(
            name="fomm",
            options=("checkpoint", "config", "device", "relative"),
            missing_files=("weights: fetch them",),
        ),
        OfferedEngine(name="flow", options=()),
        OfferedEngine(name="still", options=()),
    ),
)


def names(*asked: str) -> list[str]:
    return [engine.name for engine in chosen(OFFER, asked).engines]


def test_without_names_all_that_lack_nothing_are_offered(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert names() == ["flow", "still"]
    assert caplog.messages == ["fomm is not offered: weights: fetch them"]


def test_those_that_are_named_are_offered_once_and_in_that_order() -> None:
    assert names("still", "fomm", "still") == ["still", "fomm"]


def test_one_that_cannot_run_here_is_an_error_that_says_why() -> None:
    with pytest.raises(UnknownEngine, match="nothing"):
        chosen(OFFER, ("nothing",))
    only_still = OFFER.model_copy(update={"engines": OFFER.engines[2:]})
    with pytest.raises(EngineUnavailable, match="flow"):
        chosen(only_still, ("still", "flow"))
    nothing = OFFER.model_copy(update={"engines": OFFER.engines[:1]})
    with pytest.raises(EngineUnavailable):
        chosen(nothing, ())


def test_orders_may_not_name_files_and_devices_of_the_machine() -> None:
    assert orderable_options(OFFER) == {"fomm": ("relative",), "flow": (), "still": ()}


def test_asking_again_is_urgent() -> None:
    ending = Ending()
    ending.ask()
    assert (ending.asked.is_set(), ending.is_urgent.is_set()) == (True, False)
    ending.ask()
    assert ending.is_urgent.is_set()


def test_error_in_the_log_is_line_by_line_and_ends_with_its_sentence() -> None:
    try:
        raise NoFaceFound(name="me.png") from ValueError("two\nlines")
    except NoFaceFound as error:
        lines = lines_of(error)
    assert "lines" in lines
    assert "No face was found in me.png" in lines[-1]
    assert not any("\n" in line for line in lines)
    assert stamped("done")[10:].endswith(" done")
