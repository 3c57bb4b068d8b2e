"""Between opened lips lies the driver's mouth or a painted one, but never over teeth."""

import dataclasses

import cv2
import numpy as np
import pytest

from inference.flow.canonical import (
    LAYOUT_ANCHORS,
    Anchors,
    Floats,
    Picture,
    Placement,
    crop_to_canonical,
)
from inference.flow.field import bump, canonical_grid, sample
from inference.flow.mouth import (
    DriverMouth,
    Lips,
    PaintedMouth,
    lower_face_median,
    moved_lips,
    shows_open_mouth,
)
from inference.flow.placement import place_face
from inference.flow.procedural import Parameters, ProceduralMotion
from inference.flow.renderer import FaceMotion, FaceRenderer
from inference.flow.tracker import IDENTITY
from jobs.model import CropBox

STILL: Floats = np.zeros((256, 256, 2), np.float32)


def jaw(opened: float, anchors: Anchors = LAYOUT_ANCHORS) -> Lips:
    return moved_lips(ProceduralMotion(anchors).field(Parameters(jaw=opened)), anchors, 3.0)


def grey_of(picture: Picture) -> Picture:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def inside(alpha: Floats) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    marked = alpha > 0.9
    assert marked.sum() > 50
    return marked


@pytest.fixture(scope="module")
def closed(closed_mouth_portrait: Picture, portrait_box: CropBox) -> tuple[Picture, Placement]:
    """A canonical face with a closed mouth, and its placement in `closed_mouth_portrait`."""
    placed = place_face(closed_mouth_portrait, portrait_box)
    assert placed.refined
    return crop_to_canonical(closed_mouth_portrait, placed.canonical_from_picture), placed


def test_lips_at_rest_are_shut_and_nothing_shows_between_them() -> None:
    lips = moved_lips(STILL, LAYOUT_ANCHORS, 5.0)
    assert lips.opening_px <= 0
    assert not lips.alpha.any()


def test_an_opening_is_as_wide_as_the_lips_went_apart() -> None:
    field = STILL.copy()
    field[162:, :, 1] = 9
    field[:162, :, 1] = -1
    lips = moved_lips(field, LAYOUT_ANCHORS, 3.0)
    assert lips.opening_px == pytest.approx(10, abs=0.3)
    alpha = lips.alpha
    assert alpha[165, 128] == pytest.approx(1, abs=0.01)
    assert not alpha[150].any()
    assert not alpha[178].any()
    assert not alpha[:, 100].any()


def test_the_more_the_jaw_opens_the_more_is_seen() -> None:
    seen = [float(jaw(opened).alpha.sum()) for opened in (0.05, 0.2, 0.5, 1.0)]
    assert seen[0] < seen[1] < seen[2] < seen[3]


def test_lips_that_move_together_do_not_open() -> None:
    field = STILL.copy()
    field[..., 1] = 8
    assert moved_lips(field, LAYOUT_ANCHORS, 5.0).opening_px < 0.01


def test_lips_lie_where_the_faces_own_mouth_is() -> None:
    anchors = dataclasses.replace(LAYOUT_ANCHORS, mouth=(133.0, 155.0))
    lips = moved_lips(STILL, anchors, 5.0)
    np.testing.assert_allclose(lips.upper[5], [133, 155], atol=0.6)


def test_lips_meet_in_the_corners_however_the_flow_tears() -> None:
    field = STILL.copy()
    field[..., 1] = np.where(canonical_grid()[..., 1] > 161, 8.0, -8.0)
    lips = moved_lips(field, LAYOUT_ANCHORS, 5.0)
    np.testing.assert_array_equal(lips.upper[[0, -1]], lips.lower[[0, -1]])


def test_a_toothy_smile_counts_as_an_open_mouth(face: Picture, placement: Placement) -> None:
    assert shows_open_mouth(face, placement.anchors)


def test_a_closed_mouth_is_a_closed_mouth(closed: tuple[Picture, Placement]) -> None:
    picture, placed = closed
    assert not shows_open_mouth(picture, placed.anchors)
    assert not shows_open_mouth(grey_of(picture), placed.anchors)


