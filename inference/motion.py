"""Keypoint motion: transfer from a driving clip to a photo, pose comparison, smoothing.

    driving keypoints -> smooth -> normalise (relative or absolute) -> an engine's network

Functions on float arrays for every engine that works with keypoints. Degenerate input (collinear
keypoints, singular jacobians) never raises an exception.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull

from inference.arrays import Doubles, Floats

# Points count as collinear if the ratio of their extents is at most this.
_FLAT = 1e-4
# Relative cutoff for singular values of float32 matrices.
_SINGULAR = 1e-5
# Gaussian weights are negligible beyond this many standard deviations.
_REACH = 3.0


@dataclass(frozen=True, eq=False)
class Keypoints:
    """The keypoints of B pictures.

    Attributes:
        value: (B, K, 2) float32, x then y, in [-1, 1].
        jacobian: (B, K, 2, 2) float32, the local affine map at each keypoint; None if the detector
            does not estimate it.
    """

    value: Floats
    jacobian: Floats | None = None

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: int | slice) -> "Keypoints":
        """Return the keypoints of some pictures; an integer index gives a batch of one."""
        if not isinstance(index, slice):
            start = range(len(self))[index]
            index = slice(start, start + 1)
        jacobian = None if self.jacobian is None else self.jacobian[index]
        return Keypoints(self.value[index], jacobian)

    @staticmethod
    def joined(parts: "Sequence[Keypoints]") -> "Keypoints":
        """Concatenate batches; there is at least one."""
        jacobians = [part.jacobian for part in parts if part.jacobian is not None]
        return Keypoints(
            np.concatenate([part.value for part in parts]),
            np.concatenate(jacobians) if jacobians else None,
        )


# --- normalisation --------------------------------------------------------------------------------


def normalise(
    source: Keypoints,
    driving: Keypoints,
    driving_initial: Keypoints,
    *,
    relative: bool,
    scale: float,
) -> Keypoints:
    """Normalise driving keypoints for the source (Siarohin et al. 2019, section 3.3).

    Args:
        source: of the photo, B = 1.
        driving: of the driving frames.
        driving_initial: of the frame that shows the source's pose, B = 1.
        relative: transfer the motion relative to `driving_initial`. Otherwise the driving keypoints
            are returned unchanged.
        scale: factor for relative motion, see `adapt_scale`; jacobians are not scaled.

    Returns:
        B as in `driving`; without jacobians unless all three have them.
    """
    if not relative:
        return driving
    value = source.value + scale * (driving.value - driving_initial.value)
    maps = (source.jacobian, driving.jacobian, driving_initial.jacobian)
    if any(jacobian is None for jacobian in maps):
        return Keypoints(np.asarray(value, np.float32))
    of_source, of_driving, of_initial = (np.asarray(jacobian, np.float64) for jacobian in maps)
    jacobian = of_driving @ _inverse(of_initial) @ of_source
    return Keypoints(np.asarray(value, np.float32), np.asarray(jacobian, np.float32))


def adapt_scale(source: Keypoints, driving_initial: Keypoints) -> float:
    """Return the size of the source's face relative to the driving one.

    The square root of the ratio of their convex hulls' areas; 1 if one of them is collinear.
    """
    of_source, of_driving = hull_area(source.value[0]), hull_area(driving_initial.value[0])
    if of_source == 0.0 or of_driving == 0.0:
        return 1.0
    return float(np.sqrt(of_source) / np.sqrt(of_driving))


def hull_area(points: npt.NDArray[np.floating]) -> float:
    """Return the area of the convex hull of (K, 2) points; 0 if they are collinear or NaN."""
    if len(points) < 3 or not np.isfinite(points).all():
        return 0.0
    centred = _centred(points)
    # For flatter points, Qhull raises an error or returns rounding noise.
    longest, narrowest = np.linalg.svd(centred, compute_uv=False)
    if narrowest <= _FLAT * longest:
        return 0.0
    return float(ConvexHull(centred).volume)  # in two dimensions, the area


def _inverse(maps: Doubles) -> Doubles:
    """Inverses of (..., 2, 2) matrices, pseudo-inverses of singular ones; NaN stays NaN."""
    inverses = np.full_like(maps, np.nan)
    sound = np.isfinite(maps).all(axis=(-2, -1))
    inverses[sound] = np.linalg.pinv(maps[sound], rcond=_SINGULAR)
    return inverses


# --- the best frame -------------------------------------------------------------------------------


def pose_distance(source: npt.NDArray[np.floating], driving: npt.NDArray[np.floating]) -> Doubles:
    """Return the distance of each driving pose from the source's, independent of place and size.

    Sum of squared differences of the points, centred on their mean and divided by the square root
    of their hull's area. The driving frame with the smallest distance is the best
    `driving_initial`.

    Args:
        source: (K, 2) keypoints or landmarks.
        driving: (B, K, 2), in any unit.

    Returns:
        (B,) float64; infinite where the points are collinear.
    """
    reference = _pose(source)
    return np.array([_difference(reference, _pose(points)) for points in driving], np.float64)


def best_frame(distances: npt.ArrayLike) -> int:
    """Return the index of the first smallest distance (B,); 0 if none is finite."""
    finite = np.asarray(distances, np.float64)
    return int(np.argmin(np.where(np.isfinite(finite), finite, np.inf)))


def frame_of_rank(distances: npt.ArrayLike, best: int, rank: int, apart: int) -> int:
    """Return the `rank`-th best frame, where the ranked frames keep a minimum distance in time.

    Args:
        distances: (B,) of all frames.
        best: the frame of rank 1.
        rank: from 1; after the last possible frame, `best` comes again.
        apart: minimum distance between ranked frames, frames; more than 0.
    """
    left = np.array(distances, np.float64)
    ranked = [best]
    while len(ranked) < rank:
        left[max(0, ranked[-1] - apart + 1) : ranked[-1] + apart] = np.inf
        if not np.isfinite(left).any():
            break
        ranked.append(best_frame(left))
    return ranked[(rank - 1) % len(ranked)]


def _pose(points: npt.NDArray[np.floating]) -> Doubles | None:
    """The points centred and scaled to hull area 1; None if they are collinear."""
    area = hull_area(points)
    return None if area == 0.0 else np.asarray(_centred(points) / np.sqrt(area), np.float64)


def _centred(points: npt.NDArray[np.floating]) -> Doubles:
    """The (K, 2) points minus their mean."""
    exact = np.asarray(points, np.float64)
    return np.asarray(exact - exact.mean(axis=0), np.float64)


def _difference(one: Doubles | None, other: Doubles | None) -> float:
    return np.inf if one is None or other is None else float(((one - other) ** 2).sum())


# --- smoothing ------------------------------------------------------------------------------------


def smooth(batches: Iterable[Keypoints], strength_s: float, fps: float) -> Iterator[Keypoints]:
    """Remove the detector's jitter; yield the keypoints of one frame at a time.

    Local quadratic regression with Gaussian weights (Cleveland 1979; at a constant rate, a
    Savitzky-Golay filter): a parabola is fitted to the frames before and after each one. There is
    no lag, and the amplitude of a nod is kept. Only the frames within reach are held in memory.

    Args:
        batches: keypoints of a clip's frames, in order, B of any size.
        strength_s: standard deviation of the weights, s; 0 changes nothing.
        fps: frames per second of the clip.
    """
    frames = (batch[index] for batch in batches for index in range(len(batch)))
    if strength_s <= 0:
        yield from frames
        return
    deviation = strength_s * fps
    radius = max(1, ceil(_REACH * deviation))
    window: deque[Keypoints] = deque(maxlen=2 * radius + 1)
    seen = yielded = 0
    for frame in frames:
        window.append(frame)
        seen += 1
        if seen > radius:
            position = yielded - seen + len(window)
            yield _weighed(window, _weights(position, len(window), deviation))
            yielded += 1
    while yielded < seen:
        position = yielded - seen + len(window)
        if position > radius:
            window.popleft()
            position = radius
        yield _weighed(window, _weights(position, len(window), deviation))
        yielded += 1


def _weighed(frames: Iterable[Keypoints], weights: Doubles) -> Keypoints:
    """The weighted sum of the frames' keypoints."""
    batch = Keypoints.joined(tuple(frames))
    value = np.tensordot(weights, batch.value, 1)[None].astype(np.float32)
    if batch.jacobian is None:
        return Keypoints(value)
    jacobian = np.tensordot(weights, batch.jacobian, 1)[None].astype(np.float32)
    return Keypoints(value, jacobian)


@cache
def _weights(position: int, count: int, deviation: float) -> Doubles:
    """The weight of each of `count` frames in the parabola's value at `position`: (count,)."""
    offsets = (np.arange(count) - position) / deviation
    root = np.exp(-0.25 * offsets**2)
    powers = offsets[:, None] ** np.arange(3)
    fitted = np.linalg.pinv(powers * root[:, None])
    return np.asarray(fitted[0] * root, np.float64)
