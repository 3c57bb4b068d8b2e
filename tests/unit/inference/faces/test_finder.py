from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from inference.faces.finder import (
    centre_face,
    choose_face,
    face_from_box,
    find_faces,
    find_faces_thoroughly,
    resize,
    rotate,
)
from jobs.errors import FaceBoxOutside, NoFaceFound, NoSuchFace
from jobs.model import CropBox, Face

Picture = npt.NDArray[np.uint8]

ASTRONAUT: Picture = skimage.data.astronaut()
HER_FACE = CropBox(left=175, upper=67, right=271, lower=163)


def box(left: int, upper: int, right: int, lower: int) -> CropBox:
    return CropBox(left=left, upper=upper, right=right, lower=lower)


def face(number: int, place: CropBox) -> Face:
    return Face(number=number, box=place, votes=5)


def iou(one: CropBox, other: CropBox) -> float:
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.lower, other.lower) - max(one.upper, other.upper)
    shared = max(0, width) * max(0, height)
    return shared / (one.width * one.height + other.width * other.height - shared)


def best(faces: Sequence[Face]) -> Face:
    return max(faces, key=lambda found: found.votes)


def test_astronauts_face_is_found_with_at_least_three_votes() -> None:
    found = best(find_faces(ASTRONAUT))
    assert found.votes >= 3
    assert iou(found.box, HER_FACE) > 0.8
    assert found.box.width == found.box.height


def test_mirrored_picture_has_the_mirrored_face() -> None:
    mirror = np.ascontiguousarray(ASTRONAUT[:, ::-1])
    found, mirrored = best(find_faces(ASTRONAUT)).box, best(find_faces(mirror)).box
    assert abs((512 - mirrored.right) - found.left) <= 1
    assert abs(mirrored.upper - found.upper) <= 1
    assert abs(mirrored.width - found.width) <= 1


def test_search_gives_the_same_each_time() -> None:
    assert find_faces(ASTRONAUT) == find_faces(ASTRONAUT.copy())


def test_boxes_are_in_px_of_the_picture_at_any_size() -> None:
    large = resize(ASTRONAUT, 2.5)
    found = best(find_faces(large)).box
    back = box(*(round(side / 2.5) for side in found.sides))
    assert iou(back, HER_FACE) > 0.7


def test_faces_are_numbered_from_1_the_largest_first() -> None:
    wide = np.full((512, 900, 3), 200, np.uint8)
    head = ASTRONAUT[0:300, 100:400]
    wide[100:400, 20:320] = head
    wide[20:470, 400:850] = resize(np.ascontiguousarray(head), 1.5)
    faces = find_faces_thoroughly(wide)
    assert [one.number for one in faces] == [1, 2]
    assert faces[0].box.width > 1.3 * faces[1].box.width
    assert faces[0].box.centre[0] > 400 > faces[1].box.centre[0]


