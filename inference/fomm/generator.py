"""The occlusion-aware generator: warps the source's features and decodes them."""

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.fomm.config import FommConfig
from inference.fomm.coordinates import KeypointTensors
from inference.fomm.dense_motion import DenseMotion, DenseMotionNetwork, sampled
from inference.neural.blocks import DownBlock, ResBlock, SameBlock, UpBlock


@dataclass(frozen=True)
class EncodedSource:
    """What does not depend on the driving frame.

    Attributes:
        features: (1, C, h, w), to be warped.
        small: (1, 3, h', w'), the picture at the dense motion network's size.
    """

    features: Tensor
    small: Tensor


class Generator(nn.Module):
    """Source picture and keypoints -> prediction (B, 3, H, W) float32 in (0, 1).

    Args:
        config: the networks' shape.
        align_corners: True as the published weights were trained; False as the published code runs
            on today's torch.
    """

    def __init__(self, config: FommConfig, *, align_corners: bool = False) -> None:
        super().__init__()
        own, channels = config.generator_params, config.common_params.num_channels
        widths = [
            min(own.max_features, own.block_expansion * 2**i)
            for i in range(own.num_down_blocks + 1)
        ]
        pairs = list(pairwise(widths))
        self.align_corners = align_corners
        self.dense_motion_network = DenseMotionNetwork(config)
        self.first = SameBlock(channels, own.block_expansion, kernel_size=7)
        self.down_blocks = nn.ModuleList(DownBlock(wide, narrow) for wide, narrow in pairs)
        bottleneck = nn.Sequential()
        for index in range(own.num_bottleneck_blocks):
            bottleneck.add_module(f"r{index}", ResBlock(widths[-1]))
        self.bottleneck: nn.Module = bottleneck
        self.up_blocks = nn.ModuleList(UpBlock(low, high) for high, low in reversed(pairs))
        self.final: nn.Module = nn.Conv2d(widths[0], channels, kernel_size=7, padding=3)

    def forward(
        self, source: EncodedSource, source_kp: KeypointTensors, driving_kp: KeypointTensors
    ) -> Tensor:
        """Return the prediction for each of B driving keypoints."""
        return self.decode(self.warped(source, self.motion(source, source_kp, driving_kp)))

    def encode(self, source: Tensor) -> EncodedSource:
        """Encode a picture (1, 3, H, W) float32 in [0, 1]."""
        features = self.first(source)
        for block in self.down_blocks:
            features = block(features)
        return EncodedSource(features, self.dense_motion_network.down(source))

    def motion(
        self, source: EncodedSource, source_kp: KeypointTensors, driving_kp: KeypointTensors
    ) -> DenseMotion:
        """Compute the dense motion."""
        return cast(
            DenseMotion,
            self.dense_motion_network(
                source.small, source_kp, driving_kp, align_corners=self.align_corners
            ),
        )

    def warped(self, source: EncodedSource, motion: DenseMotion) -> Tensor:
        """Warp the features and apply the occlusion map, (B, C, h, w)."""
        size = source.features.shape[2:]
        deformation, occlusion_map = motion.deformation, motion.occlusion_map
        if deformation.shape[1:3] != size:
            as_picture = deformation.permute(0, 3, 1, 2)
            deformation = _resized(as_picture, size).permute(0, 2, 3, 1)
        features = sampled(source.features, deformation, self.align_corners)
        if occlusion_map is None:
            return features
        if occlusion_map.shape[2:] != size:
            occlusion_map = _resized(occlusion_map, size)
        return features * occlusion_map

    def decode(self, features: Tensor) -> Tensor:
        """Features (B, C, h, w) -> prediction (B, 3, H, W)."""
        features = self.bottleneck(features)
        for block in self.up_blocks:
            features = block(features)
        return torch.sigmoid(cast(Tensor, self.final(features)).float())


def _resized(maps: Tensor, size: torch.Size) -> Tensor:
    # align_corners is False here in the published code and in training.
    return functional.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)
