"""What one eye of the photo is made of: the lid's skin, its lashes, the white and the iris.

All parts are pictures of one grid over the eye's frame (a, b), see `CornerFrame`.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Floats, Picture
from inference.faces.topology import IRIS_CENTRES, IRIS_RINGS
from inference.mesh.lids import LidLines, lids_at
from inference.mesh.sampling import blurred, mixed, sample, sample_at
from inference.smoothstep import smoothstep

Mask = npt.NDArray[np.bool_]

# Eye widths.
_LEFT, _RIGHT, _TOP, _BOTTOM = -0.35, 1.35, -0.95, 0.85  # of the grid
LASHES_ABOVE, LASHES_BELOW = 0.13, 0.065
"""How far lashes reach from the line of the upper lid."""
_CREASE = 0.11  # above the upper lid
_SKIN_BELOW = 0.06  # below the lower lid
_MIN_SCALE, _MAX_SCALE = 48.0, 240.0  # px of the grid per eye width
_DARKEST_LASHES = 0.3

_IRIS_RADIUS, _IRIS_EDGE, _WHITE_FROM = 1.0, 0.18, 1.3  # radii of the ring of landmarks


@dataclass(frozen=True, eq=False)
class EyeTexture:
    """The parts of one eye.

    Attributes:
        scale: px of the grid per eye width.
        photo: float32 (h, w, 3) RGB, the photo itself.
        skin: likewise, as it would be with shut eyes and no lashes.
        lashes: float32 (h, w), the share of the skin's brightness that the lashes leave, 0 to 1.
        fringe: likewise, even along the lid.
        white: float32 (h, w, 3) RGB, the eyeball without its iris.
        iris: float32 (h, w, 4) RGB and alpha (0 to 1).
    """

    scale: float
    photo: Floats
    skin: Floats
    lashes: Floats
    fringe: Floats
    white: Floats
    iris: Floats

    @classmethod
    def of(cls, photo: Picture, points: Doubles, eye: int) -> "EyeTexture":
        """Split eye 0 or 1 of a photo into its parts."""
        lines = LidLines.of(points, eye)
        scale = float(np.clip(1.5 * lines.frame.width, _MIN_SCALE, _MAX_SCALE))
        a, b = np.meshgrid(
            np.arange(_LEFT, _RIGHT, 1 / scale).astype(np.float32),
            np.arange(_TOP, _BOTTOM, 1 / scale).astype(np.float32),
        )
        seen = sample_at(photo, lines.frame.places(a, b), cv2.INTER_CUBIC)
        grid = _Grid(seen, a, b, lines, scale)
        skin = _skin(grid)
        white, iris = _ball(grid, *_iris(points, lines, eye))
        lashes = _lashes(grid, skin)
        return cls(scale, grid.photo, skin, lashes, _fringe(grid, lashes), white, iris)

    def sample(self, part: Floats, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Floats:
        """Return a part's values at (a, b)."""
        return sample_at(part, ((a - _LEFT) * self.scale, (b - _TOP) * self.scale))


class _Grid:
    """The grid of one photo: its pixels, (a, b) of each, and the lids there."""

    def __init__(self, photo: Floats, a: Floats, b: Floats, lines: LidLines, scale: float) -> None:
        self.photo, self.a, self.b, self.scale = photo, a, b, scale
        self.px = scale / lines.frame.width  # of the photo
        self.upper, self.lower = lids_at(a, lines)

    @property
    def from_corners(self) -> Floats:
        """How far each pixel is from the nearer corner, negative beyond it."""
        return np.minimum(self.a, 1 - self.a)


# --- skin and lashes -----------------------------------------------------------------------------


def _skin(grid: _Grid) -> Floats:
    """The photo with the opening and the lashes covered by skin."""
    # Dark strokes thinner than the kernel vanish under a closing along the lid.
    kernel = np.ones((1, 2 * round(0.06 * grid.scale) + 1), np.uint8)
    closed = blurred(cv2.morphologyEx(grid.photo, cv2.MORPH_CLOSE, kernel), 0.03 * grid.scale)
    above = grid.upper - grid.b
    bare = smoothstep((LASHES_ABOVE - above) / 0.04) * smoothstep((grid.from_corners + 0.08) / 0.12)
    skin = mixed(grid.photo, closed, bare)

    from_crease = _CREASE - above
    from_bottom = grid.lower + _SKIN_BELOW - grid.b
    hole = (from_crease > 0) & (from_bottom > 0) & (grid.from_corners > -0.06)
    level = closed.mean(axis=-1)
    # Beside the eye, lashes are dark.
    bare = smoothstep((level / np.median(level[~hole]) - 0.24) / 0.2)
    bare = np.where(hole, 0, np.maximum(bare, grid.from_corners > 0.1))
    fill = _spread(closed, bare, grid.scale) + _grain(grid)
    fill *= 1 - 0.05 * smoothstep((grid.lower - grid.b) / 0.3)[..., None]
    covered = smoothstep(from_crease / 0.06) * smoothstep(from_bottom / 0.05)
    return mixed(skin, fill, covered * smoothstep((grid.from_corners + 0.07) / 0.06))


