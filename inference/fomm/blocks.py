"""Layers of these networks only; `inference.neural.blocks` has the others."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


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
