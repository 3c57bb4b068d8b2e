"""Folds that a driver's face gets and loses: its change of brightness, carried over to the photo.

Brightness is compared in the mesh's texture coordinates, so that neither pose nor expression
matters:

    SkinMap.of_frame   a frame -> logarithm of the brightness of the skin
    folds              of all frames -> what differs from the neutral frames, without the light
    FoldShading        folds -> the photo, brighter and darker
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Floats, Picture
from inference.faces.model_file import CanonicalMesh
from inference.faces.topology import (
    BROWS,
    FACE_POINTS,
    LOWER_INNER_LIP,
    LOWER_LIDS,
    LOWER_OUTER_LIP,
    NOSTRILS,
    OVAL,
    UPPER_INNER_LIP,
    UPPER_LIDS,
    UPPER_OUTER_LIP,
)
from inference.mesh.sampling import blurred, sample
from inference.mesh.tone import Tone

Halves = npt.NDArray[np.float16]
Folds = npt.NDArray[np.int8]

SIDE = 64
"""Of the maps, which cover the texture coordinates 0 to 1."""
_DEEPEST, _NOISE = 0.30, 0.02  # logarithm of the brightness
_LIGHT_BLUR, _NOISE_BLUR = 0.086, 0.012  # sides
_TIME_BLUR = 1.2  # frames
_PARTS = 16  # of the places that are smoothed together
_EDGE = 0.14  # logarithm of the brightness between neighbours, that is no skin
_STRENGTH, _BRIGHTER = 1.3, 0.5
_WARM = np.array([[0.8], [1.08], [1.15]], np.float32)  # shade on skin is reddish
_BROW_SHARE = 0.25


class SkinMap:
    """Where each place of the texture lies on a face.

    Args:
        mesh: the canonical mesh.

    Attributes:
        skin: (64, 64) float32, how much each place is skin, 0 to 1.
    """

    def __init__(self, mesh: CanonicalMesh) -> None:
        numbers = _triangle_numbers(mesh.uv * SIDE - 0.5, mesh, (SIDE, SIDE))
        self._on_face = numbers >= 0
        y, x = np.nonzero(self._on_face)
        self._corners = mesh.triangles[numbers[y, x]]
        self._weights = _barycentric(mesh.uv[self._corners] * SIDE - 0.5, np.stack([x, y], axis=1))
        skin = np.ones(FACE_POINTS)
        skin[np.concatenate([*BROWS])] = _BROW_SHARE
        lips = (UPPER_INNER_LIP, LOWER_INNER_LIP, UPPER_OUTER_LIP, LOWER_OUTER_LIP)
        skin[np.concatenate([*UPPER_LIDS, *LOWER_LIDS, *lips, NOSTRILS, OVAL])] = 0
        inner = cv2.erode(self._on_face.astype(np.float32), np.ones((9, 9), np.uint8))
        self.skin = self._map(skin[:, None])[..., 0] * blurred(inner, 2.0)

    def of_frame(self, frame: Picture, points: Doubles) -> Floats:
        """Return the logarithm of the brightness at each place, (64, 64).

        Args:
            frame: uint8 (h, w, 3) RGB.
            points: (478, 2 or more) landmarks in it, px.
        """
        low = np.maximum(np.floor(points[:, :2].min(axis=0)).astype(int) - 1, 0)
        high = np.maximum(np.ceil(points[:, :2].max(axis=0)).astype(int) + 2, low + 1)
        part = frame[low[1] : high[1], low[0] : high[0]]
        if not part.size:
            return np.zeros((SIDE, SIDE), np.float32)
        # Large faces are reduced by a whole factor first, which takes less time than the blur.
        factor = max(1, min(int((high - low).max()) // (4 * SIDE), *part.shape[:2]))
        rows, columns = part.shape[0] // factor, part.shape[1] // factor
        part = part[: rows * factor, : columns * factor]
        small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        soft = blurred(grey, max(0.4, 0.3 * (high - low).max() / factor / SIDE))
        places = self._map((points[:FACE_POINTS, :2] - low + 0.5) / factor - 0.5)
        return np.asarray(np.log(sample(soft, places) + 8) * self._on_face, np.float32)

    def _map(self, values: Doubles) -> Floats:
        """The values (468, k) of the vertices, interpolated: (64, 64, k)."""
        mapped = np.zeros((SIDE, SIDE, values.shape[1]), np.float32)
        # Vertex by vertex: a sum over an axis of three takes much longer.
        of_corners = (
            weights[:, None] * values[corners]
            for corners, weights in zip(self._corners.T, self._weights.T, strict=True)
        )
        mapped[self._on_face] = sum(of_corners)
        return mapped


def folds(maps: Sequence[npt.NDArray[Any]], calm: npt.NDArray[np.bool_], skin: Floats) -> Halves:
    """Return what brightens and darkens the skin, (n, 64, 64), -1 to 1: 1 for 35 % brighter.

    Args:
        maps: of n frames, (64, 64) from `SkinMap.of_frame`.
        calm: (n,) the neutral frames.
        skin: see `SkinMap`.
    """
    calm_maps = np.array([one for one, is_calm in zip(maps, calm, strict=True) if is_calm])
    neutral = calm_maps.mean(axis=0, dtype=np.float32)
    slope = np.hypot(
        cv2.Sobel(neutral, -1, 1, 0, scale=0.25), cv2.Sobel(neutral, -1, 0, 1, scale=0.25)
    )
    smooth = np.exp(-((slope / _EDGE) ** 2))
    weights = skin * cv2.erode(smooth.astype(np.float32), np.ones((3, 3), np.uint8))
    total = np.maximum(blurred(weights, _LIGHT_BLUR * SIDE), 1e-3)
    found = np.empty((len(maps), SIDE, SIDE), np.float16)
    for index, one in enumerate(maps):
        change = one - neutral
        change -= blurred(change * weights, _LIGHT_BLUR * SIDE) / total
        found[index] = blurred(change * weights, _NOISE_BLUR * SIDE)
    # Some places of all frames at a time: all of them take tens of megabytes.
    for part in np.split(found.reshape(len(found), -1), _PARTS, axis=1):
        even = part.astype(np.float32)
        cv2.GaussianBlur(
            even, (0, 0), sigmaX=1e-3, dst=even, sigmaY=_TIME_BLUR, borderType=cv2.BORDER_REPLICATE
        )
        clear = np.sign(even) * np.maximum(np.abs(even) - _NOISE, 0)
        part[...] = np.tanh(clear / _DEEPEST)
    return found


class FoldShading:
    """Draws folds into a photo.

    Args:
        photo: uint8 (H, W, 3) RGB.
        points: (478, 2 or more) landmarks in it, px.
        mesh: the canonical mesh.
    """

    def __init__(self, photo: Picture, points: Doubles, mesh: CanonicalMesh) -> None:
        self._warm = _WARM if Tone.of(photo, points).hues is None else np.ones((3, 1), np.float32)
        size = (photo.shape[1], photo.shape[0])
        flat = points[:FACE_POINTS, :2]
        low = np.clip(np.floor(flat.min(axis=0)).astype(int), 0, size)
        high = np.clip(np.ceil(flat.max(axis=0)).astype(int) + 1, low, size)
        self._rows, self._columns = slice(low[1], high[1]), slice(low[0], high[0])
        numbers = _triangle_numbers(flat - low, mesh, (high[0] - low[0], high[1] - low[1]))
        y, x = np.nonzero(numbers >= 0)
        corners = mesh.triangles[numbers[y, x]]
        weights = _barycentric(flat[corners] - low, np.stack([x, y], axis=1))
        self._places = np.full((*numbers.shape, 2), -1, np.float32)
        self._places[y, x] = (mesh.uv[corners] * weights[..., None]).sum(axis=1) * SIDE - 0.5

    def shaded(self, photo: Picture, shading: Folds) -> Picture:
        """Return the photo (H, W, 3) with folds (64, 64), 127 for 1, drawn into the face."""
        if not self._places.size:
            return photo
        depth = shading.astype(np.float32) * (_STRENGTH * _DEEPEST / 127)
        depth[depth > 0] *= _BRIGHTER
        change = sample(depth, self._places, border=cv2.BORDER_CONSTANT)
        gain = cv2.exp(cv2.transform(change, self._warm))
        drawn = photo.copy()
        part = drawn[self._rows, self._columns]
        part[...] = cv2.multiply(part, gain, dtype=cv2.CV_8U)
        return drawn


def _triangle_numbers(
    points: Doubles, mesh: CanonicalMesh, size: tuple[int, int]
) -> npt.NDArray[np.int32]:
    """The number of the triangle that covers each pixel, -1 for none, (h, w)."""
    numbers = np.full((size[1], size[0]), -1, np.int32)
    corners = np.rint(points[mesh.triangles] * 16).astype(np.int32)
    for number, triangle in enumerate(corners):
        cv2.fillConvexPoly(numbers, triangle, number, shift=4)
    return numbers


def _barycentric(corners: Doubles, places: npt.NDArray[np.int64]) -> Doubles:
    """The weights (n, 3) of triangles' corners (n, 3, 2) at places (n, 2)."""
    first, second, at = (
        corners[:, 1] - corners[:, 0],
        corners[:, 2] - corners[:, 0],
        places - corners[:, 0],
    )
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    area = np.where(np.abs(area) < 1e-9, 1.0, area)
    u = (at[:, 0] * second[:, 1] - at[:, 1] * second[:, 0]) / area
    v = (first[:, 0] * at[:, 1] - first[:, 1] * at[:, 0]) / area
    return np.clip(np.stack([1 - u - v, u, v], axis=1), -0.5, 1.5)
