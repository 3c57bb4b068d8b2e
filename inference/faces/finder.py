"""Find faces in a picture with the landmark network; choose one of them.

    tiles of the picture -> detector -> candidates, with votes
    candidate -> turned upright -> three looks -> a face, if the last two agree -> box and roll

The detector misses faces smaller than a fifth of its picture, so it also searches tiles. It has
false positives, so each candidate is measured three times, each time where the previous measurement
placed it: on a face the points stay, elsewhere they drift.
"""

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from inference.arrays import Picture
from inference.faces.head import fit_head
from inference.faces.landmarker import (
    OUTER_EYE_CORNERS,
    Detection,
    Landmarker,
    Landmarks,
    Square,
    box_iou,
    cut_out,
    points_apart,
    to_picture,
)
from inference.faces.loading import landmarker
from inference.faces.topology import FACE_POINTS
from jobs.errors import FaceBoxOutside, NoFaceFound, NoFaceInBox, NoSuchFace
from jobs.model import CropBox, Face, square_inside, whole_box

LONG_SIDE_PX = 1280
"""Larger pictures are reduced to this before they are searched."""

MIN_FACE_PX = 24  # of boxes drawn by hand
_TILES = (1.0, 0.5, 0.25)  # sides, relative to the picture's short side
_MIN_TILE_PX = 32
_SAME_FACE_IOU = 0.3
# What is a face (docs/faces.md): faces score up to 0.95, and their instability is below 0.01.
_MIN_SCORE, _MIN_PRESENCE, _MAX_INSTABILITY = 0.65, 0.5, 0.018
# The copy that is searched if there is no face: its blur, of the picture's short side.
_SMOOTHING, _MIN_SCORE_SMOOTHED = 0.01, 0.75
# A candidate's surroundings, in which it is detected again.
_ROOM, _CUT_PX = 1.3, 192
# A face's box: its side, and how far its centre lies below the outer eye corners.
_BOX_CM, _BOX_BELOW_EYES = 15.6, 0.1
# The square in which the network looks at the canonical face, relative to that box.
_LOOK_SIDE, _LOOK_BELOW_BOX = 1.7, 0.107
# For boxes drawn by hand: the sizes and angles that are tried, and what is accepted.
_SIZES, _ROLLS_DEG = (1.0, 0.75, 1.35), (0.0, 30.0, -30.0, 90.0, -90.0, 180.0)
_MAX_INSTABILITY_BY_HAND = 0.03
_LEAST_OVERLAP = 0.15
# In another frame of a clip: how far away a face is searched, and how its size may differ.
_REACH, _MAX_GROWTH = 2.5, 2.0


def find_faces(
    picture: Picture, network: Landmarker | None = None, *, with_small: bool = True
) -> tuple[Face, ...]:
    """Find faces, also on their sides and upside down; number them from 1, the largest first.

    Args:
        picture: uint8 (H, W, 3) RGB.
        network: the network, loaded; None: this thread's.
        with_small: whether small faces are looked for even if there are larger ones, which takes
            most of the time.

    Raises:
        OperatorError: the network cannot be loaded.
    """
    network = network or landmarker()
    scale = min(1.0, LONG_SIDE_PX / max(picture.shape[:2]))
    small = resize(picture, scale) if scale < 1 else np.ascontiguousarray(picture)
    seen = [] if with_small else _search(network, small, _MIN_SCORE, _TILES[:-1])
    # A smoothed copy shows faces behind grain and in faded prints.
    seen = (
        seen
        or _search(network, small, _MIN_SCORE)
        or _search(network, _smoothed(small), _MIN_SCORE_SMOOTHED)
    )
    found = [face_of(_enlarged(landmarks, 1 / scale), network, votes) for landmarks, votes in seen]
    found.sort(key=lambda face: face.box.width, reverse=True)
    return tuple(
        face.model_copy(update={"number": number}) for number, face in enumerate(found, start=1)
    )


def face_of(landmarks: Landmarks, network: Landmarker, votes: int = 1) -> Face:
    """Return the face with these landmarks, as number 1."""
    side = _BOX_CM * fit_head(landmarks, network.mesh).scale
    angle = landmarks.square.angle
    down = np.array([-math.sin(angle), math.cos(angle)])
    eyes = landmarks.points[OUTER_EYE_CORNERS, :2].mean(axis=0)
    x, y = eyes + _BOX_BELOW_EYES * side * down
    whole = max(1, round(side))
    left, upper = round(x - side / 2), round(y - side / 2)
    box = CropBox(left=left, upper=upper, right=left + whole, lower=upper + whole)
    return Face(number=1, box=box, votes=votes, roll_deg=round(math.degrees(angle), 1))


def square_of(face: Face) -> Square:
    """Return where the network looks at a face, from its box and roll."""
    side = (face.box.width * face.box.height) ** 0.5
    angle = math.radians(face.roll_deg)
    x, y = face.box.centre
    down = _LOOK_BELOW_BOX * side
    return Square(x - down * math.sin(angle), y + down * math.cos(angle), _LOOK_SIDE * side, angle)


