"""The landmarks that LivePortrait's crops and ratios are made of, out of our network's 478.

The published code uses 106 or 203 landmarks of other networks, the former of which may not be used
commercially. Its rule for crops exists for the 68 of 300-W, too: the jaw from ear to ear, the upper
edges of the brows, and no forehead. `points_68` has all of them. On ten upright, frontal faces, the
square was within 1.6 % of the one by another network's 68 points (dlib's); all 468 points of the
mesh, which go up to the hair, make it 18 % larger.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Pair = tuple[int, int]

# Height and width of each eye, image left first, and of the mouth: the middles of the lids' and of
# the inner lips' edges, and the corners, as the 203 points with which the networks were trained.
_LIDS: tuple[tuple[Pair, Pair], ...] = (((159, 145), (33, 133)), ((386, 374), (362, 263)))
_LIPS: tuple[Pair, Pair] = ((13, 14), (61, 291))
AT_REST = (0.3, 0.3, 0.0)
"""The openings that are assumed of a face without landmarks."""


def opening(points: npt.NDArray[np.floating[Any]], height: Pair, width: Pair) -> float:
    """Return how far something is open: height / width, each the distance of two points (N, 2)."""
    tall, wide = (np.linalg.norm(points[one] - points[other]) for one, other in (height, width))
    return float(tall / (wide + 1e-6))


def openings(points: npt.NDArray[np.floating[Any]]) -> Sequence[float]:
    """Return how far the left eye in the picture, the right one and the mouth are open.

    Args:
        points: (478, 2 or more), px; depth is not used.
    """
    flat = points[:, :2]
    return [opening(flat, *pairs) for pairs in (*_LIDS, _LIPS)]
