"""Which of the 478 landmarks lie where; sets are ordered from left to right in the picture.

Eye 0 is the left one in the picture, eye 1 the right one. Numbers are MediaPipe's.
"""

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]

FACE_POINTS = 468  # without the irises


def _indices(*numbers: int) -> Indices:
    return np.array(numbers, np.int64)


UPPER_LIDS = (
    _indices(33, 246, 161, 160, 159, 158, 157, 173, 133),
    _indices(362, 398, 384, 385, 386, 387, 388, 466, 263),
)
"""Line of the upper lid of each eye, corners included; `LOWER_LIDS` has the same corners."""
LOWER_LIDS = (
    _indices(33, 7, 163, 144, 145, 153, 154, 155, 133),
    _indices(362, 382, 381, 380, 374, 373, 390, 249, 263),
)
IRIS_CENTRES = _indices(468, 473)
IRIS_RINGS = (_indices(469, 470, 471, 472), _indices(474, 475, 476, 477))
BROWS = (_indices(46, 53, 52, 65, 55), _indices(285, 295, 282, 283, 276))
"""Lower edges."""

UPPER_INNER_LIP = _indices(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
"""Corners included, as in the next three."""
LOWER_INNER_LIP = _indices(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
UPPER_OUTER_LIP = _indices(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER_LIP = _indices(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
MOUTH_CORNERS = _indices(78, 308)

# fmt: off
OVAL = _indices(
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
# fmt: on
"""The border of the mesh, clockwise from the forehead's middle."""
TEMPLES = _indices(127, 356)
"""The border's points beside the eyes."""

CHEEKS = (
    _indices(50, 187, 207, 216, 206, 203, 36),
    _indices(280, 411, 427, 436, 426, 423, 266),
)
"""Polygons of plain skin."""
SKIN_BELOW_EYES = (_indices(119, 118, 117, 230, 229), _indices(348, 347, 346, 450, 449))
NOSTRILS = _indices(2, 97, 98, 326, 327, 60, 290, 20, 250, 79, 309, 166, 392, 75, 305, 240, 460)
