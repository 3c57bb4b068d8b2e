"""The neutral face of a driver: what a clip's movements are measured from.

The frames with the least expression are averaged, and what expression is left in them, by its
scores, is removed. So a clip need not begin with a neutral face.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles
from inference.faces.head import lip_gaps, mouth_width
from inference.faces.landmarker import SCORES
from inference.faces.model_file import CanonicalMesh
from inference.mesh.expressions import expression_fields, expression_of

Mask = npt.NDArray[np.bool_]

_PER_DEGREE = 0.03  # energy of each degree that the head is turned from its usual pose
_LARGEST_REST_GAP = 0.06  # mouth widths; lips farther apart are not at rest
_EYES = (("eyeBlinkRight", "eyeWideRight"), ("eyeBlinkLeft", "eyeWideLeft"))  # left to right


@dataclass(frozen=True, eq=False)
class HeadMovement:
    """What a head does in n frames, smoothed.

    Attributes:
        points: (n, 478, 3) float32 in the head's frame, cm.
        angles: (n, 3) yaw, pitch and roll, radians.
        scale: (n,) px per cm.
        neck: (n, 2) its place in the frame, px.
        apertures: (n, 2) of the eyes.
        gaze: (n, 2) of the irises, eye widths; mean of both eyes.
        gaps: (n, 11) of the lips, mouth widths.
        scores: (n, 52) of expressions.
    """

    points: npt.NDArray[np.float32]
    angles: Doubles
    scale: Doubles
    neck: Doubles
    apertures: Doubles
    gaze: Doubles
    gaps: Doubles
    scores: Doubles


@dataclass(frozen=True, eq=False)
class Neutral:
    """A driver at rest, the mean of some `frames`; see `HeadMovement`."""

    frames: npt.NDArray[np.intp]
    points: Doubles
    angles: Doubles
    scale: float
    neck: Doubles
    apertures: Doubles
    gaze: Doubles
    gaps: Doubles

    @property
    def mouth_width(self) -> float:
        """Distance of the mouth's corners, cm."""
        return mouth_width(self.points)


def find_neutral(movement: HeadMovement, usable: Mask, mesh: CanonicalMesh) -> Neutral:
    """Return the driver's neutral face.

    Args:
        movement: of all frames.
        usable: (n,) the evenly lit frames in which the face is seen; one at least.
        mesh: the canonical face.
    """
    frames = np.flatnonzero(usable)
    energy = _energy(movement.scores[frames], movement.angles[frames])
    calmest = frames[np.argsort(energy, kind="stable")[: max(3, len(frames) // 10)]]
    fields = expression_fields(mesh)
    left = np.mean([expression_of(movement.scores[frame], fields) for frame in calmest], axis=0)
    return Neutral(
        frames=calmest,
        points=movement.points[calmest].mean(axis=0, dtype=np.float64) - left,
        angles=movement.angles[calmest].mean(axis=0),
        scale=float(movement.scale[calmest].mean()),
        neck=movement.neck[calmest].mean(axis=0),
        apertures=_apertures(movement.scores[frames], movement.apertures[frames]),
        gaze=movement.gaze[calmest].mean(axis=0),
        gaps=_gaps(movement.gaps, frames, calmest, left, mesh),
    )


def _energy(scores: Doubles, angles: Doubles) -> Doubles:
    """How far each frame (n,) is from a neutral face."""
    weights = np.array([_weight(name) for name in SCORES])
    turned = np.degrees(np.abs(angles - np.median(angles, axis=0))).sum(axis=1)
    return np.asarray(scores @ weights + _PER_DEGREE * turned, np.float64)


def _weight(name: str) -> float:
    if name == "_neutral":
        return 0.0
    if name.startswith("eyeLook"):
        return 0.5
    if name == "jawOpen":
        return 3.0
    return 1.5 if name.startswith(("mouthSmile", "eyeBlink")) else 1.0


def _apertures(scores: Doubles, apertures: Doubles) -> Doubles:
    """Return how far each eye (2,) is open at rest: the median of frames without a blink."""
    rest = []
    for eye, (blink, wide) in enumerate(_EYES):
        of_blink = scores[:, SCORES.index(blink)]
        limit = max(0.25, float(np.percentile(of_blink, 30)))
        is_open = (of_blink < limit) & (scores[:, SCORES.index(wide)] < 0.4)
        found = apertures[is_open, eye]
        rest.append(np.median(found) if len(found) else np.percentile(apertures[:, eye], 70))
    return np.array(rest)


def _gaps(
    gaps: Doubles,
    frames: npt.NDArray[np.intp],
    calmest: npt.NDArray[np.intp],
    left: Doubles,
    mesh: CanonicalMesh,
) -> Doubles:
    """Return the lips' gaps at rest, (11,), mouth widths.

    The removed expression `left` may take too much from lips that are shut; they stay at the
    smallest gap of the clip.
    """
    at_rest = lip_gaps(mesh.points)
    removed = lip_gaps(mesh.points + left[: len(mesh.points)]) - at_rest
    corrected = gaps[calmest].mean(axis=0) - removed / mouth_width(mesh.points)
    smallest = np.minimum(np.percentile(gaps[frames], 5, axis=0), _LARGEST_REST_GAP)
    return np.asarray(np.maximum(smallest, corrected), np.float64)
