"""The teeth that a photo shows: kept in their place, while the lips move over them."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Floats, Picture
from inference.faces.head import CornerFrame, Head
from inference.faces.topology import (
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    MOUTH_CORNERS,
    UPPER_INNER_LIP,
)
from inference.luma import LUMA
from inference.mesh.mouth_area import lines_at
from inference.mesh.sampling import mixed, sample_at
from inference.mesh.tone import Tone, pixels_inside
from inference.smoothstep import smoothstep

_INNER_LIPS = np.concatenate([UPPER_INNER_LIP, LOWER_INNER_LIP])
_RISE = 0.9  # how much of the upper lip's rise the teeth follow
_MIN_SHARE, _MIN_PIXELS = 0.3, 12  # of teeth in an open mouth
_SMALL_PX = 40  # width of a mouth without pixels to spare
_MIN_LIGHT = 0.4  # of teeth / skin
_END_LIGHT = 0.75  # of what is below them / teeth
# Mouth widths.
_LIP_MARGIN = 0.03  # here the lips' colour mixes with what is behind them
_EDGE = 0.02
_WHOLE_ROW = 0.65  # from the first to the last tooth of a smile
_HIDDEN = 0.03  # of teeth, behind a lower lip that they meet


class OwnMouth:
    """The inside of a mouth that is open in the photo, see `shows_teeth`.

    Args:
        photo: uint8 (H, W, 3) RGB.
        points: (478, 2 or more) landmarks in it, px.
        head: fitted to them.
        tone: of the photo.

    Attributes:
        missing: how surely the photo shows only a part of the row of teeth, 0 to 1.
        enamel: (3,) float32 RGB, of the middle teeth.
        edge: (2,) of their edge in the photo, px.
    """

    def __init__(self, photo: Picture, points: Doubles, head: Head, tone: Tone) -> None:
        self._photo, self._head, self._light = photo, head, tone.light
        flat = points[:, :2]
        self._frame = CornerFrame.between(*flat[MOUTH_CORNERS])
        self._upper = self._frame.inside(flat[UPPER_INNER_LIP])
        self._lower = self._frame.inside(flat[LOWER_INNER_LIP])
        axes = np.stack([self._frame.across, self._frame.down]) / self._frame.width
        self._linear = head.scale * axes @ head.rotation[:2]
        self._shift = axes @ (head.translation[:2] - self._frame.origin)
        self._margin = max(_LIP_MARGIN, 1.5 / self._frame.width)
        self._edge, self._sides = self._teeth_edge(_reddest_teeth(photo, flat, tone))
        self.missing = smoothstep((_WHOLE_ROW - np.ptp(self._sides)) / 0.15)
        self.enamel, self.edge = self._middle_teeth()

    def _teeth_edge(self, reddest: float) -> tuple[Doubles, tuple[float, float]]:
        """The edge of the upper teeth, and a of the outermost ones.

        The edge is b as a polynomial of a, highest power first. In each column it is where it gets
        darker than the teeth above or red, else at the lower lip.
        """
        a = np.linspace(0.1, 0.9, 33)
        first, last = self._ends(a)
        b = first + np.linspace(0, 1, 24)[:, None] * (last - first)
        seen = self._seen(np.broadcast_to(a, b.shape), b)
        is_red = _redness(seen) > reddest
        level = np.where(is_red, 0, seen @ LUMA)
        brightest = np.maximum.accumulate(level, axis=0)
        are_teeth = brightest > _MIN_LIGHT * self._light
        ends = are_teeth & (level < _END_LIGHT * brightest)
        row = np.where(ends.any(axis=0), ends.argmax(axis=0), len(b) - 1)
        edge, known = b[row, np.arange(len(a))], are_teeth[-1]
        line, sides = np.polyfit(a, last, 2), (0.0, 1.0)
        for _ in range(2):
            if np.count_nonzero(known) < 4:
                break
            sides = float(a[known].min()), float(a[known].max())
            line = np.polyfit(a[known], edge[known], 2)
            known = known & (np.abs(np.polyval(line, a) - edge) < 2 * _EDGE)
        return line, sides

    def _middle_teeth(self) -> tuple[Floats, Doubles]:
        """The colour of the middle teeth, (3,), and the place of their edge, px."""
        a = np.linspace(0.44, 0.56, 9)
        first, last = self._ends(a)
        edge = np.polyval(self._edge, a)
        b = first + np.linspace(0, 0.8, 9)[:, None] * (np.minimum(edge, last) - first)
        seen = self._seen(np.broadcast_to(a, b.shape), b).reshape(-1, 3)
        bright = seen[seen @ LUMA >= np.percentile(seen @ LUMA, 60)]
        _, ends, meets = self._teeth_end(a, last)
        place = self._frame.outside(np.array([0.5, ends[4] + meets[4] * _HIDDEN]))
        return np.median(bright, axis=0).astype(np.float32), place

    def over(self, colour: Floats, points: Floats, target: Head) -> Floats:
        """Return `colour` (h, w, 3) with the photo's teeth over it.

        Args:
            colour: what lies behind them.
            points: (h, w, 3) from `Arch.at`.
            target: the head that is drawn. What is below the upper teeth follows its lower lip;
                the upper teeth rise with its upper lip, since the photo does not show what that
                hides.
        """
        moved = target.points - self._head.points
        risen = np.array([0, _RISE * min(0.0, float(moved[UPPER_INNER_LIP[3:8], 1].mean())), 0])
        lip = LOWER_INNER_LIP
        left, right = target.points[lip[[0, -1]], 0]
        lip_x = (target.points[lip, 0] - left) / (right - left)
        x = (points[..., 0] - left) / (right - left)
        lowered = lines_at(x, *(np.stack([lip_x, moved[lip, axis]], axis=1) for axis in (0, 1)))
        a, b = self._seen_at(points - np.stack([*lowered, np.zeros_like(x)], axis=-1))
        ends = self._ends(a)
        edge, end, reach = self._teeth_end(a, ends[1])
        seen, alpha = self._read(a, b, ends)
        drawn = mixed(colour, seen, alpha * (1 - reach) * np.clip((b - edge) / _EDGE - 0.5, 0, 1))
        a, b = self._seen_at(points - risen)
        ends = self._ends(a)
        edge, end, reach = self._teeth_end(a, ends[1])
        seen, alpha = self._read(a, np.where(reach > 0, np.minimum(b, edge), b), ends)
        return mixed(drawn, seen, alpha * np.clip((end - b) / _EDGE + 1.5, 0, 1))

    def _teeth_end(self, a: npt.NDArray[Any], last: Floats) -> tuple[Floats, Floats, Floats]:
        """The edge of the upper teeth, b; where they end; whether they meet the lip, 0 to 1."""
        edge = np.polyval(self._edge, a).astype(np.float32)
        reach = smoothstep((edge - last) / _EDGE + 2)
        return edge, edge + reach * np.maximum(last + self._margin - edge, 0), reach

    def _seen_at(self, points: Doubles) -> tuple[Floats, Floats]:
        """Where points (h, w, 3) cm are in the photo: (a, b) in the mouth's frame."""
        a, b = self._linear @ points.reshape(-1, 3).T + self._shift[:, None]
        height, width = points.shape[:2]
        return (
            a.reshape(height, width).astype(np.float32),
            b.reshape(height, width).astype(np.float32),
        )

    def _read(self, a: Floats, b: Floats, ends: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        """The photo between the lips at (a, b), (h, w, 3), and how much it counts, (h, w)."""
        first, last = ends
        seen = self._seen(a, np.clip(b, first, last))
        # Beneath the lip, teeth go on; the dark beside them does not.
        bright = np.clip((seen @ LUMA) / self._light * 6 - 1.5, 0, 1)
        alpha = 1 - np.clip((first - b) / _EDGE, 0, 1) * (1 - bright)
        alpha *= np.clip(np.minimum(a, 1 - a) / 0.06, 0, 1)
        return seen, np.asarray(alpha, np.float32)

    def _ends(self, a: npt.NDArray[Any]) -> tuple[Floats, Floats]:
        """The first and the last b between the lips, without their margins."""
        upper, lower = lines_at(a, self._upper, self._lower)
        first = np.minimum(upper + self._margin, (upper + lower) / 2)
        return first, np.maximum(lower - self._margin, first)

    def _seen(self, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Floats:
        """The photo at (a, b)."""
        return sample_at(self._photo, self._frame.places(a, b), cv2.INTER_CUBIC)


def moved_lips(moved: Doubles) -> float:
    """How far the inner lips move, cm, of the offsets (478, 3) of all points."""
    return float(np.linalg.norm(moved[_INNER_LIPS], axis=1).max())


def shows_teeth(photo: Picture, points: Doubles, tone: Tone) -> bool:
    """Return whether enough of a mouth's inside is bright, and less red than its lips."""
    flat = points[:, :2]
    inside = _between(photo, flat[UPPER_INNER_LIP], flat[LOWER_INNER_LIP])
    are_teeth = inside @ LUMA > _MIN_LIGHT * tone.light
    are_teeth &= _redness(inside) < _reddest_teeth(photo, flat, tone)
    return len(inside) >= _MIN_PIXELS and bool(are_teeth.mean() > _MIN_SHARE)


def _reddest_teeth(photo: Picture, flat: Doubles, tone: Tone) -> float:
    """The redness half-way between skin and lips."""
    lip = _between(photo, flat[LOWER_INNER_LIP], flat[LOWER_OUTER_LIP])
    skin = _redness(tone.skin.astype(np.float32))
    return float(np.median(_redness(lip)) + skin) / 2 + 0.02 if len(lip) else float(skin)


def _between(photo: Picture, upper: Doubles, lower: Doubles) -> Floats:
    """The pixels (n, 3) between two lines."""
    is_small = np.ptp(upper[:, 0]) < _SMALL_PX
    return pixels_inside(
        photo, np.concatenate([upper, lower[::-1]]), margin_px=0 if is_small else 1
    )


def _redness(colours: Floats) -> Floats:
    red = (colours[..., 0] - colours[..., 1]) / np.maximum(colours @ LUMA, 8)
    return np.asarray(red, np.float32)
