import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from inference.faces.finder import (
    centre_face,
    choose_face,
    face_from_box,
    face_of,
    find_faces,
    look_at_face,
    resize,
    square_of,
)
from inference.faces.landmarker import Landmarker, Landmarks
from jobs.errors import FaceBoxOutside, NoFaceFound, NoFaceInBox, NoSuchFace
from jobs.model import CropBox, Face
from tests.rotated import rotate

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


def test_astronauts_face_is_found_once_and_its_box_is_square(landmarker: Landmarker) -> None:
    (found,) = find_faces(ASTRONAUT, landmarker)
    assert found.votes >= 3
    assert iou(found.box, HER_FACE) > 0.8
    assert found.box.width == found.box.height
    assert found.roll_deg == pytest.approx(3, abs=1.5)


def test_mirrored_picture_has_the_mirrored_face(landmarker: Landmarker) -> None:
    mirror = np.ascontiguousarray(ASTRONAUT[:, ::-1])
    (found,), (mirrored,) = find_faces(ASTRONAUT, landmarker), find_faces(mirror, landmarker)
    assert abs((512 - mirrored.box.right) - found.box.left) <= 2
    assert abs(mirrored.box.upper - found.box.upper) <= 2
    assert mirrored.roll_deg == pytest.approx(-found.roll_deg, abs=1)


def test_search_gives_the_same_each_time(landmarker: Landmarker) -> None:
    assert find_faces(ASTRONAUT, landmarker) == find_faces(ASTRONAUT.copy(), landmarker)


def test_boxes_are_in_px_of_the_picture_at_any_size(landmarker: Landmarker) -> None:
    large = resize(ASTRONAUT, 3.5)
    (found,) = find_faces(large, landmarker)
    back = box(*(round(side / 3.5) for side in found.box.sides))
    assert iou(back, HER_FACE) > 0.8


def test_small_faces_may_be_left_out_beside_a_large_one(landmarker: Landmarker) -> None:
    wide = np.full((512, 900, 3), 200, np.uint8)
    wide[30:480, 20:470] = resize(np.ascontiguousarray(ASTRONAUT[0:300, 100:400]), 1.5)
    alone = np.full_like(wide, 200)
    small = resize(np.ascontiguousarray(ASTRONAUT[10:210, 120:320]), 0.2)
    for picture in (wide, alone):
        picture[200:240, 700:740] = small
    assert len(find_faces(wide, landmarker)) == 2
    (large,) = find_faces(wide, landmarker, with_small=False)
    assert iou(large.box, find_faces(wide, landmarker)[0].box) > 0.9
    assert find_faces(alone, landmarker, with_small=False) == find_faces(alone, landmarker)


def test_faces_are_numbered_from_1_the_largest_first(landmarker: Landmarker) -> None:
    wide = np.full((512, 900, 3), 200, np.uint8)
    head = ASTRONAUT[0:300, 100:400]
    wide[100:400, 20:320] = head
    wide[20:470, 400:850] = resize(np.ascontiguousarray(head), 1.5)
    faces = find_faces(wide, landmarker)
    assert [one.number for one in faces] == [1, 2]
    assert faces[0].box.width > 1.3 * faces[1].box.width
    assert faces[0].box.centre[0] > 400 > faces[1].box.centre[0]


def noise() -> Picture:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (300, 300, 3)).astype(np.uint8)


def clouds() -> Picture:
    random = np.random.default_rng(2)
    soft = cv2.GaussianBlur(random.normal(size=(300, 300)).astype(np.float32), (0, 0), 12)
    grey = (soft - soft.min()) / (soft.max() - soft.min()) * 255
    return np.dstack([grey.astype(np.uint8)] * 3)


