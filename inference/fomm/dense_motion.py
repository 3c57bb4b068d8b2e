"""The dense motion network: combines K local motions into one motion field."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.fomm.blocks import AntiAliasDownsampling, heads
from inference.fomm.config import FommConfig
from inference.fomm.coordinates import KeypointTensors, heat_maps, sparse_motions
from inference.neural.blocks import Hourglass


@dataclass(frozen=True)
class DenseMotion:
    """Where each pixel comes from.

    Attributes:
        deformation: (B, h, w, 2) sampling grid in [-1, 1], backward: driving -> source.
        mask: (B, K + 1, h, w), how much of each candidate motion a pixel follows; sums to 1.
        occlusion_map: (B, 1, h, w) in [0, 1], 1 = visible in the source; None if not estimated.
    """

    deformation: Tensor
    mask: Tensor
    occlusion_map: Tensor | None


class DenseMotionNetwork(nn.Module):
    """Source picture and the keypoints of both sides -> `DenseMotion`, at a quarter of the size."""

    def __init__(self, config: FommConfig) -> None:
        super().__init__()
        common, own = config.common_params, config.generator_params.dense_motion_params
        self.num_kp = common.num_kp
        self.kp_variance = own.kp_variance
        in_features = (common.num_kp + 1) * (common.num_channels + 1)
        hourglass = Hourglass(own.block_expansion, in_features, own.num_blocks, own.max_features)
        self.hourglass: nn.Module = hourglass
        features = hourglass.out_features
        self.mask = nn.Conv2d(features, common.num_kp + 1, kernel_size=7, padding=3)
        self.occlusion: nn.Conv2d | None = None
        if config.generator_params.estimate_occlusion_map:
            self.occlusion = nn.Conv2d(features, 1, kernel_size=7, padding=3)
        self.down: nn.Module = nn.Identity()
        if own.scale_factor != 1:
            self.down = AntiAliasDownsampling(common.num_channels, own.scale_factor)

    def forward(
        self,
        source_small: Tensor,
        source: KeypointTensors,
        driving: KeypointTensors,
        *,
        align_corners: bool,
    ) -> DenseMotion:
        """Compute the dense motion.

        Args:
            source_small: (1 or B, 3, h, w), what `down` makes of the source picture.
            source: its keypoints, of one picture or of B.
            driving: normalised driving keypoints, B of them.
            align_corners: as in `torch.nn.functional.grid_sample`.
        """
        motions, candidates = self.candidates(source_small, source, driving, align_corners)
        mask_logits, occlusion_logits = heads(self.hourglass(candidates), self.mask, self.occlusion)
        mask = mask_logits.softmax(dim=1)
        deformation = (motions * mask[..., None]).sum(dim=1)
        occlusion_map = None if occlusion_logits is None else torch.sigmoid(occlusion_logits)
        return DenseMotion(deformation, mask, occlusion_map)

    def candidates(
        self,
        source_small: Tensor,
        source: KeypointTensors,
        driving: KeypointTensors,
        align_corners: bool,
    ) -> tuple[Tensor, Tensor]:
        """Return candidate motions (B, K + 1, h, w, 2) and the hourglass's input (B, 4K + 4, h, w).

        The input has, for each candidate: the difference of the two heat maps (zero for the
        background, which comes first), then the source's red, green and blue warped by it.
        """
        height, width = source_small.shape[2:]
        batch, count = len(driving.value), self.num_kp + 1
        motions = sparse_motions(source, driving, height, width)
        moved = sampled(source_small, motions.flatten(1, 2), align_corners)
        moved = moved.view(batch, -1, count, height, width).transpose(1, 2)
        driving_heat = heat_maps(driving.value, height, width, self.kp_variance)
        heat = driving_heat - heat_maps(source.value, height, width, self.kp_variance)
        heat = functional.pad(heat, (0, 0, 0, 0, 1, 0))
        return motions, torch.cat([heat[:, :, None], moved], dim=2).flatten(1, 2)


def sampled(pictures: Tensor, grid: Tensor, align_corners: bool) -> Tensor:
    """(1 or B, C, h, w) sampled bilinearly at grid (B, H, W, 2): (B, C, H, W); zeros outside."""
    pictures = pictures.expand(len(grid), -1, -1, -1)
    return functional.grid_sample(
        pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=align_corners
    )
