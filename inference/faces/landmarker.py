"""Measure faces: 478 points with depth, and 52 expression scores, by MediaPipe's networks.

    detect   a whole picture -> boxes of faces, found coarsely
    look     a picture and a square round one face -> its points, scores, and whether it is a face

The networks run in TensorFlow Lite; equal input gives bit-equal results. An instance is not
thread-safe.
"""

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from inference.arrays import Doubles, Floats, Picture
from inference.faces.model_file import CanonicalMesh, FaceModel
from inference.faces.topology import FACE_POINTS

POINTS = 478
OUTER_EYE_CORNERS = (33, 263)
SCORES = (
    *("_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft"),
    *("browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft"),
    *("eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight"),
    *("eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft"),
    *("eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen"),
    *("jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft"),
    *("mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower"),
    *("mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight"),
    *("mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight"),
    *("noseSneerLeft", "noseSneerRight"),
)
"""Names of the expression scores, in order."""

_DETECTOR_PX, _LOOK_PX = 128, 256
_MIN_SCORE = 0.5
_SAME_BOX_IOU = 0.3
_MARGIN = 1.5  # side of the square / longer side of the box
# The points that the scores are computed from, in order.
# fmt: off
_SCORED_POINTS = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66,
    67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144,
    145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173,
    176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284,
    285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332,
    334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, *range(468, 478),
])
# fmt: on


@dataclass(frozen=True)
class Square:
    """Where a face is looked at.

    Attributes:
        x: of the centre, px.
        y: likewise.
        side: px.
        angle: of the face, radians; clockwise in the picture.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0


@dataclass(frozen=True)
class Detection:
    """A face found coarsely.

    Attributes:
        box: left, upper, right, lower, px.
        score: 0.5 to 1.
        square: where to look at it.
    """

    box: tuple[float, float, float, float]
    score: float
    square: Square


@dataclass(frozen=True, eq=False)
class Landmarks:
    """One face, measured.

    Attributes:
        points: (478, 3) float64: x, y, and z into the picture, px of the picture. The last ten
            are the irises: centre and four points each, first of the picture's left eye.
        presence: 0 to 1; how sure the network is that it saw a face.
    """

    points: Doubles
    presence: float

    @cached_property
    def square(self) -> Square:
        """Where to look at the face again, or in the next frame."""
        left, right = self.points[OUTER_EYE_CORNERS, :2]
        across = right - left
        angle = math.atan2(across[1], across[0])
        turn = _rotation(angle)
        upright = self.points[:FACE_POINTS, :2] @ turn  # turned by -angle
        low, high = upright.min(axis=0), upright.max(axis=0)
        x, y = turn @ ((low + high) / 2)
        return Square(float(x), float(y), _MARGIN * float((high - low).max()), angle)


def points_apart(before: Landmarks, after: Landmarks) -> float:
    """Return the mean distance of a face's points, in distances of the outer eye corners."""
    left, right = after.points[OUTER_EYE_CORNERS, :2]
    moved = np.linalg.norm((after.points - before.points)[:FACE_POINTS, :2], axis=1)
    return float(moved.mean() / max(1e-9, float(np.linalg.norm(right - left))))


class Landmarker:
    """The networks, loaded.

    Args:
        model: the file's contents.

    Attributes:
        mesh: the canonical face.
    """

    def __init__(self, model: FaceModel) -> None:
        self.mesh: CanonicalMesh = model.mesh
        with _quiet():
            self._detector = _Network(model.detector)
            self._landmarks = _Network(model.landmarks, threads=2)
            self._scores = _Network(model.scores)

    def detect(self, picture: Picture) -> list[Detection]:
        """Find faces of at least about a fifth of the picture's side, the most confident first.

        Args:
            picture: uint8 (H, W, 3) RGB.
        """
        height, width = picture.shape[:2]
        scale = _DETECTOR_PX / max(height, width)
        small_width = max(1, round(width * scale))
        small_height = max(1, round(height * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(picture, (small_width, small_height), interpolation=method)
        left, upper = (_DETECTOR_PX - small_width) // 2, (_DETECTOR_PX - small_height) // 2
        padded = np.zeros((_DETECTOR_PX, _DETECTOR_PX, 3), np.float32)
        padded[upper : upper + small_height, left : left + small_width] = small
        raw, logits = self._detector.run(padded[None] / np.float32(127.5) - np.float32(1))
        scores = 1 / (1 + np.exp(-np.clip(logits[0, :, 0].astype(np.float64), -80, 80)))
        kept = scores > _MIN_SCORE
        values = raw[0, kept].astype(np.float64)
        # Centres and key points are relative to the anchors; px of the padded picture.
        centres = _ANCHORS[kept] * _DETECTOR_PX
        middles = values[:, :2] + centres
        halves = values[:, 2:4] / 2
        eyes = values[:, 4:8].reshape(-1, 2, 2) + centres[:, None]
        faces = np.concatenate([middles - halves, middles + halves, eyes.reshape(-1, 4)], axis=1)
        offset = np.tile([left, upper], 4)
        return [
            _detection((face - offset) / scale, score)
            for face, score in _merged(faces, scores[kept])
        ]

    def look(self, picture: Picture, square: Square) -> Landmarks:
        """Measure the face in a square.

        Args:
            picture: uint8 (H, W, 3) RGB.
            square: where the face is, see `Landmarks.square` and `Detection.square`.
        """
        part = cut_out(picture, square, _LOOK_PX)
        flat, logit, _ = self._landmarks.run(part[None].astype(np.float32) / np.float32(255))
        inside = flat.reshape(POINTS, 3).astype(np.float64)
        turn = to_picture(square, _LOOK_PX)
        points = np.empty_like(inside)
        points[:, :2] = inside[:, :2] @ turn[:, :2].T + turn[:, 2]
        points[:, 2] = inside[:, 2] * square.side / _LOOK_PX
        presence = 1 / (1 + math.exp(-float(np.clip(logit.ravel()[0], -80, 80))))
        return Landmarks(points, presence)

    def scores(self, landmarks: Landmarks) -> Doubles:
        """Return the expression scores (52,) float64, each 0 to 1, named by `SCORES`."""
        points = landmarks.points[_SCORED_POINTS, :2].astype(np.float32)
        return self._scores.run(points[None])[0].ravel().astype(np.float64)


# --- the detector's boxes ------------------------------------------------------------------------


def _anchors() -> Doubles:
    """Centres of the detector's anchors (BlazeFace; Bazarevsky et al. 2019), (896, 2).

    In shares of the picture.
    """
    parts = []
    for cells, each in ((16, 2), (8, 6)):
        centres = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(centres, centres)
        parts.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), each, axis=0))
    return np.concatenate(parts)


