"""What one eye of the photo is made of: the lid's skin, its lashes, the white and the iris.

All parts are pictures of one grid over the eye's frame (a, b), see `EyeFrame`.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from inference.mesh.lids import LidLines
from inference.mesh.topology import IRIS_CENTRES, IRIS_RINGS

Picture = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# Eye widths.
_LEFT, _RIGHT, _TOP, _BOTTOM = -0.35, 1.35, -0.95, 0.85
LASHES_ABOVE, LASHES_BELOW = 0.13, 0.065
"""How far lashes reach from the line of the upper lid."""
_SKIN_BELOW = 0.06  # below the lower lid
_CREASE = 0.11  # above the upper lid
_MIN_SCALE, _MAX_SCALE = 48.0, 240.0  # px of the grid per eye width

_IRIS_RADIUS, _IRIS_EDGE, _WHITE_FROM = 1.06, 0.16, 1.3  # radii of the ring of landmarks


@dataclass(frozen=True, eq=False)
class EyeTexture:
    """The parts of one eye.

    Attributes:
        scale: px of the grid per eye width.
        photo: float32 (h, w, 3) RGB, the photo itself.
        skin: likewise, as it would be with shut eyes and no lashes.
        lashes: float32 (h, w), what is left of the skin's brightness under the lashes, 0 to 1.
        white: float32 (h, w, 3) RGB, the eyeball without its iris.
        iris: float32 (h, w, 4) RGB and alpha (0 to 1).
    """

    scale: float
    photo: Floats
    skin: Floats
    lashes: Floats
    white: Floats
    iris: Floats

    @classmethod
    def of(cls, photo: Picture, points: Doubles, eye: int) -> "EyeTexture":
        """Take eye 0 or 1 of a photo apart."""
        lines = LidLines.of(points, eye)
        scale = float(np.clip(1.5 * lines.frame.width, _MIN_SCALE, _MAX_SCALE))
        a, b = np.meshgrid(
            np.arange(_LEFT, _RIGHT, 1 / scale, np.float32),
            np.arange(_TOP, _BOTTOM, 1 / scale, np.float32),
        )
        places = lines.frame.outside(np.stack([a, b], axis=-1)).astype(np.float32)
        part = cv2.remap(photo, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        flat = part.astype(np.float32)
        upper, lower = lines.upper_at(a), lines.lower_at(a)
        skin = _skin(flat, (a, b), (upper, lower), scale)
        white, iris = _ball(flat, (a, b), (upper, lower), _iris(points, lines, eye), scale)
        return cls(scale, flat, skin, _lashes(flat, skin, b - upper), white, iris)

    def sample(self, part: Floats, a: Floats, b: Floats) -> Floats:
        """Return a part's values at (a, b)."""
        x = (a - np.float32(_LEFT)) * np.float32(self.scale)
        y = (b - np.float32(_TOP)) * np.float32(self.scale)
        return np.asarray(
            cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
        )


