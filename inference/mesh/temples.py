"""Lashes that reach over the temple, as those of the far eye do when a head is half turned.

When such a head turns to the front, the few pixels of skin beside the eye are stretched, and the
tips of the lashes with them, into a line from the eye to the hair. So they are left out.
"""

import cv2
import numpy as np

from inference.arrays import Doubles, Floats, Picture
from inference.faces.head import CornerFrame
from inference.faces.topology import TEMPLES, UPPER_LIDS
from inference.mesh.sampling import blurred, sample
from inference.smoothstep import smoothstep

_CORNERS = np.array([UPPER_LIDS[0][0], UPPER_LIDS[1][-1]])  # the outer ones
# How much wider the skin beside an eye gets before the lashes fade, and are gone.
_FROM_STRETCH, _TO_STRETCH = 1.15, 1.8
# Eye widths.
_BEGIN, _REACH, _HEIGHT = 0.04, 0.6, 0.42  # outwards from the corner, and up and down from there
_FADE = 0.1
_THICKEST = 0.42  # of lashes seen as one stroke
_BLUR = 0.02
_PX = 80.0  # of the grid per eye width


class Temples:
    """The skin beside both eyes of a photo.

    Args:
        photo: uint8 (H, W, 3) RGB.
        points: (478, 2 or more) landmarks in it, px.
    """

    def __init__(self, photo: Picture, points: Doubles) -> None:
        self._widths = _widths(points)
        self._parts = [_without_lashes(photo, points[:, :2], eye) for eye in (0, 1)]

    def without_lashes(self, photo: Picture, points: Doubles, zoom: float) -> Picture:
        """Return the photo (H, W, 3) without lashes where a pose stretches the skin.

        Args:
            photo: the photo, perhaps with folds drawn into it.
            points: (478, 2 or more) landmarks to draw, px.
            zoom: size of the head to draw / its size in the photo.
        """
        stretch = _widths(points) / (zoom * self._widths)
        shares = smoothstep((stretch - _FROM_STRETCH) / (_TO_STRETCH - _FROM_STRETCH))
        if not shares.any():
            return photo
        drawn = photo.copy()
        for share, (left, upper, lighter) in zip(shares, self._parts, strict=True):
            part = drawn[upper : upper + lighter.shape[0], left : left + lighter.shape[1]]
            part[...] = np.clip(np.rint(part * (1 + share * lighter)), 0, 255)
        return drawn


def _widths(points: Doubles) -> Doubles:
    """How far the outer corner of each eye is from the face's border, (2,) px; at least 1."""
    apart = points[TEMPLES, :2] - points[_CORNERS, :2]
    return np.asarray(np.maximum(np.linalg.norm(apart, axis=1), 1), np.float64)


def _without_lashes(photo: Picture, points: Doubles, eye: int) -> tuple[int, int, Floats]:
    """Left and upper edge of the part beside an eye, and how much lighter it is without lashes."""
    frame = CornerFrame.of(points, eye)
    ends = (-_REACH, -_BEGIN) if eye == 0 else (1 + _BEGIN, 1 + _REACH)
    a, b = np.meshgrid(np.arange(*ends, 1 / _PX), np.arange(-2 * _HEIGHT, 2 * _HEIGHT, 1 / _PX))
    seen = sample(photo, frame.outside(np.stack([a, b], axis=-1))) + 1
    # Strokes across a line from brow to cheek vanish, hair along it stays.
    closed = cv2.morphologyEx(
        seen, cv2.MORPH_CLOSE, np.ones((2 * round(_THICKEST * _PX / 2) + 1, 1))
    )
    lighter = blurred(closed, _BLUR * _PX) / seen - 1
    out = -a if eye == 0 else a - 1
    inside = smoothstep((out - _BEGIN) / _FADE) * smoothstep((_REACH - out) / _FADE)
    lighter *= (inside * smoothstep((_HEIGHT - np.abs(b)) / _FADE))[..., None]

    corners = frame.outside(np.array([[x, y] for x in ends for y in (-_HEIGHT, _HEIGHT)]))
    limit = photo.shape[1::-1]
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, limit)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, low, limit)
    places = np.stack(np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1])), axis=-1)
    if not places.size:
        return int(low[0]), int(low[1]), np.zeros((*places.shape[:2], 3), np.float32)
    at = (frame.inside(places) - (ends[0], -2 * _HEIGHT)) * _PX
    return int(low[0]), int(low[1]), sample(lighter, at, border=cv2.BORDER_CONSTANT)