def look_at_face(network: Landmarker, picture: Picture, face: Face) -> Landmarks:
    """Measure a face that was found before, or drawn by hand.

    In a box drawn by hand, several sizes and angles are tried.

    Args:
        network: the network, loaded.
        picture: uint8 (H, W, 3) RGB.
        face: as from `find_faces` or `face_from_box`, px of `picture`.

    Raises:
        NoFaceInBox: there is none, or only one beside the box.
    """
    square = square_of(face)
    if face.votes:
        landmarks, instability = look_again(network, picture, square)
        if instability < _MAX_INSTABILITY and _is_in(landmarks, network, face.box):
            return landmarks
    detected = _turned_upright(network, picture, square)
    squares = [*([detected[1]] if detected else []), *_variants(square)]
    best, least_instability = None, _MAX_INSTABILITY_BY_HAND
    for square in squares:
        landmarks, instability = look_again(network, picture, square)
        if instability < least_instability and _is_in(landmarks, network, face.box):
            best, least_instability = landmarks, instability
            if instability < _MAX_INSTABILITY:
                break
    if best is None:
        raise NoFaceInBox
    return best


def find_again(network: Landmarker, picture: Picture, face: Face) -> tuple[Face, Landmarks] | None:
    """Find a face again in another frame of a clip, and measure it; None if it is not seen there.

    Args:
        network: the network, loaded.
        picture: uint8 (H, W, 3) RGB, the other frame.
        face: the face as it was seen last.
    """
    for square in _likely_squares(network, picture, square_of(face)):
        landmarks, instability = look_again(network, picture, square)
        if landmarks.presence > _MIN_PRESENCE and instability < _MAX_INSTABILITY:
            again = face_of(landmarks, network, face.votes)
            if 1 / _MAX_GROWTH < again.box.width / face.box.width < _MAX_GROWTH:
                return again, landmarks
    return None


def look_again(network: Landmarker, picture: Picture, square: Square) -> tuple[Landmarks, float]:
    """Measure a face three times, each time where the time before has found it.

    Returns:
        The last landmarks, and their mean distance from the ones before, in distances of the outer
        eye corners; below 0.02 on a face.
    """
    first = network.look(picture, square)
    second = network.look(picture, first.square)
    third = network.look(picture, second.square)
    return third, points_apart(second, third)


def choose_face(faces: Sequence[Face], number: int | None, name: str) -> Face:
    """Return the face with that number; the largest if None.

    Args:
        faces: as from `find_faces`.
        number: from 1, or None.
        name: the photo's file name, for the error.

    Raises:
        NoFaceFound: `faces` is empty.
        NoSuchFace: no face has that number.
    """
    if not faces:
        raise NoFaceFound(name=name)
    if number is None:
        return faces[0]
    for face in faces:
        if face.number == number:
            return face
    raise NoSuchFace(number=number, count=len(faces))


def face_from_box(box: CropBox, width: int, height: int, scale: float = 1.0) -> Face:
    """Return the face for a box drawn by hand: a square of the same area and centre.

    For a box from hairline to chin, this is about the box of `find_faces`. Near the picture's edge
    the square is moved inside.

    Args:
        box: in px of the original picture.
        width: of the original picture, px.
        height: likewise.
        scale: size of the picture in whose px the face is, relative to the original.

    Raises:
        FaceBoxOutside: the box reaches outside the picture, or is smaller than `MIN_FACE_PX` after
            scaling.
    """
    is_inside = min(box.left, box.upper) >= 0 and box.right <= width and box.lower <= height
    minimum = math.ceil(MIN_FACE_PX / scale)
    if not is_inside or min(box.width, box.height) < minimum:
        raise FaceBoxOutside(box=str(box), width=width, height=height, minimum=minimum)
    side = (box.width * box.height) ** 0.5 * scale
    centre_x, centre_y = box.centre
    centre = centre_x * scale, centre_y * scale
    square = square_inside(centre, side, round(width * scale), round(height * scale))
    return Face(number=1, box=square, votes=0)


def centre_face(width: int, height: int) -> Face:
    """Return a face in the middle that fills half the shorter side."""
    return Face(number=1, box=whole_box(width, height), votes=0)


# --- search --------------------------------------------------------------------------------------


def _search(
    network: Landmarker, picture: Picture, min_score: float, tiles: Sequence[float] = _TILES
) -> list[tuple[Landmarks, int]]:
    """The faces and their votes, the most confident first."""
    accepted: list[tuple[Landmarks, int]] = []
    boxes = np.empty((0, 4))
    for candidate, votes in _candidates(network, picture, tiles):
        detected = _turned_upright(network, picture, candidate.square)
        if detected is None or detected[0] <= min_score:
            continue
        landmarks, instability = look_again(network, picture, detected[1])
        if landmarks.presence <= _MIN_PRESENCE or instability >= _MAX_INSTABILITY:
            continue
        points = landmarks.points[:FACE_POINTS, :2]
        box = np.concatenate([points.min(axis=0), points.max(axis=0)])
        if not np.any(box_iou(boxes, box) > _SAME_FACE_IOU):
            accepted.append((landmarks, votes))
            boxes = np.vstack([boxes, box])
    return accepted


