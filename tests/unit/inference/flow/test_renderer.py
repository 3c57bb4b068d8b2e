"""The photo is warped where the face is, and is itself everywhere else."""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from inference.flow.canonical import (
    LAYOUT_ANCHORS,
    Affine,
    Floats,
    Picture,
    Placement,
    similarity,
    transform,
)
from inference.flow.field import bump, canonical_grid, determinant, regularise, sample, unfold
from inference.flow.placement import place_face
from inference.flow.procedural import Parameters, ProceduralMotion
from inference.flow.renderer import FaceMotion, FaceRenderer, _undo_expression, work_area
from inference.flow.tracker import IDENTITY
from jobs.model import CropBox

MakeField = Callable[[int, float, float], Floats]
STILL: Floats = np.zeros((256, 256, 2), np.float32)


def strong_pose() -> Affine:
    pose = similarity(1.3, 0.4, (128.0, 128.0))
    pose[:, 2] += (25, -52)
    return pose


STRONG = [
    similarity(1.0, 0.0, (128.0, 128.0)) + np.array([[0, 0, 0.0], [0, 0, -57.6]]),
    similarity(1.0, 0.0, (128.0, 128.0)) + np.array([[0, 0, 57.6], [0, 0, 0.0]]),
    similarity(1.0 / 1.3, -0.43, (128.0, 128.0)) + np.array([[0, 0, -30.0], [0, 0, 45.0]]),
    strong_pose(),
]


