"""Detect faces with scikit-image's cascade of local binary patterns; choose one of them.

The cascade accepts or rejects a window without a score, so the accepted windows are counted as
votes (`find_faces`). Tilted, faded or small photographs get further attempts
(`find_faces_thoroughly`).
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from jobs.errors import FaceBoxOutside, NoFaceFound, NoSuchFace
from jobs.model import CropBox, Face, square_inside, whole_box

Picture = npt.NDArray[np.uint8]
# (N, 4) float64: left, upper, right, lower in px.
Boxes = npt.NDArray[np.float64]
# A box (4,) and its votes.
Cluster = tuple[Boxes, int]

LONG_SIDE_PX = 384
WINDOW_PX = 24  # of the cascade, the smallest face it detects
MIN_VOTES = 3
MIN_FACE_PX = 24  # of boxes drawn by hand
_SAME_FACE_IOU = 0.45
# The second look: the number of candidates and the votes they need, and the copies in which they
# are searched as (side of the face in px, whether the contrast is equalised, blur in px). Without a
# face, no candidate got more than 17 votes there; in rotated pictures, few got more than 22
# (benchmarks/face_hit_rate.py).
_CANDIDATES, _CANDIDATE_VOTES, _SURE_VOTES = 4, 2, 5
_MAX_CANDIDATES = 24  # in a group photo, all that plain voting accepts
_COPIES = (
    *((48, False, 0.0), (56, True, 0.0), (60, False, 0.0)),
    *((66, False, 0.8), (72, True, 0.0), (80, False, 0.0)),
)
_MIN_VOTES_AGAIN, _MIN_VOTES_TURNED, _MIN_VOTES_OTHERS = 18, 23, 24
_ANGLES_DEG = (15.0, -15.0, 30.0, -30.0)


def find_faces(picture: Picture) -> tuple[Face, ...]:
    """Detect faces; return them numbered from 1, the largest first.

    Each face's box is square, in px of `picture`, about from the brows' upper edge to the chin. Its
    votes are the windows that detected it, in the picture and in its mirror image.

    Args:
        picture: uint8 (H, W, 3) RGB.
    """
    scale = LONG_SIDE_PX / max(picture.shape[:2])
    boxes = _windows(resize(picture, scale))
    return _as_faces(_vote(boxes, MIN_VOTES), 1 / scale)


def find_faces_thoroughly(picture: Picture) -> tuple[Face, ...]:
    """Detect faces like `find_faces`, but check doubtful ones again, also in rotated pictures.

    A single face with many votes is returned at once. Otherwise each place with two votes is
    cropped and searched in several sizes, also blurred and with equalised contrast: a face is
    detected in most of these copies, a false positive is not. If no face passes clearly, this is
    repeated with the picture rotated by 15 and by 30 degrees, both ways.

    Args:
        picture: uint8 (H, W, 3) RGB.

    Returns:
        As `find_faces`; faces that were checked again have more votes.
    """
    scale = LONG_SIDE_PX / max(picture.shape[:2])
    small = resize(picture, scale)
    candidates = _vote(_windows(small), _CANDIDATE_VOTES)
    accepted = [found for found in candidates if found[1] >= MIN_VOTES]
    plain = _without_rivals(accepted)
    if len(plain) == 1 and plain[0][1] >= _SURE_VOTES:
        return _as_faces(plain, 1 / scale)
    count = min(max(_CANDIDATES, len(accepted)), _MAX_CANDIDATES)
    best = _looked_at_again(small, candidates[:count], _MIN_VOTES_AGAIN)
    is_sure = bool(best) and best[0][1] >= _MIN_VOTES_TURNED
    for angle_deg in () if is_sure else _ANGLES_DEG:
        turned_picture, turn = rotate(small, angle_deg)
        candidates = _vote(_windows(turned_picture), _CANDIDATE_VOTES)[:_CANDIDATES]
        turned = _looked_at_again(turned_picture, candidates, _MIN_VOTES_TURNED)
        if turned and (not best or turned[0][1] > best[0][1]):
            best = [(_turned_back(box[None], turn)[0], votes) for box, votes in turned]
    if not best and plain and plain[0][1] >= _SURE_VOTES:
        best = plain[:1]
    return _as_faces(best, 1 / scale)


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

    For a box from hairline to chin, this is about the box of the detector. Near the picture's edge
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


# --- the cascade and its votes --------------------------------------------------------------------


@cache
def load_cascade() -> Any:
    """Load the cascade; the first search does so otherwise."""
    # Slow to import, and seldom needed.
    from skimage.data import lbp_frontal_face_cascade_filename  # noqa: PLC0415
    from skimage.feature import Cascade  # noqa: PLC0415

    return Cascade(lbp_frontal_face_cascade_filename())


def detect(picture: Picture, min_side: int, max_side: int) -> Boxes:
    """Return the windows that the cascade accepts, (N, 4) float64 boxes in px; N may be 0."""
    found = load_cascade().detect_multi_scale(
        picture,
        scale_factor=1.07,
        step_ratio=1,
        min_size=(min_side, min_side),
        max_size=(max_side, max_side),
        # The minimum: windows are grouped by our own voting, not by the cascade.
        min_neighbor_number=1,
        intersection_score_threshold=0.95,
    )
    boxes = [(b["c"], b["r"], b["c"] + b["width"], b["r"] + b["height"]) for b in found]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def _windows(picture: Picture, least: int | None = None, most: int | None = None) -> Boxes:
    """All accepted windows of the picture and of its mirror image, in px of the picture.

    Args:
        picture: uint8 (H, W, 3) RGB.
        least: side of the smallest window, px; a tenth of the picture's short side if None.
        most: side of the largest window, px; the picture's short side if None.
    """
    height, width = picture.shape[:2]
    short = min(height, width)
    least = max(WINDOW_PX, least or round(0.1 * short))
    most = min(short, most or short)
    if most < least:
        return np.empty((0, 4))
    mirror = np.ascontiguousarray(picture[:, ::-1])
    load_cascade()  # before two threads do
    # The cascade releases the GIL, so two threads take little more time than one.
    with ThreadPoolExecutor(2) as pool:
        seen, mirrored = pool.map(lambda copy: detect(copy, least, most), (picture, mirror))
    mirrored[:, [0, 2]] = width - mirrored[:, [2, 0]]
    return np.concatenate([seen, mirrored])


def _looked_at_again(
    picture: Picture, candidates: Sequence[Cluster], min_votes: int
) -> list[Cluster]:
    """The candidates that pass the second look, with its boxes and votes, best first."""
    seen = [_look_again(picture, box) for box, _ in candidates]
    faces = [found for again in seen for found in again if found[1] >= min_votes]
    faces = _without_rivals(sorted(faces, key=lambda found: found[1], reverse=True))
    # Most pictures have one face, so all but the best need more votes.
    return faces[:1] + [face for face in faces[1:] if face[1] >= _MIN_VOTES_OTHERS]


def _look_again(picture: Picture, box: Boxes) -> list[Cluster]:
    """The best cluster in several copies of the box's surroundings; empty if there is none."""
    side = float(box[2] - box[0])
    centre = (box[:2] + box[2:]) / 2
    left, upper = (max(0, int(value)) for value in centre - side)
    right, lower = (int(value) for value in centre + side)
    part = np.ascontiguousarray(picture[upper:lower, left:right])
    found = []
    for side_px, is_evened, blur_px in _COPIES:
        scale = side_px / side
        copy = resize(part, scale)
        if is_evened:
            copy = _even_contrast(copy)
        if blur_px:
            copy = np.asarray(cv2.GaussianBlur(copy, (0, 0), blur_px), dtype=np.uint8)
        windows = _windows(copy, round(0.7 * side_px), round(1.4 * side_px))
        found.append(windows / scale + np.array([left, upper, left, upper]))
    return _vote(np.concatenate(found), 1)[:1]


