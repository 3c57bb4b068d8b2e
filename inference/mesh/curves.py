"""Drawn movements: the moment of a face at a time of a template's curves.

    curves -> values of the channels at a time -> offsets of the landmarks, pose, lids, gaze, gaps

All values are 0 at rest, and rest is the photo itself.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from inference.arrays import Doubles
from inference.faces.head import FACE_WIDTH_CM, lip_gaps, mouth_width
from inference.faces.landmarker import POINTS
from inference.faces.model_file import CanonicalMesh
from inference.faces.topology import LOWER_OUTER_LIP, UPPER_OUTER_LIP
from inference.mesh.expressions import expression_fields
from inference.mesh.moment import Moment
from jobs.curves import CurveName
from jobs.templates import CurveMotion

Values = dict[CurveName, float]

_BLINK_WIDTH_S = 0.115
_FACE_UNITS = 128.0  # of tx and ty, over the width of a face
# Eye widths at a value of 1.
_GAZE_REACH = np.array([0.4, 0.22])
_GAZE_REACH_UP = 0.32
# An upper lid follows the gaze: it sinks by this share when the eyes look down, and rises.
_LID_SINKS, _LID_RISES = 0.45, 0.12
_SQUINT, _WIDE = 0.5, 0.28
_WIDEST = 0.2  # beyond rest; eyes that are wider stare
_PRESS = 0.4  # mouth widths by which pressed lips approach each other
OPEN_SHAPE = np.array([0, 0.46, 0.72, 0.9, 0.98, 1, 0.98, 0.9, 0.72, 0.46, 0])
"""The shape of an open mouth: distances of the inner lips' points / that in the middle."""
_OPENING = (CurveName.JAW, CurveName.UPPER_LIP, CurveName.LOWER_LIP, CurveName.SNEER)
# A channel of both sides, and those of one side each, whose values are added to it.
_SIDES = {
    CurveName.SMILE: (CurveName.SMILE_LEFT, CurveName.SMILE_RIGHT),
    CurveName.BROW: (CurveName.BROW_LEFT, CurveName.BROW_RIGHT),
}


def values_at(motion: CurveMotion, time_s: float) -> Values:
    """Return the value of each channel at a time from the movement's start, s.

    Blinks are added to the channels of both eyes.
    """
    values = dict.fromkeys(CurveName, 0.0)
    values.update((name, _value_at(keys, time_s)) for name, keys in motion.curves.items())
    blink = max((_blink_at(time_s - at_s) for at_s in motion.blinks), default=0.0)
    for eye in (CurveName.BLINK_LEFT, CurveName.BLINK_RIGHT):
        values[eye] = max(values[eye], blink)
    return values


def _value_at(keys: tuple[tuple[float, float], ...], time_s: float) -> float:
    """The curve through (s, value) keys joined by smooth steps, constant before and after them."""
    times, values = zip(*keys, strict=True)
    index = int(np.searchsorted(times, time_s, side="right"))
    if index == 0:
        return float(values[0])
    if index == len(keys):
        return float(values[-1])
    share = (time_s - times[index - 1]) / (times[index] - times[index - 1])
    share = share * share * (3.0 - 2.0 * share)
    return float(values[index - 1] + share * (values[index] - values[index - 1]))


def _blink_at(from_middle_s: float) -> float:
    """How far one blink, 0.3 s wide, shuts the lids; exactly 0 away from it."""
    closing = math.exp(-((from_middle_s / _BLINK_WIDTH_S) ** 4))
    return closing if closing > 0.001 else 0.0


