"""The networks as they are run: the same numbers up to rounding, in a fraction of the time.

Norms are folded into the convolutions beside them. Repeating pixels before a 3 x 3 convolution
becomes one transposed convolution (4 instead of 9 products for a pixel). The last convolution,
which is large and has three outputs, becomes a tall one and a sum of shifted maps. The bottleneck's
convolutions are Winograd's where a processor does them. docs/performance.md has the effects.

Keypoints, motion grids and sampling stay float32 at every precision: in 16 bits a keypoint would
be off by several pixels.
"""

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from inference.fomm.blocks import ResBlock, SameBlock, UpBlock
from inference.fomm.generator import Generator
from inference.fomm.keypoint_detector import KeypointDetector
from inference.fomm.winograd import WinogradResBlock, is_worth_it


def accelerated_detector(plain: KeypointDetector) -> KeypointDetector:
    """A copy of the detector that runs faster, float32."""
    fast = copy.deepcopy(plain).eval()
    _accelerate_blocks(fast)
    _lay_out_channels_last(fast)
    return fast


def accelerated_generator(
    plain: Generator, dtype: torch.dtype, *, uses_winograd: bool
) -> Generator:
    """A copy of the generator that runs faster.

    Args:
        plain: the generator, float32.
        dtype: of the convolutions that are run for each frame; everything else is float32.
        uses_winograd: whether the bottleneck is computed as it is fast on a processor.
    """
    fast = copy.deepcopy(plain).eval()
    _accelerate_blocks(fast)
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
    """An `UpBlock` whose norm is folded, as one transposed convolution and a relu.

    An output pixel sees three rows of repeated pixels, which are two rows of the input: with w0,
    w1, w2 the kernel's rows, even rows see w0 and w1 + w2, odd ones w0 + w1 and w2.
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
    """The residual blocks, picture by picture: (B, C, h, w) float32 -> the same in `dtype`.

    Args:
        blocks: their second norms are folded.
        dtype: of the products.
    """

    def __init__(self, blocks: list[ResBlock], dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.blocks = nn.Sequential(*(_winograd_block(block, dtype) for block in blocks))

    def forward(self, features: Tensor) -> Tensor:
        """As the class says."""
        pictures = features.permute(0, 2, 3, 1).contiguous().unbind()
        done = torch.stack([self.blocks(picture) for picture in pictures])
        return done.to(self.dtype).permute(0, 3, 1, 2)


class ColumnConv(nn.Module):
    """A zero-padded k x k convolution to few channels: (B, C, H, W) -> (B, out, H, W) float32.

    Computed as a k x 1 convolution with k times as many outputs, each of them moved sideways by as
    much as its column lies off the middle, and added up.
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
        """As the class says."""
        width, padding = x.shape[3], self.columns // 2
        maps = functional.conv2d(x, self.weight, padding=padding).float()
        total = self.bias.float()
        for column in range(self.columns):
            total = total + maps[:, column :: self.columns, :, column : column + width]
        return total


class _InPrecision(nn.Module):
    """The same numbers in another type, and in the layout that convolutions are fastest in."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        return x.to(self.dtype, memory_format=torch.channels_last)


def _accelerate_blocks(module: nn.Module) -> None:
    """Folds norms and replaces up blocks, in place."""
    for name, child in module.named_children():
        if isinstance(child, SameBlock):
            child.conv = fuse_conv_bn_eval(child.conv, cast(nn.BatchNorm2d, child.norm))
            child.norm = nn.Identity()
            if isinstance(child, UpBlock):
                setattr(module, name, TransposedUpBlock(child))
        elif isinstance(child, ResBlock):
            child.conv1 = fuse_conv_bn_eval(child.conv1, cast(nn.BatchNorm2d, child.norm2))
            child.norm2 = nn.Identity()
        else:
            _accelerate_blocks(child)


def _lay_out_channels_last(module: nn.Module) -> None:
    """Lays kernels out as the convolutions that are given channels last want them, in place."""
    for kernel in module.parameters():
        if kernel.dim() == 4:
            kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)


def _winograd_block(block: ResBlock, dtype: torch.dtype) -> WinogradResBlock:
    norm = cast(nn.BatchNorm2d, block.norm1)
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    scale = norm.weight / torch.sqrt(variance + norm.eps)
    shift = norm.bias - mean * scale
    return WinogradResBlock(scale.detach(), shift.detach(), block.conv1, block.conv2, dtype)
