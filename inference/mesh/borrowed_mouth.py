"""The driver's mouth, stretched between the photo's lips, in the photo's light."""

import cv2
import numpy as np

from inference.arrays import Floats
from inference.faces.head import CornerFrame
from inference.luma import LUMA
from inference.mesh.moment import DrivenMouth
from inference.mesh.mouth_area import MouthArea, lines_at
from inference.mesh.painted_mouth import CAVITY, TONGUE
from inference.mesh.sampling import blurred, mixed, sample_at
from inference.mesh.teeth import ENAMEL
from inference.mesh.tone import Tone
from inference.smoothstep import smoothstep

# What is read between the driver's lips: their own edges are left out.
_CORNERS, _TOP, _BOTTOM = 0.03, 0.06, 0.08
_SHARPENED = 0.9
_LIGHTEST = 235.0
_MIN_GAIN, _MAX_GAIN = 0.35, 2.4  # teeth of dark skin are not darker, those in a dark photo are
_DARK = 45.0  # skin in a dark photo
_OWN_HUE = 0.3  # share of the driver's colour in what is no tooth


def borrowed_mouth(area: MouthArea, driven: DrivenMouth, tone: Tone) -> Floats:
    """Return the driver's mouth for the pixels of an area, (h, w, 3) RGB."""
    frame = CornerFrame.between(driven.upper[0], driven.upper[-1])
    a = _CORNERS + (1 - 2 * _CORNERS) * area.a
    upper, lower = lines_at(a, frame.inside(driven.upper), frame.inside(driven.lower))
    b = upper + (_TOP + (1 - _TOP - _BOTTOM) * area.share) * (lower - upper)
    seen = sample_at(driven.picture, frame.places(a, b), cv2.INTER_CUBIC)
    colour = _relit(seen, driven, tone, area.width / frame.width)
    shade = 0.3 * np.clip(1 - area.below / 0.04, 0, 1)
    shade += 0.2 * np.clip(1 - (area.lower - area.b) / 0.05, 0, 1)
    return np.asarray(colour * (1 - shade[..., None]), np.float32)


def _relit(seen: Floats, driven: DrivenMouth, tone: Tone, zoom: float) -> Floats:
    """The driver's brightness in the colours that a mouth has in the photo's light.

    A person's skin says little about the light, so a gain for each channel would make teeth green
    and tongues purple.
    """
    skin = np.maximum(driven.skin.astype(np.float32), 8)
    light = float(skin @ LUMA)
    level = np.maximum(seen @ LUMA, 0)
    sharp = level
    if zoom > 1.2:  # a small clip is soft; its dark parts have more noise than detail
        soft = blurred(level, 0.6 * zoom)
        detail = np.clip(_SHARPENED * (level - soft), -0.08 * light, 0.12 * light)
        sharp = level + smoothstep((soft / light - 0.4) / 0.3) * detail
    relative = np.clip(sharp / light, 0, 1.5)
    redness = (seen[..., 0] - seen[..., 1]) / np.maximum(level, 8)
    usual = max(0.05, float(skin[0] - skin[1]) / light)
    teeth = smoothstep((relative - 0.5) / 0.25)
    teeth *= smoothstep((1.05 * usual - redness) / (0.5 * usual))
    relative *= teeth + (1 - teeth) * 0.88 * np.minimum(1.3 * relative, 1) ** 0.35

    cavity, tongue, enamel = (_hue(tone.painted(rgb)) for rgb in (CAVITY, TONGUE, ENAMEL))
    hue = cavity + smoothstep((relative - 0.15) / 0.35)[..., None] * (tongue - cavity)
    hue += _OWN_HUE * (seen / np.maximum(level, 8)[..., None] - hue)
    hue = mixed(hue, enamel, teeth)
    least = _MIN_GAIN * min(1.0, tone.light / _DARK)
    gain = float(np.clip(tone.light / light, least, _MAX_GAIN))
    top = min(_LIGHTEST, 1.2 * tone.light)
    bright = gain * light * relative / top
    bright = np.where(bright > 0.7, 0.7 + 0.3 * np.tanh((bright - 0.7) / 0.3), bright)
    return np.asarray(hue * top * bright[..., None], np.float32)


def _hue(colour: Floats) -> Floats:
    return np.asarray(colour / (colour @ LUMA), np.float32)
