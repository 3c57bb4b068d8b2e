"""Faster versions of the networks: the same results up to rounding.

Batch norms are folded into convolutions. Nearest-neighbour upsampling and a 3 x 3 convolution
become one transposed convolution (4 instead of 9 products per pixel). The last convolution, which
is large and has three outputs, becomes a k x 1 convolution and a sum of shifted maps. On a CPU, the
bottleneck uses Winograd convolutions. docs/performance.md has the effects.

Keypoints, motion grids and sampling stay float32 at every precision: in 16 bits, keypoints would be
off by several pixels.
"""

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.fomm.generator import Generator
from inference.fomm.keypoint_detector import KeypointDetector
from inference.neural.blocks import ResBlock, UpBlock
from inference.neural.folding import fold_norms, scale_and_shift
from inference.neural.picture_conv import TiledConv, is_worth_it


def accelerated_detector(plain: KeypointDetector) -> KeypointDetector:
    """Return a faster copy of the detector, float32."""
    fast = copy.deepcopy(plain).eval()
    fold_norms(fast)
    _replace_up_blocks(fast)
    _lay_out_channels_last(fast)
    return fast


def accelerated_generator(
    plain: Generator, dtype: torch.dtype, *, uses_winograd: bool
) -> Generator:
    """Return a faster copy of the generator.

    Args:
        plain: the generator, float32.
        dtype: of the convolutions that run for each frame; everything else is float32.
        uses_winograd: whether the bottleneck uses Winograd convolutions, for CPUs.
    """
    fast = copy.deepcopy(plain).eval()
    fold_norms(fast)
    _replace_up_blocks(fast)
    motion = fast.dense_motion_network
    motion.hourglass = nn.Sequential(_InPrecision(dtype), motion.hourglass.to(dtype))
    motion.mask.to(dtype)
    if motion.occlusion is not None:
        motion.occlusion.to(dtype)
    blocks = [block for block in fast.bottleneck.children() if isinstance(block, ResBlock)]
    if uses_winograd and blocks and is_worth_it(blocks[0].conv1):
        fast.bottleneck = WinogradBottleneck(blocks, dtype)
    else:
        fast.bottleneck = nn.Sequential(_InPrecision(dtype), fast.bottleneck.to(dtype))
    fast.up_blocks.to(dtype)
    fast.final = ColumnConv(cast(nn.Conv2d, fast.final)).to(dtype)
    _lay_out_channels_last(fast)
    return fast


class TransposedUpBlock(nn.Module):
    """An `UpBlock` with folded norm, as one transposed convolution and a relu.

    The three upsampled rows under the kernel are two rows of the input: with the kernel's rows w0,
    w1, w2, even output rows use w0 and w1 + w2, odd ones w0 + w1 and w2.
    """

    def __init__(self, block: UpBlock) -> None:
        super().__init__()
        conv = block.conv
        rows = torch.tensor([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=torch.float64)
        weight = torch.einsum("ai,bj,ocij->coab", rows, rows, conv.weight.detach().double())
        self.conv = nn.ConvTranspose2d(conv.in_channels, conv.out_channels, 4, stride=2, padding=1)
        self.conv.weight = nn.Parameter(weight.float())
        self.conv.bias = conv.bias

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, out, 2H, 2W)."""
        return functional.relu(self.conv(x), inplace=True)


class WinogradBottleneck(nn.Module):
    """The residual blocks: (B, C, h, w) float32 -> the same in `dtype`.

    Args:
        blocks: with folded second norms.
        dtype: of the products.
    """

    def __init__(self, blocks: list[ResBlock], dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.blocks = nn.Sequential(*(WinogradResBlock(block, dtype) for block in blocks))

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        pictures = self.blocks(features.permute(0, 2, 3, 1).contiguous())
        return cast(Tensor, pictures.to(self.dtype).permute(0, 3, 1, 2))


class WinogradResBlock(nn.Module):
    """A `ResBlock` of pictures (B, h, w, C) float32 -> the same; the sum stays float32.

    Args:
        block: its second norm is folded into its first convolution.
        dtype: of the products.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, block: ResBlock, dtype: torch.dtype) -> None:
        super().__init__()
        # It cannot be folded, because a relu follows it.
        scale, shift = scale_and_shift(cast(nn.BatchNorm2d, block.norm1))
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)
        self.conv1 = TiledConv(block.conv1, dtype)
        self.conv2 = TiledConv(block.conv2, dtype)

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        hidden = torch.addcmul(self.shift, pictures, self.scale).relu_()
        hidden = self.conv1(hidden).relu_()
        return cast(Tensor, self.conv2(hidden)).add_(pictures)


class ColumnConv(nn.Module):
    """A zero-padded k x k convolution to few channels: (B, C, H, W) -> (B, out, H, W) float32.

    Computed as a k x 1 convolution with k times as many outputs, which are shifted by the offset of
    their column and summed.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        out, channels, height, self.columns = conv.weight.shape
        by_column = conv.weight.detach().permute(0, 3, 1, 2)
        weight = by_column.reshape(-1, channels, height, 1)
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", cast(Tensor, conv.bias).detach().view(out, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        width, padding = x.shape[3], self.columns // 2
        maps = functional.conv2d(x, self.weight, padding=padding).float()
        total = self.bias.float()
        for column in range(self.columns):
            total = total + maps[:, column :: self.columns, :, column : column + width]
        return total


class _InPrecision(nn.Module):
    """Converts to another dtype and to the channels-last layout."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        return x.to(self.dtype, memory_format=torch.channels_last)


def _replace_up_blocks(module: nn.Module) -> None:
    """Replace up blocks, in place."""
    for name, child in module.named_children():
        if isinstance(child, UpBlock):
            setattr(module, name, TransposedUpBlock(child))
        else:
            _replace_up_blocks(child)


def _lay_out_channels_last(module: nn.Module) -> None:
    """Convert kernels to the channels-last layout, in place."""
    for kernel in module.parameters():
        if kernel.dim() == 4:
            kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)
