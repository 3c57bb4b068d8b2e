"""How the face moves with each expression: hand-written offsets of the canonical mesh, cm.

Every field is written for a score of 1 and has its name (`inference.faces.landmarker.SCORES`), so
expressions can be drawn from curves, and measured expressions can be removed from a face. "Left" is
the person's left, where x > 0.
"""

from collections.abc import Mapping

import numpy as np

from inference.arrays import Doubles
from inference.faces.landmarker import POINTS, SCORES
from inference.faces.model_file import CanonicalMesh
from inference.faces.topology import (
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    UPPER_INNER_LIP,
    UPPER_OUTER_LIP,
)
from inference.smoothstep import smoothstep

_MOUTH_Y = 4.28
_SIDES = {"Left": 1.0, "Right": -1.0}
# What the scores show on a face at rest; only the rest of a score is an expression.
_FLOORS = {
    "browInnerUp": 0.2,
    "browDownLeft": 0.11,
    "browDownRight": 0.11,
    "jawOpen": 0.05,
    "mouthPucker": 0.06,
}


def expression_fields(mesh: CanonicalMesh) -> dict[str, Doubles]:
    """Return the offsets (478, 3) cm of each expression by its name; the irises' are 0.

    `browInnerUp` stands for all raising of the brows.
    """
    x, y = mesh.points[:, 0], mesh.points[:, 1]
    lower = lower_share(x, y)
    fields = {
        "jawOpen": _jaw_open(x, y, lower),
        "mouthPucker": _mouth_pucker(x, y),
        "browInnerUp": _brows_up(x, y),
    }
    for name, side in _SIDES.items():
        fields |= {f"{key}{name}": field for key, field in _of_side(x, y, lower, side).items()}
    sideways = np.stack([_bell(x, y, (0, 4.6), (3, 2.2)), 0 * x, 0 * x], axis=1)
    fields |= {"mouthLeft": sideways, "mouthRight": -sideways}
    irises = np.zeros((POINTS - len(x), 3))
    return {name: np.concatenate([field, irises]) for name, field in fields.items()}


def expression_of(scores: Doubles, fields: Mapping[str, Doubles]) -> Doubles:
    """Return the offsets (478, 3) cm of scores (52,), relative to a face at rest."""
    offsets = np.zeros((POINTS, 3))
    for name, field in fields.items():
        excess = scores[SCORES.index(name)] - _FLOORS.get(name, 0.0)
        offsets += max(float(excess), 0.0) * field
    return offsets


def _jaw_open(x: Doubles, y: Doubles, lower: Doubles) -> Doubles:
    below = 1 - 0.39 * smoothstep((y - 5.5) / 4)
    down = 2.75 * below * lower * np.exp(-((np.abs(x) / 2.3) ** 2) / 2)
    down -= 0.1 * (1 - lower) * _bell(x, y, (0, 4), (2, 1))
    across = -0.16 * x * _bell(x, y, (0, 4.5), (2.6, 1.3))
    back = down * (0.3 + 0.27 * smoothstep((y - 4.5) / 2))
    return np.stack([across, down, back], axis=1)


def _mouth_pucker(x: Doubles, y: Doubles) -> Doubles:
    inwards = -0.32 * x * np.exp(-((np.abs(x) / 3.2) ** 4)) * _bell(x, y, (0, 4.4), (9, 1.6))
    forwards = -0.35 * _bell(x, y, (0, 4.4), (1.9, 1.5))
    return np.stack([inwards, 0 * x, forwards], axis=1)


def _brows_up(x: Doubles, y: Doubles) -> Doubles:
    height = smoothstep(-3.3 - y) * np.interp(-y, [4.3, 8.3], [1, 0.3])
    height *= np.interp(np.abs(x), [0, 1.2, 4.5, 5.8, 7.5], [0.75, 1, 1, 0.7, 0.2])
    return np.stack([0 * x, -1.2 * height, 0.2 * height], axis=1)


def _of_side(x: Doubles, y: Doubles, lower: Doubles, side: float) -> dict[str, Doubles]:
    nothing = 0 * x
    cheek = _bell(x, y, (4.2 * side, 1.3), (1.8, 1.8))
    corner = _bell(x, y, (2.6 * side, 4.2), (1.5, 1.6))
    middle = _bell(x, y, (0, 4.4), (1.5, 1)) * _sigmoid(side * x / 0.6)  # stays where it is
    up = 0.72 * corner + 0.2 * cheek - 0.32 * middle
    smile = (side * (0.85 * corner + 0.12 * cheek), -up, 0.6 * corner)
    brow = _bell(x, y, (1.6, -4.4), (1.6, 1)) + _bell(x, y, (-1.6, -4.4), (1.6, 1))
    brow *= _sigmoid(side * x / 0.6)
    upper_lip = (1 - lower) * _bell(x, y, (1.2 * side, 3.9), (1.5, 1.3))
    lower_lip = lower * _bell(x, y, (1.2 * side, 4.9), (1.5, 1.4))
    frown = 0.5 * _bell(x, y, (2.5 * side, 4.5), (1.3, 1.3))
    stretch = _bell(x, y, (2.6 * side, 4.4), (1.4, 1.4))
    parts = {
        "mouthSmile": smile,
        "browDown": (-0.1 * np.sign(x) * brow, 0.5 * brow, nothing),
        "mouthUpperUp": (nothing, -0.55 * upper_lip, 0.1 * upper_lip),
        "mouthLowerDown": (nothing, 0.7 * lower_lip, 0.1 * lower_lip),
        "mouthFrown": (nothing, frown, nothing),
        "mouthStretch": (0.6 * side * stretch, 0.1 * stretch, 0.3 * stretch),
    }
    return {name: np.stack(part, axis=1) for name, part in parts.items()}


def lower_share(x: Doubles, y: Doubles) -> Doubles:
    """Return how much each vertex of the mesh belongs to the lower jaw, (468,), 0 to 1."""
    share = _sigmoid((y - _MOUTH_Y) / (0.15 + 0.5 * np.maximum(0, np.abs(x) - 2)))
    for lines, value in (
        ((UPPER_INNER_LIP, UPPER_OUTER_LIP), 0.0),
        ((LOWER_INNER_LIP, LOWER_OUTER_LIP), 1.0),
    ):
        for line in lines:
            share[line[1:-1]] = value
    return share


def _bell(
    x: Doubles, y: Doubles, centre: tuple[float, float], spread: tuple[float, float]
) -> Doubles:
    from_x, from_y = (x - centre[0]) / spread[0], (y - centre[1]) / spread[1]
    return np.asarray(np.exp(-(from_x**2 + from_y**2) / 2), np.float64)


def _sigmoid(value: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(-value)), np.float64)
