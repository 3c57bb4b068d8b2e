"""Measure the track of a clip: one pass over its frames, then all of them together.

frames -> followed -> heads -> gaps bridged, smoothed -> differences from the neutral face
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Floats, Picture
from inference.faces.head import fit_head, lip_gaps, mouth_width
from inference.faces.landmarker import POINTS, Landmarker, Landmarks
from inference.faces.loading import landmarker
from inference.faces.model_file import CanonicalMesh
from inference.faces.topology import LOWER_INNER_LIP, UPPER_INNER_LIP
from inference.mesh.driver import FaceFollower, Sight
from inference.mesh.neutral import HeadMovement, Neutral, find_neutral
from inference.mesh.shading import Folds, folds
from inference.mesh.smoothing import (
    bridged,
    cuts,
    eased,
    last_shown,
    smoothed,
    window_frames,
    without_margins,
    without_short_gaps,
)
from inference.mesh.track import Track
from jobs.errors import NoFaceInClip
from jobs.model import Face

Frames = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

_LIPS = np.concatenate([UPPER_INNER_LIP, LOWER_INNER_LIP])
_LONGEST_OFFSET_CM = 4.0  # a mouth wide open moves the chin by less
# Light of an evenly lit frame, as shares of the clip's median: brightness, contrast.
_EVEN_LIGHT = np.array([[0.6, 0.7], [1.6, 1.5]])
_LEAST_SHOWN = 0.05  # share of the frames; with less, the result is a still picture
_LEAST_CONTRAST = 0.15  # with less, the colours of a face are gone and its points tremble
# Up to this, a difference from the frames around is noise of the network; of a still face, three
# times the standard deviation. Of the whole head: its points, angles, scale and neck.
_NOISE_CM, _NOISE_RAD, _NOISE_SCALE, _NOISE_NECK_CM = 0.04, 0.01, 0.004, 0.15
_NOISE_APERTURE, _NOISE_GAZE = 0.007, 0.008
_ROWS_AT_ONCE = 4  # of the maps of folds
_FAST_CM, _FAST_ZOOM = 2.5, 0.08  # from one frame to the next
# Of measured lids: at this share of its opening an eye is shut; half shut and wide open, an eye is
# less open than measured.
_SHUT, _HALF_SHUT, _WIDENING, _WIDEST = 0.32, 0.3, 0.8, 1.6


class TrackRecorder:
    """Measures a track frame by frame; `measure_track` does it for all frames at once.

    It keeps numbers only, 14 KB per frame.

    Args:
        face: in one of the first frames.
        frame_rate: frames per second, exact.
        network: the landmark network; this thread's if None.
    """

    def __init__(self, face: Face, frame_rate: Fraction, network: Landmarker | None = None) -> None:
        self._frame_rate = frame_rate
        self._landmarker = network or landmarker()
        self._follower = FaceFollower(self._landmarker, face, float(frame_rate))
        self._sights: list[Sight | None] = []
        self._size = (0, 0)

    def see(self, frame: Picture) -> None:
        """Measure the next frame, uint8 (h, w, 3) RGB; all have one size."""
        self._size = frame.shape[1], frame.shape[0]
        self._sights.append(self._follower.see(frame))

    def track(self) -> Track:
        """Return the track of the frames seen.

        Raises:
            NoFaceInClip: the face is in none of them, or in very few.
        """
        rate, mesh = float(self._frame_rate), self._landmarker.mesh
        trusted = _trusted(self._sights, rate)
        known = np.flatnonzero(trusted)
        if not len(known) or len(known) < _LEAST_SHOWN * len(trusted):
            raise NoFaceInClip(name="the clip")
        sights = [sight for index in known if (sight := self._sights[index]) is not None]
        shown = without_short_gaps(trusted, rate)
        window = window_frames(rate)
        movement = _movement(sights, known, shown, window, mesh)
        light = bridged(
            np.array([(sight.brightness, sight.contrast) for sight in sights]), known, len(shown)
        )
        is_even = _evenly_lit(light, trusted)
        neutral = find_neutral(movement, is_even, mesh)
        lips = bridged(np.array([sight.points[_LIPS, :2] for sight in sights]), known, len(shown))
        lip_noise = _NOISE_CM * neutral.scale
        after_cut = cuts(_steps(movement), shown)
        return Track(
            frame_rate=self._frame_rate,
            frame_size=self._size,
            rest_angles=neutral.angles.astype(np.float32),
            mouth_width=neutral.mouth_width,
            mouth_frames=last_shown(shown, rate).astype(np.int32),
            lips=Track.FORMS["lips"].cut(smoothed(lips, shown, window, lip_noise)),
            skin=_skin(sights, known, is_even).astype(np.float32),
            folds=self._folds(sights, known, shown, neutral.frames),
            **{
                name: Track.FORMS[name].cut(eased(values, shown, rate, after_cut))
                for name, values in _differences(movement, neutral, after_cut).items()
            },
        )

    def _folds(self, sights: Sequence[Sight], known: Frames, shown: Mask, calm: Frames) -> Folds:
        """The folds of the face in all frames, (n, 64, 64)."""
        maps = [sight.skin_map for sight in sights]
        of_known = folds(maps, np.isin(known, calm), self._follower.skin_map.skin)
        found = np.empty((len(shown), *of_known.shape[1:]), np.int8)
        # Some rows of all frames at a time: all of them take tens of megabytes.
        for first in range(0, found.shape[1], _ROWS_AT_ONCE):
            rows = slice(first, first + _ROWS_AT_ONCE)
            whole = bridged(of_known[:, rows].astype(np.float32), known, len(shown))
            found[:, rows] = np.rint(127 * eased(whole, shown, float(self._frame_rate)))
        return found


def measure_track(
    frames: Iterable[Picture],
    face: Face,
    frame_rate: Fraction,
    network: Landmarker | None = None,
) -> Track:
    """Return the track of a clip; see `TrackRecorder`.

    Raises:
        NoFaceInClip: the face is in none of the frames, or in very few.
    """
    recorder = TrackRecorder(face, frame_rate, network)
    for frame in frames:
        recorder.see(frame)
    return recorder.track()


def _trusted(sights: Sequence[Sight | None], frame_rate: float) -> Mask:
    """Which frames show the face in some light, (n,)."""
    contrast = np.array([0.0 if sight is None else sight.contrast for sight in sights])
    seen = contrast > 0
    usual = float(np.median(contrast[seen])) if seen.any() else 0.0
    return without_margins(seen & (contrast >= _LEAST_CONTRAST * usual), frame_rate)


def _evenly_lit(light: Doubles, trusted: Mask) -> Mask:
    """Which of the trusted frames are lit as most of them, (n,); `light` is (n, 2)."""
    shares = light / np.maximum(np.median(light[trusted], axis=0), 1e-6)
    is_even = ((shares >= _EVEN_LIGHT[0]) & (shares <= _EVEN_LIGHT[1])).all(axis=1) & trusted
    return is_even if is_even.any() else trusted


def _movement(
    sights: Sequence[Sight], known: Frames, shown: Mask, window: int, mesh: CanonicalMesh
) -> HeadMovement:
    """The head's movement in all frames, bridged and smoothed."""
    points = np.empty((len(sights), POINTS, 3), np.float32)
    angles, scale, neck, apertures, gaze = [], [], [], [], []
    for index, sight in enumerate(sights):
        head = fit_head(Landmarks(sight.points.astype(np.float64), 1.0), mesh)
        points[index] = head.points
        angles.append(head.angles)
        scale.append(head.scale)
        neck.append(head.neck[:2])
        apertures.append(head.apertures)
        gaze.append(head.gaze.mean(axis=0))

    def whole(values: Sequence[Doubles | float]) -> Doubles:
        return bridged(np.asarray(values, np.float64), known, len(shown))

    def even(values: Sequence[Doubles | float], noise: float) -> Doubles:
        return smoothed(whole(values), shown, window, noise)

    usual_scale = float(np.median(scale))
    points = smoothed(bridged(points, known, len(shown)), shown, window, _NOISE_CM, in_place=True)
    return HeadMovement(
        points=points,
        angles=even(list(np.unwrap(angles, axis=0)), _NOISE_RAD),
        scale=even(scale, _NOISE_SCALE * usual_scale),
        neck=even(neck, _NOISE_NECK_CM * usual_scale),
        apertures=even(apertures, _NOISE_APERTURE),
        gaze=even(gaze, _NOISE_GAZE),
        gaps=np.array([_gaps(of_frame.astype(np.float64)) for of_frame in points]),
        scores=whole([sight.scores.astype(np.float64) for sight in sights]),
    )