def _even_contrast(picture: Picture) -> Picture:
    """The picture in grey with equalised local contrast, for faded prints and hard shadows."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    evened = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(4, 4)).apply(grey)
    return np.asarray(cv2.cvtColor(evened, cv2.COLOR_GRAY2RGB), dtype=np.uint8)


def _turned_back(boxes: Boxes, turn: Boxes) -> Boxes:
    """The boxes with their centres mapped back by the inverse of the (2, 3) affine `turn`."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    back = np.asarray(cv2.invertAffineTransform(turn), dtype=np.float64)
    centres = centres @ back[:, :2].T + back[:, 2]
    half = (boxes[:, 2:] - boxes[:, :2]) / 2
    return np.concatenate([centres - half, centres + half], axis=1)


def _without_rivals(clusters: list[Cluster]) -> list[Cluster]:
    """The clusters, best first, that lie in no better one and have 0.4 of the best one's votes."""
    kept: list[Cluster] = []
    for box, votes in clusters:
        centre = (box[:2] + box[2:]) / 2
        inside = any(
            bool(np.all(centre > better[:2]) and np.all(centre < better[2:])) for better, _ in kept
        )
        if not inside and votes >= 0.4 * clusters[0][1]:
            kept.append((box, votes))
    return kept


def _vote(boxes: Boxes, min_votes: int) -> list[Cluster]:
    """Cluster windows: (median box (4,), votes), the best first (votes * sqrt(width))."""
    clusters: list[list[int]] = []
    means = np.empty((len(boxes), 4))
    for index, box in enumerate(boxes):
        near = np.flatnonzero(_iou(means[: len(clusters)], box) > _SAME_FACE_IOU)
        if near.size:
            clusters[near[0]].append(index)
            means[near[0]] = boxes[clusters[near[0]]].mean(axis=0)
        else:
            means[len(clusters)] = box
            clusters.append([index])
    if not clusters:
        return []
    # The first windows were assigned when there were few clusters: assign all once more.
    medians = np.array([np.median(boxes[cluster], axis=0) for cluster in clusters])
    nearest = np.array([int(np.argmax(_iou(medians, box))) for box in boxes])
    accepted: list[Cluster] = []
    for index in range(len(clusters)):
        members = boxes[nearest == index]
        if len(members) >= min_votes:
            accepted.append((np.median(members, axis=0), len(members)))
    accepted.sort(key=lambda item: item[1] * float(np.sqrt(item[0][2] - item[0][0])), reverse=True)
    return accepted


