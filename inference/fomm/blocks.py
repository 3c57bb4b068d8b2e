"""The layers that the networks are made of; attribute names are those of the checkpoints.

All convolutions have a bias and pad with zeros. B, C, H, W: batch, channels, height, width.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class SameBlock(nn.Module):
    """Convolution, norm, relu: (B, C, H, W) -> (B, out, H, W)."""

    def __init__(self, in_features: int, out_features: int, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_features, out_features, kernel_size, padding=kernel_size // 2)
        self.norm: nn.Module = nn.BatchNorm2d(out_features)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return functional.relu(cast(Tensor, self.norm(self.conv(x))))


class DownBlock(SameBlock):
    """As a 3 x 3 `SameBlock`, then halved by averaging: (B, C, H, W) -> (B, out, H/2, W/2)."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, kernel_size=3)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return functional.avg_pool2d(super().forward(x), 2)


class UpBlock(SameBlock):
    """Doubled by repeating, then a 3 x 3 `SameBlock`: (B, C, H, W) -> (B, out, 2H, 2W)."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, kernel_size=3)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return super().forward(functional.interpolate(x, scale_factor=2, mode="nearest"))


class ResBlock(nn.Module):
    """The input plus two pre-activated 3 x 3 convolutions of it: (B, C, H, W) -> the same."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(features, features, kernel_size=3, padding=1)
        self.norm1: nn.Module = nn.BatchNorm2d(features)
        self.norm2: nn.Module = nn.BatchNorm2d(features)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        hidden = self.conv1(functional.relu(self.norm1(x)))
        return x + cast(Tensor, self.conv2(functional.relu(self.norm2(hidden))))


class AntiAliasDownsampling(nn.Module):
    """Pictures blurred and reduced to `scale`: (B, C, H, W) -> (B, C, scale H, scale W).

    Its only weight is the kernel, a Gaussian, which a checkpoint may hold or leave out. There is
    no such module at scale 1, since then there would be no such key.
    """

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.step = round(1 / scale)
        sigma = (1 / scale - 1) / 2
        radius = round(4 * sigma)
        steps = torch.arange(-radius, radius + 1, dtype=torch.float32)
        line = torch.exp(-(steps**2) / (2 * sigma**2))
        kernel = torch.outer(line, line)
        self.register_buffer("weight", (kernel / kernel.sum()).repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        weight = cast(Tensor, self.weight)
        # Every step-th pixel of the blurred picture, without making the others.
        padding = weight.shape[-1] // 2
        return functional.conv2d(
            x, weight, stride=self.step, padding=padding, groups=weight.shape[0]
        )


class Encoder(nn.Module):
    """The hourglass's way down: the input and the output of every block, the largest first."""

    def __init__(self, block_expansion: int, in_features: int, blocks: int, maximum: int) -> None:
        super().__init__()
        widths = [in_features, *_widths(block_expansion, blocks, maximum)[1:]]
        self.down_blocks = nn.ModuleList(DownBlock(widths[i], widths[i + 1]) for i in range(blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        """See the class."""
        outputs = [x]
        for block in self.down_blocks:
            outputs.append(block(outputs[-1]))
        return outputs


class Decoder(nn.Module):
    """The hourglass's way up; after each block the encoder's output of that size is appended."""

    def __init__(self, block_expansion: int, in_features: int, blocks: int, maximum: int) -> None:
        super().__init__()
        widths = _widths(block_expansion, blocks, maximum)
        self.up_blocks = nn.ModuleList(
            UpBlock(widths[i + 1] * (1 if i == blocks - 1 else 2), widths[i])
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

    def __init__(self, block_expansion: int, in_features: int, blocks: int, maximum: int) -> None:
        super().__init__()
        self.encoder = Encoder(block_expansion, in_features, blocks, maximum)
        self.decoder = Decoder(block_expansion, in_features, blocks, maximum)
        self.out_features = self.decoder.out_features

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return cast(Tensor, self.decoder(self.encoder(x)))


def heads(
    features: Tensor, first: nn.Conv2d, second: nn.Conv2d | None
) -> tuple[Tensor, Tensor | None]:
    """Outputs of two convolutions of one shape on the same features, float32; computed together."""
    if second is None:
        return cast(Tensor, first(features)).float(), None
    weight = torch.cat([first.weight, second.weight])
    bias = torch.cat([cast(Tensor, first.bias), cast(Tensor, second.bias)])
    maps = functional.conv2d(features, weight, bias, padding=cast(tuple[int, int], first.padding))
    both = torch.split(maps.float(), [first.out_channels, second.out_channels], dim=1)
    return both[0], both[1]


def _widths(block_expansion: int, blocks: int, maximum: int) -> list[int]:
    """Channels at each of the `blocks` + 1 sizes, the largest size first."""
    return [min(maximum, block_expansion * 2**i) for i in range(blocks + 1)]