def _gaps(points: Doubles) -> Doubles:
    return lip_gaps(points) / mouth_width(points)


def _steps(movement: HeadMovement) -> Doubles:
    """How far the head goes from frame to frame, (n - 1,); more than 1 is fast."""
    scale = movement.scale[1:]
    moved = np.linalg.norm(np.diff(movement.neck, axis=0), axis=1) / scale / _FAST_CM
    return np.asarray(np.maximum(moved, np.abs(np.diff(np.log(movement.scale))) / _FAST_ZOOM))


def _differences(
    movement: HeadMovement, neutral: Neutral, after_cut: Mask
) -> dict[str, Doubles | Floats]:
    """The movement as differences from the neutral face: 0 is rest.

    A cut moves the camera and not the head, so place and size are measured anew after it.
    """
    scale = np.full(len(after_cut), neutral.scale)
    neck = np.tile(neutral.neck, (len(after_cut), 1))
    if after_cut.any():
        bounds = [0, *np.flatnonzero(after_cut), len(after_cut)]
        for first, end in pairwise(bounds):
            scale[first:end] = np.median(movement.scale[first:end])
            neck[first:end] = np.median(movement.neck[first:end], axis=0)
    expression = movement.points  # changed in place: a copy takes 6 KB per frame
    expression -= neutral.points.astype(np.float32)
    for index in range(len(expression)):
        length = np.linalg.norm(expression[index], axis=1, keepdims=True)
        expression[index] *= np.minimum(1.0, _LONGEST_OFFSET_CM / np.maximum(length, 1e-9))
    return {
        "expression": expression,
        "turn": movement.angles - neutral.angles,
        "log_zoom": np.log(movement.scale / scale),
        "shift": (movement.neck - neck) / scale[:, None],
        "opening": _lids(movement.apertures / neutral.apertures) - 1,
        "gaze": movement.gaze - neutral.gaze,
        "gaps": movement.gaps - neutral.gaps,
    }


def _lids(lids: Doubles) -> Doubles:
    """The lids' opening as it is drawn: 0 shut, 1 at rest."""
    wider = 1 + _WIDENING * (np.minimum(lids, _WIDEST) - 1)
    narrower = np.clip((lids - _SHUT) / (1 - _SHUT), 0, 1)
    narrower -= _HALF_SHUT * narrower * (1 - narrower)
    return np.where(lids < 1, narrower, wider)


def _skin(sights: Sequence[Sight], known: Frames, is_even: Mask) -> Doubles:
    """The skin's colour in each frame, (n, 3): one for all, but its own where light differs."""
    colours = np.array([sight.skin for sight in sights], np.float64)
    whole = bridged(colours, known, len(is_even))
    whole[is_even] = np.median(whole[is_even], axis=0)
    return whole