def _grain(grid: _Grid) -> Floats:
    """The fine texture of the skin below the eye, mirrored upwards."""
    fine = np.clip(grid.photo - blurred(grid.photo, 0.04 * grid.scale), -6, 6)
    mirrored = 2 * (grid.lower + _SKIN_BELOW) - grid.b
    rows = np.clip(np.rint((mirrored - _TOP) * grid.scale), 0, len(fine) - 1).astype(np.int64)
    return np.asarray(np.take_along_axis(fine, rows[..., None], axis=0), np.float32)


def _lashes(grid: _Grid, skin: Floats) -> Floats:
    brightness = grid.photo.mean(axis=-1) / np.maximum(skin.mean(axis=-1), 1)
    below = grid.b - grid.upper
    near = smoothstep((below + LASHES_ABOVE) / 0.04) * smoothstep((LASHES_BELOW - below) / 0.05)
    left = 1 + near * (np.clip(brightness, _DARKEST_LASHES, 1) - 1)
    return np.asarray(left, np.float32)


def _fringe(grid: _Grid, lashes: Floats) -> Floats:
    """The lashes blurred along the lid's line: drawn level first, so that the blur follows it."""
    column = np.broadcast_to(np.arange(lashes.shape[1]), lashes.shape)
    down = grid.upper * grid.scale
    row = np.arange(len(lashes))[:, None]
    level = sample(lashes, np.stack([column, row + down], axis=-1))
    soft = cv2.GaussianBlur(level, (0, 0), sigmaX=0.06 * grid.scale, sigmaY=0.5 * grid.px)
    return sample(soft, np.stack([column, row - down], axis=-1))


# --- the eyeball ---------------------------------------------------------------------------------


def _iris(points: Doubles, lines: LidLines, eye: int) -> tuple[Doubles, float]:
    """Centre (a, b) and radius, eye widths."""
    centre = points[IRIS_CENTRES[eye], :2]
    radius = np.linalg.norm(points[IRIS_RINGS[eye], :2] - centre, axis=1).mean()
    return lines.frame.inside(centre), float(radius) / lines.frame.width


def _ball(grid: _Grid, centre: Doubles, radius: float) -> tuple[Floats, Floats]:
    """The white and the iris, with what the lids and lashes hide filled in."""
    inside = (grid.from_corners > 0.03) & (grid.b > grid.upper + 0.08)
    inside &= grid.b < grid.lower - 0.02
    distance = np.hypot(grid.a - centre[0], grid.b - centre[1]) / radius
    known = inside & (distance > _WHITE_FROM)
    white = _spread(grid.photo, known, grid.scale)
    if known.any():  # what lid and iris hide is no shadow, since these move
        lit = np.maximum(white, 0.85 * np.percentile(grid.photo[known], 60, axis=0))
        hidden = np.maximum(smoothstep((grid.upper + 0.05 - grid.b) / 0.06), distance < _WHITE_FROM)
        white = mixed(
            white, lit.astype(np.float32), blurred(hidden.astype(np.float32), 0.03 * grid.scale)
        )
    known = inside & (distance < _IRIS_RADIUS + _IRIS_EDGE)
    clear = known & (grid.b > grid.upper + 0.11) & (grid.b < grid.lower - 0.06)
    centre_px = (centre - (_LEFT, _TOP)) * grid.scale
    colour = _mirrored(grid.photo, known, clear, centre_px)
    edge = np.clip((_IRIS_RADIUS + _IRIS_EDGE / 2 - distance) / _IRIS_EDGE, 0, 1)
    return white, np.concatenate([colour, edge[..., None].astype(np.float32)], axis=-1)


def _spread(picture: Floats, known: Mask | Floats, scale: float) -> Floats:
    """Fill the unknown pixels from the known ones near them (normalised convolution)."""
    weights = known.astype(np.float32)[..., None]
    value = np.concatenate([picture * weights, weights], axis=-1)
    total = blurred(value, 0.06 * scale) + 0.02 * blurred(value, 0.24 * scale)
    filled = total[..., :3] / np.maximum(total[..., 3:], 1e-6)
    return np.asarray(np.where(weights > 0, picture, filled), np.float32)


def _mirrored(picture: Floats, known: Mask, clear: Mask, centre: Doubles) -> Floats:
    """Fill what the lids hide of the iris by its mirror images, else by its median colour.

    Args:
        picture: the photo.
        known: where it shows the iris.
        clear: where it does so without the lids' edges.
        centre: of the iris, px.
    """
    height, width = known.shape
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    weight, source = known.astype(np.float32), clear.astype(np.float32)
    filled = picture * weight[..., None]
    for mirrored_x in (x, 2 * centre[0] - x):
        places = np.stack([mirrored_x, 2 * centre[1] - y], axis=-1)
        share = np.where(sample(source, places) > 0.99, 1 - weight, 0)
        filled += share[..., None] * sample(picture, places)
        weight = weight + share
    median = np.median(picture[clear if clear.any() else known], axis=0) if known.any() else 40.0
    return np.asarray(filled + (1 - weight)[..., None] * median, np.float32)
