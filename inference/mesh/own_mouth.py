"""The teeth that a photo shows: kept in their place, while the lips move over them."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from inference.mesh.head import EyeFrame, Head
from inference.mesh.sampling import mixed, sample
from inference.mesh.tone import LUMA, Tone, pixels_inside
from inference.mesh.topology import (
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    MOUTH_CORNERS,
    UPPER_INNER_LIP,
)

Picture = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

_RISE = 0.9  # how much of the upper lip's rise the teeth follow
_MIN_SHARE, _MIN_PIXELS = 0.3, 12  # of teeth in an open mouth
_MIN_LIGHT = 0.4  # of teeth / skin
_LIP_MARGIN = 0.03  # mouth widths; here the lips' colour mixes with what is behind them


@dataclass(frozen=True, eq=False)
class OwnMouth:
    """The inside of a mouth that is open in the photo and shows teeth.

    Attributes:
        part: uint8 (h, w, 3) RGB, a part of the photo.
        origin: (2,) left and upper edge of the part, px.
        head: of the photo.
        frame: of the mouth in the photo.
        upper: (11, 2) the inner upper lip in that frame.
        lower: likewise the lower lip.
        light: luma of the skin.
    """

    part: Picture
    origin: Doubles
    head: Head
    frame: EyeFrame
    upper: Doubles
    lower: Doubles
    light: float

    @classmethod
    def of(cls, photo: Picture, points: Doubles, head: Head, tone: Tone) -> "OwnMouth | None":
        """Return the mouth of a photo; None if it shows no teeth."""
        flat = points[:, :2]
        if not _shows_teeth(photo, flat, tone):
            return None
        frame = EyeFrame.between(*flat[MOUTH_CORNERS])
        upper, lower = flat[UPPER_INNER_LIP], flat[LOWER_INNER_LIP]
        lips = np.concatenate([upper, lower])
        low = np.maximum(np.floor(lips.min(axis=0)).astype(int) - 3, 0)
        high = np.ceil(lips.max(axis=0)).astype(int) + 4
        return cls(
            part=photo[low[1] : high[1], low[0] : high[0]],
            origin=low.astype(np.float64),
            head=head,
            frame=frame,
            upper=frame.inside(upper),
            lower=frame.inside(lower),
            light=tone.light,
        )

    def over(self, colour: Floats, points: Floats, target: Head) -> Floats:
        """Return `colour` (h, w, 3) with the photo's teeth over it.

        Args:
            colour: what lies behind them.
            points: (h, w, 3) from `Arch.at`.
            target: the head that is drawn. The teeth rise with its upper lip, since the photo does
                not show what the lip hides.
        """
        middle = UPPER_INNER_LIP[3:8]
        rise = float((self.head.points[middle, 1] - target.points[middle, 1]).mean())
        raised = points + np.array([0, _RISE * max(0.0, rise), 0])
        inside = self.frame.inside(self.head.projected(raised)[..., :2]).astype(np.float32)
        a, b = inside[..., 0], inside[..., 1]
        upper = np.interp(a, self.upper[:, 0], self.upper[:, 1])
        lower = np.interp(a, self.lower[:, 0], self.lower[:, 1])
        margin = max(_LIP_MARGIN, 1.5 / self.frame.width)
        first = np.minimum(upper + margin, (upper + lower) / 2)
        last = np.maximum(lower - margin, first)
        places = self.frame.outside(np.stack([a, np.clip(b, first, last)], axis=-1)) - self.origin
        seen = sample(self.part, places, cv2.INTER_CUBIC)
        alpha = np.clip((lower - b) / margin + 0.5, 0, 1)
        alpha *= np.clip(np.minimum(a, 1 - a) / 0.06, 0, 1)
        # Beneath the lip, teeth go on; the dark beside them does not.
        bright = np.clip((seen @ LUMA) / self.light * 6 - 1.5, 0, 1)
        alpha *= 1 - np.clip((first - b) / 0.02, 0, 1) * (1 - bright)
        return mixed(colour, seen, alpha)


def _shows_teeth(photo: Picture, flat: Doubles, tone: Tone) -> bool:
    """Whether enough of a mouth's inside is bright, and less red than its lips."""
    lines = flat[UPPER_INNER_LIP], flat[LOWER_INNER_LIP], flat[LOWER_OUTER_LIP]
    inside = pixels_inside(photo, np.concatenate([lines[0], lines[1][::-1]]), margin_px=1)
    lip = pixels_inside(photo, np.concatenate([lines[1], lines[2][::-1]]), margin_px=1)
    if len(inside) < _MIN_PIXELS or not len(lip):
        return False
    skin_redness = float(_redness(tone.skin[None].astype(np.float32))[0])
    limit = (skin_redness + float(np.median(_redness(lip)))) / 2 + 0.02
    are_teeth = (inside @ LUMA > _MIN_LIGHT * tone.light) & (_redness(inside) < limit)
    return bool(are_teeth.mean() > _MIN_SHARE)


def _redness(colours: Floats) -> Floats:
    return np.asarray((colours[:, 0] - colours[:, 1]) / np.maximum(colours @ LUMA, 8), np.float32)
