"""Where the faces of a photo are in a result."""

from bot.history.store import face_in, other_faces_in
from bot.orders.order_cards import OrderCard
from jobs.model import CropBox, Face
from jobs.wish import Movement
from tests.unit.bot.cards import make_card, make_order, make_result


def box(left: int, upper: int, side: int) -> CropBox:
    return CropBox(left=left, upper=upper, right=left + side, lower=upper + side)


LEFT, RIGHT = box(100, 300, 200), box(500, 400, 160)


def card_of(**changes: object) -> OrderCard:
    """An order from a photo of two faces, 900 x 1200 px; the left one moves."""
    order = make_order()
    faces = tuple(Face(number=1, box=one, votes=5) for one in (LEFT, RIGHT))
    photo = order.wish.photo.model_copy(update={"faces": faces})
    wish = order.wish.model_copy(update={"photo": photo, "face_boxes": (LEFT,), **changes})
    return make_card(wish=wish)


RESULT = make_result(width=450, height=600)


def test_faces_are_scaled_to_the_result() -> None:
    assert face_in(card_of(), RESULT) == box(50, 150, 100)
    assert other_faces_in(card_of(), RESULT) == (box(250, 200, 80),)


def test_faces_are_where_the_view_shows_them() -> None:
    card = card_of(view=box(50, 250, 700))
    shown = make_result(width=700, height=700)
    assert face_in(card, shown) == box(50, 50, 200)
    assert other_faces_in(card, shown) == (box(450, 150, 160),)


def test_of_several_moving_faces_none_is_the_one() -> None:
    card = card_of(face_boxes=(LEFT, RIGHT))
    assert face_in(card, RESULT) is None
    assert other_faces_in(card, RESULT) == (box(50, 150, 100), box(250, 200, 80))


def test_places_in_a_bare_part_or_a_sheet_are_not_known() -> None:
    for card in (
        card_of(paste_back=False),
        card_of(movement=Movement(templates=("nod", "smile"), frames=50)),
    ):
        assert face_in(card, RESULT) is None
        assert other_faces_in(card, RESULT) == ()
