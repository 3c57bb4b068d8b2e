"""Draw triangles with a displacement at each corner into a grid.

All triangles are drawn together: first their rows in the grid, then the nodes of all rows.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Floats
from inference.faces.topology import Indices
from jobs.model import CropBox

Flags = npt.NDArray[np.bool_]

_REACH = 0.5  # nodes beyond its edges that a triangle covers
# Corners that edges begin and end at, from top to bottom: the long one, the upper and lower short.
_BEGIN, _END = np.array([0, 0, 1]), np.array([2, 1, 2])


class _Rows(NamedTuple):
    """Rows of triangles in a grid, in the order of the triangles.

    Attributes:
        number: of the triangle.
        row: of the grid.
        begin: first node in the row.
        length: number of nodes; may be 0.
    """

    number: Indices
    row: Indices
    begin: Indices
    length: Indices


class Triangles:
    """Triangles that are drawn in their order.

    Args:
        points: (N, 2), px of the picture.
        offsets: (N, 2), the displacement of each point, px.
        corners: (T, 3), numbers of points.
        moves: (T,), which triangles have a displacement at all.
    """

    def __init__(self, points: Doubles, offsets: Doubles, corners: Indices, moves: Flags) -> None:
        self._moves = moves
        self._largest = np.float32(np.abs(offsets).max())
        downwards = np.argsort(points[:, 1], kind="stable")
        rank = np.empty_like(downwards)
        rank[downwards] = np.arange(len(rank))
        corners = downwards[np.sort(rank[corners], axis=1)].T
        x, y = points[:, 0][corners], points[:, 1][corners]
        # Pairs (x, y) as complex numbers: half the operations.
        shift = np.ascontiguousarray(offsets).view(np.complex128)[:, 0][corners]
        self._by_x, self._by_y = _slopes(x, y, shift)
        self._at_origin = shift[0] - self._by_x * x[0] - self._by_y * y[0]
        self._left, self._right, self._y = x.min(axis=0), x.max(axis=0), y
        heights = y[_END] - y[_BEGIN]
        self._lean = (x[_END] - x[_BEGIN]) / np.where(heights > 0, heights, 1)
        self._at_top = x[_BEGIN] - self._lean * y[_BEGIN]
        self._edges_x = np.minimum(x[_BEGIN], x[_END]), np.maximum(x[_BEGIN], x[_END])

    def move_in(self, part: CropBox) -> bool:
        """Return whether a triangle with a displacement lies in a part of the picture."""
        touches = self._touches(part.left, part.right) & self._moves
        return bool((touches & (self._y[0] <= part.lower) & (self._y[2] >= part.upper)).any())

    def at_nodes(self, part: CropBox, step: int, blur: float) -> Floats:
        """Return the displacement (h, w, 2) at nodes in the middle of squares of `step` px.

        Args:
            part: of the picture; its left upper corner is that of the first square.
            step: px.
            blur: deviation of a Gaussian, nodes.
        """
        first = part.left + 0.5 * step - 0.5, part.upper + 0.5 * step - 0.5
        height, width = -(-part.height // step), -(-part.width // step)
        rows = self._rows(first, step, (width, height))
        number = rows.number
        at_first = self._at_origin + self._by_x * first[0] + self._by_y * first[1]
        by_node = (step * self._by_x)[number]
        at_begin = at_first[number] + by_node * rows.begin + (step * self._by_y)[number] * rows.row
        nodes = _drawn(rows, (width, height), at_begin, by_node)
        # Narrow triangles would reach far beyond their corners.
        np.clip(nodes, -self._largest, self._largest, out=nodes)
        size = 2 * round(3 * blur) + 1
        blurred = cv2.GaussianBlur(nodes, (size, size), blur, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(blurred, np.float32)

    def _rows(self, first: tuple[float, float], step: int, size: tuple[int, int]) -> _Rows:
        """The rows in a grid of `size` (width, height), whose first node lies at `first`, px."""
        (left, upper), (width, height) = first, size
        top, middle, bottom = (self._y - upper) / step
        begin_row = np.ceil(top - _REACH).clip(0, height).astype(np.intp)
        end_row = np.floor(bottom + _REACH).clip(-1, height - 1).astype(np.intp) + 1
        counts = np.maximum(end_row - begin_row, 0)
        counts *= self._touches(left - step, left + step * width)
        number = np.repeat(np.arange(counts.size), counts)
        row = np.arange(number.size) - (np.cumsum(counts) - counts - begin_row)[number]
        # In each row from the long edge to one of the short ones.
        at_first_row = (self._at_top + self._lean * upper - left) / step
        reach = _REACH * np.maximum(np.abs(self._lean), 1)
        lows, highs = ((ends - left) / step for ends in self._edges_x)
        table = [each.ravel() for each in (at_first_row, self._lean, reach, lows, highs)]
        begin, end = np.full(row.size, np.inf), np.full(row.size, -np.inf)
        for edge in (number, number + counts.size * (1 + (row > middle[number]))):
            at_zero, lean, reach, low, high = (each[edge] for each in table)
            place = at_zero + lean * row
            begin = np.minimum(begin, np.maximum(place - reach, low - _REACH))
            end = np.maximum(end, np.minimum(place + reach, high + _REACH))
        begin_node = np.ceil(begin).clip(0, width).astype(np.intp)
        end_node = np.floor(end).clip(-1, width - 1).astype(np.intp) + 1
        return _Rows(number, row, begin_node, np.maximum(end_node - begin_node, 0))

    def _touches(self, left: float, right: float) -> Flags:
        return np.asarray((self._left <= right) & (self._right >= left))


def _slopes(x: Doubles, y: Doubles, values: npt.NDArray[Any]) -> tuple[Any, Any]:
    """How values at the corners (3, T) of triangles grow with x and y."""
    across_x, along_x = x[1] - x[0], x[2] - x[0]
    across_y, along_y = y[1] - y[0], y[2] - y[0]
    across, along = values[1] - values[0], values[2] - values[0]
    area = across_x * along_y - across_y * along_x
    return (
        (across * along_y - along * across_y) / area,
        (along * across_x - across * along_x) / area,
    )


def _drawn(
    rows: _Rows, size: tuple[int, int], at_begin: npt.NDArray[Any], by_node: npt.NDArray[Any]
) -> Floats:
    """A grid (h, w, 2) of `size` (width, height) with rows drawn one over another.

    Args:
        rows: of the grid.
        size: of the grid.
        at_begin: the pair at the first node of each row.
        by_node: how much it grows from node to node.
    """
    width, height = size
    nodes = np.zeros(width * height, np.complex64)
    before = np.cumsum(rows.length) - rows.length
    place = np.arange(rows.length.sum())
    along = (place - np.repeat(before, rows.length)).astype(np.float32)
    place += np.repeat(rows.row * width + rows.begin - before, rows.length)
    values = np.repeat(by_node.astype(np.complex64), rows.length)
    values *= along
    values += np.repeat(at_begin.astype(np.complex64), rows.length)
    nodes[place] = values  # in order: later triangles cover earlier ones
    return nodes.view(np.float32).reshape(height, width, 2)


def at_pixels(nodes: Floats, step: int, size: tuple[int, int]) -> Floats:
    """Return the displacement (h, w, 2) at each pixel of a part of `size` (width, height)."""
    width, height = size
    if step > 1:
        full = (nodes.shape[1] * step, nodes.shape[0] * step)
        # Nodes are in the middle of their squares, as `resize` has it.
        nodes = np.asarray(cv2.resize(nodes, full, interpolation=cv2.INTER_LINEAR), np.float32)
    return nodes[:height, :width]
