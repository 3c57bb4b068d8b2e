"""Which engine an order goes to, and what is offered."""

import pytest

from bot.orders.offers import NoEngine, Offer
from jobs.engines import EngineInfo

BOTH = Offer(("fomm", "mesh"), understood={"fomm": frozenset({"find_best_frame"})})
KNOWN = {
    "fomm": EngineInfo(name="fomm", preference=20, evaluates_motions=False),
    "mesh": EngineInfo(name="mesh", preference=10),
    "still": EngineInfo(name="still", preference=0),
}


def test_best_engine_is_the_first_unless_another_is_wanted() -> None:
    assert BOTH.engine_or_default() == "fomm"
    assert BOTH.engine_or_default("mesh") == "mesh"


def test_engine_of_the_settings_comes_before_the_best_and_after_the_wanted() -> None:
    offer = Offer(BOTH.engines, default="mesh")
    assert offer.engine_or_default() == "mesh"
    assert offer.engine_or_default("fomm") == "fomm"


def test_order_keeps_to_a_choice_that_nobody_attends_to() -> None:
    assert Offer(("mesh",)).engine_or_default("fomm") == "fomm"
    assert Offer(("mesh",), default="fomm").engine_or_default() == "fomm"


def test_without_any_worker_orders_wait_for_the_best_engine_that_was_there_last() -> None:
    nobody = Offer((), known=KNOWN, last=("fomm", "mesh"))
    assert nobody.is_empty
    assert nobody.engine_or_default() == "fomm"
    assert nobody.engine_for(None, is_all_wanted=False) == "fomm"
    assert nobody.engine_for("fomm", is_all_wanted=True) == "mesh"


def test_where_no_worker_has_ever_been_nothing_is_ordered() -> None:
    for is_all_wanted in (False, True):
        with pytest.raises(NoEngine):
            Offer(()).engine_for(None, is_all_wanted=is_all_wanted)


@pytest.mark.parametrize(
    ("engines", "engine"),
    [(("fomm", "mesh"), "mesh"), (("fomm",), None), (("still",), None), (("new", "mesh"), "mesh")],
)
def test_all_movements_are_shown_by_an_engine_that_needs_no_clip(
    engines: tuple[str, ...], engine: str | None
) -> None:
    assert Offer(engines, known=KNOWN).shows_all == engine


def test_options_of_an_unknown_engine_are_none() -> None:
    assert BOTH.options("fomm") == {"find_best_frame"}
    assert BOTH.options("mesh") == frozenset()
