"""Where a face is cut out of a picture, and how the animated square gets back into the photo.

The rules and constants are those of the published code (Guo et al. 2024), for 68 landmarks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Picture
from inference.faces.landmarker import Square, to_picture
from jobs.model import CropBox, Face

SIDE_PX = 512
"""Side of a square that is cut out, and of the network's pictures."""
INPUT_PX = 256
"""Side of the networks' input."""

# Side of the square relative to the face's, and how far it is moved towards the chin, in its sides.
_PHOTO_SCALE, _PHOTO_SHIFT = 2.3, -0.125
_CLIP_SCALE, _CLIP_SHIFT = 2.2, -0.1
_BOX_SCALE = 2.15  # of a photo's square, relative to a box from the brows to the chin
_EYES = ((36, 39), (42, 45))
_MOUTH = (48, 54)
_LEAST_FACE_PX = 1e-3
# The animated square fades out within so many px of its border.
_FEATHER_PX = 16
# Between two faces, the picture changes from one square to the other within this, in face sides.
_BETWEEN_FACES = 0.2


def photo_square(points: npt.NDArray[np.floating[Any]]) -> Square:
    """Return the square that shows a photo's face upright, of its landmarks (68, 2), px."""
    return _square(points, _PHOTO_SCALE, _PHOTO_SHIFT)


def box_square(box: CropBox) -> Square:
    """Return the square of a photo's face of which only a box from the brows to the chin is known.

    It is about that of `photo_square`.
    """
    x, y = box.centre
    return Square(x, y - 0.05 * box.height, _BOX_SCALE * max(box.width, box.height))


def clip_square(frames: Sequence[npt.NDArray[np.floating[Any]]]) -> Square:
    """Return one square for all frames of a clip: the mean of theirs, not turned.

    A square that followed the face would take its movement away.

    Args:
        frames: the landmarks (68, 2) in each frame, px; at least one.
    """
    squares = [_square(points, _CLIP_SCALE, _CLIP_SHIFT) for points in frames]
    x, y, side = np.mean([(one.x, one.y, one.side) for one in squares], axis=0)
    return Square(float(x), float(y), float(side))


def _square(points: npt.NDArray[np.floating[Any]], scale: float, shift: float) -> Square:
    """The square around the landmarks in a frame whose y axis goes from the eyes to the mouth."""
    eyes = np.mean([points[list(corners)].mean(axis=0) for corners in _EYES], axis=0)
    down = points[list(_MOUTH)].mean(axis=0) - eyes
    length = float(np.linalg.norm(down))
    down = down / length if length > _LEAST_FACE_PX else np.array([0.0, 1.0])
    axes = np.array([[down[1], -down[0]], down])  # right and down of the face, (2, 2)
    middle = points.mean(axis=0)
    turned = (points - middle) @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    side = scale * float((high - low).max())
    centre = middle + ((low + high) / 2 + [0, shift * side]) @ axes
    angle = math.atan2(axes[0, 1], axes[0, 0])
    return Square(float(centre[0]), float(centre[1]), side, angle)


