"""The motion extractor (M): pose, expression, scale and keypoints of a face.

ConvNeXt-V2 tiny (Woo et al. 2023) with linear heads.
"""

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

HEADS = {"kp": 63, "scale": 1, "pitch": 66, "yaw": 66, "roll": 66, "t": 3, "exp": 63}

_DEPTHS = (3, 3, 9, 3)
_WIDTHS = (96, 192, 384, 768)
_EPSILON = 1e-6


class MotionExtractor(nn.Module):
    """Pictures (B, 3, 256, 256) in [0, 1] -> raw outputs (B, n) of each of `HEADS`."""

    def __init__(self) -> None:
        super().__init__()
        self.detector = _ConvNext()

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """See the class."""
        outputs: dict[str, Tensor] = self.detector(pictures)
        return outputs


class _ConvNext(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, _WIDTHS[0], 4, stride=4), _ChannelNorm(_WIDTHS[0]))
        self.downsample_layers = nn.ModuleList([stem])
        for wide, narrow in pairwise(_WIDTHS):
            layer = nn.Sequential(_ChannelNorm(wide), nn.Conv2d(wide, narrow, 2, stride=2))
            self.downsample_layers.append(layer)
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Block(width) for _ in range(depth)))
            for width, depth in zip(_WIDTHS, _DEPTHS, strict=True)
        )
        self.norm = nn.LayerNorm(_WIDTHS[-1], eps=_EPSILON)
        for name, outputs in HEADS.items():
            self.add_module(f"fc_{name}", nn.Linear(_WIDTHS[-1], outputs))

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        features = pictures
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            features = stage(downsample(features))
        # The heads stay float32: angles are read from a softmax over 66 bins.
        pooled = self.norm(features.float().mean((2, 3)))
        return {name: self.get_submodule(f"fc_{name}")(pooled) for name in HEADS}


class _ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=_EPSILON)

    def forward(self, maps: Tensor) -> Tensor:
        return super().forward(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _Block(nn.Module):
    """Depthwise 7 x 7, layer norm, two linear layers with GELU and GRN, plus the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=_EPSILON)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.grn = _Grn(4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)

    def forward(self, maps: Tensor) -> Tensor:
        hidden = self.norm(self.dwconv(maps).permute(0, 2, 3, 1))
        hidden = self.grn(functional.gelu(self.pwconv1(hidden)))
        return maps + cast(Tensor, self.pwconv2(hidden)).permute(0, 3, 1, 2)


class _Grn(nn.Module):
    """Global response normalisation (Woo et al. 2023) of (B, H, W, C)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, maps: Tensor) -> Tensor:
        response = torch.linalg.vector_norm(maps, dim=(1, 2), keepdim=True, dtype=torch.float32)
        relative = response / (response.mean(-1, keepdim=True) + _EPSILON)
        # gamma * (maps * relative) + beta + maps, in one pass over the large tensor.
        return torch.addcmul(self.beta, maps, (self.gamma * relative + 1).to(maps.dtype))


def degrees(logits: Tensor) -> Tensor:
    """Read angles from their logits: (B, 66) -> (B,), expectations of bins 3 degrees wide."""
    bins = torch.arange(66, dtype=torch.float32, device=logits.device)
    return 3 * (logits.float().softmax(dim=1) @ bins) - 97.5
