"""Glasses in a photo: they move with the head, and not with the brows and cheeks behind them."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Floats, Picture
from inference.faces.head import CornerFrame
from inference.faces.model_file import CanonicalMesh
from inference.faces.topology import CHEEKS, LOWER_LIDS, SKIN_BELOW_EYES, UPPER_LIDS
from inference.smoothstep import smoothstep

# Lines from the lower lid down to the cheek, in the eye's frame.
_COLUMNS = np.linspace(0.25, 0.75, 9)
_FROM_LID, _TO_CHEEK, _SAMPLES = 0.1, 1.0, 64
_RIM = 4  # samples to each side of a rim that must be brighter than it
_BLUR = 0.045  # eye widths
# How much darker than the skin a rim is: certainly none, certainly one.
_NONE, _SURE = 0.010, 0.022
# The same of a bridge; lines down the nose between the eyes, in the frame of their inner corners.
_NO_BRIDGE, _BRIDGE = 0.032, 0.052
_ACROSS_NOSE = np.linspace(0.35, 0.65, 9)
_NOISE_PEAK = 1.4  # deviations by which the darkest of many samples is darker
_FROM_BROWS, _TO_NOSE, _THICKNESS, _BRIDGE_BLUR = -0.45, 0.5, 8, 0.03


def glasses_of(photo: Picture, points: Doubles) -> float:
    """Return how surely a face wears glasses, 0 to 1.

    A dark rim crosses the skin below both eyes, or a bridge the nose: glasses may be rimless.

    Args:
        photo: uint8 (H, W, 3) RGB.
        points: (478, 2 or more) landmarks in it, px.
    """
    flat = points[:, :2]
    rims = min(_rim(photo, flat, eye) for eye in (0, 1))
    rims = (rims - _NONE) / (_SURE - _NONE)
    bridge = (_bridge(photo, flat) - _NO_BRIDGE) / (_BRIDGE - _NO_BRIDGE)
    return smoothstep(max(rims, bridge))


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
    skin = np.concatenate([points[CHEEKS[eye]], points[SKIN_BELOW_EYES[eye]]])
    return _darkest_line(photo, places, skin, _BLUR * frame.width, _RIM)


def _bridge(photo: Picture, points: Doubles) -> float:
    """The same of the line that crosses the nose between the eyes."""
    frame = CornerFrame.between(points[UPPER_LIDS[0][-1]], points[UPPER_LIDS[1][0]])
    b = np.linspace(_FROM_BROWS, _TO_NOSE, _SAMPLES)
    lines = np.broadcast_arrays(_ACROSS_NOSE[:, None], b)
    places = frame.outside(np.stack(lines, axis=-1))
    return _darkest_line(
        photo, places, places.reshape(-1, 2), _BRIDGE_BLUR * frame.width, _THICKNESS
    )


def _darkest_line(
    photo: Picture, places: Doubles, skin: Doubles, blur_px: float, reach: int
) -> float:
    """How much darker than what is `reach` samples beside it the darkest place of lines is.

    Args:
        photo: uint8 (H, W, 3) RGB.
        places: (lines, samples, 2), px; the median of all lines is returned.
        skin: (n, 2), px, whose light is 1.
        blur_px: deviation.
        reach: samples.
    """
    around = np.concatenate([places.reshape(-1, 2), skin])
    low = np.maximum(np.floor(around.min(axis=0)).astype(int) - 8, 0)
    high = np.maximum(np.ceil(around.max(axis=0)).astype(int) + 9, low)
    part = photo[low[1] : high[1], low[0] : high[0]]
    if not part.size:
        return 0.0
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32)
    blur_px = max(0.5, blur_px)
    soft = cv2.GaussianBlur(grey, (0, 0), blur_px)
    levels = _levels(soft, places - low)
    usual = float(np.median(_levels(soft, (skin - low)[None])))
    middle = levels[:, reach:-reach]
    darker = np.minimum(levels[:, : -2 * reach], levels[:, 2 * reach :]) - middle
    noise = _noise(grey) / (2 * math.sqrt(math.pi) * blur_px)
    return (float(np.median(darker.max(axis=1))) - _NOISE_PEAK * noise) / max(usual, 1.0)


def _noise(grey: Floats) -> float:
    """The noise's standard deviation, grey levels (Immerkaer 1996, with a median)."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(np.median(np.abs(cv2.filter2D(grey, -1, kernel)))) / (0.6745 * 6)


def _levels(grey: "npt.NDArray[np.integer | np.floating]", places: Doubles) -> Floats:
    x, y = np.moveaxis(places.astype(np.float32), -1, 0)
    seen = cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.float32)
