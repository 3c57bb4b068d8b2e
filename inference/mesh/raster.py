"""Draw triangles with a displacement at each corner into a grid."""

from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from inference.faces.topology import Indices
from inference.mesh.expressions import Doubles
from jobs.model import CropBox

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

_FRACTION_BITS = 4


class Triangles:
    """Triangles that are drawn in their order.

    Args:
        points: (N, 2), px of the picture.
        offsets: (N, 2), the displacement of each point, px.
        corners: (T, 3), numbers of points.
        moves: (T,), which triangles have a displacement at all.
    """

    def __init__(self, points: Doubles, offsets: Doubles, corners: Indices, moves: Flags) -> None:
        self._corners = points[corners]
        self._moves = moves
        first, across, along = np.moveaxis(self._corners, 1, 0)
        across, along = across - first, along - first
        # Pairs (x, y) as complex numbers: half the operations.
        shift = np.ascontiguousarray(offsets).view(np.complex128)[:, 0][corners]
        area = across[:, 0] * along[:, 1] - across[:, 1] * along[:, 0]
        by_across, by_along = shift[:, 1] - shift[:, 0], shift[:, 2] - shift[:, 0]
        self._by_x = (by_across * along[:, 1] - by_along * across[:, 1]) / area
        self._by_y = (by_along * across[:, 0] - by_across * along[:, 0]) / area
        self._at_first = shift[:, 0]
        self._largest = np.float32(np.abs(offsets).max())

    def move_in(self, part: CropBox) -> bool:
        """Return whether a triangle with a displacement lies in a part of the picture."""
        return bool((self._touches(part) & self._moves).any())

    def at_nodes(self, part: CropBox, step: int, blur: float) -> Floats:
        """Return the displacement (h, w, 2) at nodes in the middle of squares of `step` px.

        Args:
            part: of the picture; its left upper corner is that of the first square.
            step: px.
            blur: deviation of a Gaussian, nodes.
        """
        corner = np.array([part.left, part.upper])
        size = (-(-part.height // step), -(-part.width // step))
        drawn = np.flatnonzero(self._touches(part))
        numbers = self._numbers(drawn, corner, step, size)
        first = self._corners[drawn, 0] - corner
        by_x, by_y = self._by_x[drawn], self._by_y[drawn]
        at_corner = self._at_first[drawn] - by_x * first[:, 0] - by_y * first[:, 1]
        table = np.zeros((3, len(drawn) + 1), np.complex64)
        table[:, 1:] = by_x, by_y, at_corner
        x, y = (np.float32(step) * np.arange(n, dtype=np.float32) for n in reversed(size))
        middle = np.float32(0.5 * step - 0.5)
        found = table[0].take(numbers)
        found *= x + middle
        part_of_y = table[1].take(numbers)
        part_of_y *= (y + middle)[:, None]
        found += part_of_y
        found += table[2].take(numbers)
        nodes = found.view(np.float32).reshape(*size, 2)
        # Narrow triangles, drawn a little too wide, would reach far beyond their corners.
        np.clip(nodes, -self._largest, self._largest, out=nodes)
        width = 2 * round(3 * blur) + 1
        blurred = cv2.GaussianBlur(nodes, (width, width), blur, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(blurred, np.float32)

    def _numbers(
        self, drawn: Indices, corner: Doubles, step: int, size: tuple[int, int]
    ) -> npt.NDArray[np.int32]:
        """The number of the triangle at each node, from 1; 0 for none."""
        numbers = np.zeros(size, np.int32)
        scaled = ((self._corners[drawn] - corner + 0.5) / step - 0.5) * (1 << _FRACTION_BITS)
        outlines = np.rint(scaled).astype(np.int32)
        for number, outline in enumerate(outlines, start=1):
            cv2.fillConvexPoly(numbers, outline, number, cv2.LINE_8, _FRACTION_BITS)
        return numbers

    def _touches(self, part: CropBox) -> Flags:
        low, high = self._extent
        right_lower, left_upper = [part.right, part.lower], [part.left, part.upper]
        return np.asarray(((low <= right_lower) & (high >= left_upper)).all(axis=1))

    @cached_property
    def _extent(self) -> tuple[Doubles, Doubles]:
        return self._corners.min(axis=1), self._corners.max(axis=1)


def at_pixels(nodes: Floats, step: int, size: tuple[int, int]) -> Floats:
    """Return the displacement (h, w, 2) at each pixel of a part of `size` (width, height)."""
    width, height = size
    if step > 1:
        full = (nodes.shape[1] * step, nodes.shape[0] * step)
        # Nodes are in the middle of their squares, as `resize` has it.
        nodes = np.asarray(cv2.resize(nodes, full, interpolation=cv2.INTER_LINEAR), np.float32)
    return nodes[:height, :width]
