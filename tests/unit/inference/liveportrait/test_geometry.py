"""Squares round faces, what is cut out by them, and what is pasted back."""

import numpy as np
import pytest

from inference.arrays import Picture
from inference.faces.finder import find_faces, look_at_face
from inference.faces.landmarker import Landmarker, Square
from inference.faces.points_68 import points_68
from inference.liveportrait.geometry import (
    SIDE_PX,
    SquarePaste,
    box_of,
    box_square,
    clip_square,
    common_box,
    cut_square,
    photo_square,
)
from jobs.model import CropBox, Face

BLUE = (0, 0, 255)


def photo(height: int = 300, width: int = 400) -> Picture:
    """Every pixel is unlike the ones beside it, and none is plain blue."""
    values = np.random.default_rng(3).integers(0, 200, (height, width, 3))
    return values.astype(np.uint8)


def square_of_blue() -> Picture:
    return np.full((SIDE_PX, SIDE_PX, 3), BLUE, np.uint8)


def pasted(paste: SquarePaste, picture: Picture) -> Picture:
    result = picture.copy()
    box = paste.box
    paste.onto(
        result[box.upper : box.lower, box.left : box.right], (box.left, box.upper), square_of_blue()
    )
    return result


def face(number: int, left: int, upper: int, side: int) -> Face:
    box = CropBox(left=left, upper=upper, right=left + side, lower=upper + side)
    return Face(number=number, box=box, votes=3)


def test_square_turns_with_the_face(landmarker: Landmarker, astronaut: Picture) -> None:
    found = look_at_face(landmarker, astronaut, find_faces(astronaut, landmarker)[0])
    points = points_68(found)
    upright = photo_square(points)
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])  # row vectors, by 90 degrees
    turned = photo_square(points @ turn)
    assert turned.side == pytest.approx(upright.side)
    assert np.degrees(turned.angle - upright.angle) == pytest.approx(90)
    assert (turned.x, turned.y) == pytest.approx(tuple(np.array([upright.x, upright.y]) @ turn))


def test_box_gives_about_the_same_square(landmarker: Landmarker, astronaut: Picture) -> None:
    face = find_faces(astronaut, landmarker)[0]
    by_points = photo_square(points_68(look_at_face(landmarker, astronaut, face)))
    by_box = box_square(face.box)
    assert by_box.side == pytest.approx(by_points.side, rel=0.05)
    assert (by_box.x, by_box.y) == pytest.approx((by_points.x, by_points.y), abs=3)


def test_points_in_one_place_give_a_square_that_is_not_turned() -> None:
    points = np.tile([50.0, 60.0], (68, 1))
    assert photo_square(points).angle == 0


def test_clip_has_one_square_that_is_not_turned(landmarker: Landmarker, astronaut: Picture) -> None:
    points = points_68(look_at_face(landmarker, astronaut, find_faces(astronaut, landmarker)[0]))
    moved = [points, points + np.array([20, 10])]
    square = clip_square(moved)
    first, second = (clip_square([one]) for one in moved)
    assert square.angle == first.angle == 0
    assert (square.x - first.x, square.y - first.y) == pytest.approx((10, 5))
    assert square.side == pytest.approx(first.side) == pytest.approx(second.side)


def test_square_outside_the_picture_is_black() -> None:
    part = cut_square(photo(), Square(0, 0, 200))
    assert not part[:250, :250].any()
    assert part[260:, 260:].any(axis=-1).all()


def test_large_square_is_reduced_without_aliasing() -> None:
    stripes = np.zeros((2400, 2400, 3), np.uint8)
    stripes[:, ::2] = 200
    part = cut_square(stripes, Square(1200, 1200, 2048))
    assert np.abs(part[8:-8, 8:-8].astype(int) - 100).max() <= 2


def test_large_square_stays_in_its_place() -> None:
    picture = np.zeros((2000, 2000, 3), np.uint8)
    picture[900:1100, 600:800] = 255
    part = cut_square(picture, Square(1000, 1000, 1536, angle=0.2)).mean(axis=-1)
    rows, columns = np.nonzero(part > 128)
    scale = SIDE_PX / 1536
    cosine, sine = np.cos(0.2), np.sin(0.2)
    x, y = -300.5, -0.5  # of the patch's middle, from that of the square
    expected = SIDE_PX / 2 + scale * np.array([cosine * x + sine * y, -sine * x + cosine * y])
    assert np.array([columns.mean(), rows.mean()]) == pytest.approx(expected, abs=0.15)


def test_box_holds_the_square_inside_the_photo() -> None:
    box = box_of(Square(100, 100, 100, angle=np.pi / 4), 400, 300)
    assert box.sides == pytest.approx((29, 29, 172, 172), abs=1)
    assert box_of(Square(0, 0, 100), 400, 300).sides == (0, 0, 51, 51)
    assert box_of(Square(-900, -900, 100), 400, 300).sides == (0, 0, 1, 1)
    assert common_box([box, box_of(Square(300, 200, 60), 400, 300)]).right == 331


@pytest.mark.parametrize("square", [Square(200, 150, 180, 0.4), Square(20, 280, 260)])
def test_nothing_outside_the_square_changes(square: Square) -> None:
    before = photo()
    after = pasted(SquarePaste.of(square, (400, 300)), before)
    rows, columns = np.indices(before.shape[:2])
    x, y = columns - square.x, rows - square.y
    cosine, sine = np.cos(square.angle), np.sin(square.angle)
    reach = np.maximum(np.abs(cosine * x + sine * y), np.abs(-sine * x + cosine * y))
    outside = reach > square.side / 2 + 1
    inside = reach < square.side / 2 * (1 - 2 * 17 / SIDE_PX)
    assert (after[outside] == before[outside]).all()
    assert (after[inside] == BLUE).all()
    seam = ~outside & ~inside
    assert (
        (after[seam] != before[seam]).any(axis=-1) & (after[seam] != BLUE).any(axis=-1)
    ).mean() > 0.5


def test_what_is_nearer_to_another_face_is_left_to_it() -> None:
    left, right = face(1, 100, 100, 80), face(2, 220, 100, 80)
    before = photo()
    paste = SquarePaste.of(Square(140, 150, 200), (400, 300), left, [right])
    after = pasted(paste, before)
    middle, limit = 200, 10
    assert (after[:, middle + limit :] == before[:, middle + limit :]).all()
    inside = np.s_[100:200, 80 : middle - limit]
    assert (after[inside] == BLUE).all()


def test_two_faces_share_what_is_between_them() -> None:
    left, right = face(1, 100, 100, 80), face(2, 220, 100, 80)
    one = SquarePaste.of(Square(140, 150, 200), (400, 300), left, [right])
    other = SquarePaste.of(Square(260, 150, 200), (400, 300), right, [left])
    row = 150
    shares = np.zeros((2, 400), np.float32)
    for index, paste in enumerate((one, other)):
        box = paste.box
        shares[index, box.left : box.right] = paste.weights[row - box.upper, :, 0]
    assert shares[:, 170:230].sum(axis=0) == pytest.approx(1, abs=0.01)
