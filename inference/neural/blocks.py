"""Layers that the neural engines share; attribute names are those of the checkpoints.

All convolutions have a bias and pad with zeros. B, C, H, W: batch, channels, height, width. With
`dims=3`, the maps of all blocks are volumes (B, C, D, H, W); depth D is never halved or doubled.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

Conv = nn.Conv2d | nn.Conv3d

_CONVS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_NORMS: dict[int, type[nn.BatchNorm2d] | type[nn.BatchNorm3d]] = {
    2: nn.BatchNorm2d,
    3: nn.BatchNorm3d,
}


class SameBlock(nn.Module):
    """Convolution, norm, relu: (B, C, H, W) -> (B, out, H, W)."""

    def __init__(
        self, in_features: int, out_features: int, kernel_size: int = 3, *, dims: int = 2
    ) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.conv: Conv = _CONVS[dims](in_features, out_features, kernel_size, padding=padding)
        self.norm: nn.Module = _NORMS[dims](out_features)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return functional.relu(cast(Tensor, self.norm(self.conv(x))))


class DownBlock(SameBlock):
    """As a 3 x 3 `SameBlock`, then halved by averaging: (B, C, H, W) -> (B, out, H/2, W/2)."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return halved(super().forward(x))


class UpBlock(SameBlock):
    """Doubled by repeating, then a 3 x 3 `SameBlock`: (B, C, H, W) -> (B, out, 2H, 2W)."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return super().forward(doubled(x))


class ResBlock(nn.Module):
    """The input plus two pre-activated 3 x 3 convolutions of it: (B, C, H, W) -> the same."""

    def __init__(self, features: int, *, dims: int = 2) -> None:
        super().__init__()
        self.conv1: Conv = _CONVS[dims](features, features, kernel_size=3, padding=1)
        self.conv2: Conv = _CONVS[dims](features, features, kernel_size=3, padding=1)
        self.norm1: nn.Module = _NORMS[dims](features)
        self.norm2: nn.Module = _NORMS[dims](features)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        hidden = self.conv1(functional.relu(self.norm1(x)))
        return x + cast(Tensor, self.conv2(functional.relu(self.norm2(hidden))))


class Encoder(nn.Module):
    """The hourglass's way down: the input and the output of every block, the largest first."""

    def __init__(
        self, block_expansion: int, in_features: int, blocks: int, maximum: int, *, dims: int = 2
    ) -> None:
        super().__init__()
        widths = [in_features, *_widths(block_expansion, blocks, maximum)[1:]]
        self.down_blocks = nn.ModuleList(
            DownBlock(widths[i], widths[i + 1], dims=dims) for i in range(blocks)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """See the class."""
        outputs = [x]
        for block in self.down_blocks:
            outputs.append(block(outputs[-1]))
        return outputs


class Decoder(nn.Module):
    """The hourglass's way up; after each block the encoder's output of that size is appended."""

    def __init__(
        self, block_expansion: int, in_features: int, blocks: int, maximum: int, *, dims: int = 2
    ) -> None:
        super().__init__()
        widths = _widths(block_expansion, blocks, maximum)
        self.up_blocks = nn.ModuleList(
            UpBlock(widths[i + 1] * (1 if i == blocks - 1 else 2), widths[i], dims=dims)
            for i in reversed(range(blocks))
        )
        self.out_features = block_expansion + in_features

    def forward(self, outputs: list[Tensor]) -> Tensor:
        """See the class."""
        skips = list(outputs)
        x = skips.pop()
        for block in self.up_blocks:
            x = torch.cat([block(x), skips.pop()], dim=1)
        return x


class Hourglass(nn.Module):
    """Encoder and decoder: (B, in, H, W) -> (B, `out_features`, H, W)."""

    def __init__(
        self, block_expansion: int, in_features: int, blocks: int, maximum: int, *, dims: int = 2
    ) -> None:
        super().__init__()
        self.encoder = Encoder(block_expansion, in_features, blocks, maximum, dims=dims)
        self.decoder = Decoder(block_expansion, in_features, blocks, maximum, dims=dims)
        self.out_features = self.decoder.out_features

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return cast(Tensor, self.decoder(self.encoder(x)))


def halved(maps: Tensor) -> Tensor:
    """Average each 2 x 2 pixels; of volumes in every slice: (B, C, ..., H, W)."""
    # As pictures: torch averages volumes on a CPU in float32 only.
    pictures = functional.avg_pool2d(maps.flatten(1, -3), 2)
    return pictures.reshape(*maps.shape[:-2], *pictures.shape[-2:])


def doubled(maps: Tensor) -> Tensor:
    """Repeat each pixel 2 x 2 times; of volumes in every slice: (B, C, ..., H, W)."""
    pictures = functional.interpolate(maps.flatten(1, -3), scale_factor=2, mode="nearest")
    return pictures.reshape(*maps.shape[:-2], *pictures.shape[-2:])


def _widths(block_expansion: int, blocks: int, maximum: int) -> list[int]:
    """Channels at each of the `blocks` + 1 sizes, the largest size first."""
    return [min(maximum, block_expansion * 2**i) for i in range(blocks + 1)]
