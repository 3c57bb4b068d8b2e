"""A lid closes over its eye, and nothing else of the face takes part."""

import dataclasses

import cv2
import numpy as np
import pytest

from inference.flow.canonical import Floats, Picture, Placement, transform
from inference.flow.eyelid import MIN_CLOSING, REACH_PX, Eyelid
from inference.flow.field import canonical_grid
from inference.flow.renderer import FaceMotion, FaceRenderer
from inference.flow.tracker import IDENTITY

STILL: Floats = np.zeros((256, 256, 2), np.float32)
EYE = (103.0, 107.0)


def rendered(renderer: FaceRenderer, left: float, right: float) -> Picture:
    return renderer.render(FaceMotion(IDENTITY, STILL, closing=(left, right)))


def distance_to_eyes(renderer: FaceRenderer, placement: Placement) -> tuple[Floats, Floats]:
    """Canonical px from each pixel of the renderer's box to the left and to the right eye."""
    box = renderer.box
    y, x = np.mgrid[box.upper : box.lower, box.left : box.right]
    where = transform(placement.canonical_from_picture, np.dstack([x, y]).astype(float))
    left, right, _ = placement.anchors.array
    return np.linalg.norm(where - left, axis=-1), np.linalg.norm(where - right, axis=-1)


def difference(one: Picture, other: Picture) -> Floats:
    return np.asarray(np.abs(one.astype(np.float32) - other).max(axis=-1))


def test_closed_eyes_differ_from_open_ones_only_inside_their_windows(
    renderer: FaceRenderer, placement: Placement
) -> None:
    changed = difference(rendered(renderer, 1.0, 1.0), rendered(renderer, 0.0, 0.0))
    left, right = distance_to_eyes(renderer, placement)
    assert not changed[np.minimum(left, right) > REACH_PX].any()
    assert changed[left < 4].mean() > 30
    assert changed[right < 4].mean() > 30


def test_skin_takes_the_place_of_the_iris(renderer: FaceRenderer, placement: Placement) -> None:
    left, right = distance_to_eyes(renderer, placement)
    iris = np.minimum(left, right) < 3
    opened = rendered(renderer, 0.0, 0.0)[iris].mean()
    closed = rendered(renderer, 1.0, 1.0)[iris].mean()
    assert closed > opened + 40


def test_a_half_closed_eye_lies_between_an_open_and_a_closed_one(
    renderer: FaceRenderer, placement: Placement
) -> None:
    left, right = distance_to_eyes(renderer, placement)
    window = np.minimum(left, right) < 10
    opened = rendered(renderer, 0.0, 0.0)
    changes = [
        difference(rendered(renderer, share, share), opened)[window].mean()
        for share in (0.2, 0.5, 1.0)
    ]
    assert changes[0] < changes[1] < changes[2]


@pytest.mark.parametrize("side", [0, 1])
def test_a_wink_closes_one_eye_only(
    renderer: FaceRenderer, placement: Placement, side: int
) -> None:
    closing = (1.0, 0.0) if side == 0 else (0.0, 1.0)
    changed = difference(rendered(renderer, *closing), rendered(renderer, 0.0, 0.0))
    distances = distance_to_eyes(renderer, placement)
    assert changed[distances[side] < 4].mean() > 30
    assert not changed[distances[1 - side] < REACH_PX].any()


def test_brows_do_not_come_down_with_the_lids(renderer: FaceRenderer, placement: Placement) -> None:
    changed = difference(rendered(renderer, 1.0, 1.0), rendered(renderer, 0.0, 0.0))
    box = renderer.box
    rows = np.nonzero(changed.any(axis=1))[0]
    brow_y = placement.picture_from_canonical[1] @ (128.0, 93.0, 1.0)
    assert rows.min() + box.upper > brow_y


def test_eyes_that_were_not_found_are_never_closed(portrait: Picture, placement: Placement) -> None:
    renderer = FaceRenderer(portrait, dataclasses.replace(placement, refined=False))
    np.testing.assert_array_equal(rendered(renderer, 1.0, 1.0), rendered(renderer, 0.0, 0.0))


def test_the_smallest_closing_changes_nothing(renderer: FaceRenderer) -> None:
    almost = rendered(renderer, MIN_CLOSING, MIN_CLOSING)
    np.testing.assert_array_equal(almost, rendered(renderer, 0.0, 0.0))


def test_a_blink_goes_where_the_head_goes(renderer: FaceRenderer, placement: Placement) -> None:
    shift = np.array([[1.0, 0.0, 34.0], [0.0, 1.0, -27.0]])
    opened = renderer.render(FaceMotion(shift, STILL))
    closed = renderer.render(FaceMotion(shift, STILL, closing=(1.0, 0.0)))
    rows, columns = np.nonzero(difference(closed, opened) > 10)
    middle = np.array([columns.mean() + renderer.box.left, rows.mean() + renderer.box.upper])
    seen = transform(placement.canonical_from_picture, middle) - (34, -27)
    assert np.linalg.norm(seen - placement.anchors.eye_left) < 5


@pytest.fixture(scope="module")
def drawn_eye() -> Picture:
    """Skin with the dark opening of an eye, whose upper edge is where the mean face has it."""
    picture = np.full((256, 256, 3), (210, 175, 155), np.uint8)
    cv2.ellipse(picture, (103, 107), (12, 5), 0, 0, 360, (60, 45, 40), -1)
    return picture


@pytest.mark.parametrize("closing", [0.1, 0.5, 1.0])
def test_a_lid_never_turns_rows_upside_down(drawn_eye: Picture, closing: float) -> None:
    read = Eyelid(drawn_eye, EYE).close(canonical_grid(), closing)
    np.testing.assert_array_equal(read[..., 0], canonical_grid()[..., 0])
    assert np.diff(read[90:120, 95:112, 1], axis=0).min() > -1.5  # the lashes' edge steps back once
    skin = read[96:103, 95:112, 1]
    assert (np.diff(skin, axis=0) > 0).all()
    assert (read[..., 1] <= canonical_grid()[..., 1] + 1e-4).all()


def test_a_lid_reaches_from_below_the_brow_to_the_lower_lid(drawn_eye: Picture) -> None:
    read = Eyelid(drawn_eye, EYE).close(canonical_grid(), 1.0)
    moved = np.abs(read - canonical_grid()).max(axis=-1) > 0.01
    rows, columns = np.nonzero(moved)
    assert rows.min() >= EYE[1] - 11.2
    assert rows.max() <= EYE[1] + 5
    assert columns.min() >= EYE[0] - 12.3
    assert columns.max() <= EYE[0] + 12.3
    # At the lower lid the closed eye shows what was at the upper lid's edge.
    assert read[108, 103, 1] < EYE[1] - 3.5


def test_the_lash_line_of_the_photo_is_looked_for() -> None:
    reads = []
    for drop in (-2, 2):
        picture = np.full((256, 256, 3), (210, 175, 155), np.uint8)
        cv2.ellipse(picture, (103, 107 + drop), (12, 5), 0, 0, 360, (60, 45, 40), -1)
        reads.append(Eyelid(picture, EYE).close(canonical_grid(), 1.0)[110, 103, 1])
    assert reads[1] - reads[0] == pytest.approx(4, abs=1.5)
