"""The canonical face frame: one place and size for every face, to carry motion between two.

The frame has 256 x 256 px; a face box is 128 px wide in it, and the frame's centre (128, 128) lies
0.06 box below the box's centre. Points are (x, y), x right, y down; pixel centres have whole
coordinates. An affine map is a float64 (2, 3) matrix, applied to column vectors (x, y, 1).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from jobs.model import CropBox

Picture = npt.NDArray[np.uint8]
"""RGB, (H, W, 3)."""
Floats = npt.NDArray[np.float32]
Affine = npt.NDArray[np.float64]
Points = npt.NDArray[np.float64]
"""(N, 2), x then y."""

SIZE = 256
CENTRE = 128.0
BOX_WIDTH = 128.0
HALF_BOX = BOX_WIDTH / 2
"""The unit of the ellipses, canonical px."""
BOX_DROP = 0.06
"""How far the frame's centre lies below the box's, in box widths."""


def _canonical(x_box: float, y_box: float) -> tuple[float, float]:
    """A point in box units from the box's centre, as canonical px."""
    return CENTRE + BOX_WIDTH * x_box, CENTRE + BOX_WIDTH * (y_box - BOX_DROP)


# Mean face in box units, symmetrised: (half distance from the axis, y). Left has the smaller x.
_PAIRS = {
    "eye_outer": (0.277, -0.112),
    "eye_inner": (0.106, -0.094),
    "upper_lid": (0.206, -0.142),
    "lower_lid": (0.196, -0.081),
    "brow_outer": (0.352, -0.212),
    "brow_middle": (0.256, -0.262),
    "brow_inner": (0.091, -0.243),
    "nose_wing": (0.103, 0.176),
    "mouth_corner": (0.146, 0.316),
    "upper_lip_side": (0.044, 0.269),
    "lower_lip_side": (0.045, 0.385),
    "cheek": (0.296, 0.100),
    "lower_cheek": (0.243, 0.156),
    "jaw": (0.329, 0.362),
    "temple": (0.429, -0.101),
}
_MIDDLE = {
    "nose_bridge": -0.131,
    "nose_tip": 0.118,
    "nose_base": 0.192,
    "upper_lip_outer": 0.278,
    "upper_lip_inner": 0.316,
    "lower_lip_inner": 0.328,
    "lower_lip_outer": 0.389,
    "chin": 0.577,
    "forehead": -0.443,
    "forehead_low": -0.341,
}
LAYOUT: dict[str, tuple[float, float]] = {
    **{f"{name}_left": _canonical(-x, y) for name, (x, y) in _PAIRS.items()},
    **{f"{name}_right": _canonical(x, y) for name, (x, y) in _PAIRS.items()},
    **{name: _canonical(0.0, y) for name, y in _MIDDLE.items()},
}
"""Named points of the mean face, canonical px."""

TRACK_POINT_NAMES = (
    *(f"{part}_left" for part in ("eye_outer", "eye_inner", "upper_lid", "lower_lid")),
    *(f"{part}_right" for part in ("eye_outer", "eye_inner", "upper_lid", "lower_lid")),
    *(f"{part}_left" for part in ("brow_middle", "brow_inner", "brow_outer")),
    *(f"{part}_right" for part in ("brow_middle", "brow_inner", "brow_outer")),
    *("nose_bridge", "nose_tip", "nose_base", "nose_wing_left", "nose_wing_right"),
    *("mouth_corner_left", "mouth_corner_right"),
    *("upper_lip_outer", "lower_lip_outer", "upper_lip_inner", "lower_lip_inner"),
    *("upper_lip_side_left", "upper_lip_side_right", "lower_lip_side_left", "lower_lip_side_right"),
    *("cheek_left", "cheek_right", "chin", "jaw_left", "jaw_right", "forehead"),
    *("temple_left", "temple_right", "lower_cheek_left", "lower_cheek_right", "forehead_low"),
)
"""The 40 points of a track file, in its order."""
TRACK_POINTS: Points = np.array([LAYOUT[name] for name in TRACK_POINT_NAMES])

_LIP_X = (-0.132, -0.111, -0.091, -0.066, -0.035, 0.0, 0.035, 0.066, 0.091, 0.111, 0.132)
_UPPER_LIP_Y = (0.316, 0.314, 0.313, 0.313, 0.314, 0.316, 0.314, 0.313, 0.313, 0.314, 0.316)
_LOWER_LIP_Y = (0.316, 0.318, 0.320, 0.322, 0.325, 0.328, 0.325, 0.322, 0.320, 0.318, 0.316)
UPPER_LIP: Points = np.array([_canonical(x, y) for x, y in zip(_LIP_X, _UPPER_LIP_Y, strict=True)])
"""(11, 2) inner edge of the upper lip, left to right, canonical px."""
LOWER_LIP: Points = np.array([_canonical(x, y) for x, y in zip(_LIP_X, _LOWER_LIP_Y, strict=True)])
"""(11, 2) inner edge of the lower lip, left to right, canonical px."""

