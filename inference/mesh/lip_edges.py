"""The lips of a photo whose mouth is open, drawn anew where they are stretched or shut.

The inner lines of the landmarks lie up to a few pixels in the teeth, and the warp blends what is on
both sides of them: lips that shut or become thicker would have streaks of teeth. So each is read
between its outer line and the place at which it really begins.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Floats, Picture
from inference.faces.head import CornerFrame, Head
from inference.faces.topology import (
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    UPPER_INNER_LIP,
    UPPER_OUTER_LIP,
)
from inference.mesh.mouth_area import MouthArea, lines_at
from inference.mesh.sampling import Along, blurred, mixed, sample, sample_at
from inference.mesh.tone import shaded
from inference.smoothstep import smoothstep

_LIPS = ((UPPER_INNER_LIP, UPPER_OUTER_LIP), (LOWER_INNER_LIP, LOWER_OUTER_LIP))
# Shares of the way from a lip's inner to its outer line.
_INSIDE, _LIP = -0.25, 0.65  # where there is no lip, and where there is one
_MOST = 0.55  # of the way that may be left out
_FADE = 0.4
_COLUMNS = (1.5, 8.5)  # without the dark corners
_UNLIKE = 0.5  # share of the difference between the lip and what is inside
_LEAST_CONTRAST = 20.0  # grey levels, of these
_BEYOND_PX = 0.7  # past the edge, where colours mix
# Mouth widths.
_SHUT = 0.08
_SEAM_SHADE, _SEAM_WIDTH = 0.33, 0.016  # of shut lips


class LipEdges:
    """Both lips of an open mouth.

    Args:
        photo: uint8 (H, W, 3) RGB.
        points: (478, 2 or more) landmarks in it, px.
    """

    def __init__(self, photo: Picture, points: Doubles) -> None:
        self._photo = photo
        self._lips = [(points[inner, :2], points[outer, :2]) for inner, outer in _LIPS]
        self._starts = [_starts(photo, *lip) for lip in self._lips]
        self._thicknesses = [np.linalg.norm(outer - inner, axis=1) for inner, outer in self._lips]

    def draw(
        self, frame: Picture, offset: tuple[int, int], target: Head, gap: float, strength: float
    ) -> None:
        """Draw the lips into the warped photo, in place.

        Args:
            frame: uint8 (h, w, 3) RGB.
            offset: left and upper edge of the frame in the photo, px.
            target: the head to draw, in the photo's px.
            gap: how far its lips are apart, mouth widths.
            strength: 0 to 1.
        """
        flat = target.projected(target.points)[:, :2]
        shut = 1 - smoothstep(gap / _SHUT)
        thicker = [
            (np.linalg.norm(flat[outer] - flat[inner], axis=1) > was).any()
            for (inner, outer), was in zip(_LIPS, self._thicknesses, strict=True)
        ]
        if strength == 0 or not (shut or any(thicker)):
            return
        area = MouthArea(frame.shape, offset, flat[UPPER_OUTER_LIP], flat[LOWER_OUTER_LIP])
        part = frame[area.rows, area.columns]
        if not part.size:
            return
        places = CornerFrame.between(flat[UPPER_OUTER_LIP[0]], flat[UPPER_OUTER_LIP[-1]])
        inner = [places.inside(flat[line]) for line, _ in _LIPS]
        upper, lower = lines_at(area.a, *inner)
        seam = (upper + lower) / 2
        edges = (np.minimum(upper, seam), np.maximum(lower, seam))
        drawn = part.astype(np.float32)
        ends = smoothstep(np.minimum(area.a, 1 - area.a) / 0.12 - 0.25)
        for number, outer in enumerate((area.upper, area.lower)):
            if not (shut or thicker[number]):
                continue
            sign = 2 * number - 1
            thickness, beyond = (sign * (line - edges[number]) for line in (outer, area.b))
            (column,) = lines_at(area.a, np.stack([inner[number][:, 0], np.arange(11)], axis=1))
            columns = Along(column.clip(*_COLUMNS), 11)
            was = columns.on(self._thicknesses[number])
            stretch = smoothstep((thickness * area.width / np.maximum(was, 1) - 1) / 0.4)
            share = beyond / np.maximum(thickness, 1 / area.width)
            alpha = ends * np.maximum(stretch, shut) * smoothstep((1 - share) / _FADE)
            alpha *= np.clip(beyond * area.width + 0.5, 0, 1) * (thickness * area.width > 1)
            drawn = mixed(
                drawn, self._seen(number, columns, share.astype(np.float32)), strength * alpha
            )
        width = max(_SEAM_WIDTH, 0.8 / area.width)
        shade = strength * shut * _SEAM_SHADE * ends
        shade *= np.exp(-(((area.b - seam) / width) ** 2))
        part[...] = np.clip(np.rint(shaded(drawn, (1 - shade).astype(np.float32))), 0, 255)

    def _seen(self, number: int, columns: Along, share: npt.NDArray[Any]) -> Floats:
        """The photo's lip at columns 0 to 10 and shares of the way to its outer line."""
        start = columns.on(self._starts[number])
        share = start + (1 - start) * np.clip(share, 0, 1)
        inner, outer = self._lips[number]
        x, y = (
            columns.on(inner[:, axis]) + share * columns.on(outer[:, axis] - inner[:, axis])
            for axis in (0, 1)
        )
        return sample_at(self._photo, (x, y))


def _starts(photo: Picture, inner: Doubles, outer: Doubles) -> Doubles:
    """The shares of the ways (11,) from a lip's inner to its outer line at which it begins."""
    shares = np.linspace(_INSIDE, _LIP, 37)
    places = inner + shares[:, None, None] * (outer - inner)
    low = np.maximum(np.floor(places.min(axis=(0, 1))).astype(int) - 4, 0)
    high = np.maximum(np.ceil(places.max(axis=(0, 1))).astype(int) + 5, low)
    part = photo[low[1] : high[1], low[0] : high[0]]
    if not part.size:
        return np.zeros(len(inner))
    levels = sample(blurred(part, 0.6), places - low, cv2.INTER_LINEAR)
    lip = levels[-1]
    change = lip - levels[:6].mean(axis=0)
    size = np.maximum((change**2).sum(axis=-1), _LEAST_CONTRAST**2)
    is_lip = ((levels - lip) * change).sum(axis=-1) / size > -_UNLIKE
    last = len(shares) - 1 - np.argmin(is_lip[::-1], axis=0)
    begins = np.where(is_lip.all(axis=0), 0, shares[last])
    begins = cv2.dilate(begins[1:-1], np.ones(3)).ravel()
    begins = np.convolve(np.pad(begins, 2, mode="edge"), np.ones(3) / 3, mode="valid")
    thickness = np.linalg.norm(outer - inner, axis=1)
    return np.asarray(np.clip(begins + _BEYOND_PX / np.maximum(thickness, 1), 0, _MOST), np.float64)
