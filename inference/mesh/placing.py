"""Place the face in the picture: its pose within limits, and the hair, ears and neck around it.

Rings of points around the face's border carry what is no face. They turn with the head, less and
less with their distance, so that the shoulders and the background stay.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from inference.arrays import Doubles
from inference.faces.head import NECK, Head, rotation_of
from inference.faces.topology import OVAL
from inference.mesh.moment import Moment
from inference.mesh.retarget import Shape
from inference.smoothstep import smoothstep

RINGS = (1.08, 1.18, 1.32, 1.5, 1.75, 2.1, 2.6)
"""Distances of the rings from the face's centre / that of its border."""

# Yaw, pitch, roll, radians; turns go at most that far beyond the photo's.
_LIMITS = np.radians([32.0, 24.0, 35.0])
_LEAST_YAW_LIMIT, _YAW_LIMIT_LOSS = math.radians(8), 1.0
_MAX_YAW = math.radians(48)
_MAX_SHIFT, _MAX_LOG_ZOOM = 0.32, 0.22  # face widths; logarithm of the zoom
_CENTRE_CM = np.array([0.0, 0.5, 2.0])
_HEAD_CENTRE_CM = np.array([0.0, -2.0, 3.5])
_DEPTH_REACH, _EXPRESSION_REACH = 0.6, 0.22
# Towards the chin, ..., towards the crown: how far the surroundings move wholly, and at all.
_TOWARDS_CROWN = [-1.0, -0.6, -0.2, 0.3, 1.0]
_WHOLE = [1.0, 1.05, 1.25, 1.45, 1.6]
_NONE = [1.9, 2.0, 2.1, 2.3, 2.5]


@dataclass(frozen=True, eq=False)
class Posed:
    """A face with its expression, in its place in the picture.

    Attributes:
        head: its pose, and its points in cm.
        points: (478, 3) float64, px of the picture.
        rings: (252, 3), the points around it, px: 36 for each of `RINGS`.
        gaps: (11,) how far the inner lips are apart, mouth widths.
    """

    head: Head
    points: Doubles
    rings: Doubles
    gaps: Doubles


def limited_turn(turn: Doubles, own: Doubles) -> Doubles:
    """Return the turn (yaw, pitch, roll), radians, bounded by L tanh(x / L).

    Only a yaw beyond 48 degrees from the front is cut off.

    Args:
        turn: how far the head shall turn.
        own: the photo's angles. A head turned back to the front would show a cheek that the photo
            hides, so the limit is lower then.
    """
    limits = _LIMITS.copy()
    if turn[0] * own[0] < 0:
        limits[0] = max(_LEAST_YAW_LIMIT, limits[0] - _YAW_LIMIT_LOSS * abs(own[0]))
    bounded = limits * np.tanh(turn / limits)
    most = max(_MAX_YAW, abs(own[0]))
    bounded[0] = np.clip(own[0] + bounded[0], -most, most) - own[0]
    return np.asarray(bounded, np.float64)


class Placing:
    """Places one photo's face.

    Args:
        head: the photo's face.

    Attributes:
        at_rest: the face as the photo shows it.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        points = head.projected(head.points)
        self._rings = _Rings.of(head, points)
        self.at_rest = Posed(head, points, self._rings.points, head.gaps)

    def place(self, shape: Shape, moment: Moment) -> Posed:
        """Return the face of that shape with the moment's pose."""
        own = self._head
        turn = limited_turn(moment.turn, own.angles)
        rotation = rotation_of(own.angles + turn)
        scale = own.scale * math.exp(
            _MAX_LOG_ZOOM * math.tanh(math.log(moment.zoom) / _MAX_LOG_ZOOM)
        )
        neck = own.neck
        # A face that lies on its side moves along its own axes.
        shift = rotation_of(np.array([0, 0, own.angles[2]]))[:2, :2] @ moment.shift
        neck[:2] += _limited_shift(shift * own.scale, _MAX_SHIFT * own.face_width)
        head = Head(shape.points, rotation, scale, neck - scale * rotation @ NECK)
        rings = self._rings.placed(head, shape.points[OVAL] - own.points[OVAL])
        return Posed(head, head.projected(shape.points), rings, shape.gaps)


@dataclass(frozen=True, eq=False)
class _Rings:
    """The points around a face.

    Attributes:
        points: (252, 3), px of the photo.
        inside: (252, 3), the same in the head's frame, cm.
        weights: (252, 1), how much each moves with the head.
        following: (7, 1, 1), how much each ring follows the border's expression.
    """

    points: Doubles
    inside: Doubles
    weights: Doubles
    following: Doubles

    @classmethod
    def of(cls, head: Head, points: Doubles) -> Self:
        factors = np.array(RINGS)[:, None]
        centre = head.projected(_CENTRE_CM)
        depth = head.projected(_HEAD_CENTRE_CM)[2]
        border = points[OVAL]
        spokes = border[:, :2] - centre[:2]
        flat = centre[:2] + factors[..., None] * spokes
        # Evenly: where the depth changed faster, a nod would fold the hair.
        to_depth = np.clip((factors - 1) / _DEPTH_REACH, 0, 1)
        z = border[:, 2] + (depth - border[:, 2]) * to_depth
        placed = np.concatenate([flat, z[..., None]], axis=2).reshape(-1, 3)
        up = -head.rotation[:2, 1]
        lengths = np.linalg.norm(spokes, axis=1) * np.linalg.norm(up)
        towards_crown = spokes @ up / np.maximum(lengths, 1e-9)
        whole = np.interp(towards_crown, _TOWARDS_CROWN, _WHOLE)
        none = np.interp(towards_crown, _TOWARDS_CROWN, _NONE)
        weights = smoothstep((none - factors) / (none - whole))
        weights[-1] = 0
        return cls(
            points=placed,
            inside=(placed - head.translation) @ head.rotation / head.scale,
            weights=weights.reshape(-1, 1),
            following=np.exp(-(((factors - 1) / _EXPRESSION_REACH) ** 2))[..., None],
        )

    def placed(self, head: Head, border: Doubles) -> Doubles:
        """Return the points (252, 3) px for a pose; `border` (36, 3) is the border's expression."""
        expression = (self.following * border).reshape(-1, 3)
        moved = head.projected(self.inside + expression)
        return np.asarray(self.points + self.weights * (moved - self.points), np.float64)


def _limited_shift(shift: Doubles, limit: float) -> Doubles:
    length = float(np.linalg.norm(shift))
    return shift * (limit * math.tanh(length / limit) / max(length, 1e-9))