def test_a_dark_hole_counts_as_an_open_mouth(closed: tuple[Picture, Placement]) -> None:
    picture, placed = closed
    x, y = (round(value) for value in placed.anchors.mouth)
    shouting = picture.copy()
    cv2.ellipse(shouting, (x, y + 1), (13, 7), 0, 0, 360, (35, 12, 12), -1)
    assert shows_open_mouth(shouting, placed.anchors)


def test_a_painted_mouth_stays_away_until_the_lips_open(closed: tuple[Picture, Placement]) -> None:
    painted = PaintedMouth(closed[0], closed[1].anchors)
    assert painted.fill(jaw(0.02)) is None
    assert painted.fill(jaw(0.5)) is not None


def test_a_painted_mouth_is_a_dark_red_cavity_with_brighter_teeth_above(
    closed: tuple[Picture, Placement],
) -> None:
    fill = PaintedMouth(closed[0], closed[1].anchors).fill(jaw(0.9))
    assert fill is not None
    marked = inside(fill.alpha)
    rows = np.nonzero(marked[:, 128])[0]
    teeth, cavity = fill.colour[rows[3], 128], fill.colour[rows[-2], 128]
    assert cavity.mean() < 60
    assert cavity[0] > 1.5 * cavity[2]
    assert teeth.mean() > cavity.mean() + 40


def test_a_painted_mouth_is_darker_in_a_darker_photo(closed: tuple[Picture, Placement]) -> None:
    dark = (closed[0] * 0.4).astype(np.uint8)
    fills = [
        PaintedMouth(picture, closed[1].anchors).fill(jaw(0.9)) for picture in (closed[0], dark)
    ]
    assert fills[0] is not None
    assert fills[1] is not None
    assert fills[1].colour.mean() < 0.8 * fills[0].colour.mean()


def test_a_grey_photo_gets_a_grey_mouth(closed: tuple[Picture, Placement]) -> None:
    fill = PaintedMouth(grey_of(closed[0]), closed[1].anchors).fill(jaw(0.9))
    assert fill is not None
    spread = fill.colour.max(axis=-1) - fill.colour.min(axis=-1)
    assert spread.max() < 1e-3
    assert fill.colour[inside(fill.alpha)].std() > 5


