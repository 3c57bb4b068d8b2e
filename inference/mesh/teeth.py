"""Upper teeth: where they are in a head, those painted, and those that the photo shows.

Upper teeth belong to the skull. They keep their place in the head's frame while the lips move over
them; their surface is a parabolic arch, z = z0 + bend x^2.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from inference.mesh.head import Head
from inference.mesh.tone import LUMA, Tone
from inference.mesh.topology import LOWER_INNER_LIP, LOWER_OUTER_LIP, UPPER_INNER_LIP, Indices

Picture = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

# cm.
_BEHIND_LIP = 0.35
_BEND = 0.2  # 1 / cm
_BELOW_LIP = 0.34  # of the edge of the middle teeth, when the mouth is shut
_WIDTHS = (0.85, 0.66, 0.76, 0.68, 0.66, 0.95)  # from the middle outwards
_CROWNS = (1.0, 0.86, 0.96, 0.84, 0.78, 0.7)
_RAISED = (0.0, 0.06, 0.01, 0.07, 0.12, 0.18)
_REACH_X, _TOP, _BOTTOM = 2.9, -1.5, 0.25  # of the texture, round the edge of the middle teeth

_RISE = 0.9
_MIN_TEETH = 0.3  # share of an open mouth, for a photo that shows teeth
_LIP_MARGIN = 0.03  # mouth widths; here the lips' colour mixes with what is behind them


class Arch:
    """The surface on which a head's upper teeth lie.

    Args:
        head: of the photo.
    """

    def __init__(self, head: Head) -> None:
        lip = head.points[UPPER_INNER_LIP[5]]
        self._x, self._depth = float(lip[0]), float(lip[2]) + _BEHIND_LIP
        self.edge = float(lip[1]) + _BELOW_LIP

    @property
    def middle(self) -> float:
        """The x of the gap between the middle teeth, cm."""
        return self._x

    def at(self, head: Head, places: Floats) -> Floats:
        """Return where pixels (..., 2), px, see the arch of a head: (..., 3) cm in its frame."""
        linear = head.scale * head.rotation[:2]
        inverse = np.linalg.inv(linear[:, :2])
        flat = (places - head.translation[:2]) @ inverse.T
        slant = inverse @ linear[:, 2]
        depth = np.full(flat.shape[:-1], self._depth)
        for _ in range(3):
            x = flat[..., 0] - slant[0] * depth
            depth = self._depth + _BEND * np.minimum(np.abs(x - self._x), _REACH_X) ** 2
        points = np.concatenate([flat - depth[..., None] * slant, depth[..., None]], axis=-1)
        return points.astype(np.float32)


# --- painted teeth -------------------------------------------------------------------------------


class PaintedTeeth:
    """A row of upper teeth with their gums.

    Args:
        arch: where they are.
        scale: px per cm in the photo.
        tone: of the photo.
    """

    def __init__(self, arch: Arch, scale: float, tone: Tone) -> None:
        self._arch = arch
        self._scale = float(np.clip(1.5 * scale, 8, 80))
        fine = max(32.0, 2 * self._scale)
        size = np.array([2 * _REACH_X, _BOTTOM - _TOP]) * self._scale
        picture = _paint(fine, tone)
        self._texture = np.asarray(
            cv2.resize(picture, tuple(np.rint(size).astype(int)), interpolation=cv2.INTER_AREA),
            np.float32,
        )

    def over(self, colour: Floats, points: Floats) -> Floats:
        """Return `colour` (h, w, 3) with the teeth over it; `points` from `Arch.at`."""
        x = (points[..., 0] - np.float32(self._arch.middle - _REACH_X)) * np.float32(self._scale)
        y = (points[..., 1] - np.float32(self._arch.edge + _TOP)) * np.float32(self._scale)
        x, y = x - np.float32(0.5), y - np.float32(0.5)
        seen = cv2.remap(
            self._texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0
        )
        return np.asarray(colour * (1 - seen[..., 3:]) + seen[..., :3], np.float32)


def _paint(scale: float, tone: Tone) -> Floats:
    """Draw the teeth, (h, w, 4) float32: RGB times alpha, and alpha."""
    x, y = np.meshgrid(
        np.arange(-_REACH_X, _REACH_X, 1 / scale, np.float32) + np.float32(0.5 / scale),
        np.arange(_TOP, _BOTTOM, 1 / scale, np.float32) + np.float32(0.5 / scale),
    )
    # Distance along the arch, to which the widths of the teeth belong.
    slope = 2 * _BEND * np.abs(x)
    along = (slope * np.sqrt(1 + slope**2) + np.arcsinh(slope)) / (4 * _BEND)
    ends = np.cumsum(_WIDTHS)
    number = np.minimum(np.searchsorted(ends, along), len(_WIDTHS) - 1)
    widths = np.array(_WIDTHS, np.float32)[number]
    inside = 2 * (along - (ends[number] - widths)) / widths - 1  # -1 to 1 within a tooth

    edge = -np.array(_RAISED, np.float32)[number] - 0.05 * np.abs(inside) ** 4
    gum_line = edge - np.array(_CROWNS, np.float32)[number] + 0.22 * inside**2
    teeth = np.clip((edge - y) * scale + 0.5, 0, 1) * (along < ends[-1])
    crown = np.clip((y - gum_line) * scale / 2 + 0.5, 0, 1)

    sides = 1 - 0.3 * np.clip(np.abs(x) / 2, 0, 1) ** 2
    sides *= 1 - 0.5 * np.clip((np.abs(x) - 1.5) / 0.8, 0, 1)  # the cheeks' shadow
    gap = 1 - 0.34 * np.exp(-(((1 - np.abs(inside)) * widths / 0.05) ** 2))
    rounded = 1 - 0.10 * inside**2
    rim = 1 - 0.07 * np.clip(1 - (edge - y) / 0.18, 0, 1)
    roots = 1 - 0.1 * np.clip(1 - (y - gum_line) / 0.5, 0, 1)
    light = min(228.0, 1.22 * tone.light)
    enamel = tone.painted((1.05 * light, 1.0 * light, 0.9 * light))
    gums = tone.painted((0.78 * light, 0.45 * light, 0.43 * light))
    # Shade is warm: it is lit by the lips and the gums.
    teeth_shade = (sides * gap * rounded * rim * roots)[..., None] ** np.array([1, 1.15, 1.25])
    gum_shade = (sides * (0.8 + 0.2 * (1 - inside**2)))[..., None]
    colour = crown[..., None] * enamel * teeth_shade
    colour = colour + (1 - crown[..., None]) * gums * gum_shade
    alpha = teeth[..., None]
    return np.concatenate([colour * alpha, alpha], axis=-1).astype(np.float32)


# --- the photo's own teeth -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class OwnMouth:
    """The inside of a mouth that is open in the photo and shows teeth.

    Attributes:
        photo: float32 (h, w, 3) RGB, a part of the photo.
        origin: (2,) left and upper edge of the part, px.
        head: of the photo.
        frame: of the mouth in the photo.
        upper: (11, 2) the inner upper lip in that frame.
        lower: likewise the lower lip.
        light: luma of the skin.
    """

    photo: Floats
    origin: Doubles
    head: Head
    frame: "MouthFrame"
    upper: Doubles
    lower: Doubles
    light: float

    @classmethod
    def of(cls, photo: Picture, points: Doubles, head: Head, tone: Tone) -> "OwnMouth | None":
        """Read it from a photo; None, if that shows no teeth."""
        if not _shows_teeth(photo, points, tone):
            return None
        frame = MouthFrame.of(points[:, :2])
        lips = points[np.concatenate([UPPER_INNER_LIP, LOWER_INNER_LIP]), :2]
        low = np.maximum(np.floor(lips.min(axis=0)).astype(int) - 3, 0)
        high = np.ceil(lips.max(axis=0)).astype(int) + 4
        part = photo[low[1] : high[1], low[0] : high[0]].astype(np.float32)
        upper = frame.inside(points[UPPER_INNER_LIP, :2])
        lower = frame.inside(points[LOWER_INNER_LIP, :2])
        return cls(part, low.astype(np.float64), head, frame, upper, lower, max(tone.light, 1))

    def over(self, colour: Floats, points: Floats, target: Head) -> Floats:
        """Return `colour` (h, w, 3) with the photo's teeth over it.

        Args:
            colour: what lies behind them.
            points: (h, w, 3) from `Arch.at`.
            target: the head that is drawn. The teeth rise with its upper lip, since the photo does
                not show what the lip hides.
        """
        head = self.head
        middle = UPPER_INNER_LIP[3:8]
        rise = float((head.points[middle, 1] - target.points[middle, 1]).mean())
        points = points + np.array([0, _RISE * max(0.0, rise), 0], np.float32)
        places = points @ (head.scale * head.rotation[:2].T).astype(np.float32)
        inside = self.frame.inside(places + head.translation[:2])
        a, b = inside[..., 0], inside[..., 1]
        upper = np.interp(a, self.upper[:, 0], self.upper[:, 1])
        lower = np.interp(a, self.lower[:, 0], self.lower[:, 1])
        soft = max(_LIP_MARGIN, 1.5 / self.frame.width)
        alpha = np.clip((lower - b) / soft - 0.5, 0, 1)
        alpha *= np.clip(np.minimum(a, 1 - a) / 0.06, 0, 1)
        first = np.minimum(upper + soft, (upper + lower) / 2)
        hidden = np.clip((first - b) / 0.02, 0, 1)
        b = np.maximum(b, first)
        spots = self.frame.outside(np.stack([a, b], axis=-1)) - self.origin
        seen = cv2.remap(
            self.photo,
            spots.astype(np.float32),
            None,
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        # Beneath the lip, teeth go on; the dark beside them does not.
        bright = np.clip((seen @ LUMA) / self.light * 6 - 1.5, 0, 1)
        alpha *= 1 - hidden * (1 - bright)
        return np.asarray(colour + alpha[..., None] * (seen - colour), np.float32)


def _shows_teeth(photo: Picture, points: Doubles, tone: Tone) -> bool:
    """Whether enough of a mouth's inside is bright, and less red than its lips."""
    inside = _pixels(photo, points, (UPPER_INNER_LIP, LOWER_INNER_LIP))
    lip = _pixels(photo, points, (LOWER_INNER_LIP, LOWER_OUTER_LIP))
    if len(inside) < 12 or not len(lip):
        return False
    limit = (_redness(tone.skin[None])[0] + np.median(_redness(lip))) / 2 + 0.02
    bright = inside @ LUMA > 0.4 * tone.light
    return bool((bright & (_redness(inside) < limit)).mean() > _MIN_TEETH)


