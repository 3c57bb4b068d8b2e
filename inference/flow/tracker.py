"""Motion of a driving clip: where each point of the first frame's face has gone.

Dense inverse search flow (Kroeger et al. 2016, OpenCV's DISOpticalFlow) runs twice per frame: from
the previous frame, chained, which follows large changes but drifts; and straight from the first
frame, started at the chain's result, which does not drift but can miss. The better of the two is
taken at each pixel.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from inference.flow.canonical import (
    CENTRE,
    HALF_BOX,
    SIZE,
    Affine,
    Floats,
    Picture,
    Placement,
    Points,
    compose,
    crop_to_canonical,
    invert,
    similarity,
    transform,
)
from inference.flow.field import blur, canonical_grid, elliptic_radius, sample

IDENTITY: Affine = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True)
class TrackedFrame:
    """Motion of one driving frame against the first one.

    The first frame's canonical point x is at pose(x + field(x)).

    Attributes:
        pose: similarity, float64 (2, 3): head movement, canonical px.
        field: residual displacement, float32 (256, 256, 2), canonical px.
        confidence: float32 (256, 256), from 0.02 to 1.02.
        stabilised: the frame seen through the pose, uint8 (256, 256, 3) RGB.
    """

    pose: Affine
    field: Floats
    confidence: Floats
    stabilised: Picture


class Tracker:
    """Follows a face through a clip.

    Args:
        first_frame: uint8 (H, W, 3) RGB; every later frame has its size.
        placement: the face in the first frame.
    """

    def __init__(self, first_frame: Picture, placement: Placement) -> None:
        self._placement = placement
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flow.setVariationalRefinementIterations(5)
        self._pose = IDENTITY
        self._field: Floats = np.zeros((SIZE, SIZE, 2), np.float32)
        self._first = crop_to_canonical(first_frame, placement.canonical_from_picture)
        self._first_contrast = local_contrast(self._first)
        self._previous_contrast = self._first_contrast

    def at_rest(self) -> TrackedFrame:
        """The first frame itself: no motion, full confidence."""
        still = np.zeros((SIZE, SIZE, 2), np.float32)
        sure = np.full((SIZE, SIZE), 1.02, np.float32)
        return TrackedFrame(IDENTITY, still, sure, self._first)

    def follow(self, frame: Picture) -> TrackedFrame:
        """The motion of the next frame, uint8 (H, W, 3) RGB."""
        previous_view = local_contrast(self._stabilise(frame))
        step = self._dense_flow(self._previous_contrast, previous_view)
        total = self._field + _read_moved(step, self._field)
        correction = fit_similarity(total)
        self._pose = _bounded(compose(self._pose, correction))
        undo = invert(correction)
        chain = transform(undo, canonical_grid() + total) - canonical_grid()
        chain = np.clip(chain, -64.0, 64.0)

        stabilised = self._stabilise(frame)
        contrast = local_contrast(stabilised)
        field, confidence = self._fuse(chain, contrast)
        self._field, self._previous_contrast = field, contrast
        return TrackedFrame(self._pose, field, confidence, stabilised)

    def _fuse(self, chain: Floats, contrast: Picture) -> tuple[Floats, Floats]:
        """Direct flow from the first frame where it explains the frame better than the chain."""
        direct = self._dense_flow(self._first_contrast, contrast, initial=blur(chain, 1.5))
        back = self._dense_flow(contrast, self._first_contrast)
        loop = direct + _read_moved(back, direct)
        loop_error = np.einsum("ijk,ijk->ij", loop, loop)
        first = self._first_contrast.astype(np.float32)
        seen = contrast.astype(np.float32)
        direct_error = blur(np.abs(_read_moved(seen, direct) - first), 3.0)
        chain_error = blur(np.abs(_read_moved(seen, chain) - first), 3.0)
        worse = (direct_error - chain_error) + 0.3 * (np.minimum(loop_error, 60.0) - 8.0)
        weight = blur(1.0 / (1.0 + np.exp(np.clip(worse / 3.0, -30.0, 30.0))), 4.0)
        field = chain + weight[..., None] * (direct - chain)
        confidence = np.exp(-np.minimum(loop_error, 400.0) / 30.0)
        confidence *= np.exp(-np.minimum(direct_error, 60.0) / 25.0)
        return field, np.asarray(confidence + np.float32(0.02), dtype=np.float32)

    def _stabilise(self, frame: Picture) -> Picture:
        return crop_to_canonical(
            frame, compose(invert(self._pose), self._placement.canonical_from_picture)
        )

    def _dense_flow(self, start: Picture, end: Picture, *, initial: Floats | None = None) -> Floats:
        # Called without a guess the flow starts at rest; it writes into the guess it is given.
        if initial is None:
            return np.asarray(self._flow.calc(start, end, None), dtype=np.float32)  # type: ignore[call-overload]  # None is allowed; the stub says otherwise
        return np.asarray(self._flow.calc(start, end, initial.copy()), dtype=np.float32)


def _bounded(pose: Affine) -> Affine:
    """The pose with its scale kept within 1/4 to 4: beyond that the face is lost anyway.

    A view that is reduced without bound would take time without bound.
    """
    scale = math.hypot(pose[0, 0], pose[1, 0])
    return compose(pose, similarity(min(max(scale, 0.25), 4.0) / scale, 0.0, (CENTRE, CENTRE)))


def track_face(frames: Iterable[Picture], placement: Placement) -> Iterator[TrackedFrame]:
    """The motion of each frame of a clip, uint8 (H, W, 3) RGB; the first one is at rest.

    Args:
        frames: in order, all of one size.
        placement: the face in the first one.
    """
    tracker: Tracker | None = None
    for frame in frames:
        if tracker is None:
            tracker = Tracker(frame, placement)
            yield tracker.at_rest()
        else:
            yield tracker.follow(frame)


def local_contrast(picture: Picture) -> Picture:
    """A picture as grey (H, W) uint8 of even brightness and contrast, so that light may change."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = grey - blur(grey, 12.0)
    spread = np.sqrt(blur(detail * detail, 16.0))
    even = 128.0 + 48.0 * detail / (spread + 6.0)
    return np.clip(even, 0.0, 255.0).astype(np.uint8)