def test_an_opened_jaw_shows_a_dark_cavity_in_the_photo(
    closed_mouth_portrait: Picture, closed: tuple[Picture, Placement]
) -> None:
    picture, placed = closed
    motion = ProceduralMotion(placed.anchors)
    field = motion.field(Parameters(jaw=0.8))
    lips = moved_lips(field, placed.anchors, 3.0)
    fill = PaintedMouth(picture, placed.anchors).fill(lips)
    renderer = FaceRenderer(closed_mouth_portrait, placed)
    frame = renderer.render(FaceMotion(IDENTITY, field, mouth=fill))
    whole = closed_mouth_portrait.copy()
    box = renderer.box
    whole[box.upper : box.lower, box.left : box.right] = frame
    seen = crop_to_canonical(whole, placed.canonical_from_picture)
    between = lips.alpha > 0.9
    assert seen[between].mean() < 90
    assert picture[between].mean() > 150
    # Nothing is laid anywhere else.
    without = renderer.render(FaceMotion(IDENTITY, field))
    whole_without = closed_mouth_portrait.copy()
    whole_without[box.upper : box.lower, box.left : box.right] = without
    other = crop_to_canonical(whole_without, placed.canonical_from_picture)
    off = cv2.dilate((lips.alpha > 0).astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    np.testing.assert_array_equal(seen[off], other[off])


def test_a_mouth_goes_where_the_head_goes(
    closed_mouth_portrait: Picture, closed: tuple[Picture, Placement]
) -> None:
    picture, placed = closed
    field = ProceduralMotion(placed.anchors).field(Parameters(jaw=0.8))
    fill = PaintedMouth(picture, placed.anchors).fill(moved_lips(field, placed.anchors, 3.0))
    renderer = FaceRenderer(closed_mouth_portrait, placed)
    middles = []
    for x in (0.0, 10.0):
        pose = np.array([[1.0, 0.0, x], [0.0, 1.0, 0.0]])
        laid = renderer.render(FaceMotion(pose, field, mouth=fill))
        plain = renderer.render(FaceMotion(pose, field))
        _, columns = np.nonzero(np.abs(laid.astype(int) - plain).max(axis=-1) > 20)
        middles.append(columns.mean())
    scale = np.hypot(*placed.picture_from_canonical[:, 0])
    assert middles[1] - middles[0] == pytest.approx(10 * scale, abs=2)


def test_a_drivers_mouth_stays_away_while_the_lips_are_shut(face: Picture) -> None:
    mouth = DriverMouth(face, face, canonical_grid())
    assert mouth.fill(face, moved_lips(STILL, LAYOUT_ANCHORS, 5.0)) is None
    assert mouth.fill(face, jaw(0.5)) is not None


def test_a_drivers_mouth_is_brought_to_the_photos_tone(face: Picture) -> None:
    dark_driver = (face * 0.7).astype(np.uint8)
    fill = DriverMouth(face, dark_driver, canonical_grid()).fill(dark_driver, jaw(0.6))
    assert fill is not None
    marked = inside(fill.alpha)
    expected, darker = face[marked].mean(), dark_driver[marked].mean()
    assert fill.colour[marked].mean() == pytest.approx(expected, rel=0.06)
    assert darker < 0.75 * expected


def test_a_much_darker_driver_is_not_brightened_into_noise(face: Picture) -> None:
    black_driver = (face * 0.02).astype(np.uint8)
    fill = DriverMouth(face, black_driver, canonical_grid()).fill(face, jaw(0.6))
    assert fill is not None
    marked = inside(fill.alpha)
    assert fill.colour.max() <= 255
    assert fill.colour[marked].mean() <= 1.9 * face[marked].mean()


def test_a_grey_photo_gets_the_drivers_mouth_in_grey(face: Picture) -> None:
    fill = DriverMouth(grey_of(face), face, canonical_grid()).fill(face, jaw(0.6))
    assert fill is not None
    assert (fill.colour.max(axis=-1) - fill.colour.min(axis=-1)).max() < 1e-3


def test_a_grainy_photo_gets_a_grainy_mouth(face: Picture) -> None:
    smooth = np.asarray(cv2.GaussianBlur(face, (0, 0), 2.0), np.uint8)
    noise = np.random.default_rng(3).normal(0, 9, face.shape[:2])[..., None]
    grainy = np.clip(smooth + noise, 0, 255).astype(np.uint8)
    roughness = []
    for photo in (smooth, grainy):
        fill = DriverMouth(photo, smooth, canonical_grid()).fill(smooth, jaw(0.8))
        assert fill is not None
        detail = fill.colour - cv2.GaussianBlur(fill.colour, (0, 0), 1.5)
        roughness.append(float(detail[inside(fill.alpha)].std()))
    assert roughness[1] > roughness[0] + 3


def test_a_drivers_mouth_is_read_where_the_driver_has_it(face: Picture) -> None:
    moved = np.roll(face, 6, axis=1)
    positions = (canonical_grid() + np.array([6, 0])).astype(np.float32)
    marked = inside(jaw(0.6).alpha)
    fill = DriverMouth(face, moved, positions).fill(moved, jaw(0.6))
    assert fill is not None
    assert np.abs(fill.colour[marked] - face[marked]).mean() < 12
    wrong = DriverMouth(face, moved, canonical_grid()).fill(moved, jaw(0.6))
    assert wrong is not None
    assert np.abs(wrong.colour[marked] - face[marked]).mean() > 14


def test_tone_of_the_lower_face_is_its_median(face: Picture) -> None:
    picture = np.zeros_like(face)
    picture[:] = (100, 80, 60)
    picture[150:156, 120:136] = 255
    np.testing.assert_array_equal(lower_face_median(picture), [100, 80, 60])


def test_a_fill_is_strongest_in_its_middle() -> None:
    alpha = jaw(0.8).alpha
    hill = bump(LAYOUT_ANCHORS.mouth, 60.0, 40.0)
    assert alpha[hill < 0.5].max() == 0
    assert sample(alpha, np.array([[128.0, 168.0]], np.float32))[0] > 0.99


def test_teeth_are_seen_in_a_grey_photo_too(face: Picture, placement: Placement) -> None:
    grey = np.repeat(face.mean(axis=-1, keepdims=True).round().astype(np.uint8), 3, axis=-1)
    assert shows_open_mouth(grey, placement.anchors)
