"""The warping network (W): moves a photo's volume of features from its keypoints to others."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.liveportrait.appearance import CHANNELS, DEPTH
from inference.neural.blocks import Decoder, Hourglass, SameBlock

KEYPOINTS = 21
FIELDS = KEYPOINTS + 1
_COMPRESSED = 4
_VARIANCE = 0.01


@dataclass(frozen=True)
class SourceState:
    """What does not depend on the driving frame.

    Attributes:
        feature: (1, 32, 16, 64, 64), the photo's volume.
        compressed: (1, 4, 16, 64, 64), the volume that the dense motion network warps.
        keypoints: (1, 21, 3), of the photo.
        heat_maps: (1, 21, 16, 64, 64), of these keypoints.
    """

    feature: Tensor
    compressed: Tensor
    keypoints: Tensor
    heat_maps: Tensor


@dataclass(frozen=True)
class DenseMotion:
    """Where each voxel comes from.

    Attributes:
        deformation: (B, 16, 64, 64, 3), a sampling grid in [-1, 1], x, y, z.
        mask: (B, 22, 16, 64, 64), how much of each candidate motion a voxel follows.
        occlusion_map: (B, 1, 64, 64) in [0, 1], 1 = visible in the photo.
    """

    deformation: Tensor
    mask: Tensor
    occlusion_map: Tensor


class WarpingNetwork(nn.Module):
    """A photo and driving keypoints (B, 21, 3) -> features of frames (B, 256, 64, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.dense_motion_network = DenseMotionNetwork()
        self.third: nn.Module = LeakyBlock(CHANNELS * DEPTH, 256)
        self.fourth = nn.Conv2d(256, 256, kernel_size=1)

    def forward(self, source: SourceState, driving: Tensor) -> Tensor:
        """See the class."""
        motion: DenseMotion = self.dense_motion_network(source, driving)
        volumes = sampled(source.feature, motion.deformation)
        maps = volumes.flatten(1, 2).to(self.fourth.weight.dtype)
        return cast(Tensor, self.fourth(self.third(maps))).float() * motion.occlusion_map

    def prepare(self, feature: Tensor, keypoints: Tensor) -> SourceState:
        """Compute what depends on the photo only: its volume and its keypoints (1, 21, 3)."""
        network = self.dense_motion_network
        compressed = functional.relu(network.norm(network.compress(feature)))
        return SourceState(feature, compressed, keypoints, heat_maps(keypoints, feature))


class DenseMotionNetwork(nn.Module):
    """Combines 21 local motions and the identity into one motion field."""

    def __init__(self) -> None:
        super().__init__()
        # Of the hourglass; everything else is float32.
        self.dtype = torch.float32
        in_features = FIELDS * (_COMPRESSED + 1)
        self.compress = nn.Conv3d(CHANNELS, _COMPRESSED, kernel_size=1)
        self.norm: nn.Module = nn.BatchNorm3d(_COMPRESSED)
        hourglass = Hourglass3d(32, in_features, blocks=5, maximum=1024)
        self.hourglass: nn.Module = hourglass
        features = hourglass.out_features
        self.mask: nn.Module = nn.Conv3d(features, FIELDS, kernel_size=7, padding=3)
        self.occlusion: nn.Module = nn.Conv2d(features * DEPTH, 1, kernel_size=7, padding=3)

    def forward(self, source: SourceState, driving: Tensor) -> DenseMotion:
        """Compute the dense motion for driving keypoints (B, 21, 3)."""
        candidates = self.candidates(source, driving).to(self.dtype)
        features = self.hourglass(candidates)
        mask = self.mask(features).float().softmax(dim=1)
        # The sum of mask * motion: all motions are the identity plus a shift, the first one's is 0.
        shifts = source.keypoints - driving
        moved = torch.einsum("bkdhw,bkc->bdhwc", mask[:, 1:], shifts)
        deformation = coordinate_grid(mask) + moved
        occlusion_map = self.occlusion(features.flatten(1, 2)).float().sigmoid()
        return DenseMotion(deformation, mask, occlusion_map)

    def candidates(self, source: SourceState, driving: Tensor) -> Tensor:
        """Return the hourglass's input (B, 110, D, H, W).

        For each candidate motion: the difference of two heat maps (zero for the identity, which
        comes first), then the compressed volume warped by it.
        """
        batch, size = len(driving), source.compressed.shape[2:]
        grid = coordinate_grid(source.compressed)
        shifts = (source.keypoints - driving)[:, :, None, None, None]
        motions = torch.cat([grid.expand(batch, 1, *grid.shape), grid + shifts], dim=1)
        moved = sampled(source.compressed, motions.flatten(1, 2))
        moved = moved.view(batch, _COMPRESSED, FIELDS, *size).transpose(1, 2)
        heat = heat_maps(driving, source.compressed) - source.heat_maps
        heat = functional.pad(heat, (0, 0, 0, 0, 0, 0, 1, 0))
        return torch.cat([heat[:, :, None], moved], dim=2).flatten(1, 2)


class Hourglass3d(Hourglass):
    """The shared hourglass for volumes, with one more block of its full width at the end."""

    def __init__(self, block_expansion: int, in_features: int, blocks: int, maximum: int) -> None:
        super().__init__(block_expansion, in_features, blocks, maximum, dims=3)
        self.decoder = _Decoder3d(block_expansion, in_features, blocks, maximum, dims=3)


class _Decoder3d(Decoder):
    def __init__(
        self, block_expansion: int, in_features: int, blocks: int, maximum: int, *, dims: int
    ) -> None:
        super().__init__(block_expansion, in_features, blocks, maximum, dims=dims)
        last = SameBlock(self.out_features, self.out_features, dims=dims)
        self.conv, self.norm = last.conv, last.norm

    def forward(self, outputs: list[Tensor]) -> Tensor:
        return functional.relu(cast(Tensor, self.norm(self.conv(super().forward(outputs)))))


class LeakyBlock(SameBlock):
    """Convolution, norm, leaky relu."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return functional.leaky_relu(cast(Tensor, self.norm(self.conv(x))), 0.01)


def coordinate_grid(like: Tensor) -> Tensor:
    """Return (D, H, W, 3): x, y, z of every voxel of (..., D, H, W), the corners at -1 and 1."""
    grids = torch.meshgrid(*_axes(like), indexing="ij")
    return torch.stack(grids[::-1], dim=-1)


def _axes(like: Tensor) -> list[Tensor]:
    """Coordinates along depth, height and width."""
    return [
        2 * torch.arange(count, dtype=torch.float32, device=like.device) / (count - 1) - 1
        for count in like.shape[-3:]
    ]


def heat_maps(keypoints: Tensor, like: Tensor) -> Tensor:
    """Return a Gaussian with maximum 1 at each keypoint: (B, K, 3) -> (B, K, D, H, W)."""
    # As a product of one for each axis.
    x, y, z = (
        torch.exp(-0.5 * (axis - keypoints[..., index, None]) ** 2 / _VARIANCE)
        for index, axis in enumerate(reversed(_axes(like)))
    )
    return z[..., :, None, None] * y[..., None, :, None] * x[..., None, None, :]


def sampled(volumes: Tensor, grid: Tensor) -> Tensor:
    """(1 or B, C, D, H, W) sampled at grid (B, d, h, w, 3): (B, C, d, h, w); zeros outside.

    As published: the grids have their corners at -1 and 1, and the sampling does not.
    """
    return functional.grid_sample(
        volumes.expand(len(grid), -1, -1, -1, -1), grid, padding_mode="zeros", align_corners=False
    )