def stripes() -> Picture:
    lines = (np.arange(300) // 12 % 2 * 255).astype(np.uint8)
    return np.repeat(np.repeat(lines[:, None, None], 300, axis=1), 3, axis=2)


# The last six have fooled other finders: things that are round, a cat, and parts of her picture
# without her face, such as the shuttle and the flag.
FACELESS: dict[str, Picture] = {
    "one colour": np.full((300, 400, 3), 128, np.uint8),
    "noise": noise(),
    "clouds": clouds(),
    "stripes": stripes(),
    "brick": np.dstack([skimage.data.brick()[:300, :300]] * 3),
    "cup": skimage.data.coffee(),
    "coins": np.dstack([skimage.data.coins()] * 3),
    "cat": skimage.data.chelsea(),
    "cells": skimage.data.immunohistochemistry(),
    "shuttle": ASTRONAUT[:, 280:],
    "suit": ASTRONAUT[200:],
}


@pytest.mark.parametrize("name", FACELESS)
def test_picture_without_a_face_gives_none(landmarker: Landmarker, name: str) -> None:
    assert find_faces(np.ascontiguousarray(FACELESS[name]), landmarker) == ()


def tilted(angle_deg: float) -> tuple[Picture, CropBox]:
    """Her head turned, and about where its face is."""
    head = np.ascontiguousarray(ASTRONAUT[0:300, 80:380])
    turned, turn = rotate(head, angle_deg)
    x, y = turn @ np.array([223 - 80, 115, 1.0])
    return turned, box(round(x - 48), round(y - 48), round(x + 48), round(y + 48))


@pytest.mark.parametrize("angle_deg", [-150, -90, -60, -30, 20, 45, 75, 90, 120, 180])
def test_face_is_found_however_it_leans(landmarker: Landmarker, angle_deg: int) -> None:
    turned, true = tilted(angle_deg)
    (found,) = find_faces(turned, landmarker)
    assert iou(found.box, true) > 0.4
    apart = (found.roll_deg - (3 - angle_deg) + 180) % 360 - 180
    assert abs(apart) < 3


@pytest.mark.parametrize("side_px", [64, 40])
def test_small_face_in_a_large_picture_is_found(landmarker: Landmarker, side_px: int) -> None:
    random = np.random.default_rng(4)
    ground = cv2.GaussianBlur(random.normal(size=(1080, 1440, 3)), (0, 0), 9)
    picture = np.clip(128 + 400 * ground, 0, 255).astype(np.uint8)
    small = resize(np.ascontiguousarray(ASTRONAUT[0:220, 110:340]), side_px / 97)
    picture[600 : 600 + small.shape[0], 900 : 900 + small.shape[1]] = small
    (found,) = find_faces(picture, landmarker)
    assert found.box.width == pytest.approx(side_px, rel=0.2)
    assert found.box.centre == pytest.approx(
        (900 + 113 * side_px / 97, 600 + 115 * side_px / 97), abs=0.2 * side_px
    )


def degraded(name: str) -> Picture:
    grey = cv2.cvtColor(cv2.cvtColor(ASTRONAUT, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    grain = np.random.default_rng(1).normal(0, 1, (512, 512, 1))
    copies = {
        "sepia": grey * (1.0, 0.85, 0.65),
        "grain": grey + 40 * grain,
        "faded": grey * 0.12 + 150 + 4 * grain,
        "blurred": cv2.GaussianBlur(ASTRONAUT, (0, 0), 3),
    }
    return np.asarray(np.clip(copies[name], 0, 255), np.uint8)


@pytest.mark.parametrize("name", ["sepia", "grain", "faded", "blurred"])
def test_face_is_found_in_a_poor_print(landmarker: Landmarker, name: str) -> None:
    (found,) = find_faces(degraded(name), landmarker)
    assert iou(found.box, HER_FACE) > 0.6


def test_tiny_and_thin_pictures_give_no_face(landmarker: Landmarker) -> None:
    for shape in ((1, 500), (500, 2), (1, 1)):
        assert find_faces(np.zeros((*shape, 3), np.uint8), landmarker) == ()


def test_masked_face_is_found_or_nothing(landmarker: Landmarker) -> None:
    masked = ASTRONAUT.copy()
    masked[124:176, 184:264] = (170, 200, 215)
    assert all(iou(one.box, HER_FACE) > 0.5 for one in find_faces(masked, landmarker))


def test_face_cut_by_the_edge_is_found_or_nothing(landmarker: Landmarker) -> None:
    cut = resize(np.ascontiguousarray(ASTRONAUT[75:375, 178:478]), 2)
    true = box(
        *(round(2 * (side - by)) for side, by in zip(HER_FACE.sides, (178, 75) * 2, strict=True))
    )
    assert all(iou(one.box, true) > 0.5 for one in find_faces(cut, landmarker))


# --- looking again -------------------------------------------------------------------------------


def test_found_face_is_measured_where_it_was_found(
    landmarker: Landmarker, astronaut_landmarks: Landmarks
) -> None:
    (found,) = find_faces(ASTRONAUT, landmarker)
    points = look_at_face(landmarker, ASTRONAUT, found).points
    assert np.allclose(points[:468, :2], astronaut_landmarks.points[:468, :2], atol=1)


def test_square_of_a_face_is_about_where_its_landmarks_want_to_be_looked_at(
    landmarker: Landmarker, astronaut_landmarks: Landmarks
) -> None:
    square = square_of(face_of(astronaut_landmarks, landmarker))
    wanted = astronaut_landmarks.square
    assert (square.x, square.y) == pytest.approx((wanted.x, wanted.y), abs=0.1 * wanted.side)
    assert square.side == pytest.approx(wanted.side, rel=0.15)
    assert square.angle == pytest.approx(wanted.angle, abs=1e-3)


@pytest.mark.parametrize(
    ("angle_deg", "size"), [(0, 0.75), (0, 1.5), (-90, 1.0), (60, 1.0), (180, 1.0)]
)
def test_box_drawn_roughly_round_a_face_finds_it(
    landmarker: Landmarker, angle_deg: int, size: float
) -> None:
    turned, true = tilted(angle_deg)
    x, y = true.centre
    half = size * true.width / 2
    height, width = turned.shape[:2]
    drawn = box(round(x - half) + 8, round(y - half) - 6, round(x + half) + 8, round(y + half) - 6)
    face = face_from_box(drawn, width, height)
    found = face_of(look_at_face(landmarker, turned, face), landmarker)
    assert iou(found.box, true) > 0.5


@pytest.mark.parametrize("drawn", [box(380, 20, 500, 140), box(20, 300, 160, 440)])
def test_box_without_a_face_is_refused_in_one_sentence(
    landmarker: Landmarker, drawn: CropBox
) -> None:
    with pytest.raises(NoFaceInBox, match="choose the part that a face fills"):
        look_at_face(landmarker, ASTRONAUT, face_from_box(drawn, 512, 512))


def test_box_beside_the_only_face_is_refused(landmarker: Landmarker) -> None:
    beside = box(HER_FACE.right + 20, HER_FACE.upper, HER_FACE.right + 110, HER_FACE.lower)
    with pytest.raises(NoFaceInBox):
        look_at_face(landmarker, ASTRONAUT, face_from_box(beside, 512, 512))


def test_record_of_an_earlier_version_is_read_as_upright() -> None:
    record = {"number": 1, "box": {"left": 0, "upper": 0, "right": 9, "lower": 9}, "votes": 5}
    assert Face.model_validate(record).roll_deg == 0


# --- choosing ------------------------------------------------------------------------------------


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


def test_every_face_of_a_group_is_found(landmarker: Landmarker) -> None:
    astronaut = skimage.data.astronaut()
    head = cv2.resize(astronaut[40:240, 120:330], (150, 143), interpolation=cv2.INTER_AREA)
    group = np.full((340, 700, 3), 200, np.uint8)
    for index in range(8):
        row, column = divmod(index, 4)
        group[20 + 160 * row : 163 + 160 * row, 20 + 170 * column : 170 + 170 * column] = head
    assert len(find_faces(group, landmarker)) == 8