def cut_square(picture: Picture, square: Square) -> Picture:
    """Return what a square shows, uint8 (512, 512, 3); black outside the picture."""
    affine = to_picture(square, SIDE_PX)
    factor = min(int(square.side / SIDE_PX), *picture.shape[:2])
    if factor > 1:  # bilinear sampling of a much larger part would alias
        height, width = (side // factor for side in picture.shape[:2])
        whole = picture[: height * factor, : width * factor]
        picture = np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA))
        # Pixel centres are whole numbers: px -> (px + .5) / factor - .5.
        affine = affine / factor
        affine[:, 2] += 0.5 / factor - 0.5
    part = cv2.warpAffine(
        picture, affine, (SIDE_PX, SIDE_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return np.asarray(part, np.uint8)


def photo_input(picture: Picture, square: Square) -> Picture:
    """Return the networks' input of a photo, uint8 (256, 256, 3)."""
    part = cut_square(picture, square)
    small = cv2.resize(part, (INPUT_PX, INPUT_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def clip_input(frame: Picture, square: Square) -> Picture:
    """Return the networks' input of a clip's frame, uint8 (256, 256, 3)."""
    part = cut_square(frame, square)
    small = cv2.resize(part, (INPUT_PX, INPUT_PX), interpolation=cv2.INTER_LINEAR)
    return np.asarray(small, np.uint8)


def box_of(square: Square, width: int, height: int) -> CropBox:
    """Return the smallest box that holds a square, whole px inside a picture of that size."""
    ends = np.array([(x, y, 1) for x in (0, SIDE_PX) for y in (0, SIDE_PX)], float)
    corners = ends @ to_picture(square, SIDE_PX).T
    limits = np.array([width, height])
    # At least a pixel, even of a square that is outside.
    low = np.clip(np.floor(corners.min(axis=0)), 0, limits - 1).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 1, low + 1, limits).astype(int)
    return CropBox(left=int(low[0]), upper=int(low[1]), right=int(high[0]), lower=int(high[1]))


def common_box(boxes: Sequence[CropBox]) -> CropBox:
    """Return the smallest box that holds all boxes, at least one."""
    sides = np.array([box.sides for box in boxes])
    left, upper = map(int, sides[:, :2].min(axis=0))
    right, lower = map(int, sides[:, 2:].max(axis=0))
    return CropBox(left=left, upper=upper, right=right, lower=lower)


@dataclass(frozen=True, eq=False)
class SquarePaste:
    """Puts the animated square of one face back into its photo.

    Attributes:
        box: the part of the photo that it changes, px.
        affine: (2, 3), from px of the square to px of that box.
        weights: (h, w, 1) float32 in [0, 1], blending weight of the square in the box.
    """

    box: CropBox
    affine: Doubles
    weights: npt.NDArray[np.float32]

    @classmethod
    def of(
        cls,
        square: Square,
        size: tuple[int, int],
        face: Face | None = None,
        others: Sequence[Face] = (),
    ) -> "SquarePaste":
        """Return the paste of a face.

        Args:
            square: of the face.
            size: width and height of the photo, px.
            face: the face; needed if there are others.
            others: the photo's other faces: what is nearer to them is left to them.
        """
        box = box_of(square, *size)
        affine = to_picture(square, SIDE_PX)
        affine[:, 2] -= box.left, box.upper
        mask = cv2.warpAffine(_mask(), affine, (box.width, box.height), flags=cv2.INTER_LINEAR)
        weights = np.asarray(mask, np.float32) / np.float32(255)
        if face is not None:
            for other in others:
                weights *= _share(box, face.box, other.box)
        return cls(box, affine, weights[..., None])

    def onto(self, picture: Picture, corner: tuple[int, int], animated: Picture) -> None:
        """Paste a frame into a picture, in place.

        Args:
            picture: uint8 (h, w, 3), a part of the photo that holds the box.
            corner: px of the photo, of the part's left upper corner.
            animated: uint8 (512, 512, 3).
        """
        size = self.box.width, self.box.height
        left, upper = self.box.left - corner[0], self.box.upper - corner[1]
        place = picture[upper : upper + size[1], left : left + size[0]]
        warped = cv2.warpAffine(animated, self.affine, size, flags=cv2.INTER_LINEAR)
        place[:] = self.weights * warped + (1 - self.weights) * place


def _mask() -> Picture:
    """Blending weights of the square, (512, 512), 0 to 255: 1 inside, fading out at its border."""
    place = np.arange(SIDE_PX)
    # Distance from the square that is fully shown: its last px are 16 and 496.
    outside = np.maximum(np.maximum(_FEATHER_PX - place, place - (SIDE_PX - _FEATHER_PX)), 0)
    distance = np.hypot(outside[:, None], outside)
    return np.asarray(255 * np.maximum(0, 1 - distance / _FEATHER_PX), np.uint8)


def _share(box: CropBox, face: CropBox, other: CropBox) -> npt.NDArray[np.float32]:
    """How much of each px of `box` belongs to a face and not to another one, (h, w)."""

    def distance(of: CropBox) -> npt.NDArray[np.floating[Any]]:
        x, y = of.centre
        columns = (np.arange(box.left, box.right) - x) / of.width
        rows = (np.arange(box.upper, box.lower) - y) / of.height
        return np.hypot(rows[:, None], columns)

    share = np.clip((distance(other) - distance(face)) / _BETWEEN_FACES + 0.5, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)
