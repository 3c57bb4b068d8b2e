"""The lines of the lids: where exactly they lie in the photo, and how far a pixel is from them."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from inference.arrays import Doubles, Floats, Picture
from inference.faces.head import CornerFrame
from inference.faces.landmarker import Landmarks
from inference.faces.topology import LOWER_LIDS, UPPER_LIDS
from inference.mesh.sampling import Along, blurred, sample

_SAMPLES = np.linspace(0, 1, 65)
_OFFSETS = np.arange(-0.20, 0.0801, 0.01)
_STEP = 3  # offsets between the two levels that are compared
_MIN_FALL = 3.0  # grey levels
# The nine points of a lid are joined by straight lines; this rounds the corners.
_SMOOTHING = np.hanning(11)[1:-1] / np.hanning(11).sum()


@dataclass(frozen=True, eq=False)
class LidLines:
    """An eye's lids as functions b(a) in its frame, see `CornerFrame`.

    Attributes:
        frame: of the eye, px.
        upper: (65,) b of the upper lid at a = 0 ... 1.
        lower: likewise of the lower lid.
    """

    frame: CornerFrame
    upper: Doubles
    lower: Doubles

    @classmethod
    def of(cls, points: Doubles, eye: int) -> "LidLines":
        """Return the lines of eye 0 or 1 in landmarks (478, 2 or more), px."""
        flat = points[:, :2]
        frame = CornerFrame.of(flat, eye)
        lines = []
        for lid in (UPPER_LIDS[eye], LOWER_LIDS[eye]):
            a, b = frame.inside(flat[lid]).T
            line = np.interp(_SAMPLES, np.maximum.accumulate(a), b)
            ends = np.repeat(line[[0, -1]], 4)
            longer = np.concatenate([ends[:4], line, ends[4:]])  # `np.pad` takes ten times as long
            lines.append(np.convolve(longer, _SMOOTHING, mode="valid"))
        return cls(frame, lines[0], lines[1])


def lids_at(a: Floats, *lines: LidLines) -> list[Floats]:
    """Return b of the upper and of the lower lid of each of the lines at each a."""
    along = Along(a * (len(_SAMPLES) - 1), len(_SAMPLES))
    return [along.on(lid) for one in lines for lid in (one.upper, one.lower)]


def refined_lids(photo: Picture, landmarks: Landmarks) -> Landmarks:
    """Return landmarks whose upper lids lie on the lash line.

    The network puts the upper lid up to a tenth of the eye's width too low. The line is moved, as a
    half ellipse, to where the brightness along it falls most from the skin above to the lashes
    below.

    Args:
        photo: uint8 (H, W, 3) RGB.
        landmarks: of a face in it.
    """
    points = landmarks.points.copy()
    grey = np.asarray(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), np.uint8)
    for eye in (0, 1):
        lines = LidLines.of(points, eye)
        offset = _lash_line(grey, lines)
        inner = UPPER_LIDS[eye][1:-1]
        a = np.clip(lines.frame.inside(points[inner, :2])[:, 0], 0, 1)
        moved = offset * lines.frame.width * _bow(a)
        points[inner, :2] += moved[:, None] * lines.frame.down
    return replace(landmarks, points=points)


def _bow(a: Doubles) -> Doubles:
    """A half ellipse over an eye: 0 at its corners, 1 in its middle."""
    return np.sqrt(np.maximum(0, 1 - (2 * a - 1) ** 2))


def _lash_line(grey: Picture, lines: LidLines) -> float:
    """How far below the upper lid the lash line lies in the middle, eye widths."""
    frame = lines.frame
    a = np.linspace(0.2, 0.8, 25)
    upper = np.interp(a, _SAMPLES, lines.upper)
    b = upper + _OFFSETS[:, None] * _bow(a)
    spots = frame.outside(np.stack([np.broadcast_to(a, b.shape), b], axis=-1))
    low = np.maximum(np.floor(spots.min(axis=(0, 1))).astype(int) - 8, 0)
    high = np.maximum(np.ceil(spots.max(axis=(0, 1))).astype(int) + 9, low)
    part = grey[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    if part.size == 0:
        return 0.0
    soft = blurred(part, max(0.3, 0.015 * frame.width))
    levels = sample(soft, spots - low).mean(axis=1)
    falls = levels[:-_STEP] - levels[_STEP:]
    if falls.max() < _MIN_FALL:
        return 0.0
    centres = _OFFSETS[:-_STEP] + 0.015
    best = centres[np.argmax(falls / falls.max() - 160 * (centres + 0.02) ** 2)]
    return float(np.clip(best, -0.14, 0.04))
