"""A faster warping network: the same results up to rounding."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.liveportrait.warping import (
    DenseMotionNetwork,
    Hourglass3d,
    LeakyBlock,
    WarpingNetwork,
)
from inference.neural.blocks import SameBlock, halved
from inference.neural.folding import fold_norms, fold_pair
from inference.neural.fourier_conv import FourierConv
from inference.neural.picture_conv import (
    DOUBLED,
    WINOGRAD,
    DirectConv,
    TiledConv,
    Tiling,
    VolumeConv,
)


def accelerate_warping(network: WarpingNetwork) -> None:
    """Fold norms and replace the slow convolutions for a CPU, in place.

    It stays float32: in 16 bits, errors of the motion would be most of the result's noise.
    """
    hourglass = cast(Hourglass3d, _folded(network).hourglass)
    network.dense_motion_network.hourglass = FastHourglass(hourglass)
    network.dense_motion_network.mask = FourierConv(
        cast(nn.Conv3d, network.dense_motion_network.mask)
    )
    network.third = _FastThird(cast(LeakyBlock, network.third))


def fold_warping(network: WarpingNetwork, dtype: torch.dtype) -> None:
    """Fold norms and convert convolutions for a GPU, in place; sampling stays float32."""
    motion = _folded(network)
    motion.dtype = dtype
    for part in (motion.hourglass, motion.mask, motion.occlusion, network.third, network.fourth):
        part.to(dtype)


def _folded(network: WarpingNetwork) -> DenseMotionNetwork:
    fold_norms(network)
    motion = network.dense_motion_network
    fold_pair(motion, "compress", "norm")
    fold_pair(cast(Hourglass3d, motion.hourglass).decoder, "conv", "norm")
    return motion


class FastHourglass(nn.Module):
    """The hourglass of volumes; their slices are stacks of pictures, (D, h, w, C)."""

    def __init__(self, plain: Hourglass3d) -> None:
        super().__init__()
        down = [cast(SameBlock, block).conv for block in plain.encoder.down_blocks]
        up = [cast(SameBlock, block).conv for block in plain.decoder.up_blocks]
        # The last one's maps are so small that tiles would read more weights than pixels.
        tilings = [*[WINOGRAD] * (len(down) - 1), None]
        self.down = nn.ModuleList(map(_volume_conv, down, tilings))
        self.up = nn.ModuleList(_volume_conv(conv, DOUBLED) for conv in up)
        self.last = _volume_conv(cast(nn.Conv3d, plain.decoder.conv), WINOGRAD)

    def forward(self, volumes: Tensor) -> Tensor:
        """(B, C, D, h, w) -> (B, out, D, h, w)."""
        stacks = volumes.permute(0, 2, 3, 4, 1).contiguous()
        done = torch.stack([self._one(stack) for stack in stacks])
        return done.permute(0, 4, 1, 2, 3)

    def _one(self, volume: Tensor) -> Tensor:
        outputs = [volume]
        for conv in self.down:
            maps = cast(Tensor, conv(outputs[-1])).permute(0, 3, 1, 2)
            outputs.append(halved(maps).permute(0, 2, 3, 1).contiguous())
        volume = outputs.pop()
        for conv in self.up:
            volume = torch.cat([conv(volume), outputs.pop()], dim=-1)
        return cast(Tensor, self.last(volume))


class _FastThird(nn.Module):
    """Convolution and leaky relu of (B, C, h, w)."""

    def __init__(self, plain: LeakyBlock) -> None:
        super().__init__()
        self.conv = TiledConv(plain.conv, torch.float32)

    def forward(self, maps: Tensor) -> Tensor:
        """See the class."""
        pictures = self.conv(maps.permute(0, 2, 3, 1))
        return functional.leaky_relu_(pictures, 0.01).permute(0, 3, 1, 2)


def _volume_conv(conv: nn.Conv2d | nn.Conv3d, tiling: Tiling | None) -> VolumeConv:
    def make(flat: nn.Conv2d) -> nn.Module:
        if tiling is None:
            return DirectConv(flat, torch.float32)
        return TiledConv(flat, torch.float32, tiling)

    return VolumeConv(cast(nn.Conv3d, conv), make)
