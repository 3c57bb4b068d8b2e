"""The inside of a mouth that is shut in the photo: the driver's mouth, or a painted one."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from inference.flow.canonical import (
    LAYOUT_ANCHORS,
    LOWER_LIP,
    SIZE,
    UPPER_LIP,
    Anchors,
    Floats,
    Picture,
    Points,
)
from inference.flow.field import blur, canonical_grid, elliptic_radius, sample

_MIN_OPENING_PX = 2.0
_GREY_SPREAD = 6.0
_CAVITY_RGB = np.array([58.0, 22.0, 22.0], np.float32)
_TEETH_RGB = np.array([205.0, 196.0, 182.0], np.float32)
DRIVER_LIP_OFFSET_PX = 5.0
"""Lips of a measured field are read this far off their line, so that the two do not mix."""
PROCEDURAL_LIP_OFFSET_PX = 3.0
_CORNER_TAPER = np.array([0.0, 0.35, 0.7, 0.95, 1.0, 1.0, 1.0, 0.95, 0.7, 0.35, 0.0])


@dataclass(frozen=True)
class MouthFill:
    """A picture to lay between the lips.

    It lies in the face's canonical frame, with its expression but without head movement.

    Attributes:
        colour: float32 (256, 256, 3) RGB, 0..255.
        alpha: float32 (256, 256), 0..1.
    """

    colour: Floats
    alpha: Floats


@dataclass(frozen=True)
class Lips:
    """The inner edges of moved lips, (11, 2) each, canonical px, and how far they opened, px."""

    upper: Points
    lower: Points
    opening_px: float

    @property
    def alpha(self) -> Floats:
        """(256, 256): 1 between the lips, softly to 0 at them; 0 everywhere while they are shut."""
        strength = np.clip((self.opening_px - _MIN_OPENING_PX) / 2.5, 0.0, 1.0)
        outline = np.concatenate([self.upper, self.lower[::-1]])
        mask = np.zeros((SIZE, SIZE), np.uint8)
        cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
        return np.asarray(blur(mask.astype(np.float32), 1.0) * (strength / 255.0), dtype=np.float32)


def moved_lips(field: Floats, anchors: Anchors, offset_px: float) -> Lips:
    """Where a face's inner lips go under a field (256, 256, 2)."""
    shift = np.array(anchors.mouth) - np.array(LAYOUT_ANCHORS.mouth)
    upper, lower = UPPER_LIP + shift, LOWER_LIP + shift
    off = np.array([0.0, offset_px])
    upper_now = upper + sample(field, (upper - off).astype(np.float32)).astype(np.float64)
    lower_now = lower + sample(field, (lower + off).astype(np.float32)).astype(np.float64)
    upper_now, lower_now = _meeting_at_corners(upper_now, lower_now)
    gap = np.maximum(lower_now[2:9, 1] - upper_now[2:9, 1], 0.0)
    opening = gap - (lower[2:9, 1] - upper[2:9, 1])
    return Lips(upper_now, lower_now, float(opening.max()))


def _meeting_at_corners(upper: Points, lower: Points) -> tuple[Points, Points]:
    """Lips (11, 2) smoothed and drawn together towards the corners, where flow tears."""
    middle = (upper + lower) / 2
    half = (lower - upper) / 2
    for line in (middle, half):
        line[1:-1] = (line[:-2] + 2 * line[1:-1] + line[2:]) / 4
    half = half * _CORNER_TAPER[:, None]
    return middle - half, middle + half


def shows_open_mouth(face: Picture, anchors: Anchors) -> bool:
    """Whether a canonical face (256, 256, 3) shows teeth or the inside of its mouth already.

    Teeth are as bright as the cheeks and much less colourful; an open mouth is a dark spot higher
    than a lip line. Then nothing may be laid between the lips.
    """
    x, y = (round(value) for value in anchors.mouth)
    mouth = face[y - 8 : y + 10, x - 12 : x + 13].astype(np.float32)
    skin_box = face[y - 34 : y - 16, x - 34 : x + 35].astype(np.float32)
    skin = np.median(np.concatenate([skin_box[:, :16], skin_box[:, -16:]], axis=1), axis=(0, 1))
    brightness = mouth.mean(axis=-1)
    skin_brightness = float(skin.mean())
    spread = mouth.max(axis=-1) - mouth.min(axis=-1)
    skin_spread = float(skin.max() - skin.min())
    if skin_spread >= _GREY_SPREAD:
        teeth = (brightness > 0.75 * skin_brightness) & (
            spread / np.maximum(brightness, 1.0) < 0.6 * skin_spread / max(skin_brightness, 1.0)
        )
    else:
        teeth = brightness > 1.06 * skin_brightness
    dark = brightness < 0.33 * skin_brightness
    return _band_height(teeth) >= 3.0 or _band_height(dark) > 0.05 * 128.0


