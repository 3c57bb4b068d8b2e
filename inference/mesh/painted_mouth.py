"""A painted inside of the mouth: a dark cavity with a tongue."""

import numpy as np

from inference.arrays import Floats
from inference.mesh.mouth_area import MouthArea
from inference.mesh.sampling import mixed
from inference.mesh.tone import Tone
from inference.smoothstep import smoothstep

CAVITY = (60.0, 24.0, 22.0)
TONGUE = (160.0, 98.0, 92.0)
"""Colours in neutral light, RGB."""
_USUAL_LIGHT = 190.0
_MAX_GAIN = 1.3  # of the colours, relative to the light; in the dark, they would glow


def painted_cavity(area: MouthArea, gap: float, tone: Tone) -> Floats:
    """Return the inside of an open mouth without teeth, (h, w, 3) RGB.

    Args:
        area: its pixels.
        gap: how far the lips are apart, mouth widths.
        tone: of the photo.
    """
    light = tone.light / _USUAL_LIGHT
    x, height = 2 * area.a - 1, area.share
    depth = 0.75 + 0.5 * height + 0.25 * x**2
    cavity = tone.painted(CAVITY) * min(0.3 + 0.5 * light, _MAX_GAIN * light) * depth[..., None]
    from_edge = height - 0.52 - 0.35 * x**2
    groove = np.exp(-((x / 0.07) ** 2)) * smoothstep(from_edge / 0.4)
    lit = (0.62 + 0.45 * smoothstep(from_edge / 0.45)) * (1 - 0.16 * groove)
    lit *= 1 - 0.15 * smoothstep((height - 0.88) / 0.12)
    tongue = tone.painted(TONGUE) * min(0.25 + 0.6 * light, _MAX_GAIN * light) * lit[..., None]
    alpha = smoothstep(from_edge / 0.16) * smoothstep((1 - 1.15 * np.abs(x)) / 0.25)
    return mixed(cavity, tongue, alpha * smoothstep((gap - 0.14) / 0.2))