@cache
def _fit_points() -> npt.NDArray[np.intp]:
    """Flat indices of a 6 px grid on the face."""
    radius = elliptic_radius(canonical_grid(), (CENTRE, CENTRE), 0.92 * HALF_BOX, 1.2 * HALF_BOX)
    on_grid = np.zeros((SIZE, SIZE), np.bool_)
    on_grid[::6, ::6] = True
    return np.flatnonzero(on_grid & (radius < 1.0))


def fit_similarity(field: Floats) -> Affine:
    """The similarity that explains most of a field; features that move alone do not pull it.

    Iteratively reweighted least squares with Cauchy-like weights, four rounds.
    """
    chosen = _fit_points()
    start = canonical_grid().reshape(-1, 2)[chosen].astype(np.float64)
    end = start + field.reshape(-1, 2)[chosen]
    weight = np.ones(len(start))
    fitted = IDENTITY
    for _ in range(4):
        fitted = weighted_similarity(start, end, weight)
        residual = np.linalg.norm(transform(fitted, start) - end, axis=1)
        spread = 1.5 * np.median(residual) + 1e-3
        weight = 1.0 / (1.0 + (residual / spread) ** 2)
    return fitted


def weighted_similarity(start: Points, end: Points, weight: npt.NDArray[np.float64]) -> Affine:
    """The similarity from `start` (N, 2) to `end` (N, 2) with the least weighted squared error."""
    share = weight / weight.sum()
    start_mean, end_mean = share @ start, share @ end
    a, b = start - start_mean, end - end_mean
    size = share @ (a * a).sum(axis=1)
    along = share @ (a * b).sum(axis=1) / size
    across = share @ (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / size
    linear = np.array([[along, -across], [across, along]])
    return np.column_stack([linear, end_mean - linear @ start_mean])


def _read_moved(values: Floats, displacement: Floats) -> Floats:
    return sample(values, canonical_grid() + displacement, border=cv2.BORDER_REPLICATE)
