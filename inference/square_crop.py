"""Square network inputs: cropped around a face, or the whole picture resized to a square.

A clip has one crop for all frames, so that the face neither changes size nor jumps.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Picture
from jobs.model import CropBox

Padding = tuple[int, int, int, int]
"""Left, upper, right and lower, px."""

# Size of the square relative to the face, as in the original's face crop.
MARGIN = 1.6
# The least margin around a face in later frames of a clip.
_LATER_MARGIN = 1.3
# The network cannot follow a face that needs a larger square.
_MOST_GROWTH = 2
# The memory of `_resize_matrix` grows with the square of the side; larger frames are rare.
_MAX_MATRIX_SIDE_PX = 2048


def face_square(box: CropBox, margin: float = MARGIN, padding: Padding = (0, 0, 0, 0)) -> CropBox:
    """Return the square around a face's box; it may reach outside the picture.

    Args:
        box: the face; its longer side counts.
        margin: size of the square relative to the box.
        padding: px added on each side; the shorter dimension then grows about its centre to a
            square again.
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
    """Return one square for all frames of a clip; it may reach outside the picture.

    It contains the square around the first box and, with a smaller margin, around the later ones.
    It is at most twice as large as the first, so that a face that leaves does not make all others
    small.

    Args:
        boxes: the face in some frames, the first frame's first; at least one.
        margin: size of the square relative to the first box.
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
    # Centred on all of them, as far as the first square stays inside.
    left = min(max((left + right - side) // 2, first.right - side), first.left)
    upper = min(max((upper + lower - side) // 2, first.lower - side), first.upper)
    return CropBox(left=left, upper=upper, right=left + side, lower=upper + side)


def crop_square(picture: Picture, box: CropBox, side_px: int) -> Picture:
    """Crop a box and resize it, uint8 (side_px, side_px, 3).

    Where the box reaches outside the picture, the picture's edge is replicated.

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
    """Resize the whole picture to float64 (side_px, side_px, 3) in [0, 1], whatever its shape.

    Equal, up to rounding, to scikit-image's `resize` as the reference calls it: linear, mirrored at
    the border, smoothed first along a dimension that shrinks.

    Args:
        picture: uint8 (H, W, C); channels after the third are dropped.
        side_px: of the result.
    """
    colours = picture[..., :3]
    height, width = colours.shape[:2]
    if (height, width) == (side_px, side_px):
        return np.asarray(colours / 255.0, dtype=np.float64)
    if max(height, width) > _MAX_MATRIX_SIDE_PX:
        from skimage.transform import resize  # noqa: PLC0415 - as in `_resize_matrix`

        return np.asarray(resize(colours, (side_px, side_px)), dtype=np.float64)
    # Eight times faster than `resize`, which would take longer than a GPU does for the whole frame.
    flat = _resize_matrix(height, side_px) @ (colours.reshape(height, -1) / 255.0)
    turned = flat.reshape(side_px, width, 3).transpose(1, 0, 2).reshape(width, -1)
    squeezed = _resize_matrix(width, side_px) @ turned
    return np.ascontiguousarray(squeezed.reshape(side_px, side_px, 3).transpose(1, 0, 2))


def _grown_to_square(left: int, upper: int, right: int, lower: int) -> CropBox:
    """A square box: the shorter dimension grows about its centre."""
    wider = (right - left) - (lower - upper)
    if wider > 0:
        upper -= wider // 2
        lower = upper + right - left
    else:
        left -= -wider // 2
        right = left + lower - upper
    return CropBox(left=left, upper=upper, right=right, lower=lower)


def _inside(begin: int, end: int, limit: int) -> tuple[int, int, int, int]:
    """Clip the range [begin, end) to [0, limit): first, count, and counts cut off at either end.

    For a range that lies completely outside, the nearest index is inside.
    """
    first = min(max(begin, 0), limit - 1)
    count = max(min(end, limit) - first, 1)
    before = max(0, min(-begin, end - begin - 1))
    return first, count, before, end - begin - before - count


@lru_cache(maxsize=4)
def _resize_matrix(length: int, side_px: int) -> Any:
    """The sparse (side_px, length) matrix of `resize` along one dimension.

    `resize` is linear and separable, so its response to unit vectors determines it.
    """
    # Slow to import, and needed only here.
    from scipy.sparse import csr_array  # noqa: PLC0415
    from skimage.transform import resize  # noqa: PLC0415

    return csr_array(resize(np.eye(length), (side_px, length)))
