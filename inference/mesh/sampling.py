"""Pictures and tables read between their values; all in float32."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Floats


def sample(
    picture: npt.NDArray[Any],
    places: npt.NDArray[Any],
    method: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_REPLICATE,
) -> Floats:
    """Return a picture's values at places (h, w, 2) px: (h, w) or (h, w, channels)."""
    return sample_at(picture, (places[..., 0], places[..., 1]), method, border)


def sample_at(
    picture: npt.NDArray[Any],
    places: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    method: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_REPLICATE,
) -> Floats:
    """Return a picture's values at (x, y), each (h, w) px: (h, w) or (h, w, channels)."""
    x, y = (place.astype(np.float32, copy=False) for place in places)
    return np.asarray(cv2.remap(picture, x, y, method, borderMode=border), np.float32)


class Along:
    """Places on lines that are given by their values at 0, 1, ..., count - 1.

    Args:
        place: any shape.
        count: of values of each line, 2 at least.
    """

    def __init__(self, place: npt.NDArray[Any], count: int) -> None:
        cut = np.clip(place.astype(np.float32, copy=False), 0, count - 1)
        self._number = np.minimum(cut.astype(np.intp), count - 2)
        self._share = cut - self._number.astype(np.float32)

    def on(self, line: npt.NDArray[Any]) -> Floats:
        """Return the line's value at each place; beyond its ends, the last ones."""
        values = line.astype(np.float32)
        found = np.diff(values).take(self._number)
        found *= self._share
        found += values.take(self._number)
        return found


def blurred(picture: npt.NDArray[Any], sigma: float) -> Floats:
    """Return a picture blurred by a Gaussian, sigma in px."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


def mixed(one: npt.NDArray[Any], other: npt.NDArray[Any], share: npt.NDArray[Any]) -> Floats:
    """Return colours (h, w, 3): `one` where the share (h, w) is 0, `other` where it is 1."""
    return np.asarray(one + for_colours(share) * (other - one), np.float32)


def for_colours(share: npt.NDArray[Any]) -> Floats:
    """Return (h, w, 3) with each of the values (h, w) three times.

    Arithmetic with arrays of one shape is several times as fast as with `share[..., None]`.
    """
    return np.asarray(cv2.cvtColor(share.astype(np.float32, copy=False), cv2.COLOR_GRAY2RGB))
