"""Grids, heat maps and the local affine motions between keypoints."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor


@dataclass(frozen=True)
class KeypointTensors:
    """Keypoints on the device: value (B, K, 2) float32, x then y; jacobian (B, K, 2, 2) or None."""

    value: Tensor
    jacobian: Tensor | None


def coordinate_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Return (height, width, 2): x and y of every pixel, the corner pixels at -1 and 1."""
    x = torch.arange(width, dtype=torch.float32, device=like.device)
    y = torch.arange(height, dtype=torch.float32, device=like.device)
    x = 2 * (x / (width - 1)) - 1
    y = 2 * (y / (height - 1)) - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def heat_maps(value: Tensor, height: int, width: int, variance: float) -> Tensor:
    """Return a Gaussian with maximum 1 at each keypoint: (B, K, 2) -> (B, K, height, width)."""
    grid = coordinate_grid(height, width, value)
    distances = ((grid - value[:, :, None, None, :]) ** 2).sum(-1)
    return torch.exp(-0.5 * distances / variance)


def sparse_motions(
    source: KeypointTensors, driving: KeypointTensors, height: int, width: int
) -> Tensor:
    """Return the candidate motions, backward: (B, K + 1, height, width, 2).

    Index 0 is the background, the identity. Near driving keypoint k, z is mapped to
    s_k + J_source_k inverse(J_driving_k) (z - d_k) (Siarohin et al. 2019, equations 3 to 5).
    """
    grid = coordinate_grid(height, width, driving.value)
    offsets = grid - driving.value[:, :, None, None, :]
    if source.jacobian is not None and driving.jacobian is not None:
        affine = source.jacobian @ _inverse(driving.jacobian)
        offsets = (affine[:, :, None, None] @ offsets[..., None])[..., 0]
    towards_source = offsets + source.value[:, :, None, None, :]
    background = grid.expand(len(towards_source), 1, height, width, 2)
    return torch.cat([background, towards_source], dim=1)


def _inverse(matrices: Tensor) -> Tensor:
    """The inverse of each (..., 2, 2) matrix; of a singular one the pseudo-inverse; NaN stays."""
    inverse, failed = torch.linalg.inv_ex(matrices)
    is_sound = _is_finite(inverse) & (failed == 0)[..., None, None]
    is_singular = _is_finite(matrices) & ~is_sound
    if not bool(is_singular.any()):
        return cast(Tensor, inverse)
    # `pinv` raises an exception for NaN and infinity.
    pseudo = torch.linalg.pinv(torch.where(is_singular, matrices, 0.0))
    return torch.where(is_singular, pseudo, inverse)


def _is_finite(matrices: Tensor) -> Tensor:
    """(..., 2, 2) -> (..., 1, 1), whether all four numbers are finite."""
    return matrices.isfinite().all(-1, True).all(-2, True)