MOUTH_HALF_WIDTH = BOX_WIDTH * 0.146


@dataclass(frozen=True)
class Anchors:
    """Three points of a face that carry its individual layout, canonical px (x, y)."""

    eye_left: tuple[float, float]
    eye_right: tuple[float, float]
    mouth: tuple[float, float]

    @property
    def array(self) -> Points:
        """(3, 2): left eye, right eye, mouth."""
        return np.array([self.eye_left, self.eye_right, self.mouth])


def _mean(*names: str) -> tuple[float, float]:
    x, y = np.mean([LAYOUT[name] for name in names], axis=0)
    return float(x), float(y)


LAYOUT_ANCHORS = Anchors(
    eye_left=_mean("eye_outer_left", "eye_inner_left"),
    eye_right=_mean("eye_outer_right", "eye_inner_right"),
    mouth=LAYOUT["upper_lip_inner"],
)
"""The anchors of the mean face."""


@dataclass(frozen=True)
class Placement:
    """Where a face lies in a picture.

    Attributes:
        canonical_from_picture: similarity, picture px -> canonical px.
        anchors: the face's eyes and mouth in its canonical frame.
        refined: whether eyes and mouth were found; otherwise the anchors are the mean face's.
    """

    canonical_from_picture: Affine
    anchors: Anchors
    refined: bool

    @property
    def picture_from_canonical(self) -> Affine:
        """The inverse similarity."""
        return invert(self.canonical_from_picture)


def canonical_from_box(box: CropBox) -> Affine:
    """The similarity that puts a face box to its place in the canonical frame."""
    scale = BOX_WIDTH / ((box.width + box.height) / 2)
    x, y = box.centre
    y += BOX_DROP * BOX_WIDTH / scale
    return np.array([[scale, 0.0, CENTRE - scale * x], [0.0, scale, CENTRE - scale * y]])


def compose(outer: Affine, inner: Affine) -> Affine:
    """The affine map x -> outer(inner(x))."""
    linear = outer[:, :2] @ inner[:, :2]
    shift = outer[:, :2] @ inner[:, 2] + outer[:, 2]
    return np.column_stack([linear, shift])


def invert(affine: Affine) -> Affine:
    """The inverse affine map.

    Raises:
        numpy.linalg.LinAlgError: the map has no inverse.
    """
    linear = np.linalg.inv(affine[:, :2])
    return np.column_stack([linear, -linear @ affine[:, 2]])


def transform(affine: Affine, points: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`points` (..., 2) moved by `affine`; float32 stays float32."""
    linear = affine[:, :2].astype(points.dtype)
    moved: npt.NDArray[Any] = points @ linear.T + affine[:, 2].astype(points.dtype)
    return moved


def similarity(scale: float, angle_rad: float, fixed: tuple[float, float]) -> Affine:
    """Scaling and rotation (positive: clockwise on the screen) about the point `fixed`."""
    cos, sin = scale * np.cos(angle_rad), scale * np.sin(angle_rad)
    linear = np.array([[cos, -sin], [sin, cos]])
    centre = np.array(fixed)
    return np.column_stack([linear, centre - linear @ centre])


def crop_to_canonical(picture: Picture, canonical_from_picture: Affine) -> Picture:
    """The face in its canonical frame, uint8 (256, 256, 3); edges are repeated outside the picture.

    Strong reductions are blurred first, so that fine texture does not alias.
    """
    scale = float(np.sqrt(abs(np.linalg.det(canonical_from_picture[:, :2]))))
    if scale < 0.6:
        picture, canonical_from_picture = _blurred_surroundings(
            picture, canonical_from_picture, sigma_px=0.45 / scale
        )
    crop = cv2.warpAffine(
        picture,
        canonical_from_picture,
        (SIZE, SIZE),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, dtype=np.uint8)


def _blurred_surroundings(
    picture: Picture, canonical_from_picture: Affine, sigma_px: float
) -> tuple[Picture, Affine]:
    """The part of the picture that the canonical frame covers, blurred, and its own map."""
    corners = np.array([[0.0, 0.0], [SIZE, 0.0], [0.0, SIZE], [SIZE, SIZE]])
    covered = transform(invert(canonical_from_picture), corners)
    margin = 4 * sigma_px + 2
    height, width = picture.shape[:2]
    left, upper = np.clip(np.floor(covered.min(axis=0) - margin), 0, [width - 1, height - 1])
    right, lower = np.clip(
        np.ceil(covered.max(axis=0) + margin), [left + 1, upper + 1], [width, height]
    )
    part = picture[int(upper) : int(lower), int(left) : int(right)]
    shifted = compose(canonical_from_picture, np.array([[1.0, 0.0, left], [0.0, 1.0, upper]]))
    return np.asarray(cv2.GaussianBlur(part, (0, 0), sigma_px), dtype=np.uint8), shifted