def _redness(colours: Doubles | Floats) -> Doubles:
    return np.asarray((colours[..., 0] - colours[..., 1]) / np.maximum(colours @ LUMA, 8))


def _pixels(photo: Picture, points: Doubles, lines: tuple[Indices, Indices]) -> Floats:
    """The pixels (N, 3) between two lines of landmarks, without the outermost ones."""
    outline = np.rint(np.concatenate([points[lines[0], :2], points[lines[1][::-1], :2]]))
    low = np.maximum(outline.min(axis=0).astype(int) - 1, 0)
    high = outline.max(axis=0).astype(int) + 2
    part = photo[low[1] : high[1], low[0] : high[0]]
    mask = np.zeros(part.shape[:2], np.uint8)
    if mask.size:
        cv2.fillPoly(mask, [outline.astype(np.int32) - low], 1)
        mask = cv2.erode(mask, np.ones((3, 3), np.uint8), borderValue=0)
    return part[mask > 0].astype(np.float32)


@dataclass(frozen=True, eq=False)
class MouthFrame:
    """Coordinates (a, b): a from the mouth's left to its right inner corner, b downwards.

    Attributes:
        origin: the left corner, (2,).
        across: unit vector towards the right corner, (2,).
        width: distance of the corners, the unit of a and b.
    """

    origin: Doubles
    across: Doubles
    width: float

    @classmethod
    def of(cls, points: Doubles) -> "MouthFrame":
        """Return the frame of landmarks (N, 2)."""
        return cls.between(points[UPPER_INNER_LIP[0]], points[UPPER_INNER_LIP[-1]])

    @classmethod
    def between(cls, left: Doubles, right: Doubles) -> "MouthFrame":
        """Return the frame of two corners."""
        width = max(float(np.linalg.norm(right - left)), 1e-6)
        return cls(left, (right - left) / width, width)

    def inside(self, points: Doubles | Floats) -> Doubles:
        """Return the coordinates (..., 2) of points (..., 2)."""
        offset = points - self.origin
        down = np.array([-self.across[1], self.across[0]])
        return np.stack([offset @ self.across, offset @ down], axis=-1) / self.width

    def outside(self, coordinates: Doubles) -> Doubles:
        """Return the points (..., 2) of coordinates (..., 2)."""
        down = np.array([-self.across[1], self.across[0]])
        a, b = coordinates[..., :1], coordinates[..., 1:]
        return np.asarray(self.origin + self.width * (a * self.across + b * down), np.float64)
