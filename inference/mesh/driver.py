"""Follow one face through a clip, and measure it in each frame.

look where the face was -> is it a face, and the same one? -> points, scores, looks
if not, search          -> the same person, or nobody
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Picture
from inference.faces.finder import square_of
from inference.faces.landmarker import (
    Landmarker,
    Landmarks,
    Square,
    box_iou,
    points_apart,
    span,
)
from inference.faces.person import Looks, Person
from inference.faces.topology import FACE_POINTS
from inference.mesh.shading import SkinMap
from jobs.model import Face

_SURE = 0.8  # presence
_DOUBTFUL = 0.95
_MAX_OUTSIDE = 0.2  # of a face's points outside the picture: the rest of it is guessed
# How far points move when looked at again, eye distances; else it is no face.
_MAX_UNSTABLE, _MAX_UNSTABLE_MOVING = 0.03, 0.06
_MIN_CONTRAST = 1.5  # of a face, grey levels
# From frame to frame, a face keeps place and size.
_MIN_OVERLAP, _MAX_GROWTH = 0.3, 1.5
_GIVEN_S = 0.5  # for so long, only a face near the given one is taken
_PATIENCE_S = 0.5  # for so long, a lost face is searched in every frame
_MEMORY_S = 1.0  # for the person's looks, which change with the light and the head's turns
_DOUBT_S = 1.0  # after so long, it is the light that has changed
_BRIEF_S = 0.4  # a face seen for less is forgotten after `_DOUBT_S`: it may have been half faded in


@dataclass(frozen=True, eq=False)
class Sight:
    """A face in one frame.

    Attributes:
        points: (478, 3) float32, as in `Landmarks`.
        scores: (52,) float32, expression scores.
        brightness: of the face, grey levels.
        contrast: likewise, its standard deviation.
        skin: (3,) float32, colour of the cheeks.
        skin_map: (64, 64) float16, see `SkinMap`.
    """

    points: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    brightness: float
    contrast: float
    skin: npt.NDArray[np.float32]
    skin_map: npt.NDArray[np.float16]


class FaceFollower:
    """Follows one person's face.

    Args:
        landmarker: measures faces.
        face: in one of the first frames.
        frame_rate: frames per second.

    Attributes:
        skin_map: how faces are unwrapped.
    """

    def __init__(self, landmarker: Landmarker, face: Face, frame_rate: float) -> None:
        self._landmarker = landmarker
        self._frame_rate = frame_rate
        self.skin_map = SkinMap(landmarker.mesh)
        self._place = square_of(face)
        self._last: Landmarks | None = None
        self._person = Person(max(1.0, _MEMORY_S * frame_rate))
        self._missed = self._covered = 0

    def see(self, frame: Picture) -> Sight | None:
        """Measure the face in the next frame, uint8 (h, w, 3) RGB; None if it is not visible."""
        found = self._followed(frame) or self._searched(frame)
        if found is None:
            self._last, self._covered = None, 0
            self._missed += 1
            is_brief = self._person.sights < _BRIEF_S * self._frame_rate
            if is_brief and self._missed > _DOUBT_S * self._frame_rate:
                self._person.forget()
            return None
        face, looks = found
        self._last, self._place, self._missed = face, face.square, 0
        if self._person.is_known and self._person.is_covered(looks):
            self._covered += 1
            if self._covered < _DOUBT_S * self._frame_rate:
                return None
            self._person.forget()
        self._covered = 0
        self._person.learn(looks)
        return Sight(
            points=face.points.astype(np.float32),
            scores=self._landmarker.scores(face).astype(np.float32),
            brightness=looks.brightness,
            contrast=looks.contrast,
            skin=looks.skin,
            skin_map=self.skin_map.of_frame(frame, face.points).astype(np.float16),
        )

    def _followed(self, frame: Picture) -> tuple[Landmarks, Looks] | None:
        """The face near its place in the last frame."""
        last = self._last
        if last is None:
            return None
        found = self._landmarker.look(frame, self._place)
        square = found.square
        moved = np.hypot(square.x - self._place.x, square.y - self._place.y) / self._place.side
        if found.presence < _DOUBTFUL or moved > 0.05:
            again = self._landmarker.look(frame, square)
            if points_apart(found, again) > _MAX_UNSTABLE_MOVING:
                return None
            found = again
        growth = found.square.side / last.square.side
        keeps = _overlap(found, last) > _MIN_OVERLAP and 1 / _MAX_GROWTH < growth < _MAX_GROWTH
        looks = self._looks(frame, found) if keeps else None
        if looks is None or not self._person.is_same(looks, is_followed=True):
            return None
        return found, looks

    def _searched(self, frame: Picture) -> tuple[Landmarks, Looks] | None:
        """The person's face, anywhere in a frame."""
        if self._missed > _PATIENCE_S * self._frame_rate and self._missed % 3:
            return None  # a search takes four times as long as following
        best, least = None, np.inf
        for square in self._squares(frame):
            face = self._confirmed(frame, square)
            looks = None if face is None else self._looks(frame, face)
            if face is None or looks is None:
                continue
            if self._person.is_known:
                if not self._person.is_same(looks, is_followed=False):
                    continue
                unlike = self._person.unlike(looks)
            else:
                unlike = _distance(face.square, self._place)
                if unlike > 0.4 and self._missed < _GIVEN_S * self._frame_rate:
                    continue
            if unlike < least:
                best, least = (face, looks), unlike
        return best

    def _squares(self, frame: Picture) -> Iterator[Square]:
        """Where faces may be: the last place, around it, and in the whole frame."""
        places = [self._place, *self._detected(frame)]
        for index, square in enumerate(places):
            if all(_distance(square, other) > 0.1 for other in places[:index]):
                yield square

    def _detected(self, frame: Picture) -> Iterator[Square]:
        reach = 1.5 * self._place.side
        height, width = frame.shape[:2]
        left, right = span(self._place.x, reach, width)
        upper, lower = span(self._place.y, reach, height)
        for found in self._landmarker.detect(frame[upper:lower, left:right]):
            square = found.square
            yield Square(square.x + left, square.y + upper, square.side, square.angle)
        for found in self._landmarker.detect(frame):
            yield found.square

    def _confirmed(self, frame: Picture, square: Square) -> Landmarks | None:
        """The face in a square, if a second look agrees with the first one."""
        once = self._landmarker.look(frame, square)
        if once.presence < _SURE:
            return None
        again = self._landmarker.look(frame, once.square)
        third = self._landmarker.look(frame, again.square)
        return third if points_apart(again, third) < _MAX_UNSTABLE else None

    def _looks(self, frame: Picture, face: Landmarks) -> Looks | None:
        """What a face looks like; None unless it is surely one, lit, and nearly whole."""
        points = face.points[:FACE_POINTS, :2]
        border = frame.shape[1] - 1, frame.shape[0] - 1
        is_inside = ((points >= 0) & (points <= border)).all(axis=1)
        if face.presence < _SURE or is_inside.mean() < 1 - _MAX_OUTSIDE:
            return None
        looks = Looks.of(frame, face, self._landmarker.mesh)
        return looks if looks.contrast >= _MIN_CONTRAST else None


def _distance(square: Square, other: Square) -> float:
    """How far a face is from another place, in its sides; a change of size counts too."""
    side = max(other.side, 1e-6)
    moved = float(np.hypot(square.x - other.x, square.y - other.y)) / side
    return moved + 0.3 * abs(float(np.log(max(square.side, 1e-6) / side)))


def _overlap(one: Landmarks, other: Landmarks) -> float:
    return float(box_iou(_bounds(one)[None], _bounds(other))[0])


def _bounds(face: Landmarks) -> Doubles:
    points = face.points[:FACE_POINTS, :2]
    return np.concatenate([points.min(axis=0), points.max(axis=0)])
