"""The head of one face: pose, and its points in the head's own frame.

    points (px of the picture) -> fitted to the canonical mesh -> pose and points in cm

In the head's frame, x points right, y down and z into the picture, as in the canonical mesh.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Floats
from inference.faces.landmarker import Landmarks
from inference.faces.model_file import CanonicalMesh
from inference.faces.topology import (
    IRIS_CENTRES,
    LOWER_INNER_LIP,
    LOWER_LIDS,
    MOUTH_CORNERS,
    UPPER_INNER_LIP,
    UPPER_LIDS,
)

NECK = np.array([0.0, 6.0, 6.5])
"""The point about which the head turns, cm."""
FACE_WIDTH_CM = 15.5


@dataclass(frozen=True, eq=False)
class Head:
    """Pose and shape of a head: P = scale rotation X + translation.

    Attributes:
        points: X, (478, 3) float64, cm.
        rotation: (3, 3).
        scale: px per cm.
        translation: (3,), px.
    """

    points: Doubles
    rotation: Doubles
    scale: float
    translation: Doubles

    @property
    def angles(self) -> Doubles:
        """Yaw, pitch and roll, radians, see `rotation_of`."""
        return angles_of(self.rotation)

    @property
    def face_width(self) -> float:
        """Width of the face, px."""
        return FACE_WIDTH_CM * self.scale

    @property
    def neck(self) -> Doubles:
        """The neck's place in the picture, (3,) px."""
        return np.asarray(self.scale * self.rotation @ NECK + self.translation, np.float64)

    @cached_property
    def apertures(self) -> Doubles:
        """How far each eye is open, (2,): height / width."""
        return np.array([aperture(self.points, eye) for eye in (0, 1)])

    @cached_property
    def gaze(self) -> Doubles:
        """Where each iris is, (2, 2), in eye widths; see `CornerFrame`."""
        flat = self.points[:, :2]
        return np.array(
            [CornerFrame.of(flat, eye).inside(flat[IRIS_CENTRES[eye]]) for eye in (0, 1)]
        )

    @cached_property
    def gaps(self) -> Doubles:
        """How far the lips are apart at each pair of inner points, (11,), in mouth widths."""
        return lip_gaps(self.points) / mouth_width(self.points)

    def projected(self, points: Doubles) -> Doubles:
        """Return points (N, 3) cm in px of the picture."""
        return self.scale * points @ self.rotation.T + self.translation


def fit_head(landmarks: Landmarks, mesh: CanonicalMesh) -> Head:
    """Fit a head to landmarks: a weighted similarity transform of 33 vertices (Umeyama 1991)."""
    rotation, scale, translation = fit_similarity(
        mesh.points[mesh.fit_vertices], landmarks.points[mesh.fit_vertices], mesh.fit_weights
    )
    points = (landmarks.points - translation) @ rotation / scale
    return Head(points, rotation, scale, translation)


def fit_similarity(
    source: Doubles, target: Doubles, weights: Doubles
) -> tuple[Doubles, float, Doubles]:
    """Return rotation, scale and translation that map (N, 3) `source` nearest to `target`.

    Umeyama 1991, with weights (N,); reflections are excluded.
    """
    share = weights / weights.sum()
    source_mean, target_mean = share @ source, share @ target
    from_source, from_target = source - source_mean, target - target_mean
    u, singular, vt = np.linalg.svd((from_target * share[:, None]).T @ from_source)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * signs) @ vt
    scale = float((singular * signs).sum() / (share @ (from_source**2).sum(axis=1)))
    return rotation, scale, target_mean - scale * rotation @ source_mean


def rotation_of(angles: Doubles) -> Doubles:
    """Return Rz(roll) Ry(yaw) Rx(pitch), (3, 3), of angles (yaw, pitch, roll), radians.

    A positive yaw turns the nose to the picture's left, a positive pitch nods down, a positive roll
    turns clockwise.
    """
    (cy, cp, cr), (sy, sp, sr) = np.cos(angles), np.sin(angles)
    around_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    around_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    around_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return np.asarray(around_z @ around_y @ around_x, np.float64)


