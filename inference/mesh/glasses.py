"""Glasses in a photo: they move with the head, and not with the brows and cheeks behind them."""

import cv2
import numpy as np
import numpy.typing as npt

from inference.faces.head import CornerFrame
from inference.faces.model_file import CanonicalMesh
from inference.faces.topology import CHEEKS, LOWER_LIDS, SKIN_BELOW_EYES
from inference.mesh.expressions import Doubles
from inference.mesh.sampling import smoothstep

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# Lines from the lower lid down to the cheek, in the eye's frame.
_COLUMNS = np.linspace(0.25, 0.75, 9)
_FROM_LID, _TO_CHEEK, _SAMPLES = 0.1, 1.0, 64
_RIM = 4  # samples to each side of a rim that must be brighter than it
_BLUR = 0.045  # eye widths
# How much darker than the skin a rim is: certainly none, certainly one.
_NONE, _SURE = 0.010, 0.022


def glasses_of(photo: Picture, points: Doubles) -> float:
    """Return how surely a face wears glasses, 0 to 1: a dark rim crosses the skin below both eyes.

    Args:
        photo: uint8 (H, W, 3) RGB.
        points: (478, 2 or more) landmarks in it, px.
    """
    rims = [_rim(photo, points[:, :2], eye) for eye in (0, 1)]
    return smoothstep((min(rims) - _NONE) / (_SURE - _NONE))


def rigid_skin(mesh: CanonicalMesh) -> Doubles:
    """Return how much each vertex (468,) keeps its place behind glasses, 0 to 1.

    Glasses reach from the brows, whose upper edge stays free, down to the cheeks.
    """
    y = mesh.points[:, 1]
    return smoothstep((y + 5.6) / 1.4) * smoothstep((1.8 - y) / 1.4)


def _rim(photo: Picture, points: Doubles, eye: int) -> float:
    """How much darker than its surroundings the darkest line below an eye is; 1: black on white."""
    frame = CornerFrame.of(points, eye)
    lid = frame.inside(points[LOWER_LIDS[eye]])
    b = np.interp(_COLUMNS, lid[:, 0], lid[:, 1])[:, None]
    b = b + np.linspace(_FROM_LID, _TO_CHEEK, _SAMPLES)
    places = frame.outside(np.stack(np.broadcast_arrays(_COLUMNS[:, None], b), axis=-1))
    around = np.concatenate([places.reshape(-1, 2), points[CHEEKS[eye]]])
    low = np.maximum(np.floor(around.min(axis=0)).astype(int) - 8, 0)
    high = np.maximum(np.ceil(around.max(axis=0)).astype(int) + 9, low)
    part = photo[low[1] : high[1], low[0] : high[0]]
    if not part.size:
        return 0.0
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32)
    soft = cv2.GaussianBlur(grey, (0, 0), max(0.5, _BLUR * frame.width))
    levels = _levels(soft, places - low)
    skin = np.concatenate([points[CHEEKS[eye]], points[SKIN_BELOW_EYES[eye]]]) - low
    usual = float(np.median(_levels(soft, skin[None])))
    middle = levels[:, _RIM:-_RIM]
    darker = np.minimum(levels[:, : -2 * _RIM], levels[:, 2 * _RIM :]) - middle
    return float(np.median(darker.max(axis=1))) / max(usual, 1.0)


def _levels(grey: "npt.NDArray[np.integer | np.floating]", places: Doubles) -> Floats:
    x, y = np.moveaxis(places.astype(np.float32), -1, 0)
    seen = cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.float32)
