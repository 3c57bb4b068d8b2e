"""The inside of the mouth, laid between the lips after the photo was warped.

photo with a shut mouth    the driver's mouth, or a painted one
photo that shows teeth     its own teeth over a painted cavity, so that there is one row only
other open mouths          as shut ones, when they open much wider than in the photo
"""

import cv2
import numpy as np
import numpy.typing as npt

from inference.mesh.eye_texture import smooth
from inference.mesh.head import Head
from inference.mesh.moment import DrivenMouth
from inference.mesh.teeth import Arch, MouthFrame, OwnMouth, PaintedTeeth
from inference.mesh.tone import LUMA, Tone
from inference.mesh.topology import (
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    UPPER_INNER_LIP,
    UPPER_OUTER_LIP,
)

Picture = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

_OPEN = 0.05  # gap of the lips in an open mouth, mouth widths
_CAVITY = (60.0, 24.0, 22.0)
_TONGUE = (160.0, 98.0, 92.0)
_ENAMEL = (1.06, 1.0, 0.9)


class _Area:
    """The pixels of a box round the lips: (a, b) of each, and the lips there."""

    def __init__(
        self, shape: tuple[int, ...], offset: tuple[int, int], upper: Doubles, lower: Doubles
    ) -> None:
        lips = np.concatenate([upper, lower]) - offset
        limit = [shape[1], shape[0]]
        low = np.clip(np.floor(lips.min(axis=0)).astype(int) - 4, 0, limit)
        high = np.clip(np.ceil(lips.max(axis=0)).astype(int) + 5, low, limit)
        self.rows, self.columns = slice(low[1], high[1]), slice(low[0], high[0])
        x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        self.places = (np.stack([x, y], axis=-1) + np.array(offset)).astype(np.float32)
        frame = MouthFrame.between(upper[0], upper[-1])
        self.width = frame.width
        inside = frame.inside(self.places).astype(np.float32)
        self.a, self.b = inside[..., 0], inside[..., 1]
        self.upper = _line(frame.inside(upper), self.a)
        self.lower = np.maximum(_line(frame.inside(lower), self.a), self.upper)
        outline = np.concatenate([_rounded(upper), _rounded(lower)[::-1]]) - offset - low
        mask = np.zeros(self.a.shape, np.uint8)
        cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
        blur = max(0.6, 0.008 * self.width)
        self.alpha = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), blur)

    @property
    def below(self) -> Floats:
        """How far each pixel lies below the upper lip, mouth widths."""
        return self.b - self.upper

    @property
    def share(self) -> Floats:
        """0 at the upper lip to 1 at the lower one."""
        apart = np.maximum(self.lower - self.upper, np.float32(0.5 / self.width))
        return np.clip(self.below / apart, 0, 1)


