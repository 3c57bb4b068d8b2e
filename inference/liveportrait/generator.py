"""The generator (G): features of a frame -> the frame, with SPADE norms (Park et al. 2019)."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.neural.blocks import doubled

MIDDLE_BLOCKS = 6
_CONDITION = 256
_HIDDEN = 128
SLOPE = 0.2


class Generator(nn.Module):
    """Features (B, 256, 64, 64) -> pictures (B, 3, 512, 512) float32 in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Conv2d(_CONDITION, 512, kernel_size=3, padding=1)
        for index in range(MIDDLE_BLOCKS):
            self.add_module(f"G_middle_{index}", SpadeBlock(512, 512))
        self.up_0 = SpadeBlock(512, 256)
        self.up_1 = SpadeBlock(256, 64)
        self.conv_img = nn.Sequential(nn.Conv2d(64, 12, kernel_size=3, padding=1))

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        maps = self.fc(features)
        for index in range(MIDDLE_BLOCKS):
            maps = self.get_submodule(f"G_middle_{index}")(maps, features)
        maps = self.up_0(doubled(maps), features)
        maps = self.up_1(doubled(maps), features)
        pictures = functional.pixel_shuffle(self.conv_img(functional.leaky_relu(maps, SLOPE)), 2)
        return pictures.float().sigmoid()


class SpadeBlock(nn.Module):
    """Two convolutions after SPADE norms, plus a shortcut."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        middle = min(in_features, out_features)
        self.conv_0 = SpectralConv(in_features, middle, 3)
        self.conv_1 = SpectralConv(middle, out_features, 3)
        self.norm_0 = Spade(in_features)
        self.norm_1 = Spade(middle)
        self.has_shortcut = in_features != out_features
        if self.has_shortcut:
            self.conv_s = SpectralConv(in_features, out_features, 1, bias=False)
            self.norm_s = Spade(in_features)

    def forward(self, maps: Tensor, condition: Tensor) -> Tensor:
        """Return (B, out, H, W) for maps (B, in, H, W) and the condition at any size."""
        hidden = self.conv_0(functional.leaky_relu(self.norm_0(maps, condition), SLOPE))
        hidden = self.conv_1(functional.leaky_relu(self.norm_1(hidden, condition), SLOPE))
        shortcut = self.conv_s(self.norm_s(maps, condition)) if self.has_shortcut else maps
        return cast(Tensor, shortcut + hidden)


class Spade(nn.Module):
    """An instance norm whose scale and shift at each pixel depend on the condition."""

    def __init__(self, features: int) -> None:
        super().__init__()
        shared = nn.Conv2d(_CONDITION, _HIDDEN, kernel_size=3, padding=1)
        self.mlp_shared = nn.Sequential(shared, nn.ReLU())
        self.mlp_gamma = nn.Conv2d(_HIDDEN, features, kernel_size=3, padding=1)
        self.mlp_beta = nn.Conv2d(_HIDDEN, features, kernel_size=3, padding=1)

    def forward(self, maps: Tensor, condition: Tensor) -> Tensor:
        """Normalise maps (B, C, H, W)."""
        resized = functional.interpolate(condition, size=maps.shape[2:], mode="nearest")
        hidden = self.mlp_shared(resized)
        gamma, beta = cast(Tensor, self.mlp_gamma(hidden)), cast(Tensor, self.mlp_beta(hidden))
        return functional.instance_norm(maps) * (1 + gamma) + beta


class SpectralConv(nn.Module):
    """A convolution whose weight is divided by its spectral norm."""

    def __init__(
        self, in_features: int, out_features: int, kernel_size: int, *, bias: bool = True
    ) -> None:
        super().__init__()
        shape = (out_features, in_features, kernel_size, kernel_size)
        self.weight_orig = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.empty(out_features)) if bias else None
        self.register_buffer("weight_u", torch.empty(out_features))
        self.register_buffer("weight_v", torch.empty(in_features * kernel_size**2))

    def folded(self) -> nn.Conv2d:
        """Return the convolution; its weight is divided by u . (W v), as stored."""
        out, channels, size, _ = self.weight_orig.shape
        u, v = cast(Tensor, self.weight_u), cast(Tensor, self.weight_v)
        conv = nn.Conv2d(channels, out, size, padding=size // 2, device="meta")
        weight = self.weight_orig / torch.dot(u, self.weight_orig.flatten(1) @ v)
        conv.weight, conv.bias = nn.Parameter(weight.detach()), self.bias
        return conv

    def forward(self, maps: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H, W)."""
        return cast(Tensor, self.folded()(maps))
