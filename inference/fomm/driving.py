"""From a driving clip to the keypoints that the generator is given, one pass, memory flat.

frames -> squares -> detected, in batches -> smooth -> from the best frame -> normalised
"""

import heapq
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from inference.motion import Keypoints, adapt_scale, best_frame, normalise, pose_distance
from jobs.errors import NoSuchFrame

log = logging.getLogger(__name__)

Picture = npt.NDArray[np.uint8]
Squares = npt.NDArray[Any]
"""(side, side, 3) or (B, side, side, 3) RGB: uint8, or floating in [0, 1]."""
Landmarks = Callable[[Picture], "npt.NDArray[np.floating] | None"]
"""The 68 landmarks (68, 2) of a square's face; None where there is none."""


@dataclass(order=True)
class _Candidate:
    """A frame that may be the best one; of two the nearer in pose is greater."""

    nearness: float
    index: int
    square: Picture = field(compare=False)


class Candidates:
    """The driving frames whose keypoints are nearest the photo's pose, with their pictures.

    Args:
        source: the photo's keypoints.
        count: how many are kept.
    """

    def __init__(self, source: Keypoints, count: int) -> None:
        self._source = source.value[0]
        self._count = count
        self._nearest: list[_Candidate] = []
        self._seen = 0

    def watch(self, squares: Squares, keypoints: Keypoints) -> None:
        """Takes the next frames and their keypoints."""
        distances = pose_distance(self._source, keypoints.value)
        for square, distance in zip(squares, distances, strict=True):
            # Of two that are equally near the first is kept.
            place = (-float(distance), -self._seen)
            self._seen += 1
            is_full = len(self._nearest) == self._count
            if is_full and place < (self._nearest[0].nearness, self._nearest[0].index):
                continue
            # A copy: a part of a batch would keep all of it in memory.
            candidate = _Candidate(*place, _as_picture(square).copy())
            if is_full:
                heapq.heapreplace(self._nearest, candidate)
            else:
                heapq.heappush(self._nearest, candidate)

    def best(self, landmarks: Landmarks, source: Squares) -> int | None:
        """The index of the one whose landmarks are nearest the photo's; None if none has any."""
        reference = landmarks(_as_picture(source))
        if reference is None:
            return None
        distances, indices = [], []
        for candidate in sorted(self._nearest, key=lambda candidate: -candidate.index):
            points = landmarks(candidate.square)
            # A frame where no face is seen is no candidate.
            if points is not None:
                distances.append(float(pose_distance(reference, points[None])[0]))
                indices.append(-candidate.index)
        return indices[best_frame(distances)] if indices else None


def batched(squares: Iterator[Squares], size: int) -> Iterator[Squares]:
    """Squares (side, side, 3), in batches of `size`, the last one smaller."""
    while batch := list(islice(squares, size)):
        yield np.stack(batch)


def from_frame(frames: Iterable[Keypoints], index: int) -> tuple[Keypoints, Iterator[Keypoints]]:
    """The keypoints of frame `index`, and those of all frames in their order.

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
    """How far each frame's keypoints are from the photo's pose, (B,)."""
    return pose_distance(source.value[0], Keypoints.joined(frames).value)


@dataclass(frozen=True)
class Normalisation:
    """How driving keypoints become the source's.

    Args:
        source: of the photo.
        initial: of the frame that movement is measured from.
        relative: carry differences, not positions.
        adapt_scale: scale them by the faces' sizes.
    """

    source: Keypoints
    initial: Keypoints
    relative: bool
    adapt_scale: bool

    def __call__(self, driving: Keypoints) -> Keypoints:
        """The normalised keypoints of some driving frames."""
        scale = adapt_scale(self.source, self.initial) if self.adapt_scale else 1.0
        return normalise(self.source, driving, self.initial, relative=self.relative, scale=scale)


# --- the cache of keypoints -----------------------------------------------------------------------


def read_cached(path: Path) -> Keypoints | None:
    """Keypoints that `write_cached` wrote; None if there are none, or none that can be used."""
    try:
        # Opened here, as `load` would leave a damaged file open.
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
    """Writes keypoints for the next time; where that is not possible, the next time measures."""
    arrays = {"value": keypoints.value}
    if keypoints.jacobian is not None:
        arrays["jacobian"] = keypoints.jacobian
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        part.replace(path)
    except OSError as error:
        log.debug("keypoints are not kept: %s", error)
        with suppress(OSError):
            part.unlink()


def _as_picture(square: Squares) -> Picture:
    if square.dtype == np.uint8:
        return np.asarray(square, dtype=np.uint8)
    return np.asarray(np.rint(255 * square), dtype=np.uint8)