@pytest.mark.parametrize("kind", ["one colour", "noise", "brick", "stripes"])
def test_picture_without_a_face_gives_none(kind: str) -> None:
    if kind == "noise":
        random = np.random.default_rng(0)
        picture = random.integers(0, 256, (300, 300, 3)).astype(np.uint8)
    elif kind == "brick":
        picture = np.dstack([skimage.data.brick()[:300, :300]] * 3)
    elif kind == "stripes":
        stripes = (np.arange(300) // 12 % 2 * 255).astype(np.uint8)
        picture = np.broadcast_to(stripes[:, None], (300, 300, 3)).copy()
    else:
        picture = np.full((300, 400, 3), 128, np.uint8)
    assert find_faces(picture) == ()
    if kind in {"noise", "brick"}:  # a thorough search takes its time
        assert find_faces_thoroughly(picture) == ()


@pytest.mark.parametrize("angle_deg", [-30, 20, 30])
def test_retries_find_a_tilted_face_that_plain_voting_does_not(angle_deg: int) -> None:
    head = np.ascontiguousarray(ASTRONAUT[0:300, 80:380])
    turned, turn = rotate(head, angle_deg)
    x, y = turn @ np.array([223 - 80, 115, 1.0])
    true = box(round(x - 48), round(y - 48), round(x + 48), round(y + 48))
    assert all(iou(one.box, true) < 0.4 for one in find_faces(turned))
    found = find_faces_thoroughly(turned)
    assert iou(found[0].box, true) > 0.4


def test_tiny_and_thin_pictures_give_no_face() -> None:
    for shape in ((1, 500), (500, 2)):
        assert find_faces_thoroughly(np.zeros((*shape, 3), np.uint8)) == ()
    assert find_faces(np.zeros((1, 1, 3), np.uint8)) == ()


def test_largest_face_is_chosen_unless_a_number_is_given() -> None:
    faces = (face(1, box(0, 0, 50, 50)), face(2, box(60, 60, 90, 90)))
    assert choose_face(faces, None, "me.jpg").number == 1
    assert choose_face(faces, 2, "me.jpg").number == 2


@pytest.mark.parametrize("number", [0, 3, -1])
def test_number_without_a_face_is_an_error_that_says_how_many_there_are(number: int) -> None:
    faces = (face(1, box(0, 0, 50, 50)), face(2, box(60, 60, 90, 90)))
    with pytest.raises(NoSuchFace, match="the photo has 2"):
        choose_face(faces, number, "me.jpg")


def test_no_face_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(NoFaceFound, match=r"in me\.jpg: .*--face_box"):
        choose_face((), None, "me.jpg")


def test_box_by_hand_becomes_a_square_of_its_area_about_its_centre() -> None:
    assert face_from_box(box(100, 100, 200, 325), 600, 600).box == box(75, 138, 225, 288)
    assert face_from_box(box(100, 100, 200, 200), 600, 600).votes == 0


def test_square_from_a_box_at_the_edge_stays_inside() -> None:
    for drawn in (box(0, 0, 40, 160), box(560, 440, 600, 600), box(0, 560, 600, 600)):
        square = face_from_box(drawn, 600, 600).box
        assert square.width == square.height
        assert min(square.sides) >= 0
        assert max(square.sides) <= 600


def test_box_by_hand_is_scaled_to_the_reduced_picture() -> None:
    assert face_from_box(box(400, 400, 800, 800), 4000, 2000, 0.25).box == box(100, 100, 200, 200)
    # The whole of a 3999 x 2999 px photo, reduced to 1280 x 960 px.
    assert face_from_box(box(0, 0, 3999, 2999), 3999, 2999, 1280 / 3999).box.height == 960


@pytest.mark.parametrize(
    "drawn",
    [
        box(-1, 0, 50, 50),
        box(0, -1, 50, 50),
        box(0, 0, 101, 50),
        box(0, 0, 50, 81),
        box(0, 0, 23, 60),
    ],
)
def test_box_outside_or_too_small_is_refused(drawn: CropBox) -> None:
    with pytest.raises(FaceBoxOutside, match="100 x 80 px: it needs at least 24 px"):
        face_from_box(drawn, 100, 80)


def test_refused_box_is_told_in_px_of_the_photo_as_it_came() -> None:
    with pytest.raises(FaceBoxOutside, match="4000 x 2000 px: it needs at least 96 px"):
        face_from_box(box(0, 0, 80, 80), 4000, 2000, 0.25)


def test_centre_face_fills_half_the_short_side() -> None:
    assert centre_face(400, 200).box == box(150, 50, 250, 150)


def test_rotation_keeps_the_whole_picture_and_tells_where_points_went() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    cv2.circle(picture, (150, 30), 4, (255, 255, 255), -1)
    turned, turn = rotate(picture, 90)
    assert turned.shape[:2] == (200, 100)
    rows, columns = np.nonzero(turned[..., 0] > 128)
    assert np.allclose(turn @ np.array([150, 30, 1.0]), (columns.mean(), rows.mean()), atol=1)


def test_every_face_of_a_group_is_found() -> None:
    astronaut = skimage.data.astronaut()
    head = cv2.resize(astronaut[40:240, 120:330], (150, 143), interpolation=cv2.INTER_AREA)
    group = np.full((340, 700, 3), 200, np.uint8)
    for index in range(8):
        row, column = divmod(index, 4)
        group[20 + 160 * row : 163 + 160 * row, 20 + 170 * column : 170 + 170 * column] = head
    assert len(find_faces_thoroughly(group)) == 8
