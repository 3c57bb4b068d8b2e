"""Motion as keypoints: carried from a driving clip over to a photo, compared, made steady.

    driving keypoints -> smooth -> normalise (relative or absolute) -> an engine's network

Plain functions on float arrays, for every engine that moves a face by keypoints; each names its
source. A face that lies flat in a line or a map that cannot be inverted never stops a render.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

# Points lie in a line where they are so many times narrower than long.
_FLAT = 1e-4
# Of the singular values of a float32 map, those below this share of the largest are rounding.
_SINGULAR = 1e-5
# A Gaussian weight is negligible beyond so many of its standard deviations.
_REACH = 3.0


@dataclass(frozen=True, eq=False)
class Keypoints:
    """The keypoints of B pictures.

    Attributes:
        value: (B, K, 2) float32, x then y, in [-1, 1].
        jacobian: (B, K, 2, 2) float32, the local affine map at each keypoint; None where the
            detector estimates none.
    """

    value: Floats
    jacobian: Floats | None = None

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: int | slice) -> "Keypoints":
        """Those of some of the pictures; of one picture, a batch of one."""
        if not isinstance(index, slice):
            start = range(len(self))[index]
            index = slice(start, start + 1)
        jacobian = None if self.jacobian is None else self.jacobian[index]
        return Keypoints(self.value[index], jacobian)

    @staticmethod
    def joined(parts: "Sequence[Keypoints]") -> "Keypoints":
        """One batch of all the parts' pictures, in order; there is at least one part."""
        jacobians = [part.jacobian for part in parts if part.jacobian is not None]
        return Keypoints(
            np.concatenate([part.value for part in parts]),
            np.concatenate(jacobians) if jacobians else None,
        )


# --- carrying over --------------------------------------------------------------------------------


def normalise(
    source: Keypoints,
    driving: Keypoints,
    driving_initial: Keypoints,
    *,
    relative: bool,
    scale: float,
) -> Keypoints:
    """Where the source's keypoints go in each driving frame (Siarohin et al. 2019, section 3.3).

    Args:
        source: of the photo, B = 1.
        driving: of the driving frames.
        driving_initial: of the frame that shows the source's pose, B = 1.
        relative: carry over how far the driving keypoints are from `driving_initial`: there the
            result is `source` itself. Else the driving keypoints are the result, as they are.
        scale: of the relative movement, as `adapt_scale` gives it; maps are never scaled.

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
    """How much larger the source's face is than the driving one: sqrt of their hulls' area ratio.

    1 where one of the two lies in a line and so has no size.
    """
    of_source, of_driving = hull_area(source.value[0]), hull_area(driving_initial.value[0])
    if of_source == 0.0 or of_driving == 0.0:
        return 1.0
    return float(np.sqrt(of_source) / np.sqrt(of_driving))


def hull_area(points: npt.NDArray[np.floating]) -> float:
    """The area of the convex hull of (K, 2) points; 0 where they lie in a line or are NaN."""
    if len(points) < 3 or not np.isfinite(points).all():
        return 0.0
    centred = _centred(points)
    # Of points that are flatter than this, Qhull raises an error or measures rounding.
    longest, narrowest = np.linalg.svd(centred, compute_uv=False)
    if narrowest <= _FLAT * longest:
        return 0.0
    return float(ConvexHull(centred).volume)  # so SciPy calls the area of a hull in the plane


def _inverse(maps: Doubles) -> Doubles:
    """The inverses of (..., 2, 2) maps, pseudo-inverses of singular ones; NaN stays NaN."""
    inverses = np.full_like(maps, np.nan)
    sound = np.isfinite(maps).all(axis=(-2, -1))
    inverses[sound] = np.linalg.pinv(maps[sound], rcond=_SINGULAR)
    return inverses


# --- the best frame -------------------------------------------------------------------------------


def pose_distance(source: npt.NDArray[np.floating], driving: npt.NDArray[np.floating]) -> Doubles:
    """How far each driving face's pose is from the source's, whatever their places and sizes.

    Sum of the squared differences of the points, about their mean and over sqrt of their hull's
    area. The driving frame with the smallest one is the best `driving_initial`; rendered from
    there, each frame is the same as in two halves, forward and backward, laid end to end.

    Args:
        source: (K, 2) keypoints or landmarks.
        driving: (B, K, 2), in any unit.

    Returns:
        (B,) float64; infinite where the points lie in a line.
    """
    reference = _pose(source)
    return np.array([_difference(reference, _pose(points)) for points in driving], np.float64)


def best_frame(distances: npt.ArrayLike) -> int:
    """The first of the smallest distances (B,); 0 if none of them is finite."""
    finite = np.asarray(distances, np.float64)
    return int(np.argmin(np.where(np.isfinite(finite), finite, np.inf)))


def frame_of_rank(distances: npt.ArrayLike, best: int, rank: int, apart: int) -> int:
    """The frame that comes so many-th when the best one of those that are left is taken each time.

    Args:
        distances: (B,) of all frames.
        best: the first one.
        rank: from 1; after the last frame that can be taken comes `best` again.
        apart: how far from each other they are at least, frames; more than 0.
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
    """The points about their mean and of hull area 1; None where they lie in a line."""
    area = hull_area(points)
    return None if area == 0.0 else np.asarray(_centred(points) / np.sqrt(area), np.float64)