@dataclass(frozen=True, eq=False)
class CurveShapes:
    """The shape of the face for each channel that moves its points.

    Attributes:
        points: (478, 3) float64, cm, the canonical face; its irises are 0.
        offsets: of the points, (478, 3) cm for a value of 1.
    """

    points: Doubles
    offsets: Mapping[CurveName, Doubles]

    @classmethod
    def of(cls, mesh: CanonicalMesh) -> "CurveShapes":
        """Return the shapes on the canonical mesh."""
        named = expression_fields(mesh)
        points = np.zeros((POINTS, 3))
        points[: len(mesh.points)] = mesh.points
        x, y = points[:, 0], points[:, 1]
        # "Left" and "Right" in the names of expressions are the person's.
        both = {
            key: named[f"{key}Left"] + named[f"{key}Right"]
            for key in ("mouthUpperUp", "mouthLowerDown", "mouthFrown", "mouthStretch", "browDown")
        }
        to_the_right = (1 / (1 + np.exp(-x / 0.6)))[:, None]
        more = 0.8 * _lips_thin() + _corners_up(x, y)
        smiles = {
            "Left": 0.9 * named["mouthSmileLeft"] + more * to_the_right,
            "Right": 0.9 * named["mouthSmileRight"] + more * (1 - to_the_right),
        }
        unsmiling = -smiles["Left"] - smiles["Right"]
        brows = 0.75 * named["browInnerUp"]
        return cls(
            points,
            {
                CurveName.SMILE_LEFT: smiles["Right"],
                CurveName.SMILE_RIGHT: smiles["Left"],
                CurveName.BROW_LEFT: brows * (1 - to_the_right),
                CurveName.BROW_RIGHT: brows * to_the_right,
                CurveName.BROW_INNER: _inner_brows_up(x, y, named["browInnerUp"]),
                CurveName.BROW_DOWN: 1.1 * both["browDown"],
                CurveName.FROWN: both["mouthFrown"] + 0.35 * unsmiling,
                CurveName.JAW: 0.85 * named["jawOpen"] + 1.3 * _corners_up(x, y),
                CurveName.PUCKER: named["mouthPucker"] - 0.8 * _lips_thin() + 0.2 * unsmiling,
                CurveName.STRETCH: both["mouthStretch"],
                CurveName.UPPER_LIP: both["mouthUpperUp"],
                CurveName.LOWER_LIP: both["mouthLowerDown"],
                CurveName.PRESS: _lips_thin(),
                CurveName.MOUTH_X: named["mouthLeft"],
                CurveName.SNEER: 0.6 * both["mouthUpperUp"] + _nose_up(x, y),
                CurveName.CHEEKS: _cheeks_puffed(x, y),
            },
        )

    def moment(self, values: Values) -> Moment:
        """Return the moment of the values of all channels, see `values_at`."""
        expression = self._expression(values)
        width = mouth_width(self.points)
        opening = 0.0
        if any(values[name] for name in _OPENING):
            middle = lip_gaps(self.points + expression)[5] - lip_gaps(self.points)[5]
            opening = float(middle) / width
        gaps = opening * OPEN_SHAPE - _PRESS * values[CurveName.PRESS]
        shift = np.array([values[CurveName.TX], values[CurveName.TY]])
        gaze = np.array([values[CurveName.GAZE_X], values[CurveName.GAZE_Y]])
        return Moment(
            expression=expression,
            turn=np.array(
                [-values[CurveName.YAW], values[CurveName.PITCH], values[CurveName.ROLL]]
            ),
            zoom=1 + values[CurveName.ZOOM],
            shift=shift * FACE_WIDTH_CM / _FACE_UNITS,
            lids=_lids(values),
            gaze=gaze * np.where(gaze < 0, (_GAZE_REACH[0], _GAZE_REACH_UP), _GAZE_REACH),
            gaps=gaps,
            mouth_width=width,
        )

    def _expression(self, values: Values) -> Doubles:
        amounts = dict(values)
        for name, sides in _SIDES.items():
            for side in sides:
                amounts[side] = min(1.0, values[name] + values[side])
        expression = np.zeros((POINTS, 3))
        for name, offsets in self.offsets.items():
            if amounts[name]:
                expression += amounts[name] * offsets
        return expression


def moment_at(motion: CurveMotion, time_s: float, shapes: CurveShapes) -> Moment:
    """Return the moment of a drawn movement at a time from its start, s."""
    return shapes.moment(values_at(motion, time_s))


def _lids(values: Values) -> Doubles:
    """The opening of each eye relative to rest, (2,)."""
    down = values[CurveName.GAZE_Y]
    opening = 1 - _LID_SINKS * max(down, 0.0) + _LID_RISES * max(-down, 0.0)
    opening *= (1 + _WIDE * values[CurveName.WIDE]) * (1 - _SQUINT * values[CurveName.SQUINT])
    if opening > 1:
        opening = 1 + _WIDEST * math.tanh((opening - 1) / _WIDEST)
    shut = np.array([values[CurveName.BLINK_LEFT], values[CurveName.BLINK_RIGHT]])
    return np.asarray(opening * (1 - shut), np.float64)


def _inner_brows_up(x: Doubles, y: Doubles, brows_up: Doubles) -> Doubles:
    """Worried brows: their inner ends rise and come together, their outer ends sink."""
    share = np.exp(-((np.abs(x) / 2.0) ** 2) / 2) - 0.25 * _bell(np.abs(x) - 4.2, y + 4.0, 1.2, 1)
    offsets = brows_up * share[:, None]
    offsets[:, 0] -= 0.1 * np.sign(x) * _bell(np.abs(x) - 1.6, y + 4.4, 1.2, 1)
    return np.asarray(offsets, np.float64)


def _corners_up(x: Doubles, y: Doubles) -> Doubles:
    """The corners of shut lips rise further than the lips beside them."""
    share = _bell(np.abs(x) - 2.6, y - 4.2, 0.9, 0.9)
    return np.stack([0.1 * np.sign(x) * share, -0.3 * share, 0.15 * share], axis=1)


def _lips_thin() -> Doubles:
    """The outer edges of the lips come nearer to the inner ones."""
    offsets = np.zeros((POINTS, 3))
    taper = np.sin(np.linspace(0, np.pi, len(UPPER_OUTER_LIP)))
    offsets[UPPER_OUTER_LIP, 1] = 0.14 * taper
    offsets[LOWER_OUTER_LIP, 1] = -0.18 * taper
    return offsets


def _nose_up(x: Doubles, y: Doubles) -> Doubles:
    """The wings of the nose and the skin beside it rise."""
    rise = _bell(np.abs(x) - 1.4, y - 2.0, 0.9, 1.2)
    return np.stack([0 * x, -0.45 * rise, 0.1 * rise], axis=1)


def _cheeks_puffed(x: Doubles, y: Doubles) -> Doubles:
    """The cheeks beside the mouth go outwards and forwards."""
    puffed = _bell(np.abs(x) - 3.8, y - 4.0, 1.4, 1.7)
    return np.stack([0.55 * np.sign(x) * puffed, 0 * x, -0.7 * puffed], axis=1)


def _bell(from_x: Doubles, from_y: Doubles, spread_x: float, spread_y: float) -> Doubles:
    return np.asarray(
        np.exp(-((from_x / spread_x) ** 2 + (from_y / spread_y) ** 2) / 2), np.float64
    )
