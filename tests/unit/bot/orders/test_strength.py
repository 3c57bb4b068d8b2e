"""How strong a movement is, and the steps from there."""

import pytest

from bot.orders.strength import LESS, MORE, next_strength, strength_of
from jobs.wish import Movement, Wish
from tests.wishes import make_wish


def wish_of(strength: object = None) -> Wish:
    options = {} if strength is None else {"strength": strength}
    return make_wish("p.png", Movement(template="smile"), options=options)


def test_a_movement_is_as_strong_as_it_was_drawn_unless_said_otherwise() -> None:
    assert strength_of(wish_of()) == 1
    assert strength_of(wish_of(1.25)) == 1.25
    assert strength_of(wish_of("very")) == 1


@pytest.mark.parametrize(
    ("strength", "less", "more"),
    [
        (None, 0.8, 1.25),
        (1.25, 1.0, 1.5),
        (1.5, 1.2, None),
        (0.64, 0.51, 0.8),
        (0.51, None, 0.64),
        (0.5, None, 0.62),
        (9, 1.5, 1.5),
    ],
)
def test_steps_end_at_the_bounds(
    strength: float | None, less: float | None, more: float | None
) -> None:
    wish = wish_of(strength)
    assert (next_strength(wish, LESS), next_strength(wish, MORE)) == (less, more)
