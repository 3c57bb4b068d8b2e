"""The opening between the lips to draw."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference.faces.head import CornerFrame
from inference.mesh.sampling import blurred

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

_MARGIN_PX = 4
_EDGE = 0.008  # mouth widths


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
        places: (h, w, 2) float32, each pixel's place, px of the photo.
        a: (h, w) float32, from the left (0) to the right corner (1), see `CornerFrame`.
        b: (h, w) float32, downwards.
        upper: (h, w) float32, b of the upper lip there.
        lower: (h, w) float32, b of the lower lip there.
        width: of the mouth, px.
        alpha: (h, w) float32, 1 between the lips, 0 outside.
    """

    def __init__(
        self, shape: tuple[int, ...], offset: tuple[int, int], upper: Doubles, lower: Doubles
    ) -> None:
        lips = np.concatenate([upper, lower]) - offset
        limit = [shape[1], shape[0]]
        low = np.clip(np.floor(lips.min(axis=0)).astype(int) - _MARGIN_PX, 0, limit)
        high = np.clip(np.ceil(lips.max(axis=0)).astype(int) + _MARGIN_PX + 1, low, limit)
        self.rows, self.columns = slice(low[1], high[1]), slice(low[0], high[0])
        x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        self.places = (np.stack([x, y], axis=-1) + np.array(offset)).astype(np.float32)
        frame = CornerFrame.between(upper[0], upper[-1])
        self.width = frame.width
        inside = frame.inside(self.places).astype(np.float32)
        self.a, self.b = inside[..., 0], inside[..., 1]
        self.upper = line_at(frame.inside(upper), self.a)
        self.lower = np.maximum(line_at(frame.inside(lower), self.a), self.upper)
        outline = np.concatenate([_rounded(upper), _rounded(lower)[::-1]]) - offset - low
        mask = np.zeros(self.a.shape, np.uint8)
        soft = mask.astype(np.float32)
        if mask.size:
            cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
            soft = blurred(mask, max(0.6, _EDGE * self.width))
        self.alpha = soft / 255

    @property
    def below(self) -> Floats:
        """How far each pixel lies below the upper lip, mouth widths."""
        return self.b - self.upper

    @property
    def share(self) -> Floats:
        """0 at the upper lip to 1 at the lower one."""
        apart = np.maximum(self.lower - self.upper, 0.5 / self.width)
        return np.clip(self.below / apart, 0, 1)


def line_at(points: Doubles, a: npt.NDArray[Any]) -> Floats:
    """Return b of a line through points (N, 2), from left to right, at each a."""
    b = np.interp(a, np.maximum.accumulate(points[:, 0]), points[:, 1])
    return np.asarray(b, np.float32)


def _rounded(line: Doubles) -> Doubles:
    """A smooth line through (N, 2) points (Catmull-Rom)."""
    ends = np.concatenate([line[:1], line, line[-1:]])
    before, start, end, after = ends[:-3], ends[1:-2], ends[2:-1], ends[3:]
    parts = [
        start
        + (end - before) * t / 2
        + (2 * before - 5 * start + 4 * end - after) * t**2 / 2
        + (3 * start - before - 3 * end + after) * t**3 / 2
        for t in (0.0, 0.25, 0.5, 0.75)
    ]
    return np.concatenate([np.stack(parts, axis=1).reshape(-1, 2), line[-1:]])
