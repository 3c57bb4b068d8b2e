"""Colours for what is drawn into a photo: its light, and its hue where it has only one."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from inference.mesh.topology import CHEEKS

Picture = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_USUAL_SKIN = np.array([205.0, 160.0, 138.0])
_CAST = 0.45  # how far a painted colour follows the cast of the light
_MAX_STRAY = 7.0  # levels, of a picture of one hue
_SAMPLE_PX = 160


@dataclass(frozen=True, eq=False)
class Tone:
    """The tone of a photo's face.

    Attributes:
        skin: (3,) float64 RGB, median of the cheeks.
        hues: (256, 3) float32 RGB by luma in a photo of one hue, as sepia or grey; else None.
    """

    skin: Doubles
    hues: Floats | None

    @classmethod
    def of(cls, photo: Picture, points: Doubles) -> "Tone":
        """Measure a photo (H, W, 3) with the landmarks (478, 2 or more), px."""
        return cls(cheek_colour(photo, points), _hues(photo, points))

    @property
    def light(self) -> float:
        """Luma of the skin, 0 to 255."""
        return float(self.skin @ LUMA)

    def painted(self, rgb: tuple[float, float, float]) -> Floats:
        """Return a colour, as it is in neutral light, under the photo's light, (3,) float32."""
        cast = self.skin / max(self.light, 1.0) / (_USUAL_SKIN / (_USUAL_SKIN @ LUMA))
        cast = np.clip(cast, 0.5, 2.0) ** _CAST
        cast = np.minimum(cast, cast[0])  # pale skin is no blue light
        return np.asarray(np.array(rgb) * cast, np.float32)

    def kept_to_hue(self, colour: Floats) -> Floats:
        """Return colours (h, w, 3), in a photo of one hue with that hue."""
        if self.hues is None:
            return colour
        luma = np.clip(colour @ LUMA, 0, 255)
        levels = np.arange(256, dtype=np.float32)
        channels = [np.interp(luma, levels, self.hues[:, channel]) for channel in range(3)]
        return np.stack(channels, axis=-1).astype(np.float32)


def cheek_colour(picture: Picture, points: Doubles) -> Doubles:
    """Return the median colour (3,) of the cheeks in a picture (h, w, 3) RGB."""
    found = []
    for ring in CHEEKS:
        outline = np.rint(points[ring, :2]).astype(np.int32)
        low = np.maximum(outline.min(axis=0), 0)
        high = np.maximum(outline.max(axis=0) + 1, low)
        part = picture[low[1] : high[1], low[0] : high[0]]
        mask = np.zeros(part.shape[:2], np.uint8)
        if mask.size:
            cv2.fillPoly(mask, [outline - low], 1)
        found.append(part[mask > 0])
    pixels = np.concatenate(found)
    return np.asarray(np.median(pixels, axis=0) if len(pixels) else _USUAL_SKIN, np.float64)


def _hues(photo: Picture, points: Doubles) -> Floats | None:
    """The colour at each luma, if the colours of the face follow from luma alone."""
    low = np.maximum(np.floor(points[:468, :2].min(axis=0)).astype(int), 0)
    high = np.ceil(points[:468, :2].max(axis=0)).astype(int) + 1
    face = photo[low[1] : high[1], low[0] : high[0]]
    if face.size == 0:
        return None
    small = cv2.resize(face, (_SAMPLE_PX, _SAMPLE_PX), interpolation=cv2.INTER_AREA)
    pixels = small.reshape(-1, 3).astype(np.float32)
    luma = pixels @ LUMA
    levels = np.arange(256)
    bins = np.clip(np.rint(luma), 0, 255).astype(np.int64)
    count = np.bincount(bins, minlength=256).astype(np.float64)
    spread = np.arange(-24, 25)
    kernel = np.exp(-((spread / 8) ** 2) / 2)
    near = np.convolve(count, kernel, mode="same")
    seen = near > 1
    hues = np.empty((256, 3))
    for channel in range(3):
        excess = np.bincount(bins, pixels[:, channel] - luma, minlength=256)
        mean = np.convolve(excess, kernel, mode="same") / np.maximum(near, 1e-9)
        hues[:, channel] = levels + np.interp(levels, levels[seen], mean[seen])
    stray = np.abs(pixels - hues[bins]).max(axis=1)
    if np.percentile(stray, 97) > _MAX_STRAY:
        return None
    return np.clip(hues, 0, 255).astype(np.float32)
