"""Colours for what is drawn into a photo: its light, and its hue where it has only one."""

from dataclasses import dataclass

import cv2
import numpy as np

from inference.arrays import Doubles, Floats, Picture
from inference.faces.topology import CHEEKS, FACE_POINTS
from inference.luma import LUMA

_USUAL_SKIN = np.array([205.0, 160.0, 138.0])
_CAST = 0.45  # how far a painted colour follows the cast of the light
# How far the colours of one hue stray, levels: JPEG's errors, and a share of the luma.
_STRAY, _STRAY_SHARE, _MAX_STRAY = 1.4, 0.035, 7.0
_SAMPLE_PX = 8  # so few that JPEG's errors are evened out; lips, eyes and hair still differ


@dataclass(frozen=True, eq=False)
class Tone:
    """The tone of a photo's face.

    Attributes:
        skin: (3,) float64 RGB, median of the cheeks.
        hues: (256, 3) float32 RGB by luma in a photo of one hue, such as sepia or grey; else None.
    """

    skin: Doubles
    hues: Floats | None

    @classmethod
    def of(cls, photo: Picture, points: Doubles) -> "Tone":
        """Measure a photo (H, W, 3) with the landmarks (478, 2 or more), px."""
        outlines = [points[ring, :2] for ring in CHEEKS]
        cheeks = np.concatenate([pixels_inside(photo, outline) for outline in outlines])
        skin = np.median(cheeks, axis=0) if len(cheeks) else _USUAL_SKIN
        return cls(np.maximum(skin, 1).astype(np.float64), _hues(photo, points))

    @property
    def light(self) -> float:
        """Luma of the skin, 1 to 255."""
        return float(self.skin @ LUMA)

    def painted(self, rgb: tuple[float, float, float]) -> Floats:
        """Return a colour of neutral light as it is in the photo's light, (3,) float32."""
        cast = self.skin / self.light / (_USUAL_SKIN / (_USUAL_SKIN @ LUMA))
        cast = np.clip(cast, 0.5, 2.0) ** _CAST
        cast = np.minimum(cast, cast[0])  # pale skin is no blue light
        return np.asarray(np.array(rgb) * cast, np.float32)

    def kept_to_hue(self, colour: Floats) -> Floats:
        """Return colours (h, w, 3), 0 to 255; in a photo of one hue with that hue."""
        if self.hues is None:
            return colour
        luma, levels = colour @ LUMA, np.arange(256)
        channels = [np.interp(luma, levels, self.hues[:, channel]) for channel in range(3)]
        return np.stack(channels, axis=-1).astype(np.float32)


def shaded(colour: Floats, left: Floats) -> Floats:
    """Return colours (h, w, 3) of skin of whose light a share (h, w) is left.

    They become more saturated, since light shines through skin.
    """
    dark = left < 0.995  # few pixels: powers are slow
    seen, share = np.maximum(colour[dark], 1), left[dark][:, None]
    result = colour.copy()
    result[dark] = seen * share * (seen / (seen @ LUMA)[:, None]) ** (1 - share)
    return result


def pixels_inside(picture: Picture, outline: Doubles, margin_px: int = 0) -> Floats:
    """Return the pixels (n, 3) inside an outline (N, 2) px, without a margin along it."""
    corners = np.rint(outline).astype(np.int32)
    low = np.maximum(corners.min(axis=0) - 1, 0)
    high = np.maximum(corners.max(axis=0) + 2, low)
    part = picture[low[1] : high[1], low[0] : high[0]]
    mask = np.zeros(part.shape[:2], np.uint8)
    if mask.size:
        cv2.fillPoly(mask, [corners - low], 1)
        kernel = np.ones((2 * margin_px + 1, 2 * margin_px + 1), np.uint8)
        cv2.erode(mask, kernel, mask, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(part[mask > 0], np.float32)


def _hues(photo: Picture, points: Doubles) -> Floats | None:
    """The colour at each luma, if the colours of the face follow from luma alone."""
    bounds = points[:FACE_POINTS, :2]
    low = np.maximum(np.floor(bounds.min(axis=0)).astype(int), 0)
    high = np.maximum(np.ceil(bounds.max(axis=0)).astype(int) + 1, low)
    face = photo[low[1] : high[1], low[0] : high[0]]
    if not face.size:
        return None
    small = cv2.resize(face, (_SAMPLE_PX, _SAMPLE_PX), interpolation=cv2.INTER_AREA)
    pixels = small.reshape(-1, 3).astype(np.float32)
    luma = pixels @ LUMA + 1e-3
    bins = np.rint(luma).astype(np.int64)
    near = np.exp(-((np.arange(-24, 25) / 8) ** 2) / 2)
    weights = np.convolve(np.bincount(bins, luma, minlength=256), near, mode="same")
    levels, seen = np.arange(256), weights > 1
    hues = np.empty((256, 3))
    for channel in range(3):
        total = np.bincount(bins, pixels[:, channel], minlength=256)
        ratio = np.convolve(total, near, mode="same")[seen] / weights[seen]
        hues[:, channel] = levels * np.interp(levels, levels[seen], ratio)
    stray = np.abs(pixels - hues[bins]).max(axis=1)
    most = min(_MAX_STRAY, _STRAY + _STRAY_SHARE * float(np.median(luma)))
    if np.percentile(stray, 97) > most:
        return None
    return np.clip(hues, 0, 255).astype(np.float32)