def in_larger_photo(face_photo: Picture, width: int, height: int, left: int, upper: int) -> Picture:
    """`face_photo` in the middle of a photo of slopes and stripes, on which any shift is seen."""
    y, x = np.mgrid[0:height, 0:width]
    stripes = 40 * ((x // 5 + y // 7) % 2)
    photo = np.dstack([(x * 3) % 200 + stripes, (y * 3) % 200 + stripes, (x + y) % 200 + stripes])
    photo = photo.astype(np.uint8)
    rows, columns = face_photo.shape[:2]
    photo[upper : upper + rows, left : left + columns] = face_photo
    return photo


def part(photo: Picture, box: CropBox) -> Picture:
    return photo[box.upper : box.lower, box.left : box.right]


def edges_inside(box: CropBox, frame: Picture, photo: Picture) -> list[tuple[Any, Any]]:
    """The frame's and the photo's outermost row or column at each side that lies in the photo."""
    height, width = photo.shape[:2]
    below = part(photo, box)
    sides = []
    if box.left > 0:
        sides.append((frame[:, 0], below[:, 0]))
    if box.upper > 0:
        sides.append((frame[0], below[0]))
    if box.right < width:
        sides.append((frame[:, -1], below[:, -1]))
    if box.lower < height:
        sides.append((frame[-1], below[-1]))
    return sides


@pytest.mark.parametrize("side_px", [512, 1536])
def test_without_motion_the_frame_is_the_photo_byte_for_byte(
    astronaut: Picture, side_px: int
) -> None:
    photo = np.asarray(
        cv2.resize(astronaut, (side_px, side_px), interpolation=cv2.INTER_CUBIC), np.uint8
    )
    scale = side_px // 512
    box = CropBox(left=175 * scale, upper=67 * scale, right=271 * scale, lower=163 * scale)
    renderer = FaceRenderer(photo, place_face(photo, box))
    frame = renderer.render(FaceMotion(IDENTITY, STILL))
    np.testing.assert_array_equal(frame, part(photo, renderer.box))


def test_a_shift_moves_the_face_by_just_that_much(
    portrait: Picture, placement: Placement, renderer: FaceRenderer
) -> None:
    to_picture = placement.picture_from_canonical[:, :2]
    shift = np.linalg.inv(to_picture) @ np.array([14.0, -9.0])
    pose = IDENTITY + np.column_stack([np.zeros((2, 2)), shift])
    frame = renderer.render(FaceMotion(pose, STILL))
    expected = portrait[190:330, 180:310]
    moved = frame[181 - renderer.box.upper :, 194 - renderer.box.left :][:140, :130]
    unmoved = frame[190 - renderer.box.upper :, 180 - renderer.box.left :][:140, :130]
    assert np.abs(moved.astype(int) - expected).mean() < 1.5
    assert np.abs(unmoved.astype(int) - expected).mean() > 8


def test_a_turn_is_as_seen_on_the_screen(placement: Placement, renderer: FaceRenderer) -> None:
    # Clockwise about the face's middle, the left eye goes up and the right one down.
    pose = similarity(1.0, math.radians(10), (128.0, 128.0))
    seen = {}
    for name, motion_pose in (("rest", IDENTITY), ("turned", pose)):
        frame = renderer.render(FaceMotion(motion_pose, STILL))
        turned = place_face(frame, CropBox(left=128, upper=128, right=360, lower=360))
        seen[name] = transform(turned.picture_from_canonical, turned.anchors.array)
    assert placement.refined
    assert seen["turned"][0, 1] < seen["rest"][0, 1] - 5
    assert seen["turned"][1, 1] > seen["rest"][1, 1] + 5


def test_a_field_moves_what_lies_under_it_and_nothing_else(
    portrait: Picture, placement: Placement, renderer: FaceRenderer
) -> None:
    field = STILL.copy()
    field[..., 1] = 6 * bump((128.0, 128.0), 8.0, 8.0)
    frame = renderer.render(FaceMotion(IDENTITY, field))
    changed = np.abs(frame.astype(int) - part(portrait, renderer.box)).max(axis=-1) > 0
    rows, columns = np.nonzero(changed)
    pixels = np.column_stack([columns + renderer.box.left, rows + renderer.box.upper])
    where = transform(placement.canonical_from_picture, pixels.astype(float))
    assert len(where) > 500
    assert np.linalg.norm(where - [128, 130], axis=1).max() < 45


def test_far_from_the_head_the_surroundings_stay(
    astronaut: Picture, astronaut_box: CropBox
) -> None:
    placed = place_face(astronaut, astronaut_box)
    renderer = FaceRenderer(astronaut, placed)
    small = similarity(1.0, 0.05, (128.0, 128.0)) + np.array([[0, 0, 4.0], [0, 0, 4.0]])
    frame = renderer.render(FaceMotion(small, STILL))
    y, x = np.mgrid[renderer.box.upper : renderer.box.lower, renderer.box.left : renderer.box.right]
    where = transform(placed.canonical_from_picture, np.dstack([x, y]).astype(float))
    radius = np.hypot((where[..., 0] - 128) / 80, (where[..., 1] - 128) / 112)
    far, near = radius > 2.4, radius < 0.7
    changed = (frame != part(astronaut, renderer.box)).any(axis=-1)
    assert far.sum() > 1000
    assert not changed[far].any()
    assert changed[near].mean() > 0.5


@pytest.mark.parametrize("pose", STRONG, ids=["up", "right", "down and smaller", "all at once"])
@pytest.mark.parametrize(
    ("left", "upper"), [(300, 250), (0, 250), (612, 0), (300, 488)], ids=["mid", "w", "ne", "s"]
)
def test_the_strongest_movement_leaves_no_seam_inside_the_photo(
    portrait: Picture, portrait_box: CropBox, pose: Affine, left: int, upper: int
) -> None:
    small = np.asarray(cv2.resize(portrait, (244, 256), interpolation=cv2.INTER_AREA), np.uint8)
    photo = in_larger_photo(small, 856, 744, left, upper)
    half = portrait_box.left // 2
    box = CropBox(left=left + half, upper=upper + half, right=left + 180, lower=upper + 180)
    renderer = FaceRenderer(photo, place_face(photo, box))
    frame = renderer.render(FaceMotion(pose, STILL))
    sides = edges_inside(renderer.box, frame, photo)
    assert len(sides) >= 2
    for seen, expected in sides:
        # A displacement of a tenth of a px shows as a level or more on these slopes and stripes.
        assert np.abs(seen.astype(int) - expected).max() <= 3
    assert np.abs(frame.astype(int) - part(photo, renderer.box)).mean() > 5


def coded_photo(cut_left_px: int, cut_upper_px: int) -> tuple[Picture, Placement]:
    """A photo whose red is x and green is y, 1 level per px, round a face 64 px wide.

    What the frame differs from it is the displacement itself, px.
    """
    y, x = np.mgrid[0:400, 0:400]
    red, green = np.clip(x - 72, 0, 255), np.clip(y - 72, 0, 255)
    photo = np.dstack([red, green, 0 * red]).astype(np.uint8)[cut_upper_px:, cut_left_px:]
    shift = np.array([2 * (cut_left_px - 200) + 128.0, 2 * (cut_upper_px - 200) + 128.0])
    to_canonical = np.column_stack([2 * np.eye(2), shift])
    return np.ascontiguousarray(photo), Placement(to_canonical, LAYOUT_ANCHORS, refined=True)


@pytest.mark.parametrize("pose", STRONG, ids=["up", "right", "down and smaller", "all at once"])
@pytest.mark.parametrize(("cut_left", "cut_upper"), [(0, 0), (130, 0), (0, 130), (130, 130)])
def test_displacement_fades_to_nothing_at_the_grids_border(
    pose: Affine, cut_left: int, cut_upper: int
) -> None:
    photo, placed = coded_photo(cut_left, cut_upper)
    renderer = FaceRenderer(photo, placed)
    frame = renderer.render(FaceMotion(pose, STILL))
    shift_px = np.abs(frame.astype(int) - part(photo, renderer.box)).max(axis=-1)
    assert shift_px.max() > 15
    rings = []
    # The grid's outermost nodes lie on the box's outermost px; 1 px is 2 canonical ones here.
    if cut_left == 0:
        rings.append(shift_px[:, :2])
    if cut_upper == 0:
        rings.append(shift_px[:2])
    rings += [shift_px[:, -2:], shift_px[-2:]]
    # Without the fading the strongest of these movements leaves up to 50 px there.
    assert max(ring.max() for ring in rings) <= 2


@pytest.mark.parametrize("axis", [0, 1], ids=["x", "y"])
def test_a_displacement_lies_on_the_pixels_that_it_is_meant_for(axis: int) -> None:
    photo, placed = coded_photo(0, 0)
    renderer = FaceRenderer(photo, placed)
    field = STILL.copy()
    field[..., axis] = 12 * bump((128.0, 128.0), 14.0, 14.0)
    frame = renderer.render(FaceMotion(IDENTITY, field))
    shift_px = (part(photo, renderer.box).astype(float) - frame)[..., axis]
    y, x = np.mgrid[renderer.box.upper : renderer.box.lower, renderer.box.left : renderer.box.right]
    along, across = (x, y) if axis == 0 else (y, x)
    # A bump of 6 px about (200, 200), drawn where it has gone to: half its square's mean farther.
    assert np.average(across, weights=shift_px) == pytest.approx(200, abs=0.3)
    assert np.average(along, weights=shift_px) == pytest.approx(201.5, abs=0.3)
    assert shift_px.max() == pytest.approx(6, abs=1)


def test_a_turned_grid_leaves_no_seam_at_its_corners_either(portrait: Picture) -> None:
    small = np.asarray(cv2.resize(portrait, (244, 256), interpolation=cv2.INTER_AREA), np.uint8)
    photo = in_larger_photo(small, 900, 900, 330, 330)
    box = CropBox(left=394, upper=394, right=510, lower=510)
    straight = place_face(photo, box)
    tilt = similarity(1.0, 0.35, (128.0, 128.0))
    turned = Placement(
        np.column_stack(
            [
                tilt[:, :2] @ straight.canonical_from_picture[:, :2],
                transform(tilt, straight.canonical_from_picture[:, 2]),
            ]
        ),
        straight.anchors,
        refined=True,
    )
    renderer = FaceRenderer(photo, turned)
    y, x = np.mgrid[renderer.box.upper : renderer.box.lower, renderer.box.left : renderer.box.right]
    where = transform(turned.canonical_from_picture, np.dstack([x, y]).astype(float))
    beyond = ((where < -128) | (where > 382)).any(axis=-1)
    for pose in STRONG:
        frame = renderer.render(FaceMotion(pose, STILL))
        np.testing.assert_array_equal(frame[beyond], part(photo, renderer.box)[beyond])
    assert beyond.mean() > 0.1


def test_a_tiny_face_in_a_large_photo_changes_only_its_surroundings(portrait: Picture) -> None:
    tiny = np.asarray(cv2.resize(portrait, (61, 64), interpolation=cv2.INTER_AREA), np.uint8)
    photo = in_larger_photo(tiny, 2000, 1500, 1500, 200)
    face_box = CropBox(left=1516, upper=216, right=1545, lower=245)
    renderer = FaceRenderer(photo, place_face(photo, face_box))
    box = renderer.box
    assert 100 <= box.width <= 140
    assert 100 <= box.height <= 140
    assert box.left < face_box.left < face_box.right < box.right
    still = renderer.render(FaceMotion(IDENTITY, STILL))
    np.testing.assert_array_equal(still, part(photo, box))
    frame = renderer.render(FaceMotion(STRONG[0], STILL))
    assert (frame != part(photo, box)).any()
    for seen, expected in edges_inside(box, frame, photo):
        assert np.abs(seen.astype(int) - expected).max() <= 3


@pytest.mark.parametrize(
    "face_box",
    [
        CropBox(left=-60, upper=100, right=120, lower=280),
        CropBox(left=400, upper=430, right=560, lower=590),
    ],
    ids=["over the left edge", "over the lower right corner"],
)
def test_a_face_box_that_reaches_outside_the_photo_is_no_trouble(
    astronaut: Picture, face_box: CropBox
) -> None:
    renderer = FaceRenderer(astronaut, place_face(astronaut, face_box))
    box = renderer.box
    assert box.left >= 0
    assert box.upper >= 0
    assert box.right <= 512
    assert box.lower <= 512
    still = renderer.render(FaceMotion(IDENTITY, STILL))
    np.testing.assert_array_equal(still, part(astronaut, box))
    for pose in STRONG:
        frame = renderer.render(FaceMotion(pose, STILL, closing=(1.0, 1.0)))
        assert frame.shape == still.shape
        for seen, expected in edges_inside(box, frame, astronaut):
            assert np.abs(seen.astype(int) - expected).max() <= 3


def test_the_work_area_is_four_boxes_wide_and_cut_at_the_photo(placement: Placement) -> None:
    whole = work_area(4000, 4000, placement)
    assert whole.left == whole.upper == 0
    scale = np.hypot(*placement.picture_from_canonical[:, 0])
    corner = transform(placement.picture_from_canonical, np.array([382.0, 382.0]))
    assert whole.right == pytest.approx(corner[0], abs=4 + 510 * 0.02 * scale)
    cut = work_area(300, 280, placement)
    assert (cut.right, cut.lower) == (300, 280)


def residual_px(field: Floats) -> Floats:
    """How far x + field(x) is from its target, where the field moves and does not almost fold."""
    target = canonical_grid()
    position = _undo_expression(target, field)
    residual = np.linalg.norm(position + sample(field, position) - target, axis=-1)
    moves = np.abs(position - target).max(axis=-1) > 0.01
    assert moves.sum() > 1000
    return np.asarray(residual[moves & (sample(determinant(field), position) > 0.3)], np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_an_expression_is_undone_to_a_tenth_of_a_pixel(smooth_field: MakeField, seed: int) -> None:
    field = unfold(*regularise(smooth_field(seed, 10.0, 6.0)))
    assert np.abs(field).max() > 2.5
    assert residual_px(field).max() < 0.1


@pytest.mark.parametrize(
    "extreme",
    [
        Parameters(yaw=0.35),
        Parameters(yaw=-0.3, pitch=0.3),
        Parameters(jaw=0.45),
    ],
)
def test_the_largest_turns_and_openings_are_undone_as_well(extreme: Parameters) -> None:
    assert residual_px(ProceduralMotion(LAYOUT_ANCHORS).field(extreme)).max() < 0.1


def test_a_jaw_torn_wide_open_is_undone_but_for_a_few_pixels_at_the_lips() -> None:
    residual = residual_px(ProceduralMotion(LAYOUT_ANCHORS).field(Parameters(jaw=1.0)))
    assert np.percentile(residual, 99) < 0.1


def test_rendering_twice_gives_the_same_frame(renderer: FaceRenderer) -> None:
    motion = FaceMotion(STRONG[3], STILL, closing=(0.5, 1.0))
    np.testing.assert_array_equal(renderer.render(motion), renderer.render(motion))
