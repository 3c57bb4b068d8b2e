"""Pictures at an angle, for what finds faces."""

import cv2
import numpy as np

from inference.arrays import Doubles, Picture


def rotate(picture: Picture, angle_deg: float) -> tuple[Picture, Doubles]:
    """Rotate a picture about its centre without cropping; the edge is replicated.

    Args:
        picture: uint8 (H, W, 3).
        angle_deg: counter-clockwise.

    Returns:
        The rotated, larger picture and the (2, 3) affine map from old px to new px.
    """
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, 1.0)
    cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
    new_width = int(width * cosine + height * sine)
    new_height = int(width * sine + height * cosine)
    turn[:, 2] += (new_width - width) / 2, (new_height - height) / 2
    turned = cv2.warpAffine(picture, turn, (new_width, new_height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, dtype=np.uint8), np.asarray(turn, dtype=np.float64)
