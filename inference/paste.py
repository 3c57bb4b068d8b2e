"""An animated part of a photo put back into the whole."""

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from inference.engine import EngineCrop, Picture

Weights = npt.NDArray[np.float32]
"""How much a picture counts at each pixel, (h, w) in [0, 1]."""


def paste_back(photo: Picture, frame: Picture, crop: EngineCrop) -> Picture:
    """The photo with `frame` in the place of `crop`, uint8 (H, W, 3) RGB.

    Pixels outside the crop's box are the photo's own. With a feather so are those on the box's
    border, and over that many px inwards the frame fades in; not along the photo's own borders.

    Args:
        photo: uint8 (H, W, 3) RGB.
        frame: uint8 (h, w, 3) RGB; brought to the size of the crop's box if it has another one.
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
        # Several times as fast as the same in NumPy.
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
    """The frame's share in each pixel of the box that lies in the photo, and the photo's."""
    box = crop.box
    across = _rising(box.left, box.right, width, crop.feather_px)
    down = _rising(box.upper, box.lower, height, crop.feather_px)
    frames = np.outer(down, across).astype(np.float32)
    return frames, 1 - frames


def _rising(begin: int, end: int, limit: int, feather_px: float) -> npt.NDArray[np.float64]:
    """Half a cosine wave from 0 at each end of the range that lies inside (0, limit), else 1."""
    place = np.arange(max(begin, 0), min(end, limit))
    from_begin = place - begin if begin > 0 else np.full(place.shape, np.inf)
    from_end = end - 1 - place if end < limit else np.full(place.shape, np.inf)
    # A linear ramp would show as two faint lines where it begins and ends.
    reached = np.minimum(np.minimum(from_begin, from_end) / feather_px, 1.0)
    return np.asarray((1 - np.cos(np.pi * reached)) / 2)
