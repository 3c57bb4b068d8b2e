"""Placement of a face: two eyes and the mouth line found in the box's canonical frame, with clamps.

No landmark network: an eye is a dark spot with skin above and below it, round, and looks like the
mirror image of the other one; the mouth is a horizontal valley of brightness.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

from inference.flow.canonical import (
    LAYOUT_ANCHORS,
    SIZE,
    Affine,
    Anchors,
    Floats,
    Picture,
    Placement,
    canonical_from_box,
    compose,
    crop_to_canonical,
    invert,
    similarity,
    transform,
)
from inference.flow.field import blur
from inference.flow.tracker import weighted_similarity
from jobs.model import CropBox

_EYE_DISTANCE_PX = LAYOUT_ANCHORS.eye_right[0] - LAYOUT_ANCHORS.eye_left[0]
_ANCHOR_WEIGHTS = np.array([1.0, 1.0, 0.7])
_LOOKS = 2
_MAX_SCALE_OF_A_LOOK, _MAX_SCALE = 1.15, 1.3
_MAX_ROLL_DEG = 25.0

Point = tuple[float, float]


class _Eye(NamedTuple):
    x: int
    y: int
    score: float


def place_face(picture: Picture, box: CropBox) -> Placement:
    """Where the face of `box` lies in `picture`, uint8 (H, W, 3) RGB.

    The placement found by the eyes and the mouth is taken only if it is plausible: roll within 25
    degrees, mouth within 0.12 box of where it is expected, both eyes better than the average place,
    scale within 15 % of the box's; or beyond that if a second look, in the frame that the first one
    found, confirms it. Otherwise the box's own frame and the mean face's anchors are returned,
    `refined` False.
    """
    from_box = canonical_from_box(box)
    frame = from_box
    for _ in range(_LOOKS):
        grey = cv2.cvtColor(crop_to_canonical(picture, frame), cv2.COLOR_RGB2GRAY)
        found = _find_anchors(grey.astype(np.float32))
        if found is None:
            break
        to_layout = weighted_similarity(found.array, LAYOUT_ANCHORS.array, _ANCHOR_WEIGHTS)
        frame = compose(to_layout, frame)
        if not _is_plausible(compose(frame, invert(from_box)), _MAX_SCALE, _MAX_ROLL_DEG):
            break
        if _is_plausible(to_layout, _MAX_SCALE_OF_A_LOOK, _MAX_ROLL_DEG):
            moved = transform(to_layout, found.array)
            anchors = Anchors(*((float(x), float(y)) for x, y in moved))
            return Placement(frame, anchors, refined=True)
    return Placement(from_box, LAYOUT_ANCHORS, refined=False)


def _is_plausible(change: Affine, max_scale: float, max_roll_deg: float) -> bool:
    """Whether a similarity changes scale and roll by no more than the limits."""
    scale = math.hypot(change[0, 0], change[1, 0])
    roll_deg = math.degrees(math.atan2(change[1, 0], change[0, 0]))
    return 2.0 - max_scale <= scale <= max_scale and abs(roll_deg) <= max_roll_deg


def _find_anchors(grey: Floats) -> Anchors | None:
    """Eyes and mouth in the box's frame; None if they are not plausible."""
    eyes = _best_pair(grey)
    if eyes is None:
        return None
    left, right = eyes
    mouth, expected = _find_mouth(grey, left, right)
    if math.dist(mouth, expected) > 0.12 * 128.0:
        return None
    return Anchors((float(left.x), float(left.y)), (float(right.x), float(right.y)), mouth)


def _z_score(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / (values.std() + 1e-6), dtype=np.float32)


def _moved_down(values: Floats, rows: int) -> Floats:
    """out(y) = values(y - rows), edge rows repeated."""
    index = np.clip(np.arange(SIZE) - rows, 0, SIZE - 1)
    return values[index]


def eye_map(grey: Floats) -> Floats:
    """How much each pixel of a canonical grey picture (256, 256) looks like an eye's centre."""
    detail = grey - blur(grey, 20.0)
    even = np.asarray(detail / (np.sqrt(blur(detail * detail, 24.0)) + 5.0), dtype=np.float32)
    wide = np.asarray(cv2.blur(even, (25, 7)), dtype=np.float32)
    # skin below (14 px down) and above (13 px up) is brighter than the eye
    dark = (
        0.5 * _moved_down(wide, -14)
        + 0.35 * _moved_down(wide, 13)
        - 0.8 * blur(even, 4.0)
        - np.asarray(cv2.blur(even, (25, 9)))
    )
    mixed = _z_score(dark) + 0.35 * _z_score(_radial_votes(grey))
    return blur(np.asarray(mixed, dtype=np.float32), 1.5)


