"""The stitching and retargeting networks (S, R): keypoints -> corrections of keypoints."""

from itertools import pairwise
from typing import cast

from torch import Tensor, nn

WIDTHS = {
    "retarget_shoulder": (126, 128, 128, 64, 65),
    "retarget_mouth": (65, 128, 128, 64, 63),
    "retarget_eye": (66, 256, 256, 128, 128, 64, 63),
}
"""Features of each layer, by the networks' names in the checkpoint."""


class Retargeting(nn.Module):
    """Linear layers with ReLU between them: (B, first width) -> (B, last width)."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for wide, narrow in pairwise(widths):
            layers += [nn.Linear(wide, narrow), nn.ReLU()]
        self.mlp = nn.Sequential(*layers[:-1])

    def forward(self, inputs: Tensor) -> Tensor:
        """See the class."""
        return cast(Tensor, self.mlp(inputs))