def angles_of(rotation: Doubles) -> Doubles:
    """Return the angles (yaw, pitch, roll), radians, of a rotation; inverse of `rotation_of`."""
    yaw = np.arcsin(np.clip(-rotation[2, 0], -1, 1))
    pitch = np.arctan2(rotation[2, 1], rotation[2, 2])
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    return np.array([yaw, pitch, roll])


@dataclass(frozen=True, eq=False)
class CornerFrame:
    """Coordinates (a, b) of an eye or a mouth: a from left to right corner, 0 to 1, b downwards.

    Attributes:
        origin: the left corner, (2,).
        across: unit vector towards the right corner, (2,).
        width: distance of the corners, the unit of a and b.
    """

    origin: Doubles
    across: Doubles
    width: float

    @classmethod
    def of(cls, points: Doubles, eye: int) -> "CornerFrame":
        """Return the frame of eye 0 or 1 in (N, 2) points, px or cm."""
        return cls.between(*points[UPPER_LIDS[eye][[0, -1]]])

    @classmethod
    def between(cls, left: Doubles, right: Doubles) -> "CornerFrame":
        """Return the frame of two corners."""
        width = float(np.linalg.norm(right - left))
        return cls(left, (right - left) / width, width)

    @property
    def down(self) -> Doubles:
        """Unit vector downwards, (2,)."""
        return np.array([-self.across[1], self.across[0]])

    def inside(self, points: Doubles) -> Doubles:
        """Return the coordinates (..., 2) of points (..., 2)."""
        offset = points - self.origin
        return np.stack([offset @ self.across, offset @ self.down], axis=-1) / self.width

    def of_pixels(self, low: Sequence[int], high: Sequence[int]) -> tuple[Floats, Floats]:
        """Return the coordinates of pixels from `low` (x, y) up to `high`, exclusive.

        Returns:
            a and b, each (h, w).
        """
        x, y = (
            np.arange(low[axis], high[axis]) / self.width - self.origin[axis] / self.width
            for axis in (0, 1)
        )
        cosine, sine = self.across
        a = (cosine * x).astype(np.float32) + (sine * y).astype(np.float32)[:, None]
        b = (-sine * x).astype(np.float32) + (cosine * y).astype(np.float32)[:, None]
        return a, b

    def places(self, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> tuple[Any, Any]:
        """Return x and y of coordinates a and b; in float32 if they are."""
        (left, upper), (cosine, sine) = self.origin.tolist(), (self.width * self.across).tolist()
        return left + cosine * a - sine * b, upper + sine * a + cosine * b

    def outside(self, coordinates: Doubles) -> Doubles:
        """Return the points (..., 2) of coordinates (..., 2)."""
        a, b = coordinates[..., :1], coordinates[..., 1:]
        return np.asarray(self.origin + self.width * (a * self.across + b * self.down), np.float64)


def aperture(points: Doubles, eye: int) -> float:
    """Return how far an eye is open: mean height in its middle / width; points (N, 3)."""
    upper, lower = points[UPPER_LIDS[eye]], points[LOWER_LIDS[eye]]
    heights = np.linalg.norm(upper[3:6] - lower[3:6], axis=1)
    return float(heights.mean() / np.linalg.norm(upper[0] - upper[-1]))


def lip_gaps(points: Doubles) -> Doubles:
    """Return the distances (11,) of the inner lips, in the unit of the points (N, 3)."""
    apart = points[UPPER_INNER_LIP] - points[LOWER_INNER_LIP]
    return np.asarray(np.linalg.norm(apart, axis=1), np.float64)


def mouth_width(points: Doubles) -> float:
    """Return the distance of the mouth's inner corners, in the unit of the points (N, 3)."""
    left, right = points[MOUTH_CORNERS]
    return float(np.linalg.norm(right - left))
