"""Read pictures between their pixels, blur and blend them, in float32."""

from typing import Any, TypeVar, overload

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
F = TypeVar("F", bound=np.floating[Any])


def sample(
    picture: npt.NDArray[Any],
    places: npt.NDArray[Any],
    method: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_REPLICATE,
) -> Floats:
    """Return a picture's values at places (h, w, 2) px: (h, w) or (h, w, channels)."""
    x, y = places[..., 0].astype(np.float32), places[..., 1].astype(np.float32)
    return np.asarray(cv2.remap(picture, x, y, method, borderMode=border), np.float32)


def blurred(picture: npt.NDArray[Any], sigma: float) -> Floats:
    """Return a picture blurred by a Gaussian, sigma in px."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


@overload
def smoothstep(value: npt.NDArray[F]) -> npt.NDArray[F]: ...
@overload
def smoothstep(value: float) -> float: ...


def smoothstep(value: npt.NDArray[F] | float) -> npt.NDArray[F] | float:
    """Return 3 v^2 - 2 v^3 of the value clipped to [0, 1]; an array keeps its dtype."""
    clipped = np.clip(value, 0, 1)
    step = clipped * clipped * (3 - 2 * clipped)
    return step if isinstance(value, np.ndarray) else float(step)


def mixed(one: npt.NDArray[Any], other: npt.NDArray[Any], share: npt.NDArray[Any]) -> Floats:
    """Return colours (h, w, 3): `one` where the share (h, w) is 0, `other` where it is 1."""
    return np.asarray(one + share[..., None] * (other - one), np.float32)