def _candidates(
    network: Landmarker, picture: Picture, tiles: Sequence[float]
) -> list[tuple[Detection, int]]:
    """The detections and in how many tiles each was found; the most confident first."""
    height, width = picture.shape[:2]
    found = list(network.detect(picture))
    for left, upper, side in _tiles(width, height, tiles):
        tile = picture[upper : upper + side, left : left + side]
        found += [_moved(one, left, upper) for one in network.detect(tile)]
    found.sort(key=lambda one: one.score, reverse=True)
    candidates = []
    while found:
        boxes = np.array([one.box for one in found])
        is_same = box_iou(boxes, boxes[0]) > _SAME_FACE_IOU
        candidates.append((found[0], int(is_same.sum())))
        found = [one for one, same in zip(found, is_same, strict=True) if not same]
    return candidates


def _tiles(width: int, height: int, shares: Sequence[float]) -> Iterator[tuple[int, int, int]]:
    """Left, upper and side of squares that overlap by half."""
    for share in shares:
        side = round(share * min(width, height))
        if side < _MIN_TILE_PX:
            return
        for upper in _steps(height, side):
            for left in _steps(width, side):
                yield left, upper, side


def _steps(length: int, side: int) -> list[int]:
    """Where tiles begin so that they cover a length evenly."""
    count = 1 + math.ceil((length - side) / (side / 2))
    return [round(at) for at in np.linspace(0, length - side, count)]


def _moved(detection: Detection, left: int, upper: int) -> Detection:
    """The same in px of the whole picture."""
    square = detection.square
    x0, y0, x1, y1 = detection.box
    return Detection(
        (x0 + left, y0 + upper, x1 + left, y1 + upper),
        detection.score,
        Square(square.x + left, square.y + upper, square.side, square.angle),
    )


def _turned_upright(
    network: Landmarker, picture: Picture, square: Square
) -> tuple[float, Square] | None:
    """The surest detection in the square's surroundings, from all four sides: score and square.

    The detector also finds faces on their sides, but not their orientation. It is most confident
    about upright ones.
    """
    best: tuple[float, Square] | None = None
    for quarters in range(4):
        angle = square.angle + quarters * math.pi / 2
        seen = Square(square.x, square.y, _ROOM * square.side, angle)
        for found in network.detect(cut_out(picture, seen, _CUT_PX)):
            x, y = found.square.x, found.square.y
            is_central = max(abs(x - _CUT_PX / 2), abs(y - _CUT_PX / 2)) < _CUT_PX / 4
            if not is_central or (best is not None and found.score <= best[0]):
                continue
            x, y = to_picture(seen, _CUT_PX) @ (x, y, 1.0)
            side = found.square.side * seen.side / _CUT_PX
            best = found.score, Square(float(x), float(y), side, angle + found.square.angle)
    return best


def _likely_squares(network: Landmarker, picture: Picture, last: Square) -> Iterator[Square]:
    """Where a face may be in another frame: where it was, around there, anywhere."""
    yield last
    around = Square(last.x, last.y, _REACH * last.side)
    back = to_picture(around, _CUT_PX)
    for found in network.detect(cut_out(picture, around, _CUT_PX)):
        x, y = back @ (found.square.x, found.square.y, 1.0)
        side = found.square.side * around.side / _CUT_PX
        yield Square(float(x), float(y), side, found.square.angle)
    for found in network.detect(picture):
        yield found.square


def _variants(square: Square) -> Iterator[Square]:
    """The square in several angles and sizes."""
    for roll_deg in _ROLLS_DEG:
        for size in _SIZES:
            angle = square.angle + math.radians(roll_deg)
            yield Square(square.x, square.y, square.side * size, angle)


def _is_in(landmarks: Landmarks, network: Landmarker, box: CropBox) -> bool:
    """Whether it is a face of about that box."""
    if landmarks.presence <= _MIN_PRESENCE:
        return False
    return face_of(landmarks, network).box.overlap(box) > _LEAST_OVERLAP


def _enlarged(landmarks: Landmarks, factor: float) -> Landmarks:
    return Landmarks(landmarks.points * factor, landmarks.presence)


# --- copies of pictures --------------------------------------------------------------------------


def _smoothed(picture: Picture) -> Picture:
    """A blurred copy with full contrast."""
    sigma = max(1.0, _SMOOTHING * min(picture.shape[:2]))
    soft = cv2.GaussianBlur(picture, (0, 0), sigma).astype(np.float32)
    low, high = np.percentile(soft[::4, ::4], (1, 99))
    stretched = (soft - low) * (255 / max(1.0, float(high - low)))
    return np.asarray(np.clip(stretched, 0, 255), np.uint8)


def resize(picture: Picture, scale: float) -> Picture:
    """Scale a picture: area averaging if it shrinks, bilinear if it grows."""
    height, width = picture.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=method), dtype=np.uint8)
