"""The opening between the lips to draw."""

from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Floats
from inference.faces.head import CornerFrame
from inference.mesh.sampling import Along, blurred

_MARGIN_PX = 4
_EDGE = 0.008  # mouth widths
_SAMPLES = np.linspace(0, 1, 129)  # of lines


class MouthArea:
    """The pixels of a box round the lips.

    Args:
        shape: of the frame.
        offset: left and upper edge of the frame in the photo, px.
        upper: (11, 2) the inner upper lip to draw, px of the photo.
        lower: likewise the lower lip.

    Attributes:
        rows: of the frame.
        columns: of the frame.
        a: (h, w) float32, from the left (0) to the right corner (1), see `CornerFrame`.
        b: (h, w) float32, downwards.
        upper: (h, w) float32, b of the upper lip there.
        lower: (h, w) float32, b of the lower lip there.
        width: of the mouth, px.
    """

    def __init__(
        self, shape: tuple[int, ...], offset: tuple[int, int], upper: Doubles, lower: Doubles
    ) -> None:
        lips = np.concatenate([upper, lower]) - offset
        limit = [shape[1], shape[0]]
        low = np.clip(np.floor(lips.min(axis=0)).astype(int) - _MARGIN_PX, 0, limit)
        high = np.clip(np.ceil(lips.max(axis=0)).astype(int) + _MARGIN_PX + 1, low, limit)
        self.rows, self.columns = slice(low[1], high[1]), slice(low[0], high[0])
        frame = CornerFrame.between(upper[0], upper[-1])
        self.width = frame.width
        self._low, self._high = (low + offset).tolist(), (high + offset).tolist()
        self.a, self.b = frame.of_pixels(self._low, self._high)
        self.upper, under = lines_at(self.a, frame.inside(upper), frame.inside(lower))
        self.lower = np.maximum(under, self.upper)
        self._lips = upper, lower

    @cached_property
    def alpha(self) -> Floats:
        """(h, w), 1 between the lips, 0 outside."""
        mask = np.zeros(self.a.shape, np.uint8)
        if not mask.size:
            return mask.astype(np.float32)
        upper, lower = (_ROUNDED @ lip - self._low for lip in self._lips)
        outline = np.rint(np.concatenate([upper, lower[::-1]]) * 16).astype(np.int32)
        cv2.fillPoly(mask, [outline], 255, cv2.LINE_AA, shift=4)
        return blurred(mask, max(0.6, _EDGE * self.width)) / np.float32(255)

    @cached_property
    def places(self) -> Floats:
        """Each pixel's place, (h, w, 2), px of the photo."""
        x, y = (
            np.arange(*ends, dtype=np.float32) for ends in zip(self._low, self._high, strict=True)
        )
        return np.stack(np.broadcast_arrays(x, y[:, None]), axis=-1)

    @property
    def below(self) -> Floats:
        """How far each pixel lies below the upper lip, mouth widths."""
        return self.b - self.upper

    @property
    def share(self) -> Floats:
        """0 at the upper lip to 1 at the lower one."""
        apart = np.maximum(self.lower - self.upper, 0.5 / self.width)
        return np.clip(self.below / apart, 0, 1)


def lines_at(a: npt.NDArray[Any], *lines: Doubles) -> list[Floats]:
    """Return b of lines through points (N, 2), from left (0) to right (1), at each a."""
    along = Along(a * (len(_SAMPLES) - 1), len(_SAMPLES))
    return [
        along.on(np.interp(_SAMPLES, np.maximum.accumulate(line[:, 0]), line[:, 1]))
        for line in lines
    ]


def _rounded(line: Doubles) -> Doubles:
    """A smooth line through points (N, k) (Catmull-Rom)."""
    ends = np.concatenate([line[:1], line, line[-1:]])
    before, start, end, after = ends[:-3], ends[1:-2], ends[2:-1], ends[3:]
    parts = [
        start
        + (end - before) * t / 2
        + (2 * before - 5 * start + 4 * end - after) * t**2 / 2
        + (3 * start - before - 3 * end + after) * t**3 / 2
        for t in (0.0, 0.25, 0.5, 0.75)
    ]
    return np.concatenate([np.stack(parts, axis=1).reshape(-1, line.shape[1]), line[-1:]])


_ROUNDED = _rounded(np.eye(11))
"""From the points of a lip to those of its smooth line."""