def _centred(points: npt.NDArray[np.floating]) -> Doubles:
    """The (K, 2) points about their mean."""
    exact = np.asarray(points, np.float64)
    return np.asarray(exact - exact.mean(axis=0), np.float64)


def _difference(one: Doubles | None, other: Doubles | None) -> float:
    return np.inf if one is None or other is None else float(((one - other) ** 2).sum())


# --- making steady --------------------------------------------------------------------------------


def smooth(batches: Iterable[Keypoints], strength_s: float, fps: float) -> Iterator[Keypoints]:
    """The keypoints without the detector's jitter, of one frame each, in step with the clip.

    Local quadratic regression with Gaussian weights (Cleveland 1979; on frames at a steady rate a
    Savitzky-Golay filter): a parabola is laid through the frames before and after each one. So it
    looks ahead and lags behind nothing, and a nod's turning points keep their height. Only the
    frames within reach are kept.

    Args:
        batches: of the frames of a clip, in order, B of any size.
        strength_s: the weights' standard deviation, s; 0 changes nothing.
        fps: the clip's frames per second.
    """
    frames = (batch[index] for batch in batches for index in range(len(batch)))
    if strength_s <= 0:
        yield from frames
        return
    deviation = strength_s * fps
    radius = max(1, ceil(_REACH * deviation))
    window: deque[Keypoints] = deque(maxlen=2 * radius + 1)
    seen = given = 0
    for frame in frames:
        window.append(frame)
        seen += 1
        if seen > radius:
            place = given - seen + len(window)
            yield _weighed(window, _weights(place, len(window), deviation))
            given += 1
    while given < seen:
        place = given - seen + len(window)
        if place > radius:
            window.popleft()
            place = radius
        yield _weighed(window, _weights(place, len(window), deviation))
        given += 1


def _weighed(frames: Iterable[Keypoints], weights: Doubles) -> Keypoints:
    """The frames' keypoints, each times its weight, added up to those of one frame."""
    batch = Keypoints.joined(tuple(frames))
    value = np.tensordot(weights, batch.value, 1)[None].astype(np.float32)
    if batch.jacobian is None:
        return Keypoints(value)
    jacobian = np.tensordot(weights, batch.jacobian, 1)[None].astype(np.float32)
    return Keypoints(value, jacobian)


@cache
def _weights(position: int, count: int, deviation: float) -> Doubles:
    """What each of `count` frames in a row adds to the parabola at one of them: (count,)."""
    offsets = (np.arange(count) - position) / deviation
    root = np.exp(-0.25 * offsets**2)
    powers = offsets[:, None] ** np.arange(3)
    fitted = np.linalg.pinv(powers * root[:, None])
    return np.asarray(fitted[0] * root, np.float64)
