"""Check a driving clip: hard cuts, a lost face, no face at the beginning.

One streaming pass over the normalised clip; no frames are kept.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from inference.faces.finder import detect, find_faces_thoroughly, resize, rotate
from jobs.model import CropBox, Face

Picture = npt.NDArray[np.uint8]
Thumbnail = npt.NDArray[np.float32]
# (N, 3) float64: centre x, centre y and side, px.
Squares = npt.NDArray[np.float64]

_FIRST_LOOKS = (0, 2, 4)  # a face that is missed in one of these frames may be found in another
_FURTHER_LOOKS = 6  # frames spread over the clip in which the face is searched again
_LOST_LOOKS = 2  # in a single one, the finder may have missed it
_FACE_SIDE_PX = 64  # to which a face is scaled for the quick search
_AGREEING = 3  # windows that have to agree on a face's position
_TOGETHER = 0.2  # agreement of centres and sides, as a share of a window's side
_THUMBNAIL_PX = 24
_FLASH_FRAMES = 5  # a change that is undone within these is a flash, not a cut
_LEAST_CHANGE = 0.06
_STEADINESS = 5.0  # a cut changes this many times more than the frames around it


@dataclass(frozen=True)
class ClipCheck:
    """Faces and faults of a clip.

    Attributes:
        faces: of the first frame, or of the third or fifth if it has none; the largest first.
        has_cuts: whether there are hard cuts.
        is_face_lost: whether the largest face is not visible in parts of the clip.
        later_faces: boxes of that face in later frames, in order; at most six. Frames in which its
            position was uncertain are left out.
    """

    faces: tuple[Face, ...]
    has_cuts: bool
    is_face_lost: bool
    later_faces: tuple[CropBox, ...] = ()


def check_clip(frames: Iterable[Picture], frame_count: int) -> ClipCheck:
    """Check a clip in one pass.

    Args:
        frames: uint8 (H, W, 3) RGB, all of one size; at least one.
        frame_count: their approximate number.
    """
    faces: tuple[Face, ...] = ()
    cuts = _CutWatch()
    looks = set(np.linspace(0, max(0, frame_count - 1), _FURTHER_LOOKS + 1).round().astype(int)[1:])
    lost = 0
    later_faces = []
    for index, frame in enumerate(frames):
        cuts.see(frame)
        if index in _FIRST_LOOKS and not faces:
            faces = find_faces_thoroughly(frame)
        elif faces and index in looks:
            is_seen, place = _look_near(frame, faces[0].box)
            lost += not is_seen
            if place is not None:
                later_faces.append(place)
    return ClipCheck(faces, cuts.found(), lost >= _LOST_LOOKS, tuple(later_faces))


# --- cuts ----------------------------------------------------------------------------------------


class _CutWatch:
    """Compares thumbnails of nearby frames."""

    def __init__(self) -> None:
        self._recent: deque[Thumbnail] = deque(maxlen=_FLASH_FRAMES + 1)
        # Row i: differences of frame i from i - 1, i - 2, ...; infinite where there is none.
        self._rows: list[list[float]] = []

    def see(self, frame: Picture) -> None:
        """Add the next frame."""
        newest = _thumbnail(frame)
        row = [_difference(earlier, newest) for earlier in reversed(self._recent)]
        self._rows.append(row + [np.inf] * (_FLASH_FRAMES + 1 - len(row)))
        self._recent.append(newest)

    def found(self) -> bool:
        """Return whether a change stood out from its neighbours and lasted."""
        differences = np.array(self._rows)[1:]
        changes = differences[:, 0]
        for index in map(int, np.flatnonzero(changes > _LEAST_CHANGE)):
            # A fast turn changes the picture as much as a cut does, but in every frame.
            first = max(0, index - 4)
            around = np.delete(changes[first : index + 5], index - first)
            usual = float(np.median(around)) if around.size else 0.0
            # A flash begins and ends with a change; the frames before and after it are alike.
            before_to_later = np.diagonal(differences[index + 1 :, 1:])
            earlier_to_after = differences[index, 1:]
            undone = min(before_to_later.min(initial=np.inf), earlier_to_after.min())
            # In the last frame, a cut cannot be told from a flash.
            is_last = index == len(changes) - 1
            stands_out = min(changes[index], undone) > _STEADINESS * usual
            if stands_out and undone > 0.6 * changes[index] and not is_last:
                return True
        return False


def _thumbnail(frame: Picture) -> Thumbnail:
    """The frame as (24, 24, 3) float32 minus its mean colour; small movements vanish in it."""
    size = (_THUMBNAIL_PX, _THUMBNAIL_PX)
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    blurred = cv2.GaussianBlur(small, (0, 0), 1.0)
    return np.asarray(blurred - blurred.mean(axis=(0, 1)), dtype=np.float32)


def _difference(one: Thumbnail, other: Thumbnail) -> float:
    """1 - correlation: 0 for the same picture in any light, about 1 for another scene."""
    # The constant keeps the noise of two uniformly dark pictures from counting as two scenes.
    floor = float(one.size)
    power = float(np.vdot(one, one) + floor) * float(np.vdot(other, other) + floor)
    return float(1.0 - (float(np.vdot(one, other)) + floor) / np.sqrt(power))


# --- the face ------------------------------------------------------------------------------------


def _look_near(frame: Picture, box: CropBox) -> tuple[bool, CropBox | None]:
    """Whether the cascade detects a face of about that size near `box`, and its box.

    Upright and tilted by 15 degrees. Two windows suffice to say that it is visible; the box is None
    unless enough of them agree.
    """
    height, width = frame.shape[:2]
    reach = box.width * 3 // 4
    left, right = max(0, box.left - reach), min(width, box.right + reach)
    upper, lower = max(0, box.upper - reach), min(height, box.lower + reach)
    if right - left < box.width // 2 or lower - upper < box.height // 2:
        return False, None
    scale = _FACE_SIDE_PX / box.width
    small = resize(np.ascontiguousarray(frame[upper:lower, left:right]), scale)
    is_seen = False
    places = []
    for angle in (0, 15, -15):
        copy, turn = rotate(small, angle)
        windows = _windows(copy, box.width * scale)
        # A single window may be a false positive.
        is_seen = is_seen or len(windows) >= 2
        back = np.asarray(cv2.invertAffineTransform(turn), dtype=np.float64)
        windows[:, :2] = windows[:, :2] @ back[:, :2].T + back[:, 2]
        places.append(windows / scale + (left, upper, 0))
    return is_seen, _agreed(np.concatenate(places))


def _windows(picture: Picture, side: float) -> Squares:
    """The windows of a face with about that side, in the picture and in its mirror image."""
    least, most = round(side * 0.65), round(side * 1.5)
    seen = detect(picture, least, most)
    mirrored = detect(np.ascontiguousarray(picture[:, ::-1]), least, most)
    mirrored[:, [0, 2]] = picture.shape[1] - mirrored[:, [2, 0]]
    boxes = np.concatenate([seen, mirrored])
    return np.column_stack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2] - boxes[:, 0]])


def _agreed(squares: Squares) -> CropBox | None:
    """The median of the largest group of squares that agree."""
    if not len(squares):
        return None
    apart = np.abs(squares[:, None] - squares[None]).max(axis=2)
    together = apart < _TOGETHER * squares[:, 2:]
    # In the tilted copies, a mouth often looks like a small face.
    best = int(np.argmax(together.sum(axis=1) * squares[:, 2]))
    if together[best].sum() < _AGREEING:
        return None
    centre_x, centre_y, side = np.median(squares[together[best]], axis=0)
    left, upper, whole = round(centre_x - side / 2), round(centre_y - side / 2), round(side)
    return CropBox(left=left, upper=upper, right=left + whole, lower=upper + whole)
