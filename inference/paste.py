"""Paste the animated crop back into the photo."""

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Picture
from inference.engine import EngineCrop

Weights = npt.NDArray[np.float32]
"""Blending weight of a picture at each pixel, (h, w) in [0, 1]."""


def paste_back(photo: Picture, frame: Picture, crop: EngineCrop) -> Picture:
    """Return the photo with `frame` pasted at `crop`, uint8 (H, W, 3) RGB.

    Pixels outside the crop's box are unchanged. With a feather, the frame fades in from the box's
    border inwards over that many px, except along the photo's own borders.

    Args:
        photo: uint8 (H, W, 3) RGB.
        frame: uint8 (h, w, 3) RGB; resized to the crop's box.
        crop: where the frame belongs; what lies outside the photo is dropped.
    """
    height, width = photo.shape[:2]
    box = crop.box
    left, upper = max(box.left, 0), max(box.upper, 0)
    right, lower = min(box.right, width), min(box.lower, height)
    fitting = _resized(frame, box.width, box.height)
    part = fitting[upper - box.upper : lower - box.upper, left - box.left : right - box.left]
    whole = photo.copy()
    if crop.feather_px > 0:
        shares = _feathered_shares(crop, width, height)
        # Several times faster than NumPy.
        blended = cv2.blendLinear(part, photo[upper:lower, left:right], *shares)
        part = np.asarray(blended, dtype=np.uint8)
    whole[upper:lower, left:right] = part
    return whole


def _resized(frame: Picture, width: int, height: int) -> Picture:
    if frame.shape[:2] == (height, width):
        return frame
    shrinks = frame.shape[0] > height or frame.shape[1] > width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, (width, height), interpolation=method), dtype=np.uint8)


@lru_cache(maxsize=2)
def _feathered_shares(crop: EngineCrop, width: int, height: int) -> tuple[Weights, Weights]:
    """Blending weights of the frame and of the photo, in the part of the box inside the photo."""
    box = crop.box
    across = _rising(box.left, box.right, width, crop.feather_px)
    down = _rising(box.upper, box.lower, height, crop.feather_px)
    frames = np.outer(down, across).astype(np.float32)
    return frames, 1 - frames


def _rising(begin: int, end: int, limit: int, feather_px: float) -> npt.NDArray[np.float64]:
    """A cosine ramp from 0 to 1 at each end of the range that lies inside (0, limit)."""
    place = np.arange(max(begin, 0), min(end, limit))
    from_begin = place - begin if begin > 0 else np.full(place.shape, np.inf)
    from_end = end - 1 - place if end < limit else np.full(place.shape, np.inf)
    # The ends of a linear ramp would be visible as faint lines.
    reached = np.minimum(np.minimum(from_begin, from_end) / feather_px, 1.0)
    return np.asarray((1 - np.cos(np.pi * reached)) / 2)
