"""Whether something covers the mouth of a photo, as a mask does."""

import numpy as np

from inference.arrays import Doubles, Floats, Picture
from inference.faces.topology import (
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    SKIN_BELOW_EYES,
    UPPER_INNER_LIP,
    UPPER_OUTER_LIP,
)
from inference.luma import LUMA

_INNER = np.concatenate([UPPER_INNER_LIP, LOWER_INNER_LIP[1:-1]])
_OUTER = np.concatenate([UPPER_OUTER_LIP, LOWER_OUTER_LIP[1:-1]])
_AROUND = 1.6  # times the size of the outer lips
# Lips differ from the skin around them by .14 of its light and more, masks from themselves by .1 at
# most; and masks are of another colour than skin.
_MAX_LIPS, _MIN_HUE, _MIN_LUMA = 0.09, 0.12, 0.5


def is_mouth_covered(photo: Picture, points: Doubles) -> bool:
    """Return whether no lips are seen there, and what is seen does not have the skin's colour.

    Args:
        photo: uint8 (H, W, 3) RGB.
        points: (478, 2 or more) landmarks in it, px.
    """
    inner, outer = points[_INNER, :2], points[_OUTER, :2]
    centre = outer.mean(axis=0)
    lips = _colour(photo, (inner + outer) / 2)
    around = _colour(photo, centre + _AROUND * (outer - centre))
    skin = _colour(photo, points[np.concatenate(SKIN_BELOW_EYES), :2])
    lumas = np.maximum(np.array([around, skin]) @ LUMA, 1)
    light = max(8.0, float(lumas.max()))
    has_lips = np.abs(lips - around).max() > _MAX_LIPS * light
    hue = np.abs(around / lumas[0] - skin / lumas[1]).max()
    is_skin = hue < _MIN_HUE and abs(lumas[0] - lumas[1]) < _MIN_LUMA * light
    return not (has_lips or is_skin)


def _colour(photo: Picture, points: Doubles) -> Floats:
    """The median of the pixels at points (n, 2), (3,)."""
    last = np.array(photo.shape[1::-1]) - 1
    x, y = np.clip(np.rint(points).astype(np.intp), 0, last).T
    return np.asarray(np.median(photo[y, x], axis=0), np.float32)
