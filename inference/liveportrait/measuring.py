"""Measure the motion track of a clip.

frames -> the face followed, its landmarks -> one square for all frames -> the motion network
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from inference.arrays import Floats, Picture
from inference.engine import Driving
from inference.faces.head import fit_head
from inference.faces.landmarker import Landmarker, Landmarks, Square
from inference.faces.points_68 import points_68
from inference.liveportrait.geometry import box_of, clip_input, clip_square
from inference.liveportrait.landmarks import openings
from inference.liveportrait.motion import FaceMotion
from inference.liveportrait.track import MotionTrack
from inference.mesh.driver import FaceFollower, Sight
from inference.mesh.neutral import HeadMovement, find_neutral
from inference.mesh.smoothing import bridged, without_margins, without_short_gaps
from inference.overlap import ahead
from jobs.errors import NoFaceInClip
from jobs.model import CropBox

Extract = Callable[[Picture], FaceMotion]
"""The motion network, of pictures uint8 (B, 256, 256, 3) RGB."""

_BATCH = 8
_LEAST_SHOWN = 0.05  # share of the frames; with less, the result is a still picture
_ROOM_PX = 4


def measured(
    driving: Driving, network: Landmarker, extract: Extract
) -> Generator[tuple[()], None, MotionTrack]:
    """Measure a clip; yields now and then, so that the caller can cancel, and returns the track.

    The clip is read twice; one that cannot be is cut by the square of the first frame with a face.

    Raises:
        NoFaceInClip: the face is in none of its frames, or in very few.
    """
    follower = FaceFollower(network, driving.face, float(driving.frame_rate))
    sights: list[Sight | None] = []
    found: list[FaceMotion] = []
    size = (0, 0)
    for batch in _batches(driving.frames):
        size = batch[0].shape[1], batch[0].shape[0]
        sights += [follower.see(frame) for frame in batch]
        if driving.reopen is None:
            first = next(filter(None, sights), None)
            square = clip_square([_points_68(first)]) if first else Square(0, 0, 1)
            found.append(extract(_inputs(batch, square)))
        yield ()
    rate = float(driving.frame_rate)
    trusted = without_margins(np.array([one is not None for one in sights]), rate)
    known = np.flatnonzero(trusted)
    if not len(known) or len(known) < _LEAST_SHOWN * len(sights):
        raise NoFaceInClip(name="the clip")
    seen = [one for index in known if (one := sights[index]) is not None]
    if driving.reopen is not None:
        square = clip_square([_points_68(one) for one in seen])
        part = _part(square, size)
        square = replace(square, x=square.x - part.left, y=square.y - part.upper)
        with driving.reopen(part) as again:
            for batch in _batches(again):
                found.append(extract(_inputs(batch, square)))
                yield ()
    calm = known[_calmest(seen, network)]
    return _track(found, seen, known, calm, without_short_gaps(trusted, rate))


def _batches(frames: Iterator[Picture]) -> Iterator[list[Picture]]:
    with closing(ahead(frames, size=_BATCH)) as ready:
        while batch := list(islice(ready, _BATCH)):
            yield batch


def _inputs(frames: Sequence[Picture], square: Square) -> Picture:
    return np.stack([clip_input(frame, square) for frame in frames])


def _part(square: Square, size: tuple[int, int]) -> CropBox:
    """The part of a clip's frames, px, that is read again: the square and some px around it.

    Its sides are even, so that the colours of a clip that stores them at half the resolution are
    the same as those of whole frames.
    """
    box = box_of(square, *size)
    left, upper = (max(0, side - _ROOM_PX) // 2 * 2 for side in box.sides[:2])
    right, lower = (
        min(limit, (side + _ROOM_PX + 1) // 2 * 2)
        for side, limit in zip(box.sides[2:], size, strict=True)
    )
    return CropBox(left=left, upper=upper, right=right, lower=lower)


def _landmarks(sight: Sight) -> Landmarks:
    return Landmarks(sight.points.astype(np.float64), 1.0)


def _points_68(sight: Sight) -> npt.NDArray[np.float64]:
    return points_68(_landmarks(sight))


def _calmest(sights: Sequence[Sight], network: Landmarker) -> npt.NDArray[np.intp]:
    """Which sights show the least expression, as for `mesh`."""
    heads = [fit_head(_landmarks(sight), network.mesh) for sight in sights]
    movement = HeadMovement(
        points=np.array([head.points for head in heads], np.float32),
        angles=np.unwrap([head.angles for head in heads], axis=0),
        scale=np.array([head.scale for head in heads]),
        neck=np.array([head.neck[:2] for head in heads]),
        apertures=np.array([head.apertures for head in heads]),
        gaze=np.array([head.gaze.mean(axis=0) for head in heads]),
        gaps=np.array([head.gaps for head in heads]),
        scores=np.array([sight.scores for sight in sights], np.float64),
    )
    return find_neutral(movement, np.ones(len(sights), np.bool_), network.mesh).frames


def _track(
    found: Sequence[FaceMotion],
    seen: Sequence[Sight],
    known: npt.NDArray[np.intp],
    calm: npt.NDArray[np.intp],
    shown: npt.NDArray[np.bool_],
) -> MotionTrack:
    """The track of all frames; what is not known is interpolated."""

    def whole(name: str) -> Floats:
        values = np.concatenate([getattr(one, name) for one in found])
        values = bridged(values[known], known, len(shown))
        return np.asarray(MotionTrack.FORMS[name].cut(values), np.float32)

    ratios = np.array([openings(sight.points) for sight in seen], np.float32)
    return MotionTrack(
        angles=whole("angles"),
        translation=whole("translation"),
        expression=whole("expression"),
        scale=whole("scale"),
        openings=bridged(ratios, known, len(shown)),
        shown=shown,
        calm=np.isin(np.arange(len(shown)), calm),
    )
