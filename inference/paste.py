"""An animated part of a photo put back into the whole."""

from functools import lru_cache

import numpy as np

from inference.engine import EngineCrop, Picture


def paste_back(photo: Picture, frame: Picture, crop: EngineCrop) -> Picture:
    """The photo with `frame` in the place of `crop`, uint8 (H, W, 3) RGB.

    Pixels outside the crop's box are the photo's own. With a feather the seam is a linear blend
    over that many px inwards, except along the photo's own borders.

    Args:
        photo: uint8 (H, W, 3) RGB.
        frame: uint8 (h, w, 3) RGB, as large as the crop's box.
        crop: where the frame belongs; what lies outside the photo is dropped.
    """
    height, width = photo.shape[:2]
    box = crop.box
    left, upper = max(box.left, 0), max(box.upper, 0)
    right, lower = min(box.right, width), min(box.lower, height)
    part = frame[upper - box.upper : lower - box.upper, left - box.left : right - box.left]
    whole = photo.copy()
    if crop.feather_px > 0:
        alpha = _feathered_alpha(crop, width, height)
        below = photo[upper:lower, left:right].astype(np.float32)
        blended = below + alpha[..., None] * (part - below)
        part = np.rint(blended).astype(np.uint8)
    whole[upper:lower, left:right] = part
    return whole


@lru_cache(maxsize=2)
def _feathered_alpha(
    crop: EngineCrop, width: int, height: int
) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """(h, w) in (0, 1]: rises from each side of the box that lies inside the photo."""
    box = crop.box
    x = np.arange(max(box.left, 0), min(box.right, width)) + 0.5
    y = np.arange(max(box.upper, 0), min(box.lower, height)) + 0.5
    from_left = x - box.left if box.left > 0 else np.full(x.shape, np.inf)
    from_right = box.right - x if box.right < width else np.full(x.shape, np.inf)
    from_upper = y - box.upper if box.upper > 0 else np.full(y.shape, np.inf)
    from_lower = box.lower - y if box.lower < height else np.full(y.shape, np.inf)
    across = np.minimum(np.minimum(from_left, from_right) / crop.feather_px, 1.0)
    down = np.minimum(np.minimum(from_upper, from_lower) / crop.feather_px, 1.0)
    return np.outer(down, across).astype(np.float32)