def _iou(boxes: Boxes, box: Boxes) -> Boxes:
    """Intersection over union of each of (N, 4) `boxes` with `box` (4,): (N,)."""
    upper_left = np.maximum(boxes[:, :2], box[:2])
    lower_right = np.minimum(boxes[:, 2:], box[2:])
    shared = np.clip(lower_right - upper_left, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod() - shared
    ious: Boxes = shared / areas
    return ious


def _as_faces(clusters: Sequence[Cluster], scale: float) -> tuple[Face, ...]:
    """Numbered faces, the largest first, their boxes scaled by `scale`."""
    largest_first = sorted(clusters, key=lambda item: float(item[0][2] - item[0][0]), reverse=True)
    faces = []
    for number, (box, votes) in enumerate(largest_first, start=1):
        side = max(1, round(float(box[2] - box[0]) * scale))
        left = round(float(box[0] + box[2]) * scale / 2 - side / 2)
        upper = round(float(box[1] + box[3]) * scale / 2 - side / 2)
        square = CropBox(left=left, upper=upper, right=left + side, lower=upper + side)
        faces.append(Face(number=number, box=square, votes=votes))
    return tuple(faces)


def resize(picture: Picture, scale: float) -> Picture:
    """Scale a picture: area averaging if it shrinks, bilinear if it grows."""
    height, width = picture.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=method), dtype=np.uint8)


def rotate(picture: Picture, angle_deg: float) -> tuple[Picture, npt.NDArray[np.float64]]:
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
