"""From driving frames to the generator's driving keypoints, in one pass with constant memory.

frames -> squares -> keypoints, in batches -> smooth -> from the best frame -> normalised
"""

import logging
from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from inference.arrays import Picture
from inference.faces.landmarker import Landmarks
from inference.faces.loading import landmarker
from inference.faces.points_68 import points_68
from inference.media.file import replacing
from inference.motion import Keypoints, best_frame, pose_distance
from jobs.errors import NoSuchFrame

log = logging.getLogger(__name__)

_SURE = 0.8  # presence of a face

Squares = npt.NDArray[Any]
"""(side, side, 3) or (B, side, side, 3) RGB: uint8, or floating in [0, 1]."""
FindLandmarks = Callable[[Picture], "npt.NDArray[np.floating] | None"]
"""Returns the landmarks (68, 2) of the face in a square; None if there is none."""


class Poses:
    """Distances of the driving frames' poses from the photo's, by landmarks.

    Args:
        source: the photo's square.
        weights_dir: the folder of weights.
    """

    def __init__(self, source: Squares, weights_dir: Path) -> None:
        self._weights_dir = weights_dir
        self._last: Landmarks | None = None
        found = self._look(source)
        self._source = None if found is None else points_68(found)
        self._distances: list[float] = []
        self._last = None

    def watch(self, square: Squares) -> None:
        """Add the next frame."""
        found = None if self._source is None else self._look(square)
        distance = np.inf
        if self._source is not None and found is not None:
            distance = float(pose_distance(self._source, points_68(found)[None])[0])
        self._distances.append(distance)

    def distances(self) -> npt.NDArray[np.float64] | None:
        """Return the distance of each frame, infinite where no face was seen; None if nowhere."""
        distances = np.array(self._distances)
        return distances if np.isfinite(distances).any() else None

    def _look(self, square: Squares) -> Landmarks | None:
        """The face in a square, near that of the last one if there was one."""
        network, picture = landmarker(self._weights_dir), _as_picture(square)
        last, self._last = self._last, None
        if last is not None:
            found = network.look(picture, last.square)
            if found.presence > _SURE:
                self._last = found
                return found
        for detection in network.detect(picture):
            found = network.look(picture, network.look(picture, detection.square).square)
            if found.presence > _SURE:
                self._last = found
                return found
        return None


class Candidates:
    """The driving frames whose poses are nearest the photo's, judged by keypoints.

    Args:
        source: the photo's keypoints.
        count: how many frames are kept.
    """

    def __init__(self, source: Keypoints, count: int) -> None:
        self._source = source.value[0]
        self._count = count
        # ((pose distance, index), square), the nearest first.
        self._nearest: list[tuple[tuple[float, int], Picture]] = []
        self._seen = 0

    def watch(self, squares: Squares, keypoints: Keypoints) -> None:
        """Add the next frames and their keypoints."""
        distances = pose_distance(self._source, keypoints.value)
        for square, distance in zip(squares, distances, strict=True):
            key = (float(distance), self._seen)
            self._seen += 1
            if len(self._nearest) < self._count or key < self._nearest[-1][0]:
                # A copy: a view would keep the whole batch in memory.
                insort(self._nearest, (key, _as_picture(square).copy()), key=itemgetter(0))
                del self._nearest[self._count :]

    def best(self, landmarks: FindLandmarks, source: Squares) -> int | None:
        """Return the index of the frame whose landmarks are nearest the photo's.

        None if the photo or all frames have no landmarks.
        """
        reference = landmarks(_as_picture(source))
        if reference is None:
            return None
        distances, indices = [], []
        for (_, index), square in sorted(self._nearest, key=lambda candidate: candidate[0][1]):
            points = landmarks(square)
            if points is not None:
                distances.append(float(pose_distance(reference, points[None])[0]))
                indices.append(index)
        return indices[best_frame(distances)] if indices else None


def batched(squares: Iterator[Squares], size: int) -> Iterator[Squares]:
    """Group squares (side, side, 3) into batches of `size`; the last one may be smaller."""
    while batch := list(islice(squares, size)):
        yield np.stack(batch)


def from_frame(frames: Iterable[Keypoints], index: int) -> tuple[Keypoints, Iterator[Keypoints]]:
    """Return the keypoints of frame `index`, and an iterator over those of all frames.

    Args:
        frames: of one frame each.
        index: from 0.

    Raises:
        NoSuchFrame: the clip is shorter.
    """
    frames = iter(frames)
    read = list(islice(frames, index + 1))
    if len(read) <= index:
        raise NoSuchFrame(number=index, count=len(read))
    return read[index], chain(read, frames)


def frame_distances(source: Keypoints, frames: Sequence[Keypoints]) -> npt.NDArray[np.float64]:
    """Return the distance of each frame's pose from the photo's, (B,)."""
    return pose_distance(source.value[0], Keypoints.joined(frames).value)


# --- the cache of keypoints -----------------------------------------------------------------------


def read_cached(path: Path) -> Keypoints | None:
    """Read keypoints that `write_cached` wrote; None if there are none, or the file is damaged."""
    try:
        # `np.load` would leave a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            value = stored["value"]
            jacobian = stored.get("jacobian")
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    is_sound = value.ndim == 3 and value.shape[2] == 2 and len(value) > 0
    is_sound &= jacobian is None or jacobian.shape == (*value.shape, 2)
    is_sound &= all(part is None or part.dtype == np.float32 for part in (value, jacobian))
    return Keypoints(value, jacobian) if is_sound else None


def write_cached(path: Path, keypoints: Keypoints) -> None:
    """Write keypoints to the cache; failures are ignored."""
    arrays = {"value": keypoints.value}
    if keypoints.jacobian is not None:
        arrays["jacobian"] = keypoints.jacobian
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
    except OSError as error:
        log.debug("keypoints are not cached: %s", error)


def _as_picture(square: Squares) -> Picture:
    if square.dtype == np.uint8:
        return np.asarray(square, dtype=np.uint8)
    return np.asarray(np.rint(255 * square), dtype=np.uint8)
