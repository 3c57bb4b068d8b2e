"""The appearance extractor (F): a photo as a volume of features."""

from torch import Tensor, nn

from inference.neural.blocks import DownBlock, ResBlock, SameBlock

CHANNELS, DEPTH = 32, 16


class AppearanceExtractor(nn.Module):
    """Pictures (B, 3, 256, 256) in [0, 1] -> volumes (B, 32, 16, 64, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = SameBlock(3, 64)
        self.down_blocks = nn.ModuleList([DownBlock(64, 128), DownBlock(128, 256)])
        self.second = nn.Conv2d(256, CHANNELS * DEPTH, kernel_size=1)
        self.resblocks_3d = nn.Sequential()
        for index in range(6):
            self.resblocks_3d.add_module(f"3dr{index}", ResBlock(CHANNELS, dims=3))

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        features = self.first(pictures)
        for block in self.down_blocks:
            features = block(features)
        features = self.second(features)
        batch, _, height, width = features.shape
        volumes: Tensor = self.resblocks_3d(features.view(batch, CHANNELS, DEPTH, height, width))
        return volumes
