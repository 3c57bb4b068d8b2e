"""Follow one face through a clip, and measure it in each frame.

frame -> look where the face was -> is it a face, and the same one? -> points, scores, light
                              no -> search -> the same person, or nobody
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.faces.landmarker import Landmarker, Landmarks, Square, box_iou
from inference.mesh.head import fit_head
from inference.mesh.topology import CHEEKS, FACE_POINTS
from jobs.model import CropBox

Picture = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]

_SURE = 0.8  # presence
_DOUBTFUL = 0.95
_MAX_OUTSIDE = 0.2  # of a face's points outside the picture: the rest of it is guessed
# How far points move when looked at again, eye distances; else it is no face.
_MAX_UNSTABLE, _MAX_UNSTABLE_MOVING = 0.03, 0.06
_MIN_CONTRAST = 1.5  # of a face, grey levels
# From frame to frame, a face keeps place and size.
_MIN_OVERLAP, _MAX_GROWTH = 0.3, 1.5
# Differences between shapes of the same person stay below .27 cm, those of two are above .26 cm.
_SAME_PERSON_CM, _PERHAPS_SAME_CM, _OTHER_PERSON_CM = 0.28, 0.4, 0.6
_NEAR_S = 1.0  # for so long, a face near its last place is taken with a less similar shape
_GIVEN_S = 0.5  # for so long, only a face near the given box is taken
# Points that expressions hardly move: corners of the eyes, nose, brow's middle, sides of the face.
# fmt: off
_SHAPE = np.array([
    33, 133, 362, 263, 168, 6, 197, 195, 4, 98, 327, 2, 234, 454, 127, 356, 93, 323, 132, 361, 10,
    109, 338, 205, 425,
])
# fmt: on
_LEFT_EYE, _RIGHT_EYE = 33, 263
_GREY = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, eq=False)
class Sight:
    """A face in one frame.

    Attributes:
        points: (478, 3) float32, as in `Landmarks`.
        scores: (52,) float32, expression scores.
        light: mean and standard deviation of the face's brightness, grey levels.
        skin: (3,) float32, colour of the cheeks.
    """

    points: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    light: tuple[float, float]
    skin: npt.NDArray[np.float32]


class FaceFollower:
    """Follows one person's face.

    Args:
        landmarker: measures faces.
        box: the face from brows to chin in one of the first frames.
        frame_rate: frames per second.
    """

    def __init__(self, landmarker: Landmarker, box: CropBox, frame_rate: float) -> None:
        self._landmarker = landmarker
        self._frame_rate = frame_rate
        self._place = _square_of(box)
        self._last: Landmarks | None = None
        self._shape = np.zeros((len(_SHAPE), 3))
        self._seen = 0
        self._missed = 0

    def see(self, frame: Picture) -> Sight | None:
        """Measure the face in the next frame, uint8 (h, w, 3) RGB; None if it is not visible."""
        found = self._followed(frame) or self._searched(frame)
        if found is None:
            self._missed += 1
            self._last = None
            return None
        # The mean of the latest second or so, so that the shape follows the head's turns.
        self._seen += 1
        share = max(1 / self._seen, 1 / self._frame_rate)
        self._shape += share * (self._shape_of(found) - self._shape)
        self._missed = 0
        self._last = found
        self._place = found.square
        return self._sight(frame, found)

    def _followed(self, frame: Picture) -> Landmarks | None:
        """The face near its place in the last frame."""
        last = self._last
        if last is None:
            return None
        found = self._landmarker.look(frame, self._place)
        square = found.square
        moved = np.hypot(square.x - self._place.x, square.y - self._place.y) / self._place.side
        if found.presence < _DOUBTFUL or moved > 0.05:
            again = self._landmarker.look(frame, square)
            if _apart(found, again) > _MAX_UNSTABLE_MOVING:
                return None
            found = again
        growth = found.square.side / last.square.side
        keeps = _overlap(found, last) > _MIN_OVERLAP and 1 / _MAX_GROWTH < growth < _MAX_GROWTH
        is_other = self._unlike(found) > _OTHER_PERSON_CM
        return found if keeps and not is_other and _is_visible(frame, found) else None

    def _searched(self, frame: Picture) -> Landmarks | None:
        """The person's face, anywhere in a frame."""
        found = [
            seen for square in self._squares(frame) if (seen := self._confirmed(frame, square))
        ]
        if self._seen:
            found = [seen for seen in found if self._is_same(seen)]
            return min(found, key=self._unlike, default=None)
        if self._missed < _GIVEN_S * self._frame_rate:
            found = [seen for seen in found if self._distance(seen) < 0.4]
        return min(found, key=self._distance, default=None)

    def _squares(self, frame: Picture) -> Iterator[Square]:
        """Where faces may be: the last place, those found around it, and in the whole frame."""
        yield self._place
        reach = 1.5 * self._place.side
        height, width = frame.shape[:2]
        left, right = _range(self._place.x, reach, width)
        upper, lower = _range(self._place.y, reach, height)
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
        is_stable = _apart(again, third) < _MAX_UNSTABLE
        return third if is_stable and _is_visible(frame, third) else None

    def _is_same(self, found: Landmarks) -> bool:
        is_near = self._missed < _NEAR_S * self._frame_rate and self._distance(found) < 0.3
        return self._unlike(found) < (_PERHAPS_SAME_CM if is_near else _SAME_PERSON_CM)

    def _unlike(self, found: Landmarks) -> float:
        """How much a face differs from the person's, cm."""
        away = self._shape_of(found) - self._shape
        return float(np.sqrt((away**2).sum(axis=1).mean()))

    def _shape_of(self, found: Landmarks) -> Doubles:
        return fit_head(found, self._landmarker.mesh).points[_SHAPE]

    def _distance(self, found: Landmarks) -> float:
        """How far a face is from the last place, in its sides; a change of size counts too."""
        square, place = found.square, self._place
        moved = np.hypot(square.x - place.x, square.y - place.y) / place.side
        return float(moved + 0.3 * abs(np.log(square.side / place.side)))

    def _sight(self, frame: Picture, found: Landmarks) -> Sight:
        grey = _colours(frame, found.points[:FACE_POINTS, :2]) @ _GREY
        return Sight(
            points=found.points.astype(np.float32),
            scores=self._landmarker.scores(found).astype(np.float32),
            light=(float(grey.mean()), float(grey.std())),
            skin=_skin(frame, found.points),
        )


