"""Squares round faces: where they lie, what is cut out of them, and the reference's squeezing."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from skimage.transform import resize

from inference.square_crop import (
    clip_square,
    crop_square,
    face_square,
    squeeze,
)
from jobs.model import CropBox

Picture = npt.NDArray[np.uint8]


def square(left: int, upper: int, side: int) -> CropBox:
    return CropBox(left=left, upper=upper, right=left + side, lower=upper + side)


def holds(outer: CropBox, inner: CropBox) -> bool:
    return (
        outer.left <= inner.left
        and outer.upper <= inner.upper
        and outer.right >= inner.right
        and outer.lower >= inner.lower
    )


@pytest.fixture(scope="module")
def noise() -> Picture:
    return np.random.default_rng(1).integers(0, 256, (60, 90, 3), np.uint8)


# --- one picture ----------------------------------------------------------------------------------


def test_a_faces_square_has_its_centre_and_the_originals_margin() -> None:
    assert face_square(square(100, 50, 100)) == square(70, 20, 160)
    assert face_square(square(100, 50, 100), margin=2.0) == square(50, 0, 200)


def test_a_faces_square_may_reach_outside_the_picture() -> None:
    assert face_square(square(0, 0, 100)) == square(-30, -30, 160)


def test_the_longer_side_of_a_face_counts() -> None:
    box = CropBox(left=100, upper=100, right=140, lower=200)
    assert face_square(box, margin=1.0) == square(70, 100, 100)


def test_padding_on_all_sides_is_kept() -> None:
    assert face_square(square(100, 100, 100), 1.0, (20, 20, 20, 20)) == square(80, 80, 140)


def test_padding_on_one_side_makes_the_other_way_grow_about_its_centre() -> None:
    below = face_square(square(100, 100, 100), 1.0, (0, 0, 0, 60))
    assert below == square(70, 100, 160)
    left = face_square(square(100, 100, 100), 1.0, (41, 0, 0, 0))
    assert left == CropBox(left=59, upper=80, right=200, lower=221)


# --- a clip ---------------------------------------------------------------------------------------


def test_a_head_that_stays_has_the_first_faces_square() -> None:
    boxes = [square(100, 100, 100), square(104, 97, 98), square(96, 102, 103)]
    assert clip_square(boxes) == face_square(boxes[0])
    assert clip_square(boxes[:1]) == face_square(boxes[0])


def test_the_square_of_a_head_that_moves_holds_all_its_places() -> None:
    boxes = [square(100, 100, 100), square(160, 100, 100), square(120, 70, 110)]
    found = clip_square(boxes)
    assert found.width == found.height
    assert all(holds(found, face_square(box, 1.3)) for box in boxes[1:])
    assert holds(found, face_square(boxes[0]))
    assert found.width < 1.5 * face_square(boxes[0]).width


def test_a_head_that_comes_near_has_room() -> None:
    boxes = [square(100, 100, 100), square(75, 75, 150)]
    found = clip_square(boxes)
    assert found.width == round(150 * 1.3)
    assert holds(found, face_square(boxes[1], 1.3))


def test_a_small_margin_holds_for_later_faces_too() -> None:
    assert clip_square([square(100, 100, 100)] * 2, margin=1.1) == square(95, 95, 110)


def test_a_face_that_leaves_does_not_make_the_square_large() -> None:
    first = square(100, 100, 100)
    found = clip_square([first, square(900, 100, 100)])
    assert (found.width, found.height) == (320, 320)
    assert holds(found, face_square(first))
    assert found.centre[0] > first.centre[0], "it leans to where the face has gone"


# --- cutting out ----------------------------------------------------------------------------------


def test_a_square_of_the_right_size_is_cut_out_as_it_is(noise: Picture) -> None:
    cut = crop_square(noise, square(7, 11, 32), 32)
    np.testing.assert_array_equal(cut, noise[11:43, 7:39])
    assert cut.flags.c_contiguous


@pytest.mark.parametrize(
    "box",
    [
        *(square(-10, 5, 40), square(70, 5, 40), square(5, -10, 40), square(5, 40, 40)),
        *(square(-20, -30, 150), square(-60, 0, 40), square(100, 20, 40), square(5, 80, 40)),
        *(square(5, -50, 40), square(-41, -41, 40), square(90, 60, 40)),
    ],
)
def test_outside_the_picture_its_edge_is_continued(noise: Picture, box: CropBox) -> None:
    rows = np.clip(np.arange(box.upper, box.lower), 0, 59)
    columns = np.clip(np.arange(box.left, box.right), 0, 89)
    cut = crop_square(noise, box, box.width)
    np.testing.assert_array_equal(cut, noise[np.ix_(rows, columns)])


def test_a_large_square_is_averaged_down_without_aliasing() -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 200
    cut = crop_square(stripes, square(0, 0, 400), 80)
    assert cut.shape == (80, 80, 3)
    # Each px is the mean of five columns, two or three of them bright.
    np.testing.assert_allclose(cut, 100, atol=20)


def test_a_small_square_is_enlarged_smoothly_and_stays_in_place() -> None:
    y, x = np.mgrid[0:100, 0:100]
    ramp = np.dstack([2 * x, 2 * y, x + y]).astype(np.uint8)
    cut = crop_square(ramp, square(20, 30, 40), 160)
    places = (np.arange(4, 156) + 0.5) / 4 - 0.5
    np.testing.assert_allclose(cut[80, 4:156, 0], 2 * (20 + places), atol=1)
    np.testing.assert_allclose(cut[4:156, 80, 1], 2 * (30 + places), atol=1)


def test_the_picture_itself_is_not_written(noise: Picture) -> None:
    before = noise.copy()
    for box in (square(7, 11, 32), square(-9, -9, 80)):
        crop_square(noise, box, 32)
    np.testing.assert_array_equal(noise, before)


# --- the reference's squeezing --------------------------------------------------------------------


@pytest.mark.parametrize("size", [(97, 333), (300, 41), (64, 200), (40, 64), (2100, 70)])
def test_squeezing_is_scikit_images_resize(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (*size, 3), np.uint8)
    squeezed = squeeze(picture, 64)
    assert squeezed.dtype == np.float64
    assert squeezed.flags.c_contiguous
    assert np.abs(squeezed - resize(picture, (64, 64))).max() < 1e-12


def test_what_has_the_size_already_is_only_scaled() -> None:
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    squeezed = squeeze(picture, 16)
    np.testing.assert_array_equal(squeezed, picture / 255.0)
    # What the goldens' networks were given.
    as_given = picture.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(squeezed.astype(np.float32), as_given)


def test_alpha_is_dropped_not_mixed_in(noise: Picture) -> None:
    clear = cv2.merge([*cv2.split(noise), np.zeros(noise.shape[:2], np.uint8)])
    np.testing.assert_array_equal(squeeze(np.asarray(clear, np.uint8), 32), squeeze(noise, 32))
