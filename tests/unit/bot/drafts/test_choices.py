"""What may be chosen beyond face and movement, and what it does to a wish."""

from typing import Any

import pytest

from bot.drafts.choices import Choices, View, strength_of, view_box, views_of
from jobs.model import CropBox
from jobs.wish import Movement, Wish
from tests.wishes import make_wish

FACE = CropBox(left=400, upper=400, right=500, lower=500)
SIZE = (900, 1200)


def wish_of(**changes: Any) -> Wish:
    return make_wish("p.png", Movement(template="smile"), face_boxes=(FACE,), **changes)


@pytest.mark.parametrize(
    ("options", "strength"),
    [({}, 1), ({"strength": 1.25}, 1.25), ({"strength": "very"}, 1), ({"strength": 9}, 1.5)],
)
def test_a_movement_is_as_strong_as_it_was_drawn_unless_said_otherwise(
    options: dict[str, object], strength: float
) -> None:
    assert strength_of(wish_of(options=options)) == strength


def test_views_are_squares_about_the_face_inside_the_photo() -> None:
    assert view_box(View.WHOLE, [FACE], *SIZE) is None
    for view in (View.PORTRAIT, View.FACE):
        box = view_box(view, [FACE], *SIZE)
        assert box is not None
        assert box.width == box.height >= 256
        assert 0 <= box.left < FACE.left < FACE.right < box.right <= SIZE[0]
        assert 0 <= box.upper < FACE.upper < FACE.lower < box.lower <= SIZE[1]


def test_view_of_several_faces_shows_them_all() -> None:
    far = CropBox(left=100, upper=600, right=180, lower=680)
    box = view_box(View.FACE, [FACE, far], *SIZE)
    assert box is not None
    assert box.left < far.left
    assert box.right > FACE.right
    assert box.upper < FACE.upper
    assert box.lower > far.lower


def test_views_that_hardly_differ_are_offered_once() -> None:
    assert views_of([FACE], *SIZE) == (View.WHOLE, View.PORTRAIT, View.FACE)
    large = CropBox(left=50, upper=50, right=250, lower=250)
    assert views_of([large], 300, 300) == (View.WHOLE,)
    assert views_of([], *SIZE) == (View.WHOLE,)


@pytest.mark.parametrize("view", View)
def test_choices_are_found_again_in_the_wish_they_made(view: View) -> None:
    chosen = Choices(strength=1.25, is_absolute=True, view=view, is_muted=True, clip_start_s=5)
    wish = wish_of(
        options=chosen.options(has_clip=True),
        view=view_box(view, [FACE], *SIZE),
        audio=False,
    )
    assert Choices.of(wish, 5) == chosen


def test_defaults_are_no_options() -> None:
    assert Choices().options(has_clip=True) == {}
    assert Choices(is_absolute=True).options(has_clip=False) == {}
