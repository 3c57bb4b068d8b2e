"""Which engine an order goes to, and what is offered."""

from bot.orders.offers import Offer

BOTH = Offer(("fomm", "flow"), understood={"fomm": frozenset({"find_best_frame"})})


def test_best_engine_is_the_first_unless_another_is_wanted() -> None:
    assert BOTH.chosen() == "fomm"
    assert BOTH.chosen("flow") == "flow"


def test_engine_of_the_settings_comes_before_the_best_and_after_the_wanted() -> None:
    offer = Offer(BOTH.engines, default="flow")
    assert offer.chosen() == "flow"
    assert offer.chosen("fomm") == "fomm"


def test_order_keeps_to_a_choice_that_nobody_attends_to() -> None:
    assert Offer(("flow",)).chosen("fomm") == "fomm"
    assert Offer(("flow",), default="fomm").chosen() == "fomm"


def test_without_any_worker_orders_wait_for_the_engine_that_every_worker_has() -> None:
    nobody = Offer(())
    assert nobody.is_empty
    assert nobody.chosen() == "flow"


def test_options_of_an_unknown_engine_are_none() -> None:
    assert BOTH.options("fomm") == {"find_best_frame"}
    assert BOTH.options("flow") == frozenset()
