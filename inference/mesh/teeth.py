"""Teeth: where the upper ones lie in a head, and painted ones.

Upper teeth belong to the skull: they keep their place in the head's frame while the lips move over
them. Their surface is a parabolic arch, z = z0 + bend x^2.
"""

import cv2
import numpy as np

from inference.arrays import Doubles, Floats
from inference.faces.head import Head
from inference.faces.topology import UPPER_INNER_LIP
from inference.luma import LUMA
from inference.mesh.sampling import mixed, sample
from inference.mesh.tone import Tone
from inference.smoothstep import smoothstep

ENAMEL = (1.04, 1.0, 0.92)
"""Colour of teeth in neutral light / their luma."""
_GUMS = (0.78, 0.45, 0.43)
_LIGHTER_THAN_SKIN, _LIGHTEST = 1.22, 236.0

# cm.
_BEHIND_LIP = 0.35
_BEND = 0.2  # 1 / cm
_BELOW_LIP = 0.34  # of the edge of the middle teeth, when the mouth is shut
_UNDER_LIP = 0.5  # of their crowns, in an open mouth
_WIDTHS = np.array([0.85, 0.66, 0.76, 0.68, 0.66, 0.95], np.float32)  # from the middle outwards
_CROWNS = np.array([1.0, 0.86, 0.96, 0.84, 0.78, 0.7], np.float32)
_RAISED = np.array([0.0, 0.06, 0.01, 0.07, 0.12, 0.18], np.float32)
# Of the lower teeth: their widths and light / those of the upper ones; how far their edge is below
# that of the upper ones when the rows are apart, and above it when they are together.
_LOWER_WIDTH, _LOWER_LIGHT = 0.72, 0.7
_LOWER_APART, _OVERBITE = 0.35, 0.16
_REACH_X, _TOP, _BOTTOM = 2.9, -1.8, 0.25  # of the texture, round the edge of the middle teeth


class Arch:
    """The surface on which a head's upper teeth lie.

    Args:
        head: of the photo.
        edge: (2,) px, the edge of the middle teeth in the photo; None where it is not seen.

    Attributes:
        middle: x of the gap between the middle teeth, cm.
        edge: y of their edge, cm.
        crown: height of the middle teeth, cm; more than the photo shows.
    """

    def __init__(self, head: Head, edge: Doubles | None = None) -> None:
        lip = head.points[UPPER_INNER_LIP[5]]
        self.middle = float(lip[0])
        self._depth = float(lip[2]) + _BEHIND_LIP
        self.edge = float(lip[1]) + _BELOW_LIP
        if edge is not None:
            self.edge = float(self.at(head, edge.astype(np.float32))[1])
        self.crown = max(1.0, self.edge - float(lip[1]) + _UNDER_LIP)

    def at(self, head: Head, places: Floats) -> Floats:
        """Return where pixels (..., 2), px, see the arch of a head: (..., 3) cm in its frame."""
        linear = head.scale * head.rotation[:2]
        inverse = np.linalg.inv(linear[:, :2])
        flat = (places - head.translation[:2]) @ inverse.T
        slant = inverse @ linear[:, 2]
        depth = np.full(flat.shape[:-1], self._depth)
        for _ in range(3):
            x = flat[..., 0] - slant[0] * depth
            depth = self._depth + _BEND * np.minimum(np.abs(x - self.middle), _REACH_X) ** 2
        return np.concatenate(
            [flat - depth[..., None] * slant, depth[..., None]], axis=-1, dtype=np.float32
        )