class Mouth:
    """The mouth of a photo.

    Args:
        photo: uint8 (H, W, 3) RGB.
        points: (478, 2 or more) landmarks in it, px.
        head: fitted to them.
    """

    def __init__(self, photo: Picture, points: Doubles, head: Head) -> None:
        self._tone = Tone.of(photo, points)
        self._arch = Arch(head)
        self._head = head
        self._gap = float(head.gaps.max())
        self._own = None
        if self._gap >= _OPEN:
            self._own = OwnMouth.of(photo, points, head, self._tone)
        self._painted = PaintedTeeth(self._arch, head.scale, self._tone)

    def draw(
        self,
        frame: Picture,
        offset: tuple[int, int],
        target: Head,
        gaps: Doubles,
        driven: DrivenMouth | None,
    ) -> None:
        """Fill the opening between the lips in the warped photo, in place; nothing at rest.

        Args:
            frame: uint8 (h, w, 3) RGB.
            offset: left and upper edge of the frame in the photo, px.
            target: the head to draw, in the photo's px.
            gaps: (11,) distances of its inner lips, mouth widths.
            driven: the driver's mouth; None: the inside is painted.
        """
        strength = self._strength(target, float(gaps.max()))
        if strength == 0:
            return
        flat = target.projected(target.points)[:, :2]
        area = _Area(frame.shape, offset, *self._lips(flat))
        part = frame[area.rows, area.columns]
        if not part.size:
            return
        colour = self._inside(area, target, float(gaps.max()), driven)
        colour = self._tone.kept_to_hue(np.clip(colour, 0, 255))
        before = part.astype(np.float32)
        alpha = (area.alpha * np.float32(strength))[..., None]
        part[...] = np.clip(np.rint(before + alpha * (colour - before)), 0, 255).astype(np.uint8)

    def _strength(self, target: Head, gap: float) -> float:
        if self._own is not None:
            lips = np.concatenate([UPPER_INNER_LIP, LOWER_INNER_LIP])
            moved = np.linalg.norm(target.points[lips] - self._head.points[lips], axis=1).max()
            return float(smooth((moved - 0.02) / 0.12))
        if self._gap >= _OPEN:
            return float(smooth((gap - 1.15 * self._gap - 0.03) / 0.08))
        return float(smooth((gap - 0.012) / 0.05))

    def _lips(self, flat: Doubles) -> tuple[Doubles, Doubles]:
        """The outline of the hole: the inner lips, in an open photo widened over their rims."""
        upper, lower = flat[UPPER_INNER_LIP], flat[LOWER_INNER_LIP]
        if self._gap >= _OPEN and self._own is None:
            wide = float(smooth((self._gap - 0.04) / 0.06))
            upper = upper + 0.3 * wide * (flat[UPPER_OUTER_LIP] - upper)
            lower = lower + 0.12 * wide * (flat[LOWER_OUTER_LIP] - lower)
        return upper, lower

    def _inside(self, area: _Area, target: Head, gap: float, driven: DrivenMouth | None) -> Floats:
        if driven is not None and self._own is None:
            return self._driven(area, driven)
        points = self._arch.at(target, area.places)
        colour = self._cavity(area, gap)
        if self._own is not None:
            return self._own.over(colour, points, target)
        teeth = self._painted.over(colour, points)
        colour += smooth((gap - 0.03) / 0.08) * (teeth - colour)
        shadow = 0.3 * np.exp(-((area.below / np.float32(0.025)) ** 2))
        return np.asarray(colour * (1 - shadow[..., None]), np.float32)

    def _cavity(self, area: _Area, gap: float) -> Floats:
        """The dark inside with the tongue."""
        light = self._tone.light / 190
        x = 2 * area.a - 1
        cavity = self._tone.painted(_CAVITY) * np.float32(0.3 + 0.5 * light)
        depth = 0.75 + 0.5 * area.share + 0.25 * x**2
        colour = cavity * depth[..., None]
        tongue = self._tone.painted(_TONGUE) * np.float32(0.25 + 0.6 * light)
        height = np.clip(area.share, 0, 1)
        bow = 0.52 + 0.35 * x**2
        body = smooth((height - bow) / 0.16) * smooth((1.0 - np.abs(x) * 1.15) / 0.25)
        groove = 1 - 0.16 * np.exp(-((x / 0.07) ** 2)) * smooth((height - bow) / 0.4)
        lit = (0.62 + 0.45 * smooth((height - bow) / 0.45)) * groove
        lit *= 1 - 0.15 * smooth((height - 0.88) / 0.12)
        alpha = (body * smooth((gap - 0.14) / 0.2))[..., None]
        return np.asarray(colour + alpha * (tongue * lit[..., None] - colour), np.float32)

    def _driven(self, area: _Area, driven: DrivenMouth) -> Floats:
        """The driver's mouth, stretched between the photo's lips, under the photo's light."""
        frame = MouthFrame.between(driven.upper[0], driven.upper[-1])
        a = np.float32(0.03) + np.float32(0.94) * area.a
        upper, lower = _line(frame.inside(driven.upper), a), _line(frame.inside(driven.lower), a)
        b = upper + (0.06 + 0.86 * area.share) * (lower - upper)
        places = frame.outside(np.stack([a, b], axis=-1)).astype(np.float32)
        seen = cv2.remap(
            driven.picture, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.float32)
        colour = self._relit(seen, driven, area.width / frame.width)
        shade = 0.3 * np.clip(1 - area.below / 0.04, 0, 1)
        shade += 0.2 * np.clip(1 - (area.lower - area.b) / 0.05, 0, 1)
        return np.asarray(colour * (1 - shade[..., None]), np.float32)

    def _relit(self, seen: Floats, driven: DrivenMouth, zoom: float) -> Floats:
        """The driver's brightness in the colours that a mouth has in the photo's light.

        The colour of skin says little about the light, so gains for each channel would make teeth
        green and tongues purple.
        """
        skin = np.maximum(driven.skin.astype(np.float32), 8)
        light = float(skin @ LUMA)
        level = seen @ LUMA
        sharp = level
        if zoom > 1.2:  # a small clip is soft; its dark parts have more noise than detail
            blurred = cv2.GaussianBlur(level, (0, 0), 0.6 * zoom)
            detail = np.clip(0.9 * (level - blurred), -0.08 * light, 0.12 * light)
            sharp = level + smooth((blurred / light - 0.4) / 0.3) * detail
        relative = np.clip(sharp / light, 0, 1.5)
        redness = (seen[..., 0] - seen[..., 1]) / np.maximum(level, 8)
        usual = max(0.05, float(skin[0] - skin[1]) / light)
        teeth = smooth((relative - 0.5) / 0.25) * smooth((1.05 * usual - redness) / (0.5 * usual))
        soft = np.minimum(relative * 1.3, 1) ** np.float32(0.35)
        relative *= teeth + (1 - teeth) * soft * np.float32(0.88)

        palette = []
        for rgb in (_CAVITY, _TONGUE, _ENAMEL):
            colour = self._tone.painted(rgb)
            palette.append(colour / (colour @ LUMA))
        pink = smooth((relative - 0.15) / 0.35)[..., None]
        hue = palette[0] + pink * (palette[1] - palette[0])
        hue += np.float32(0.3) * (seen / np.maximum(seen @ LUMA, 8)[..., None] - hue)
        hue += teeth[..., None] * (palette[2] - hue)
        gain = np.clip(self._tone.light / light, 0.35, 2.4)
        top = min(235.0, 1.2 * self._tone.light)
        bright = np.float32(gain * light) * relative
        bright = np.where(
            bright > 0.7 * top, top * (0.7 + 0.3 * np.tanh((bright / top - 0.7) / 0.3)), bright
        )
        return np.asarray(hue * bright[..., None], np.float32)


def _line(points: Doubles, a: Floats) -> Floats:
    """The b of a line through (N, 2) points at each a."""
    return np.interp(a, np.maximum.accumulate(points[:, 0]), points[:, 1]).astype(np.float32)


def _rounded(line: Doubles) -> Doubles:
    """A smooth line through (N, 2) points (Catmull-Rom)."""
    ends = np.concatenate([line[:1], line, line[-1:]])
    before, start, end, after = ends[:-3], ends[1:-2], ends[2:-1], ends[3:]
    parts = [
        (
            2 * start
            + (end - before) * t
            + (2 * before - 5 * start + 4 * end - after) * t**2
            + (3 * start - before - 3 * end + after) * t**3
        )
        / 2
        for t in (0.0, 0.25, 0.5, 0.75)
    ]
    return np.concatenate([np.stack(parts, axis=1).reshape(-1, 2), line[-1:]])
