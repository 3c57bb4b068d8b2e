"""A driver's measured motion made fit for another face: limited, regularised, carried over."""

import math

import numpy as np

from inference.flow.canonical import (
    CENTRE,
    HALF_BOX,
    LAYOUT,
    SIZE,
    Affine,
    Anchors,
    Floats,
    Placement,
    Points,
    similarity,
    transform,
)
from inference.flow.field import (
    blur,
    canonical_grid,
    elliptic_radius,
    eyes_mask,
    limit_length,
    mouth_mask,
    regularise,
    sample,
    smooth_step,
    unfold,
)
from inference.flow.procedural import jaw_field

_MAX_SHIFT_PX = 0.45 * 128.0
_MAX_ROLL_RAD = math.radians(25.0)
_MAX_LOG_SCALE = math.log(1.3)
_MOUTH_GAIN = 1.3
_EYES_GAIN = 1.05
_MOUTH_LIMIT_PX = 0.18 * 128.0
_SURE, _UNSURE = 0.44, 0.36
"""Mean confidence in the mouth's window from which on flow is trusted, and up to which not."""
_WIDE, _SURE_IF_WIDE = 0.35, 0.75
"""From which opening of the jaw on flow needs more confidence than that."""


def limit_pose(pose: Affine) -> Affine:
    """The similarity with shift, roll and scale about the frame's centre softly limited.

    Shift below 0.45 box, roll below 25 degrees, scale within 1 / 1.3 to 1.3; small movements stay
    as they are.
    """
    centre = np.array([CENTRE, CENTRE])
    shift = transform(pose, centre) - centre
    roll = math.atan2(pose[1, 0], pose[0, 0])
    log_scale = math.log(max(math.hypot(pose[0, 0], pose[1, 0]), 1e-6))
    length = max(float(np.hypot(*shift)), 1e-9)
    limited = similarity(
        math.exp(_MAX_LOG_SCALE * math.tanh(log_scale / _MAX_LOG_SCALE)),
        _MAX_ROLL_RAD * math.tanh(roll / _MAX_ROLL_RAD),
        (CENTRE, CENTRE),
    )
    limited[:, 2] += shift * (_MAX_SHIFT_PX * math.tanh(length / _MAX_SHIFT_PX) / length)
    return limited


def driver_from_source(source: Anchors, driver: Anchors) -> Floats:
    """Where each point of the source's canonical frame lies in the driver's, (256, 256, 2) px.

    A thin-plate spline (Bookstein 1989) takes the three anchors to each other and holds the frame's
    border; its displacement fades to 0 outside the face.
    """
    fixed = np.array(
        [(0, 0), (SIZE, 0), (0, SIZE), (SIZE, SIZE), (CENTRE, 0), (CENTRE, SIZE)], float
    )
    start = np.concatenate([source.array, fixed])
    end = np.concatenate([driver.array, fixed])
    grid = canonical_grid()
    shift = _thin_plate(start, end - start, grid.reshape(-1, 2).astype(np.float64))
    radius = elliptic_radius(grid, (CENTRE, CENTRE), HALF_BOX, 1.2 * HALF_BOX)
    inside = smooth_step((1.9 - radius) / 0.7)
    return np.asarray(grid + shift.reshape(SIZE, SIZE, 2) * inside[..., None], dtype=np.float32)


def _thin_plate(centres: Points, values: Points, at: Points) -> Points:
    """The regularised spline through `values` (N, 2) at `centres` (N, 2), read at `at` (M, 2)."""
    count = len(centres)
    between = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    kernel = _plate(between) + 1e-4 * np.mean(between**2) * np.eye(count)
    affine = np.column_stack([np.ones(count), centres])
    system = np.block([[kernel, affine], [affine.T, np.zeros((3, 3))]])
    solved = np.linalg.solve(system, np.concatenate([values, np.zeros((3, 2))]))
    distance = np.linalg.norm(at[:, None] - centres[None], axis=2)
    basis = np.column_stack([_plate(distance), np.ones(len(at)), at])
    return np.asarray(basis @ solved)


def _plate(distance: Points) -> Points:
    """r^2 ln r, 0 at 0."""
    return np.asarray(distance**2 * np.log(np.maximum(distance, 1e-12)))


class MotionTransfer:
    """Carries a driver's fields over to a source face.

    Args:
        source: the photo's face.
        driver: the face in the first driving frame.
    """

    def __init__(self, source: Placement, driver: Placement) -> None:
        self.positions = driver_from_source(source.anchors, driver.anchors)
        refined = source.refined and driver.refined
        mouth_gain, eyes_gain = (_MOUTH_GAIN, _EYES_GAIN) if refined else (1.0, 1.0)
        self._gain = 1.0 + np.maximum(
            (mouth_gain - 1.0) * mouth_mask(), (eyes_gain - 1.0) * eyes_mask()
        )
        self._jaw = jaw_field(source.anchors)

    def field(self, measured: Floats, confidence: Floats) -> Floats:
        """The source's field for a measured one, all (256, 256, 2): regularised, never folded."""
        fine, coarse = regularise(measured, confidence)
        sure = float((confidence * mouth_mask()).sum() / mouth_mask().sum())
        return self._carry(fine, coarse, sure)

    def stored_field(self, fine: Floats) -> Floats:
        """The source's field for one that was regularised before it was stored."""
        return self._carry(fine, blur(fine, 9.0), sure=1.0)

    def _carry(self, fine: Floats, coarse: Floats, sure: float) -> Floats:
        carried = sample(fine, self.positions) * self._gain[..., None]
        fallback = sample(coarse, self.positions)
        mouth = mouth_mask()[..., None]
        carried = carried + mouth * (limit_length(carried, _MOUTH_LIMIT_PX) - carried)
        opened = self._jaw_opening(fallback)
        distrust = self._distrust(sure, opened)
        if distrust > 0:
            plain = fallback + np.float32(opened) * self._jaw
            carried = carried + mouth * distrust * (plain - carried)
        return unfold(np.asarray(carried, dtype=np.float32), fallback)

    def _jaw_opening(self, field: Floats) -> float:
        """How far the jaw is open, 0 to 1, as the chin tells it against the nose."""
        points = np.array([LAYOUT["chin"], LAYOUT["nose_base"]], np.float32)
        chin, nose = sample(field, points)[:, 1]
        full = sample(self._jaw, points[:1])[0, 1]
        return float(np.clip((chin - nose) / max(float(full), 1.0), 0.0, 1.0))

    @staticmethod
    def _distrust(sure: float, opened: float) -> float:
        """0 where flow moves the mouth, 1 where a plain jaw does better: flow tears wide mouths."""
        lost = (_SURE - sure) / (_SURE - _UNSURE)
        torn = min((opened - _WIDE) / 0.2, (_SURE_IF_WIDE - sure) / 0.1)
        return float(np.clip(max(lost, torn), 0.0, 1.0))
