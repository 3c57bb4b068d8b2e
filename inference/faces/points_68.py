"""The 68 landmarks that most face software shares, out of the 478 of our network.

They are in the order of the 300-W data set (Sagonas et al. 2013): jaw from ear to ear, brows, nose,
eyes, outer lips, inner lips; each from the picture's left to its right.
"""

import numpy as np
import numpy.typing as npt

from inference.faces.landmarker import Landmarks

# fmt: off
_POINTS = np.array([
    127, 93, 132, 58, 172, 136, 150, 176, 152, 400, 379, 365, 397, 288, 361, 323, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 98, 97, 2, 326, 327,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91,
    78, 82, 13, 312, 308, 317, 14, 87,
])
# fmt: on


def points_68(landmarks: Landmarks) -> npt.NDArray[np.float64]:
    """Return the landmarks (68, 2), x then y, px; see `inference.motion.pose_distance`."""
    return landmarks.points[_POINTS, :2]
