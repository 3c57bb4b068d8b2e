"""Skin that the photo hides because the head is turned, and what stands in for it.

Where a face turns away from the camera, the photo shows a narrow strip of skin, and hair or
background right beside it. When the head turns so that this strip is seen from the front, it would
be stretched with all that is in it. The skin next to it is stretched instead.
"""

import numpy as np

from inference.arrays import Doubles
from inference.faces.head import Head
from inference.faces.model_file import CanonicalMesh
from inference.faces.topology import FACE_POINTS, Indices
from inference.mesh.placing import Posed
from inference.smoothstep import smoothstep

# Cosine between a vertex's normal and the line of sight.
_HIDDEN, _SEEN = 0.05, 0.3
# By how much it must rise before the skin is replaced, and is replaced wholly.
_FROM_RISE, _RISE = 0.03, 0.2
_FROM_LOSS, _LOSS = 0.08, 0.15
_ROUNDS = 60
_HOLD = 0.05


class HiddenSkin:
    """Where the face's vertices are read in the photo.

    Args:
        at_rest: the face as the photo shows it.
        mesh: the canonical mesh.
    """

    def __init__(self, at_rest: Posed, mesh: CanonicalMesh) -> None:
        points = at_rest.points[:FACE_POINTS]
        self._from_photo = at_rest.head.rotation.T
        self._normals = _normals(points, mesh.triangles)
        trust = smoothstep((self._normals[:, 2] - _HIDDEN) / (_SEEN - _HIDDEN))
        # The border of a face seen from the front is narrow too, but it is seen on both sides.
        normals = _normals(mesh.points, mesh.triangles)
        lost = normals[:, 2] - normals @ at_rest.head.rotation[2]
        trust = 1 - (1 - trust) * smoothstep((lost - _FROM_LOSS) / _LOSS)
        change = (_spread(points, trust, mesh.triangles) - points)[:, :2]
        # Only inwards: lashes and brows that reach the border would get bends.
        out = self._normals[:, :2]
        out = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
        self._change = (change * out).sum(axis=1, keepdims=True) * out

    def sources(self, own: Doubles, head: Head) -> Doubles:
        """Return where the mesh's vertices are read in the photo, for a pose.

        Args:
            own: (N, 3) px, the vertices at rest; those of the face first.
            head: the pose.
        """
        turn = head.rotation @ self._from_photo
        rise = self._normals @ turn[2] - self._normals[:, 2]
        share = smoothstep((rise - _FROM_RISE) / _RISE)
        if not share.any():
            return own
        moved = own.copy()
        moved[:FACE_POINTS, :2] += share[:, None] * self._change
        return moved


def _normals(points: Doubles, triangles: Indices) -> Doubles:
    """The normals of the vertices, (468, 3), of length 1; z is positive towards the camera."""
    a, b, c = np.moveaxis(points[triangles], 1, 0)
    of_triangles = np.cross(b - a, c - a)
    if np.median(of_triangles[:, 2]) < 0:
        of_triangles = -of_triangles
    normals = np.zeros_like(points)
    for corner in triangles.T:
        np.add.at(normals, corner, of_triangles)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.maximum(lengths, 1e-9), np.float64)


def _spread(points: Doubles, trust: Doubles, triangles: Indices) -> Doubles:
    """Move points that are not trusted to the mean of their neighbours.

    Step by step, from the trusted ones.
    """
    near = np.zeros((len(points), len(points)))
    for i, j in ((0, 1), (1, 2), (2, 0)):
        near[triangles[:, i], triangles[:, j]] = near[triangles[:, j], triangles[:, i]] = 1
    # Neighbours that are seen count more, or the hidden ones would hold each other in place.
    near *= trust + _HOLD
    near /= np.maximum(near.sum(axis=1, keepdims=True), 1e-9)
    placed = points.copy()
    for _ in range(_ROUNDS):
        placed += (1 - trust[:, None]) * (near @ placed - placed)
    return placed