def smooth(t: Floats | float) -> Floats:
    """A smooth step from 0 at t = 0 to 1 at t = 1."""
    t = np.clip(np.asarray(t, np.float32), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


# --- skin and lashes -----------------------------------------------------------------------------


def _skin(
    flat: Floats, grid: tuple[Floats, Floats], lines: tuple[Floats, Floats], scale: float
) -> Floats:
    """The photo with the opening and the lashes covered by skin."""
    (a, b), (upper, lower) = grid, lines
    # Dark strokes thinner than the kernel vanish under a closing along the lid.
    kernel = np.ones((1, 2 * round(0.06 * scale) + 1), np.uint8)
    closed = cv2.morphologyEx(flat, cv2.MORPH_CLOSE, kernel)
    closed = cv2.GaussianBlur(closed, (0, 0), 0.03 * scale)
    above = upper - b
    over = smooth(np.minimum(a + 0.08, 1.08 - a) / 0.12)
    bare = smooth((LASHES_ABOVE - above) / 0.04) * (above > -0.2) * over
    skin = flat + bare[..., None] * (closed - flat)

    hole = (b > upper - _CREASE) & (b < lower + _SKIN_BELOW) & (a > -0.02) & (a < 1.02)
    fill = _spread(closed, ~hole, scale) + _grain(flat, lower + _SKIN_BELOW, b, scale)
    fill *= 1 - 0.05 * smooth((lower - b) / 0.3)[..., None]
    covered = smooth((b - upper + _CREASE) / 0.06) * smooth((lower + _SKIN_BELOW - b) / 0.05)
    covered *= smooth((np.minimum(a, 1 - a) + 0.03) / 0.06)
    return np.asarray(skin + covered[..., None] * (fill - skin), np.float32)


def _grain(flat: Floats, line: Floats, b: Floats, scale: float) -> Floats:
    """The fine texture of the skin below a line, mirrored at it."""
    fine = np.clip(flat - cv2.GaussianBlur(flat, (0, 0), 0.04 * scale), -6, 6)
    rows = np.clip(np.rint((2 * line - b - _TOP) * scale), 0, len(b) - 1).astype(np.int64)
    return np.asarray(np.take_along_axis(fine, rows[..., None], axis=0), np.float32)


def _lashes(flat: Floats, skin: Floats, below: Floats) -> Floats:
    ratio = np.clip(flat.mean(axis=-1) / np.maximum(skin.mean(axis=-1), 1), 0.3, 1)
    near = smooth((below + LASHES_ABOVE) / 0.04) * smooth((LASHES_BELOW - below) / 0.05)
    return np.asarray(1 + near * (ratio - 1), np.float32)


# --- the eyeball ---------------------------------------------------------------------------------


def _iris(points: Doubles, lines: LidLines, eye: int) -> tuple[Doubles, float]:
    """Centre (a, b) and radius, eye widths."""
    centre = points[IRIS_CENTRES[eye], :2]
    radius = np.linalg.norm(points[IRIS_RINGS[eye], :2] - centre, axis=1).mean()
    return lines.frame.inside(centre), float(radius) / lines.frame.width


def _ball(
    flat: Floats,
    grid: tuple[Floats, Floats],
    lines: tuple[Floats, Floats],
    iris: tuple[Doubles, float],
    scale: float,
) -> tuple[Floats, Floats]:
    """The white and the iris, with what the lids and lashes hide filled in."""
    (a, b), (upper, lower), (centre, radius) = grid, lines, iris
    inside = (a > 0.03) & (a < 0.97) & (b > upper + 0.08) & (b < lower - 0.05)
    distance = np.hypot(a - centre[0], b - centre[1]) / radius
    known = inside & (distance > _WHITE_FROM)
    white = _spread(flat, known, scale)
    if known.any():  # beneath the lid it is darker, but that shadow moves with the lid
        lit = np.percentile(flat[known], 60, axis=0)
        bare = smooth((upper + 0.05 - b) / 0.06)[..., None]
        white += bare * (np.maximum(white, (0.8 * lit).astype(np.float32)) - white)
    disc = distance < _IRIS_RADIUS + _IRIS_EDGE
    at = ((centre - (_LEFT, _TOP)) * scale).astype(np.float32)
    colour = _mirrored(flat, inside & disc, at, white)
    edge = np.clip((_IRIS_RADIUS + _IRIS_EDGE / 2 - distance) / _IRIS_EDGE, 0, 1)
    return white, np.concatenate([colour, edge[..., None]], axis=-1).astype(np.float32)


def _spread(flat: Floats, known: Mask, scale: float) -> Floats:
    """Fill the unknown pixels from the known ones near them (normalised convolution)."""
    weights = known.astype(np.float32)[..., None]
    value = np.concatenate([flat * weights, weights], axis=-1)
    near = cv2.GaussianBlur(value, (0, 0), 0.06 * scale)
    total = near + np.float32(0.02) * cv2.GaussianBlur(value, (0, 0), 0.24 * scale)
    filled = total[..., :3] / np.maximum(total[..., 3:], np.float32(1e-6))
    return np.where(weights > 0, flat, filled).astype(np.float32)


def _mirrored(flat: Floats, known: Mask, centre: Floats, white: Floats) -> Floats:
    """Fill what the lids hide of the iris by its mirror images, else by its median colour."""
    height, width = known.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    weight = known.astype(np.float32)
    filled = flat * weight[..., None]
    for mirrored_x in (x, 2 * centre[0] - x):
        mirrored_y = 2 * centre[1] - y
        seen = cv2.remap(known.astype(np.float32), mirrored_x, mirrored_y, cv2.INTER_LINEAR)
        image = cv2.remap(flat, mirrored_x, mirrored_y, cv2.INTER_LINEAR)
        share = np.where(seen > 0.99, 1 - weight, np.float32(0))
        filled = filled + share[..., None] * image
        weight = weight + share
    pixels = flat[known]
    median = np.median(pixels, axis=0) if len(pixels) else white.mean(axis=(0, 1)) / 3
    return np.asarray(filled + (1 - weight)[..., None] * median, np.float32)