_ANCHORS = _anchors()


def _merged(faces: Doubles, scores: Doubles) -> Iterator[tuple[Doubles, float]]:
    """Average overlapping boxes by their scores, beginning with the best one."""
    order = np.argsort(-scores, kind="stable")
    faces, scores = faces[order], scores[order]
    while len(faces):
        same = box_iou(faces[:, :4], faces[0, :4]) > _SAME_BOX_IOU
        same[0] = True
        yield np.average(faces[same], axis=0, weights=scores[same]), float(scores[0])
        faces, scores = faces[~same], scores[~same]


def box_iou(boxes: Doubles, box: Doubles) -> Doubles:
    """Return intersection over union of (N, 4) boxes with one box (4,): (N,)."""
    upper_left = np.maximum(boxes[:, :2], box[:2])
    lower_right = np.minimum(boxes[:, 2:], box[2:])
    shared = np.clip(lower_right - upper_left, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod() - shared
    return np.asarray(shared / np.maximum(areas, 1e-9), np.float64)


def _detection(face: Doubles, score: float) -> Detection:
    left, upper, right, lower, eye_x, eye_y, other_x, other_y = map(float, face)
    angle = math.atan2(other_y - eye_y, other_x - eye_x)
    side = _MARGIN * max(right - left, lower - upper)
    square = Square((left + right) / 2, (upper + lower) / 2, side, angle)
    return Detection((left, upper, right, lower), score, square)


# --- sampling ------------------------------------------------------------------------------------


def _rotation(angle: float) -> Doubles:
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def cut_out(picture: Picture, square: Square, side_px: int) -> Picture:
    """Return what a square shows, turned upright, uint8 (side_px, side_px, 3).

    Outside the picture, its edge is repeated.
    """
    affine = to_picture(square, side_px)
    shrinking = math.ceil(square.side / (2 * side_px))
    if shrinking > 1:  # bilinear sampling of a much larger part would alias
        picture, affine = _reduced(picture, square, affine, shrinking)
    part = cv2.warpAffine(
        picture,
        affine,
        (side_px, side_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(part, np.uint8)


def to_picture(square: Square, side_px: int) -> Doubles:
    """Return the (2, 3) affine from px of `cut_out` to px of the picture."""
    linear = _rotation(square.angle) * (square.side / side_px)
    middle = np.array([square.x, square.y]) - linear @ [side_px / 2, side_px / 2]
    return np.column_stack([linear, middle])


def _reduced(
    picture: Picture, square: Square, affine: Doubles, factor: int
) -> tuple[Picture, Doubles]:
    """The square's surroundings scaled down, and the affine into them.

    By a whole factor, which takes a tenth of the time of others.
    """
    reach = square.side * 0.75
    height, width = picture.shape[:2]
    left, right = span(square.x, reach, width)
    upper, lower = span(square.y, reach, height)
    factor = min(factor, right - left, lower - upper)
    columns, rows = (right - left) // factor, (lower - upper) // factor
    part = picture[upper : upper + rows * factor, left : left + columns * factor]
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    moved = affine.copy()
    moved[:, 2] -= left, upper
    # Pixel centres are whole numbers: px -> (px + .5) / factor - .5.
    moved /= factor
    moved[:, 2] += 0.5 / factor - 0.5
    return np.asarray(small, np.uint8), moved


def span(centre: float, reach: float, size: int) -> tuple[int, int]:
    """Return a part of `size` px round a centre; at least one px of it."""
    first = min(max(0, math.floor(centre - reach)), size - 1)
    return first, max(first + 1, min(size, math.ceil(centre + reach)))


# --- TensorFlow Lite -----------------------------------------------------------------------------


class _Network:
    """A network, loaded.

    Args:
        content: of its file.
        threads: that it uses.
    """

    def __init__(self, content: bytes, threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - slow to import

        self._interpreter: Any = Interpreter(model_content=content, num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [one["index"] for one in self._interpreter.get_output_details()]

    def run(self, value: Floats) -> list[Floats]:
        """Return copies of the outputs, in order."""
        self._interpreter.set_tensor(self._input, value)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(number) for number in self._outputs]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Discard what the library prints to stderr while loading.

    Changes the stderr of the whole process: call it under a lock.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - a device, not a path
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