def _square_of(box: CropBox) -> Square:
    """Where to look at a face given by its box from brows to chin."""
    x, y = box.centre
    return Square(x, y + 0.06 * box.height, 1.7 * max(box.width, box.height))


def _is_visible(frame: Picture, found: Landmarks) -> bool:
    """Whether a face is surely one, lit, and nearly whole in the picture."""
    points = found.points[:FACE_POINTS, :2]
    is_inside = ((points >= 0) & (points <= (frame.shape[1] - 1, frame.shape[0] - 1))).all(axis=1)
    if found.presence < _SURE or is_inside.mean() < 1 - _MAX_OUTSIDE:
        return False
    return float((_colours(frame, points[is_inside]) @ _GREY).std()) >= _MIN_CONTRAST


def _apart(one: Landmarks, other: Landmarks) -> float:
    """The mean distance of two faces' points, in eye distances."""
    between = np.linalg.norm(other.points[_RIGHT_EYE, :2] - other.points[_LEFT_EYE, :2])
    moved = np.linalg.norm((one.points - other.points)[:FACE_POINTS, :2], axis=1)
    return float(moved.mean() / max(between, 1e-6))


def _overlap(one: Landmarks, other: Landmarks) -> float:
    return float(box_iou(_bounds(one)[None], _bounds(other))[0])


def _bounds(found: Landmarks) -> Doubles:
    points = found.points[:FACE_POINTS, :2]
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _colours(frame: Picture, points: Doubles) -> Doubles:
    """The colours (n, 3) of the nearest pixels."""
    height, width = frame.shape[:2]
    x, y = np.rint(points).astype(np.int64).T
    return frame[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)].astype(np.float64)


def _skin(frame: Picture, points: Doubles) -> npt.NDArray[np.float32]:
    """The median colour of the cheeks, (3,)."""
    places = []
    for cheek in CHEEKS:
        corners = points[cheek, :2]
        middle = corners.mean(axis=0)
        places += [middle + share * (corners - middle) for share in (0.0, 0.25, 0.5, 0.75)]
    return np.asarray(np.median(_colours(frame, np.concatenate(places)), axis=0), np.float32)


def _range(centre: float, reach: float, size: int) -> tuple[int, int]:
    """A part of `size` px round a centre; at least one px of it."""
    first = min(max(0, int(centre - reach)), size - 1)
    return first, max(first + 1, min(size, int(centre + reach)))
