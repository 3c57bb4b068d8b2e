"""Small driving clips, made from one portrait."""

import cv2
import numpy as np
import numpy.typing as npt

from inference.faces.landmarker import Landmarks
from jobs.model import CropBox, Face

Picture = npt.NDArray[np.uint8]

LEFT, UPPER = 70, 20
"""Of the part of the astronaut that the clips show, 320 x 300 px."""
BACKGROUND = (90, 95, 100)


def portrait(astronaut: Picture) -> Picture:
    """Her head and shoulders, (300, 320, 3)."""
    return np.ascontiguousarray(astronaut[UPPER : UPPER + 300, LEFT : LEFT + 320])


def face_at(left: int, upper: int, side: int) -> Face:
    """A face from brows to chin in a square."""
    box = CropBox(left=left, upper=upper, right=left + side, lower=upper + side)
    return Face(number=1, box=box, votes=1)


def her_face(landmarks: Landmarks) -> Face:
    """Her face in `portrait`."""
    x, y = landmarks.points[[33, 263], :2].mean(axis=0) - (LEFT, UPPER)
    return face_at(round(x - 50), round(y - 40), 100)


def moved(
    picture: Picture, x: float = 0, y: float = 0, angle_deg: float = 0, scale: float = 1
) -> Picture:
    """The picture turned clockwise and scaled about her face, then moved."""
    turn = cv2.getRotationMatrix2D((155, 105), -angle_deg, scale)
    turn[:, 2] += np.array([x, y])
    height, width = picture.shape[:2]
    return np.asarray(
        cv2.warpAffine(picture, turn, (width, height), borderValue=BACKGROUND), np.uint8
    )


def with_hand(picture: Picture, x: float) -> Picture:
    """A raised hand at x, before the face."""
    covered = picture.copy()
    cv2.ellipse(covered, (round(x), 190), (62, 80), 0, 0, 360, (205, 160, 135), -1)
    for finger in range(4):
        centre = (round(x - 46 + 31 * finger), 105)
        cv2.ellipse(covered, centre, (14, 62), 0, 0, 360, (200, 155, 131), -1)
    return np.asarray(cv2.GaussianBlur(covered, (0, 0), 1.2), np.uint8)


def stranger(picture: Picture) -> Picture:
    """Somebody else: her mirror image, wider, darker and without her smile's light."""
    wide = cv2.resize(picture[:, ::-1], None, fx=1.3, fy=1.0)
    x, y = np.meshgrid(np.linspace(-1, 1, wide.shape[1]), np.linspace(-1, 1, wide.shape[0]))
    light = 0.65 + 0.35 * np.tanh(3 * x) + 0 * y
    return np.asarray(np.clip(wide * light[..., None], 0, 255), np.uint8)
