"""Convolutions of pictures with few multiplications, for CPUs.

Pictures are stacks (N, h, w, C), the channels last. They are split into overlapping tiles; tiles
and kernels are transformed, multiplied position by position (matrix products over the channels) and
transformed back. All transforms are matrix products too, and a few rows of tiles are processed at a
time, so that everything in between stays in the processor's cache.

With `WINOGRAD` these are F(4 x 4, 3 x 3) of Lavin and Gray 2015, section 4.3: four times fewer
multiplications, and rounding errors that are larger. The tilings after it are for pictures that
were enlarged by repeating pixels: of those under a kernel only few differ.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

Matrix = tuple[tuple[float, ...], ...]

# Of tiles, their transforms and their products, in numbers; fastest where they fit in the cache.
_BLOCK = 3_000_000


@dataclass(frozen=True)
class Tiling:
    """How a zero-padded 3 x 3 convolution is computed, along one axis.

    Attributes:
        step: distance of the tiles, pixels of the input.
        inputs: (P, tile), the transform of a tile.
        kernels: (P, 3), that of a kernel.
        outputs: (out, P), that of the products: the output's pixels for one tile.
    """

    step: int
    inputs: Matrix
    kernels: Matrix
    outputs: Matrix


# B^T, G and A^T of the paper for the points 0, 1, -1, 1/2, -2 and infinity, whose rounding errors
# are smaller than those of the usual ones (Barabasz et al. 2020); exact in bfloat16.
WINOGRAD = Tiling(
    step=4,
    inputs=(
        (2.0, -3.0, -4.0, 3.0, 2.0, 0.0),
        (0.0, -2.0, 1.0, 5.0, 2.0, 0.0),
        (0.0, -2.0, 5.0, -1.0, -2.0, 0.0),
        (0.0, 2.0, 1.0, -2.0, -1.0, 0.0),
        (0.0, 1.0, -2.0, -1.0, 2.0, 0.0),
        (0.0, 2.0, -3.0, -4.0, 3.0, 2.0),
    ),
    kernels=(
        (1 / 2, 0.0, 0.0),
        (1 / 6, 1 / 6, 1 / 6),
        (1 / 6, -1 / 6, 1 / 6),
        (16 / 15, 8 / 15, 4 / 15),
        (1 / 30, -2 / 30, 4 / 30),
        (0.0, 0.0, 1 / 2),
    ),
    outputs=(
        (1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
        (0.0, 1.0, -1.0, 1 / 2, -2.0, 0.0),
        (0.0, 1.0, 1.0, 1 / 4, 4.0, 0.0),
        (0.0, 1.0, -1.0, 1 / 8, -8.0, 1.0),
    ),
)
WINOGRAD_2 = Tiling(
    step=2,
    inputs=(
        (1.0, 0.0, -1.0, 0.0),
        (0.0, 1.0, 1.0, 0.0),
        (0.0, -1.0, 1.0, 0.0),
        (0.0, -1.0, 0.0, 1.0),
    ),
    kernels=((1.0, 0.0, 0.0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0.0, 0.0, 1.0)),
    outputs=((1.0, 1.0, 1.0, 0.0), (0.0, 1.0, -1.0, 1.0)),
)
"""F(2 x 2, 3 x 3): 2.25 times fewer multiplications, and in 16 bits far smaller errors."""

# With the kernel w0, w1, w2 and the pixels p, q, n, a pixel of the enlarged picture is
# (w0 + w1 + w2) q, plus w0 (p - q) next to p, plus w2 (n - q) next to n.
_NEIGHBOURS = ((1.0, -1.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 1.0))
_SUMS = ((1.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0))
DOUBLED = Tiling(1, _NEIGHBOURS, _SUMS, ((1.0, 1.0, 0.0), (0.0, 1.0, 1.0)))
"""A picture, doubled first: (N, h, w, C) -> (N, 2h, 2w, out)."""
QUADRUPLED = Tiling(1, _NEIGHBOURS, _SUMS, ((1.0, 1.0, 0.0), (0.0, 1.0, 0.0), (0.0, 1.0, 1.0)))
"""A picture, quadrupled first: (N, h, w, C) -> (N, 3h, 3w, out).

