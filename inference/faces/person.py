"""Tell one person's face from another's, and from a face that something covers.

Two properties are compared, which change little with expression, pose and light: the shape of the
bones, and the pattern of light and dark over the face.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Picture
from inference.faces.head import fit_head
from inference.faces.landmarker import Landmarks
from inference.faces.model_file import CanonicalMesh
from inference.faces.topology import CHEEKS, FACE_POINTS
from inference.luma import LUMA

# Points that expressions hardly move: corners of the eyes, nose, brow's middle, sides of the face.
# fmt: off
_BONES = np.array([
    33, 133, 362, 263, 168, 6, 197, 195, 4, 98, 327, 2, 234, 454, 127, 356, 93, 323, 132, 361, 10,
    109, 338, 205, 425,
])
# fmt: on
# Of one person, shapes differ by up to .26 cm and patterns correlate by .86 and more; of two, by
# .26 cm and more and up to .76. The quotients with these are added up.
_SHAPE_CM, _PATTERN = 0.28, 0.3
_MAX_UNLIKE = 1.65
_MAX_UNLIKE_FOLLOWED = 2.3  # of a face at the place where the person's just was
_MIN_PATTERN = 0.65  # below, something is in front of the face


@dataclass(frozen=True, eq=False)
class Looks:
    """What a face looks like in one frame.

    Attributes:
        shape: (25, 3) points in the head's frame, cm.
        pattern: (468,) brightness at the face's points; mean 0, standard deviation 1.
        brightness: mean, grey levels.
        contrast: standard deviation, grey levels.
        skin: (3,) RGB of the cheeks, grey levels.
    """

    shape: Doubles
    pattern: Doubles
    brightness: float
    contrast: float
    skin: npt.NDArray[np.float32]

    @classmethod
    def of(cls, frame: Picture, face: Landmarks, mesh: CanonicalMesh) -> "Looks":
        """Return the looks of a measured face in a frame, uint8 (h, w, 3) RGB."""
        points = face.points[:FACE_POINTS, :2]
        reach = 0.01 * face.square.side
        around = reach * np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)])
        grey = (_colours(frame, points[:, None] + around) @ LUMA).mean(axis=1)
        return cls(
            shape=fit_head(face, mesh).points[_BONES],
            pattern=(grey - grey.mean()) / (grey.std() + 1e-6),
            brightness=float(grey.mean()),
            contrast=float(grey.std()),
            skin=_skin(frame, points),
        )


class Person:
    """What one person's face has looked like lately.

    Args:
        memory: over how many sights it is averaged.

    Attributes:
        sights: how often the face was seen.
    """

    def __init__(self, memory: float) -> None:
        self._memory = memory
        self.sights = 0
        self._shape: Doubles = np.zeros((len(_BONES), 3))
        self._pattern: Doubles = np.zeros(FACE_POINTS)
        self._former: tuple[Doubles, Doubles] | None = None

    @property
    def is_known(self) -> bool:
        """Whether the face has been seen."""
        return self.sights > 0

    def learn(self, looks: Looks) -> None:
        """Add one sight of the face."""
        self.sights += 1
        share = max(1 / self.sights, 1 / self._memory)
        self._shape = self._shape + share * (looks.shape - self._shape)
        self._pattern = self._pattern + share * (looks.pattern - self._pattern)

    def forget(self) -> None:
        """Learn the face again from its next sighting; its earlier looks are still recognised."""
        if self.is_known and self._former is None:
            self._former = self._shape, self._pattern
        self.sights = 0

    def unlike(self, looks: Looks) -> float:
        """Return how much a face differs from the person's."""
        return self._away(looks) / _SHAPE_CM + (1 - self._correlation(looks)) / _PATTERN

    def is_same(self, looks: Looks, *, is_followed: bool) -> bool:
        """Return whether a face may be the person's.

        The test is weaker for a face that is followed: it may be covered, or in another light.
        """
        if is_followed:
            fits = self.unlike(looks) < _MAX_UNLIKE_FOLLOWED or self._away(looks) < _SHAPE_CM
        else:
            fits = self.unlike(looks) < _MAX_UNLIKE
        return fits or self._recalls(looks)

    def is_covered(self, looks: Looks) -> bool:
        """Return whether something else than the face is seen in its place."""
        return self._correlation(looks) < _MIN_PATTERN and not self._recalls(looks)

    def _recalls(self, looks: Looks) -> bool:
        """Whether the face looks as it did before `forget`; then restore that."""
        if self._former is None:
            return False
        now = self._shape, self._pattern
        self._shape, self._pattern = self._former
        if self.unlike(looks) < _MAX_UNLIKE and self._correlation(looks) >= _MIN_PATTERN:
            self._former = None
            return True
        self._shape, self._pattern = now
        return False

    def _away(self, looks: Looks) -> float:
        """How far the points of the shape are from the person's, cm."""
        return float(np.sqrt(((looks.shape - self._shape) ** 2).sum(axis=1).mean()))

    def _correlation(self, looks: Looks) -> float:
        length = float(np.sqrt((self._pattern**2).mean()))
        return float((looks.pattern * self._pattern).mean()) / max(length, 1e-6)


def _colours(frame: Picture, points: Doubles) -> Doubles:
    """The colours (..., 3) of the nearest pixels of points (..., 2)."""
    height, width = frame.shape[:2]
    places = np.rint(points).astype(np.intp)
    x, y = np.clip(places[..., 0], 0, width - 1), np.clip(places[..., 1], 0, height - 1)
    return frame[y, x].astype(np.float64)


def _skin(frame: Picture, points: Doubles) -> npt.NDArray[np.float32]:
    """The median colour of the cheeks, (3,)."""
    places = []
    for cheek in CHEEKS:
        middle = points[cheek].mean(axis=0)
        places += [middle + share * (points[cheek] - middle) for share in (0.0, 0.25, 0.5, 0.75)]
    return np.asarray(np.median(_colours(frame, np.concatenate(places)), axis=0), np.float32)