class PaintedTeeth:
    """A row of upper teeth with their gums, and of lower ones like it.

    Args:
        arch: where they are.
        scale: px per cm in the photo.
        tone: of the photo.
        enamel: (3,) RGB of the middle teeth; None where the photo does not show them.

    Attributes:
        enamel: (3,) float32 RGB, as it is painted.
    """

    def __init__(self, arch: Arch, scale: float, tone: Tone, enamel: Floats | None = None) -> None:
        self._scale = float(np.clip(1.5 * scale, 8, 80))
        self._middle, self._edge = arch.middle, arch.edge
        self._corner = np.array([arch.middle - _REACH_X, arch.edge + _TOP])
        width, height = np.rint(np.array([2 * _REACH_X, _BOTTOM - _TOP]) * self._scale).astype(int)
        usual = min(_LIGHTEST, _LIGHTER_THAN_SKIN * tone.light) * tone.painted(ENAMEL)
        # What the photo shows of them between narrow lips is in their shade.
        enamel = usual if enamel is None else 0.25 * enamel + 0.75 * usual
        self.enamel = np.asarray(enamel, np.float32)
        painted = _painted(max(32.0, 2 * self._scale), arch.crown, tone, enamel)
        shrunk = cv2.resize(painted, (int(width), int(height)), interpolation=cv2.INTER_AREA)
        self._texture = np.asarray(shrunk, np.float32)

    def over(self, colour: Floats, points: Floats) -> Floats:
        """Return `colour` (h, w, 3) with the teeth over it; `points` from `Arch.at`."""
        return self._over(colour, points[..., :2])

    def lower_over(self, colour: Floats, points: Floats, together: float) -> Floats:
        """Return `colour` with the lower teeth over it, as `over` does with the upper ones.

        Args:
            colour: what lies behind them.
            points: from `Arch.at`.
            together: how near they are to the upper ones, 0 to 1 for behind their edge.
        """
        edge = self._edge + _LOWER_APART * (1 - together) - _OVERBITE
        x = self._middle + (points[..., 0] - self._middle) / _LOWER_WIDTH
        mirrored = np.stack([x, self._edge + edge - points[..., 1]], axis=-1)
        return self._over(colour, mirrored, _LOWER_LIGHT, smoothstep(2 * together))

    def _over(
        self, colour: Floats, places: Floats, light: float = 1.0, opacity: float = 1.0
    ) -> Floats:
        """The colour with the teeth at places (h, w, 2), cm, of the texture over it."""
        places = (places - self._corner) * self._scale - 0.5
        seen = opacity * sample(self._texture, places, border=cv2.BORDER_CONSTANT)
        return np.asarray(colour * (1 - seen[..., 3:]) + light * seen[..., :3], np.float32)


def _painted(scale: float, crown_cm: float, tone: Tone, enamel: Floats) -> Floats:
    """Draw the teeth, (h, w, 4) float32: RGB times alpha, and alpha."""
    x, y = np.meshgrid(
        (np.arange(-_REACH_X, _REACH_X, 1 / scale) + 0.5 / scale).astype(np.float32),
        (np.arange(_TOP, _BOTTOM, 1 / scale) + 0.5 / scale).astype(np.float32),
    )
    # Distance along the arch, to which the widths of the teeth belong.
    slope = 2 * _BEND * np.abs(x)
    along = (slope * np.sqrt(1 + slope**2) + np.arcsinh(slope)) / (4 * _BEND)
    ends = np.cumsum(_WIDTHS)
    number = np.minimum(np.searchsorted(ends, along), len(_WIDTHS) - 1)
    widths = _WIDTHS[number]
    across = 2 * (along - ends[number] + widths) / widths - 1  # -1 to 1 within a tooth
    edge = -_RAISED[number] - 0.05 * across**4
    gum_line = edge - crown_cm * _CROWNS[number] + 0.22 * across**2

    shade = 1 - 0.3 * np.clip(np.abs(x) / 2, 0, 1) ** 2
    shade *= 1 - 0.5 * np.clip((np.abs(x) - 1.5) / 0.8, 0, 1)  # the shadow of the cheeks
    gums_shade = shade * (1 - 0.2 * across**2)
    shade *= 1 - 0.16 * np.exp(-(((1 - np.abs(across)) * widths / 0.05) ** 2))  # gaps
    shade *= 1 - 0.10 * across**2
    shade *= 1 - 0.07 * np.clip(1 - (edge - y) / 0.18, 0, 1)
    shade *= 1 - 0.10 * np.clip(1 - (y - gum_line) / 0.5, 0, 1)

    # Shade is warm: it is lit by the lips and the gums.
    crowns = enamel * shade[..., None] ** np.array([1, 1.1, 1.18])
    gums = float(enamel @ LUMA) * tone.painted(_GUMS) * gums_shade[..., None]
    crown = np.clip((y - gum_line) * scale / 2 + 0.5, 0, 1)
    colour = mixed(gums, crowns, crown)
    alpha = (np.clip((edge - y) * scale + 0.5, 0, 1) * (along < ends[-1]))[..., None]
    return np.concatenate([colour * alpha, alpha], axis=-1, dtype=np.float32)