Each four pixels of a row or column are only three different ones, of which the second counts twice.
"""
AFTER_QUADRUPLED = Tiling(
    step=3,
    # The second pixel of each three twice.
    inputs=tuple((*row[:2], row[2] + row[3], *row[4:]) for row in WINOGRAD.inputs),
    kernels=WINOGRAD.kernels,
    outputs=WINOGRAD.outputs,
)
"""What `QUADRUPLED` returns, complete: (N, 3h, 3w, C) -> (N, 4h, 4w, out)."""


class TiledConv(nn.Module):
    """A zero-padded 3 x 3 convolution of pictures whose sides are multiples of the tiling's step.

    Args:
        conv: the convolution; stride 1.
        dtype: of the products; the transforms have that of the pictures.
        tiling: how it is computed.
    """

    weight: Tensor
    bias: Tensor
    tile_transform: Tensor
    product_transform: Tensor

    def __init__(
        self, conv: nn.Conv2d | nn.Conv3d, dtype: torch.dtype, tiling: Tiling = WINOGRAD
    ) -> None:
        super().__init__()
        self.step, self.tile, self.out = tiling.step, len(tiling.inputs[0]), len(tiling.outputs)
        kernels = torch.tensor(tiling.kernels, dtype=torch.float64)
        spread = torch.einsum("ai,bj,ocij->abco", kernels, kernels, conv.weight.detach().double())
        # (positions, in, out)
        self.register_buffer("weight", spread.flatten(0, 1).to(dtype).contiguous())
        self.register_buffer("bias", cast(Tensor, conv.bias).detach())
        self.register_buffer("tile_transform", _in_both_directions(tiling.inputs))
        self.register_buffer("product_transform", _in_both_directions(tiling.outputs))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, h, w, C) -> (N, H, W, out), contiguous, in the same dtype."""
        count, height, width, _ = pictures.shape
        size = (height // self.step * self.out, width // self.step * self.out)
        result = pictures.new_empty(count, *size, self.weight.shape[2])
        padded = _padded(pictures)
        for pictures_of, first, last in self._blocks(pictures):
            target = result[pictures_of, first * self.out : last * self.out]
            self._convolve(padded[pictures_of], first, target)
        return result

    def strips(self, picture: Tensor) -> Iterator[Tensor]:
        """Yield the convolution of one picture (h, w, C) by strips of rows, (rows, W, out)."""
        padded = _padded(picture[None])
        width = picture.shape[1] // self.step * self.out
        for _, first, last in self._blocks(picture[None]):
            rows = (last - first) * self.out
            strip = picture.new_empty(1, rows, width, self.weight.shape[2])
            self._convolve(padded, first, strip)
            yield strip[0]

    def _blocks(self, pictures: Tensor) -> Iterator[tuple[slice, int, int]]:
        """What is processed together: pictures, and the first and last row of their tiles."""
        count, height, width, channels = pictures.shape
        positions, _, outputs = self.weight.shape
        rows, columns = height // self.step, width // self.step
        at_once = max(1, _BLOCK // (positions * columns * (channels + outputs)))
        if at_once >= 2 * rows:
            for index in range(0, count, at_once // rows):
                yield slice(index, index + at_once // rows), 0, rows
            return
        for index in range(count):
            for first in range(0, rows, at_once):
                yield slice(index, index + 1), first, min(rows, first + at_once)

    def _convolve(self, padded: Tensor, first: int, target: Tensor) -> None:
        """Fill `target` (N, rows, W, out) with what begins at a row of tiles."""
        count = len(target)
        rows, columns = target.shape[1] // self.out, target.shape[2] // self.out
        picture, row, column, _ = padded.stride()
        size = (self.tile, self.tile, count, rows, columns, padded.shape[3])
        stride = (row, column, picture, self.step * row, self.step * column, 1)
        offset = padded.storage_offset() + self.step * first * row
        # With one channel and one column of tiles, reshape alone would not copy.
        tiles = padded.as_strided(size, stride, offset).reshape(self.tile**2, -1).contiguous()
        tiles = self.tile_transform.to(padded.dtype) @ tiles
        tiles = tiles.view(len(self.weight), count * rows * columns, -1)
        products = torch.bmm(tiles.to(self.weight.dtype), self.weight).to(padded.dtype)
        result = self.product_transform.to(padded.dtype) @ products.view(len(self.weight), -1)
        result = result.view(self.out, self.out, count, rows, columns, -1).permute(2, 3, 0, 4, 1, 5)
        target = target.view(count, rows, self.out, columns, self.out, -1)
        torch.add(result, self.bias.to(result.dtype), out=target)


class VolumeConv(nn.Module):
    """A zero-padded 3 x 3 x 3 convolution of one volume as four of pictures, then a relu.

    The volume is a stack of pictures, of even depth. In depth this is F(2, 3): each two slices of
    the result are sums of four convolutions of sums of four slices.

    Args:
        conv: the convolution; stride 1.
        make: makes a convolution of pictures.
    """

    def __init__(self, conv: nn.Conv3d, make: Callable[[nn.Conv2d], nn.Module]) -> None:
        super().__init__()
        kernels = torch.einsum(
            "pd,oidhw->poihw", torch.tensor(WINOGRAD_2.kernels), conv.weight.detach()
        )
        bias = cast(Tensor, conv.bias).detach()
        # The second one is a summand of all slices.
        self.convs = nn.ModuleList(
            make(conv_2d(kernel, bias if position == 1 else torch.zeros_like(bias)))
            for position, kernel in enumerate(kernels)
        )

    def forward(self, volume: Tensor) -> Tensor:
        """(D, h, w, C) -> (D, H, W, out)."""
        padded = functional.pad(volume, (0, 0, 0, 0, 0, 0, 1, 1))
        first, second, third, fourth = padded[:-2:2], padded[1:-1:2], padded[2::2], padded[3::2]
        # One after the other, so that memory stays small.
        product = self.convs[1](second + third)
        result = torch.stack([product, product], dim=1)
        upper, lower = result.unbind(1)
        upper.add_(self.convs[0](first - third))
        product = self.convs[2](third - second)
        upper.add_(product)
        lower.sub_(product)
        lower.add_(self.convs[3](fourth - second))
        return result.flatten(0, 1).relu_()


class DirectConv(nn.Module):
    """A convolution as torch computes it, with the interface of `TiledConv`.

    Args:
        conv: the convolution.
        dtype: of its weights and of the pictures.
        repeats: how often each pixel is repeated first, in both directions.
    """

    def __init__(self, conv: nn.Conv2d, dtype: torch.dtype, repeats: int = 1) -> None:
        super().__init__()
        self.repeats = repeats
        self.conv: nn.Module = copy.deepcopy(conv).to(dtype)
        for weight in self.conv.parameters():
            if weight.dim() == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, h, w, C) -> (N, H, W, out)."""
        pictures = enlarged(pictures, self.repeats)
        maps = cast(Tensor, self.conv(pictures.permute(0, 3, 1, 2)))
        return maps.permute(0, 2, 3, 1)

    def strips(self, picture: Tensor) -> Iterator[Tensor]:
        """Yield the convolution of one picture (h, w, C) as one strip."""
        yield self(picture[None])[0]


def conv_2d(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """Return a convolution whose size stays the same, with this weight and bias."""
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, device="meta")
    conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
    return conv


def enlarged(pictures: Tensor, repeats: int) -> Tensor:
    """Repeat each pixel of (N, h, w, C) in both directions."""
    if repeats == 1:
        return pictures
    count, height, width, channels = pictures.shape
    repeated = pictures[:, :, None, :, None].expand(-1, -1, repeats, -1, repeats, -1)
    return repeated.reshape(count, repeats * height, repeats * width, channels)


def is_worth_it(conv: nn.Conv2d | nn.Conv3d) -> bool:
    """Return whether `TiledConv` supports a convolution and is faster."""
    is_plain = conv.kernel_size == (3, 3) and conv.padding == (1, 1) and conv.stride == (1, 1)
    # The transforms of tiles must not cost more than the products save.
    return is_plain and conv.in_channels >= 64 and 2 * conv.out_channels >= conv.in_channels


def _padded(pictures: Tensor) -> Tensor:
    return functional.pad(pictures, (0, 0, 1, 1, 1, 1)).contiguous()


def _in_both_directions(matrix: Matrix) -> Tensor:
    """The transform of rows and columns as one matrix for flattened tiles."""
    one = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(one, one).float()
