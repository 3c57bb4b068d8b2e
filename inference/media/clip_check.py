"""Check a driving clip: where its face is, what is wrong with it, hard cuts.

One streaming pass over the normalised clip; no frames are kept. The face is looked for in a few
frames only.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Picture
from inference.faces.finder import find_again, find_faces, square_of
from inference.faces.landmarker import Landmarks
from inference.faces.loading import landmarker
from inference.faces.person import Looks, Person
from inference.media.clip_frames import ClipFrame
from jobs.model import CropBox, Face, MediaWarning

Thumbnail = npt.NDArray[np.float32]

Loss = Literal["left", "hidden"]
"""Why there is no face in a frame."""

_FIRST_LOOKS = (0, 2, 4)  # a face that is missed in one of these frames may be found in another
_FURTHER_LOOKS = 12  # frames spread over the clip in which the face is looked at again
_LOST_LOOKS = 2  # a single one is bridged
_DARK_FACE = 40  # mean luminance, of 255
_FLAT = 12.0  # span of a frame's luminance; one without a picture has less
_BLACK, _WHITE = 32, 235  # mean luminance of blank frames; a plain wall is between
# In a faded frame: its share of the usual contrast, and of the usual distance from black or white.
_FADED, _NEARER = 0.5, 0.6
_FADE_FRAMES = 4
_EDGE = 0.15  # a face closer than this to the frame's edge, in face sides, is about to leave
# Light is measured in a small copy, cuts in a smaller one.
_SMALL_PX, _THUMBNAIL_PX = 72, 24
_FLASH_FRAMES = 5  # a change that is undone within these is a flash, not a cut
_LEAST_CHANGE = 0.06
_STEADINESS = 5.0  # a cut changes this many times more than the frames around it


@dataclass(frozen=True)
class ClipCheck:
    """Faces and faults of a clip.

    Attributes:
        faces: of the first frame in which there are any, out of those that were looked at; the
            largest first. Beside larger ones, small ones may be left out.
        later_faces: boxes of the largest one in later frames, in order; at most twelve. Frames in
            which it was not seen have none.
        warnings: what is wrong with the clip.
    """

    faces: tuple[Face, ...]
    later_faces: tuple[CropBox, ...] = ()
    warnings: tuple[MediaWarning, ...] = ()


def check_clip(
    frames: Iterable[ClipFrame], frame_count: int, *, find_face: bool = True
) -> ClipCheck:
    """Check a clip in one pass.

    Args:
        frames: all of one size; at least one.
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
    lights: list[_Light] = []
    for index, frame in enumerate(frames):
        small = frame.small(_SMALL_PX)
        light = _Light.of(small)
        lights.append(light)
        if not light.is_flat:
            cuts.see(small)
        is_looked_at = index in (to_follow if face.faces else to_search)
        if find_face and is_looked_at and not light.is_blank:
            face.see(frame.picture(), index)
    warnings = face.warnings() if find_face else []
    fades = MediaWarning.FACE_LEAVES not in warnings and _fades(lights)
    if find_face and (_is_often_blank(lights) or fades):
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
        self._person = Person(memory=_FURTHER_LOOKS)
        self._first_index = 0
        self._losses: Counter[Loss] = Counter()
        self._brightness: list[float] = []

    def see(self, frame: Picture, index: int) -> None:
        """Look at a frame."""
        if self._last is None:
            self.faces = find_faces(frame, with_small=False)
            if self.faces:
                self._first_index = index
                landmarks = landmarker().look(frame, square_of(self.faces[0]))
                self._remember(frame, self.faces[0], self._looks(frame, landmarks))
            return
        found = find_again(landmarker(), frame, self._last)
        if found is not None:
            face, landmarks = found
            looks = self._looks(frame, landmarks)
            if self._person.is_same(looks, is_followed=True):
                self._remember(frame, face, looks)
                self.later.append(face.box)
                return
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

    def _looks(self, frame: Picture, landmarks: Landmarks) -> Looks:
        return Looks.of(frame, landmarks, landmarker().mesh)

    def _remember(self, frame: Picture, face: Face, looks: Looks) -> None:
        self._last = face
        self._person.learn(looks)
        left, upper, right, lower = (max(0, side) for side in face.box.sides)
        part = frame[upper:lower, left:right]
        if part.size:
            self._brightness.append(float(_luminance(part).mean()))


class _Light(NamedTuple):
    """The luminance of a frame.

    Attributes:
        mean: of 255.
        contrast: standard deviation.
        is_flat: whether there is nothing to be seen; a plain wall is flat.
        is_blank: whether it is black or white all over.
    """

    mean: float
    contrast: float
    is_flat: bool
    is_blank: bool

    @classmethod
    def of(cls, small: Picture) -> "_Light":
        """Measure a frame in a small copy."""
        luminance = _luminance(small)
        mean, is_flat = float(luminance.mean()), bool(np.ptp(luminance) < _FLAT)
        is_blank = is_flat and not _BLACK < mean < _WHITE
        return cls(mean, float(luminance.std()), is_flat, is_blank)


def _is_often_blank(lights: list[_Light]) -> bool:
    return sum(light.is_blank for light in lights) > _FADE_FRAMES


def _fades(lights: list[_Light]) -> bool:
    """Whether the clip begins or ends with frames nearer to black or white, with less contrast."""
    mean, contrast = (float(np.median(values)) for values in list(zip(*lights, strict=True))[:2])

    def is_faded(light: _Light) -> bool:
        is_near = light.mean <= _NEARER * mean or 255 - light.mean <= _NEARER * (255 - mean)
        return is_near and light.contrast <= _FADED * contrast

    ends = lights[:_FADE_FRAMES], lights[-_FADE_FRAMES:]
    return len(lights) > _FADE_FRAMES and any(all(map(is_faded, end)) for end in ends)


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

    def see(self, small: Picture) -> None:
        """Add a small copy of the next frame."""
        newest = _thumbnail(small)
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
            # A fast movement changes the picture as much as a cut does, but in several frames.
            before, after = changes[max(0, index - 3) : index], changes[index + 1 : index + 4]
            usual = max(float(np.median(around)) for around in (before, after, [0]) if len(around))
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


def _thumbnail(small: Picture) -> Thumbnail:
    """The frame as (24, 24, 3) float32 minus its mean colour; small movements vanish in it."""
    size = (_THUMBNAIL_PX, _THUMBNAIL_PX)
    smaller = cv2.resize(small, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    blurred = cv2.GaussianBlur(smaller, (0, 0), 1.0)
    return np.asarray(blurred - blurred.mean(axis=(0, 1)), dtype=np.float32)


def _difference(one: Thumbnail, other: Thumbnail) -> float:
    """1 - correlation: 0 for the same picture in any light, about 1 for another scene."""
    # The constant keeps the noise of two uniformly dark pictures from counting as two scenes.
    floor = float(one.size)
    power = float(np.vdot(one, one) + floor) * float(np.vdot(other, other) + floor)
    return float(1.0 - (float(np.vdot(one, other)) + floor) / np.sqrt(power))
