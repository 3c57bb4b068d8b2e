"""Skin that a turned head hides in the photo, and what stands in for it when the head turns."""

import numpy as np
import numpy.typing as npt

from inference.faces.model_file import CanonicalMesh
from inference.mesh.expressions import Doubles, smoothstep
from inference.mesh.head import Head
from inference.mesh.placing import Posed
from inference.mesh.topology import FACE_POINTS

_LEAST_FACING = 0.22  # cosine between a triangle's normal and the line of sight
_HIDDEN_SHARE = 0.5
_FROM_DEGREES, _OVER_DEGREES = 1.0, 6.0


class HiddenSkin:
    """Replaces the places of hidden vertices in the photo by those of their visible neighbours.

    Otherwise hair or background beside a cheek would enter the cheek as soon as the head turns.

    Args:
        at_rest: the face as the photo shows it.
        mesh: the canonical mesh.
    """

    def __init__(self, at_rest: Posed, mesh: CanonicalMesh) -> None:
        self._rotation = at_rest.head.rotation
        points = at_rest.points[:FACE_POINTS]
        hidden = _hidden(points, mesh.triangles)
        self._vertices = np.flatnonzero(hidden)
        replaced = _spread(points, hidden, mesh.triangles)
        self._change = (replaced - points)[self._vertices]

    def sources(self, own: Doubles, head: Head) -> Doubles:
        """Return where the mesh's vertices are read in the photo, for a pose.

        Args:
            own: (N, 3) px, the vertices at rest; those of the face first.
            head: the pose.
        """
        if not len(self._vertices):
            return own
        cosine = (np.trace(head.rotation @ self._rotation.T) - 1) / 2
        turned = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        share = smoothstep((turned - _FROM_DEGREES) / _OVER_DEGREES)
        moved = own.copy()
        moved[self._vertices] += share * self._change
        return moved


def _hidden(points: Doubles, triangles: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which vertices lie in triangles that are mostly turned away, (468,)."""
    a, b, c = np.moveaxis(points[triangles], 1, 0)
    normals = np.cross(b - a, c - a)
    facing = normals[:, 2] / np.maximum(np.linalg.norm(normals, axis=1), 1e-9)
    facing *= np.sign(np.median(facing))
    corners = triangles.ravel()
    away = np.repeat((facing < _LEAST_FACING).astype(np.float64), 3)
    counts = np.bincount(corners, minlength=len(points))
    share = np.bincount(corners, away, minlength=len(points)) / np.maximum(counts, 1)
    return np.asarray(share >= _HIDDEN_SHARE)


def _spread(
    points: Doubles, hidden: npt.NDArray[np.bool_], triangles: npt.NDArray[np.int64]
) -> Doubles:
    """Each hidden point at the mean of its visible neighbours; outwards from the visible ones."""
    near = np.zeros((len(points), len(points)))
    for i, j in ((0, 1), (1, 2), (2, 0)):
        near[triangles[:, i], triangles[:, j]] = near[triangles[:, j], triangles[:, i]] = 1
    placed, known = points.copy(), ~hidden
    while True:
        counts = near @ known
        reached = ~known & (counts > 0)
        if not reached.any():
            return placed
        placed[reached] = (near[reached] @ (placed * known[:, None])) / counts[reached, None]
        known = known | reached