def _radial_votes(grey: Floats) -> Floats:
    """Votes of the gradients for the centres of dark discs (Loy and Zelinsky 2003), (256, 256)."""
    half = SIZE // 2
    small = blur(np.asarray(cv2.resize(grey, (half, half), interpolation=cv2.INTER_AREA)), 1.2)
    dx = cv2.Sobel(small, cv2.CV_32F, 1, 0)
    dy = cv2.Sobel(small, cv2.CV_32F, 0, 1)
    strength = np.hypot(dx, dy)
    y, x = np.nonzero(strength > np.percentile(strength, 60))
    steep = strength[y, x]
    votes = np.zeros((half, half), np.float32)
    for radius in (2, 3, 4, 5):
        vote_x = np.rint(x - radius * dx[y, x] / steep).astype(np.intp)
        vote_y = np.rint(y - radius * dy[y, x] / steep).astype(np.intp)
        inside = (vote_x >= 0) & (vote_x < half) & (vote_y >= 0) & (vote_y < half)
        ring = np.zeros((half, half), np.float32)
        np.add.at(ring, (vote_y[inside], vote_x[inside]), np.sqrt(steep[inside]))
        votes += blur(ring, 0.5 * radius) / radius
    return np.asarray(cv2.resize(votes, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR))


def _candidates(eyes: Floats, centre: Point) -> list[_Eye]:
    """The six best separate maxima in the window about an expected eye centre."""
    left, upper = round(centre[0]) - 18, round(centre[1]) - 15
    window = eyes[upper : upper + 31, left : left + 37].copy()
    found = []
    for _ in range(6):
        row, column = np.unravel_index(int(window.argmax()), window.shape)
        score = float(window[row, column])
        if not math.isfinite(score):
            break
        found.append(_Eye(left + int(column), upper + int(row), score))
        window[max(0, row - 4) : row + 5, max(0, column - 4) : column + 5] = -np.inf
    return found


def _best_pair(grey: Floats) -> tuple[_Eye, _Eye] | None:
    """The pair of eyes that scores best; None if one of them is worse than the average place."""
    eyes = eye_map(grey)
    pairs = [
        (_pair_score(grey, left, right), left, right)
        for left in _candidates(eyes, LAYOUT_ANCHORS.eye_left)
        for right in _candidates(eyes, LAYOUT_ANCHORS.eye_right)
    ]
    _, left, right = max(pairs)
    return (left, right) if left.score > 0 and right.score > 0 else None


def _pair_score(grey: Floats, left: _Eye, right: _Eye) -> float:
    dx, dy = right.x - left.x, right.y - left.y
    expected_x = (LAYOUT_ANCHORS.eye_left[0] + LAYOUT_ANCHORS.eye_right[0]) / 2
    shift_x = (left.x + right.x) / 2 - expected_x
    shift_y = (left.y + right.y) / 2 - LAYOUT_ANCHORS.eye_left[1]
    distance = math.log(math.hypot(dx, dy) / _EYE_DISTANCE_PX)
    return (
        left.score
        + right.score
        + 1.5 * _mirror_correlation(grey, left, right)
        - 0.5 * (distance / 0.12) ** 2
        - 0.5 * (math.atan2(dy, dx) / 0.15) ** 2
        - 0.5 * (shift_x / 9.0) ** 2
        - 0.5 * (shift_y / 8.0) ** 2
    )


def _mirror_correlation(grey: Floats, left: _Eye, right: _Eye) -> float:
    """Correlation of the patch at one eye with the mirrored patch at the other, in [-1, 1]."""
    one = _patch(grey, left)
    other = _patch(grey, right)[:, ::-1]
    one, other = one - one.mean(), other - other.mean()
    norm = math.sqrt(float((one * one).sum()) * float((other * other).sum()))
    return float((one * other).sum()) / norm if norm > 1e-3 else 0.0


def _patch(grey: Floats, eye: _Eye) -> Floats:
    return grey[eye.y - 8 : eye.y + 9, eye.x - 15 : eye.x + 16]


def _find_mouth(grey: Floats, left: _Eye, right: _Eye) -> tuple[Point, Point]:
    """The mouth line's centre, and where the eyes had it expected; canonical px."""
    eyes = np.array([[left.x, left.y], [right.x, right.y]], np.float64)
    from_layout = weighted_similarity(LAYOUT_ANCHORS.array[:2], eyes, np.ones(2))
    x, y = transform(from_layout, np.array(LAYOUT_ANCHORS.mouth))
    expected = (float(x), (float(y) + LAYOUT_ANCHORS.mouth[1]) / 2)
    roll = math.atan2(right.y - left.y, right.x - left.x)
    upright = similarity(1.0, -roll, expected)
    turned = cv2.warpAffine(
        grey, upright, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    smooth = blur(np.asarray(turned, dtype=np.float32), 1.0)
    valley = np.minimum(_moved_down(smooth, 5), _moved_down(smooth, -5)) - smooth
    line = blur(np.asarray(cv2.blur(np.maximum(valley, 0.0), (35, 1))), 1.5)
    found = _best_in_window(line, expected)
    back = transform(invert(upright), np.array(found))
    return (float(back[0]), float(back[1])), expected


def _best_in_window(line: Floats, expected: Point) -> Point:
    column, row = round(expected[0]), round(expected[1])
    dx, dy = np.meshgrid(np.arange(-8, 9), np.arange(-18, 19))
    rows = np.clip(row + dy, 0, SIZE - 1)
    columns = np.clip(column + dx, 0, SIZE - 1)
    window = line[rows, columns]
    score = window / max(float(window.max()), 1e-6) - 0.3 * (dx / 7.0) ** 2 - 0.3 * (dy / 11.0) ** 2
    best = int(score.argmax())
    return float(columns.flat[best]), float(rows.flat[best])
