"""Displacement fields on the canonical frame: soft shapes, sampling, folding, regularisation.

A field is float32 (256, 256, 2), canonical px, x then y: the point x of the first frame is at x +
field(x).
"""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from inference.flow.canonical import CENTRE, HALF_BOX, LAYOUT, LAYOUT_ANCHORS, SIZE, Floats

MAX_LENGTH_PX = 30.0
_LEVEL_SIGMAS_PX = (9.0, 5.0, 2.5, 1.2)
_FOLD_LIMITS = (0.35, 0.30, 0.20)
_FOLD_LIMIT_FEATURES = 0.12
_STRETCH_LIMIT, _STRETCH_LIMIT_FEATURES = 3.5, 9.5
_FINAL_FOLD_LIMIT = 0.05


def smooth_step(value: Floats) -> Floats:
    """t^2 (3 - 2 t) of t clipped to [0, 1]; same shape."""
    clipped = np.clip(value, 0.0, 1.0)
    return np.asarray(clipped * clipped * (3.0 - 2.0 * clipped), dtype=np.float32)


def blur(values: Floats, sigma_px: float) -> Floats:
    """Gaussian blur of (h, w) or (h, w, C) float32."""
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma_px), dtype=np.float32)


@cache
def canonical_grid() -> Floats:
    """(256, 256, 2): each pixel's own position. Shared and read-only."""
    x, y = np.meshgrid(np.arange(SIZE, dtype=np.float32), np.arange(SIZE, dtype=np.float32))
    grid = np.dstack([x, y])
    grid.flags.writeable = False
    return grid


def elliptic_radius(
    points: Floats, centre: tuple[float, float], radius_x: float, radius_y: float
) -> Floats:
    """Radius of `points` (..., 2) in units of an ellipse: 1 on its line. Shape (...)."""
    across = (points[..., 0] - np.float32(centre[0])) / np.float32(radius_x)
    down = (points[..., 1] - np.float32(centre[1])) / np.float32(radius_y)
    return np.asarray(np.hypot(across, down), dtype=np.float32)


def bump(centre: tuple[float, float], sigma_x: float, sigma_y: float) -> Floats:
    """(256, 256): exp(-((x - cx)^2 / sx^2 + (y - cy)^2 / sy^2) / 2)."""
    radius = elliptic_radius(canonical_grid(), centre, sigma_x, sigma_y)
    return np.asarray(np.exp(-0.5 * radius * radius), dtype=np.float32)


@cache
def eyes_mask() -> Floats:
    """(256, 256) in [0, 1]: the windows of both eyes."""
    eyes = [
        smooth_step((1.5 - elliptic_radius(canonical_grid(), eye, 22.0, 14.0)) / 0.7)
        for eye in (LAYOUT_ANCHORS.eye_left, LAYOUT_ANCHORS.eye_right)
    ]
    return np.maximum(*eyes)


@cache
def mouth_mask() -> Floats:
    """(256, 256) in [0, 1]: the window of the mouth."""
    y = (LAYOUT["upper_lip_inner"][1] + LAYOUT["lower_lip_inner"][1]) / 2
    return smooth_step((1.5 - elliptic_radius(canonical_grid(), (CENTRE, y), 34.0, 26.0)) / 0.7)


@cache
def feature_mask() -> Floats:
    """(256, 256) in [0, 1]: where fine motion is wanted, the eyes and the mouth."""
    return np.maximum(eyes_mask(), mouth_mask())


@cache
def face_mask() -> Floats:
    """(256, 256) in [0, 1]: 1 on the face, 0 outside it, soft between."""
    radius = elliptic_radius(canonical_grid(), (CENTRE, 130.0), HALF_BOX, 1.22 * HALF_BOX)
    return smooth_step((1.45 - radius) / 0.45)


def sample(values: Floats, positions: Floats, *, border: int = cv2.BORDER_CONSTANT) -> Floats:
    """`values` (h, w[, C]) read bilinearly at `positions` (..., 2) px; zero outside by default."""
    flat = positions.reshape(-1, 1, 2) if positions.ndim != 3 else positions
    read = cv2.remap(
        values,
        np.ascontiguousarray(flat[..., 0]),
        np.ascontiguousarray(flat[..., 1]),
        cv2.INTER_LINEAR,
        borderMode=border,
    )
    return np.asarray(read, dtype=np.float32).reshape(*positions.shape[:-1], *values.shape[2:])