def _band_height(marked: npt.NDArray[np.bool_]) -> float:
    """Median height, px, of the marked part of the columns."""
    return float(np.median(marked.sum(axis=0)))


class DriverMouth:
    """The driver's mouth, matched in tone and grain to the photo's face.

    Args:
        face: the photo's canonical face, uint8 (256, 256, 3).
        driver_face: the driving clip's first canonical face, likewise.
        driver_from_source: (256, 256, 2), where each point of the photo's canonical frame lies in
            the driver's.
    """

    def __init__(self, face: Picture, driver_face: Picture, driver_from_source: Floats) -> None:
        source_tone = lower_face_median(face)
        ratio = source_tone / np.maximum(lower_face_median(driver_face), 8.0)
        self._gain = np.clip(ratio, 0.4, 1.8).astype(np.float32)
        self._is_grey = float(source_tone.max() - source_tone.min()) < _GREY_SPREAD
        self._positions = driver_from_source
        missing = max(
            0.0, _grain(face) ** 2 - (_grain(driver_face) * float(self._gain.mean())) ** 2
        )
        noise = np.random.default_rng(2021).standard_normal((SIZE, SIZE, 1), dtype=np.float32)
        self._noise = noise * np.float32(min(np.sqrt(missing), 12.0))

    def fill(self, stabilised: Picture, lips: Lips) -> MouthFill | None:
        """The mouth of one stabilised driving frame (256, 256, 3); None while the lips are shut."""
        if lips.opening_px <= _MIN_OPENING_PX:
            return None
        colour = sample(stabilised.astype(np.float32), self._positions, border=cv2.BORDER_REPLICATE)
        colour = colour * self._gain
        if self._is_grey:
            colour = np.repeat(colour.mean(axis=-1, keepdims=True), 3, axis=-1)
        return MouthFill(np.clip(colour + self._noise, 0.0, 255.0), lips.alpha)


def lower_face_median(face: Picture) -> npt.NDArray[np.float64]:
    """Median RGB (3,) of the lower face of a canonical picture."""
    inside = elliptic_radius(canonical_grid(), (128.0, 156.8), 38.4, 35.2) < 1.0
    return np.asarray(np.median(face[inside].astype(np.float64), axis=0))


def _grain(face: Picture) -> float:
    """Standard deviation of the finest detail on the cheeks (Immerkaer 1996, made robust)."""
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    detail = cv2.filter2D(grey, cv2.CV_32F, kernel)
    inside = elliptic_radius(canonical_grid(), (128.0, 140.0), 45.0, 35.0) < 1.0
    return float(1.4826 * np.median(np.abs(detail[inside])) / 6.0)


class PaintedMouth:
    """A plain cavity with an upper row of teeth, for jaw movements without a driver.

    Args:
        face: the photo's canonical face, uint8 (256, 256, 3).
        anchors: its eyes and mouth.
    """

    def __init__(self, face: Picture, anchors: Anchors) -> None:
        x, y = (round(value) for value in anchors.mouth)
        around = face[y - 30 : y + 30, x - 30 : x + 30].astype(np.float32)
        self._light = float(np.median(around.mean(axis=-1))) / 255.0
        tone = lower_face_median(face)
        self._is_grey = float(tone.max() - tone.min()) < _GREY_SPREAD
        self._mouth_x = anchors.mouth[0]

    def fill(self, lips: Lips) -> MouthFill | None:
        """The painted mouth between moved lips; None while they are shut."""
        if lips.opening_px <= _MIN_OPENING_PX:
            return None
        grid = canonical_grid()
        upper_line = np.interp(grid[0, :, 0], lips.upper[:, 0], lips.upper[:, 1])
        below = grid[..., 1] - upper_line.astype(np.float32)
        across = (grid[..., 0] - np.float32(self._mouth_x)) / 20.0
        # In a small opening a row of teeth reads as a grey slab.
        seen = float(np.clip((lips.opening_px - 4.0) / 6.0, 0.0, 1.0))
        teeth = 0.72 * seen * np.exp(-0.5 * ((below - 3.0) / 2.4) ** 4) * np.exp(-0.5 * across**4)
        cavity_rgb = _CAVITY_RGB * np.float32(0.5 + 0.6 * self._light)
        teeth_rgb = _TEETH_RGB * np.float32(0.45 + 0.5 * self._light)
        if self._is_grey:
            cavity_rgb = np.full(3, cavity_rgb.mean(), np.float32)
            teeth_rgb = np.full(3, teeth_rgb.mean(), np.float32)
        colour = cavity_rgb + teeth[..., None] * (teeth_rgb - cavity_rgb)
        return MouthFill(np.asarray(colour, dtype=np.float32), lips.alpha)
