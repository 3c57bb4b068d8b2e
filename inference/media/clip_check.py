"""Check a driving clip: where its face is, what is wrong with it, hard cuts.

One streaming pass over the normalised clip; no frames are kept. The face is looked for in a few
frames only.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from inference.faces.finder import find_again, find_faces
from inference.faces.loading import landmarker
from jobs.model import CropBox, Face, MediaWarning

Picture = npt.NDArray[np.uint8]
Thumbnail = npt.NDArray[np.float32]

Loss = Literal["left", "hidden"]
"""Why there is no face in a frame."""

_FIRST_LOOKS = (0, 2, 4)  # a face that is missed in one of these frames may be found in another
_FURTHER_LOOKS = 12  # frames spread over the clip in which the face is looked at again
_LOST_LOOKS = 2  # a single one is bridged
_DARK, _DARK_FACE = 12, 40  # mean luminance of a frame, and of a face in it, of 255
_FLAT = 6.0  # contrast; a frame that is white or grey all over has less
_FADED, _FADE_FRAMES = 0.5, 4  # its share of the usual contrast in a faded frame; how many of these
_EDGE = 0.15  # a face closer than this to the frame's edge, in face sides, is about to leave
_THUMBNAIL_PX = 24
_FLASH_FRAMES = 5  # a change that is undone within these is a flash, not a cut
_LEAST_CHANGE = 0.06
_STEADINESS = 5.0  # a cut changes this many times more than the frames around it


@dataclass(frozen=True)
class ClipCheck:
    """Faces and faults of a clip.

    Attributes:
        faces: of the first frame in which there are any, out of those that were looked at; the
            largest first.
        later_faces: boxes of the largest one in later frames, in order; at most twelve. Frames in
            which it was not seen have none.
        warnings: what is wrong with the clip.
    """

    faces: tuple[Face, ...]
    later_faces: tuple[CropBox, ...] = ()
    warnings: tuple[MediaWarning, ...] = ()


def check_clip(frames: Iterable[Picture], frame_count: int, *, find_face: bool = True) -> ClipCheck:
    """Check a clip in one pass.

    Args:
        frames: uint8 (H, W, 3) RGB, all of one size; at least one.
        frame_count: their approximate number.
        find_face: whether a face is looked for; if not, none is missed.

    Raises:
        OperatorError: the landmark network cannot be loaded.
    """
    cuts = _CutWatch()
    face = _FaceWatch()
    spread = np.linspace(0, max(0, frame_count - 1), _FURTHER_LOOKS + 1).round().astype(int)
    # A search takes longer than to follow a face.
    to_follow, to_search = {*spread[1:]}, {*_FIRST_LOOKS, *spread[2::2]}
    contrasts: list[float] = []
    for index, frame in enumerate(frames):
        brightness, contrast = _light(frame)
        is_blank = brightness < _DARK or contrast < _FLAT
        contrasts.append(0.0 if is_blank else contrast)
        if not is_blank:
            cuts.see(frame)
        if find_face and index in (to_follow if face.faces else to_search):
            face.see(frame, index, is_blank=is_blank)
    warnings = face.warnings() if find_face else []
    if find_face and _fades(contrasts):
        warnings.append(MediaWarning.CLIP_FADES)
    if cuts.found():
        warnings.append(MediaWarning.HARD_CUTS)
    return ClipCheck(face.faces, tuple(face.later), tuple(warnings))


# --- the face ------------------------------------------------------------------------------------


class _FaceWatch:
    """Finds the faces of a clip, and follows the largest one.

    Attributes:
        faces: as in `ClipCheck`.
        later: boxes of the largest one in later frames.
    """

    def __init__(self) -> None:
        self.faces: tuple[Face, ...] = ()
        self.later: list[CropBox] = []
        self._last: Face | None = None
        self._first_index = 0
        self._losses: Counter[Loss] = Counter()
        self._brightness: list[float] = []

    def see(self, frame: Picture, index: int, *, is_blank: bool) -> None:
        """Look at a frame."""
        if is_blank:
            return
        if self._last is None:
            self.faces = find_faces(frame)
            if self.faces:
                self._first_index = index
                self._remember(frame, self.faces[0])
        elif (found := find_again(landmarker(), frame, self._last)) is not None:
            self._remember(frame, found)
            self.later.append(found.box)
        else:
            self._losses["left" if _is_at_edge(self._last.box, frame) else "hidden"] += 1

    def warnings(self) -> list[MediaWarning]:
        """Return what was wrong with the face."""
        found = {
            MediaWarning.NO_FACE_IN_CLIP: not self.faces,
            MediaWarning.FACE_LATE: self._first_index > max(_FIRST_LOOKS),
            MediaWarning.FACE_LEAVES: self._losses["left"] >= _LOST_LOOKS,
            MediaWarning.FACE_HIDDEN: self._losses["hidden"] >= _LOST_LOOKS,
            MediaWarning.CLIP_DARK: bool(self._brightness)
            and float(np.median(self._brightness)) < _DARK_FACE,
        }
        return [warning for warning, is_true in found.items() if is_true]

    def _remember(self, frame: Picture, face: Face) -> None:
        self._last = face
        left, upper, right, lower = (max(0, side) for side in face.box.sides)
        part = frame[upper:lower, left:right]
        if part.size:
            self._brightness.append(float(_luminance(part).mean()))


def _light(frame: Picture) -> tuple[float, float]:
    """Mean and standard deviation of the luminance."""
    small = cv2.resize(frame, (64, 64), interpolation=cv2.INTER_AREA)
    luminance = _luminance(np.asarray(small, np.uint8))
    return float(luminance.mean()), float(luminance.std())


def _fades(contrasts: list[float]) -> bool:
    """Whether the clip begins or ends with frames of little contrast, or has many blank ones."""
    least = _FADED * float(np.median(contrasts))
    ends = contrasts[:_FADE_FRAMES], contrasts[-_FADE_FRAMES:]
    has_faded_end = any(max(end) <= least for end in ends)
    return contrasts.count(0.0) > _FADE_FRAMES or (len(contrasts) > _FADE_FRAMES and has_faded_end)


def _luminance(picture: Picture) -> npt.NDArray[np.float64]:
    """ITU-R BT.601."""
    return np.asarray(picture @ np.array([0.299, 0.587, 0.114]), np.float64)


def _is_at_edge(box: CropBox, frame: Picture) -> bool:
    height, width = frame.shape[:2]
    room = _EDGE * box.width
    return min(box.left, box.upper) < room or box.right > width - room or box.lower > height - room


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
        if not self._rows:
            return False
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
