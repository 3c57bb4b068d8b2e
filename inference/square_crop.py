"""Squares for a network: cut round a face and never squeezed, or squeezed as the reference does.

A network sees pictures of one size, 256 px square. Which square of a photo or a clip that is, is
told here; a clip has one for all of its frames, so that the head neither pumps nor jumps.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from jobs.model import CropBox

Picture = npt.NDArray[np.uint8]
Padding = tuple[int, int, int, int]
"""Left, upper, right and lower, px."""

# How much larger than a face its square is; of the original's face crop.
MARGIN = 1.6
# The least room round a face in later frames of a clip.
_LATER_MARGIN = 1.3
# A face that moves farther than such a square reaches is lost to the network anyway.
_MOST_GROWTH = 2
# Larger pictures are seldom frames, and the maps of `_squeezing` grow with the square of a side.
_MAP_SIDE_PX = 2048


def face_square(box: CropBox, margin: float = MARGIN, padding: Padding = (0, 0, 0, 0)) -> CropBox:
    """The square about a face's box; it may reach outside the picture.

    Args:
        box: the face; of one that is not square, the longer side counts.
        margin: how many times as large as the box the square is.
        padding: px added on each side; the shorter way then grows about its centre, so that the
            result is a square again.
    """
    centre_x, centre_y = box.centre
    side = max(1, round(max(box.width, box.height) * margin))
    left, upper = round(centre_x - side / 2), round(centre_y - side / 2)
    return _grown_to_square(
        left - padding[0],
        upper - padding[1],
        left + side + padding[2],
        upper + side + padding[3],
    )


def clip_square(boxes: Sequence[CropBox], margin: float = MARGIN) -> CropBox:
    """One square for all frames of a clip; it may reach outside the picture.

    It holds the square about the first box and, with less room round them, the later ones, but is
    at most twice as large as the first: a face that leaves would else make all others small.

    Args:
        boxes: where the face is, the first frame's first; at least one.
        margin: how many times as large as the first box its square is.
    """
    first = face_square(boxes[0], margin)
    room = min(margin, _LATER_MARGIN)
    squares = [first, *(face_square(box, room) for box in boxes[1:])]
    left, upper = (
        min(ways) for ways in zip(*(square.sides[:2] for square in squares), strict=True)
    )
    right, lower = (
        max(ways) for ways in zip(*(square.sides[2:] for square in squares), strict=True)
    )
    side = min(max(right - left, lower - upper), _MOST_GROWTH * first.width)
    # About the middle of them all, as far as the first square stays inside.
    left = min(max((left + right - side) // 2, first.right - side), first.left)
    upper = min(max((upper + lower - side) // 2, first.lower - side), first.upper)
    return CropBox(left=left, upper=upper, right=left + side, lower=upper + side)


def crop_square(picture: Picture, box: CropBox, side_px: int) -> Picture:
    """The box's part of a picture, uint8 (side_px, side_px, 3).

    Where the box reaches outside the picture, the picture's edge is continued.

    Args:
        picture: uint8 (H, W, 3).
        box: a square, in px of the picture.
        side_px: of the result.
    """
    height, width = picture.shape[:2]
    first_row, rows, above, below = _inside(box.upper, box.lower, height)
    first_column, columns, before, after = _inside(box.left, box.right, width)
    part = picture[first_row : first_row + rows, first_column : first_column + columns]
    if above or below or before or after:
        whole = cv2.copyMakeBorder(part, above, below, before, after, cv2.BORDER_REPLICATE)
        part = np.asarray(whole, dtype=np.uint8)
    if part.shape[:2] != (side_px, side_px):
        method = cv2.INTER_AREA if box.width > side_px else cv2.INTER_CUBIC
        resized = cv2.resize(part, (side_px, side_px), interpolation=method)
        part = np.asarray(resized, dtype=np.uint8)
    square: Picture = np.ascontiguousarray(part)
    return square


def squeeze(picture: Picture, side_px: int) -> npt.NDArray[np.float64]:
    """The whole picture, whatever its shape, as float64 (side_px, side_px, 3) in [0, 1].

    Equal, up to rounding, to scikit-image's `resize` as the reference calls it: linear, mirrored at
    the border, smoothed first along a side that shrinks.

    Args:
        picture: uint8 (H, W, C); channels after the third are dropped.
        side_px: of the result.
    """
    colours = picture[..., :3]
    height, width = colours.shape[:2]
    if (height, width) == (side_px, side_px):
        return np.asarray(colours / 255.0, dtype=np.float64)
    if max(height, width) > _MAP_SIDE_PX:
        from skimage.transform import resize  # noqa: PLC0415 - as in `_squeezing`

        return np.asarray(resize(colours, (side_px, side_px)), dtype=np.float64)
    # Eight times as fast as `resize`, which would take longer than a GPU does for the whole frame.
    flat = _squeezing(height, side_px) @ (colours.reshape(height, -1) / 255.0)
    turned = flat.reshape(side_px, width, 3).transpose(1, 0, 2).reshape(width, -1)
    squeezed = _squeezing(width, side_px) @ turned
    return np.ascontiguousarray(squeezed.reshape(side_px, side_px, 3).transpose(1, 0, 2))


def _grown_to_square(left: int, upper: int, right: int, lower: int) -> CropBox:
    """The sides as a square box: the shorter way is grown about its centre."""
    wider = (right - left) - (lower - upper)
    if wider > 0:
        upper -= wider // 2
        lower = upper + right - left
    else:
        left -= -wider // 2
        right = left + lower - upper
    return CropBox(left=left, upper=upper, right=right, lower=lower)


def _inside(begin: int, end: int, limit: int) -> tuple[int, int, int, int]:
    """Of the range [begin, end): first and count of those in [0, limit), count before and after.

    A range that lies wholly outside has the nearest one in.
    """
    first = min(max(begin, 0), limit - 1)
    count = max(min(end, limit) - first, 1)
    before = max(0, min(-begin, end - begin - 1))
    return first, count, before, end - begin - before - count


@lru_cache(maxsize=4)
def _squeezing(length: int, side_px: int) -> Any:
    """The sparse (side_px, length) matrix of what `resize` does along one way of a picture.

    It smooths and interpolates along each way for itself, so that what it makes of single bright
    lines tells all.
    """
    # Imported late: only those who squeeze pay for them.
    from scipy.sparse import csr_array  # noqa: PLC0415
    from skimage.transform import resize  # noqa: PLC0415

    return csr_array(resize(np.eye(length), (side_px, length)))