def jacobian(field: Floats) -> Floats:
    """The gradient by central differences, (256, 256, 4): dFx/dx, dFx/dy, dFy/dx, dFy/dy."""
    dx = cv2.Sobel(field, cv2.CV_32F, 1, 0, ksize=1, scale=0.5, borderType=cv2.BORDER_REPLICATE)
    dy = cv2.Sobel(field, cv2.CV_32F, 0, 1, ksize=1, scale=0.5, borderType=cv2.BORDER_REPLICATE)
    return np.dstack([dx[..., 0], dy[..., 0], dx[..., 1], dy[..., 1]]).astype(
        np.float32, copy=False
    )


def determinant(field: Floats) -> Floats:
    """det(I + grad field), (256, 256); at most 0 where the field folds."""
    gradient = jacobian(field)
    product = (1.0 + gradient[..., 0]) * (1.0 + gradient[..., 3])
    return np.asarray(product - gradient[..., 1] * gradient[..., 2], dtype=np.float32)


def limit_length(field: Floats, limit_px: float) -> Floats:
    """The field with |F| replaced by limit * tanh(|F| / limit)."""
    length = np.maximum(np.hypot(field[..., 0], field[..., 1]), np.float32(1e-6))
    factor = np.float32(limit_px) * np.tanh(length / np.float32(limit_px)) / length
    return np.asarray(field * factor[..., None], dtype=np.float32)


def regularise(field: Floats, confidence: Floats | None = None) -> tuple[Floats, Floats]:
    """A smooth field without folds: fine detail only where it is wanted and holds.

    Confidence-weighted blurs of four widths are blended, the finer ones where they neither fold nor
    stretch too much, the finest only in the eyes and the mouth.

    Args:
        field: measured displacement.
        confidence: (256, 256) > 0; None counts every pixel alike.

    Returns:
        The regularised field, and its coarsest level to fall back on (see `unfold`). Both are 0 off
        the face.
    """
    field = limit_length(field, MAX_LENGTH_PX)
    coarsest, *finer = (_weighted_blur(field, confidence, sigma) for sigma in _LEVEL_SIGMAS_PX)
    features = feature_mask()
    inside = features > 0.5
    weights: tuple[Floats | None, ...] = (None, np.maximum(features, np.float32(0.25)), features)
    blended = coarsest
    for level, fold_limit, weight in zip(finer, _FOLD_LIMITS, weights, strict=True):
        det = determinant(level)
        bad = (det < np.where(inside, np.float32(_FOLD_LIMIT_FEATURES), np.float32(fold_limit))) | (
            det > np.where(inside, np.float32(_STRETCH_LIMIT_FEATURES), np.float32(_STRETCH_LIMIT))
        )
        share = np.float32(1.0) - _around(bad) if bad.any() else np.ones_like(det)
        if weight is not None:
            share = share * weight
        blended = blended + share[..., None] * (level - blended)
    mask = face_mask()[..., None]
    return blended * mask, coarsest * mask


def unfold(field: Floats, fallback: Floats) -> Floats:
    """The field without folds: where det(I + grad) is not above 0.05 it goes back to `fallback`.

    If that does not help (the fallback folds too), the whole field is shrunk until no fold is left.
    """
    for _ in range(3):
        bad = determinant(field) <= _FINAL_FOLD_LIMIT
        if not bad.any():
            return field
        field = field + _around(bad)[..., None] * (fallback - field)
    for _ in range(60):
        if not (determinant(field) <= _FINAL_FOLD_LIMIT).any():
            return field
        field = field * np.float32(0.9)
    return np.zeros_like(field)


def _weighted_blur(field: Floats, confidence: Floats | None, sigma_px: float) -> Floats:
    if confidence is None:
        return blur(field, sigma_px)
    weighted = blur(np.dstack([field * confidence[..., None], confidence]), sigma_px)
    mean = weighted[..., :2] / np.maximum(weighted[..., 2:], np.float32(1e-6))
    return np.asarray(mean, dtype=np.float32)


def _around(bad: npt.NDArray[np.bool_]) -> Floats:
    """1 on the marked pixels and about 5 px round them, softly to 0."""
    grown = cv2.dilate(bad.astype(np.float32), np.ones((5, 5), np.uint8))
    soft = 2.0 * blur(np.asarray(grown, dtype=np.float32), 3.0)
    return np.asarray(np.clip(soft, 0.0, 1.0), dtype=np.float32)
