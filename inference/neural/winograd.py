"""Winograd 3 x 3 convolutions for CPUs, with four times fewer multiplications.

F(4 x 4, 3 x 3) (Lavin and Gray 2015, section 4.3): the picture is split into 6 x 6 tiles that
overlap by 2; tiles and kernels are transformed, multiplied position by position (36 matrix products
over the channels) and transformed back to 4 x 4 tiles. The transforms are matrix products too,
which is faster than adding rows and columns one by one.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_TILE, _OUT = 6, 4
_POSITIONS = _TILE**2
# B^T, G and A^T of the paper, the transforms of tiles, kernels and products.
_TILES = (
    (4.0, 0.0, -5.0, 0.0, 1.0, 0.0),
    (0.0, -4.0, -4.0, 1.0, 1.0, 0.0),
    (0.0, 4.0, -4.0, -1.0, 1.0, 0.0),
    (0.0, -2.0, -1.0, 2.0, 1.0, 0.0),
    (0.0, 2.0, -1.0, -2.0, 1.0, 0.0),
    (0.0, 4.0, 0.0, -5.0, 0.0, 1.0),
)
_KERNELS = (
    (1 / 4, 0.0, 0.0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0.0, 0.0, 1.0),
)
_PRODUCTS = (
    (1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
    (0.0, 1.0, -1.0, 2.0, -2.0, 0.0),
    (0.0, 1.0, 1.0, 4.0, 4.0, 0.0),
    (0.0, 1.0, -1.0, 8.0, -8.0, 1.0),
)


def is_worth_it(conv: nn.Conv2d | nn.Conv3d) -> bool:
    """Return whether `WinogradConv` supports a convolution and is faster."""
    is_plain = conv.kernel_size == (3, 3) and conv.padding == (1, 1) and conv.stride == (1, 1)
    return is_plain and conv.in_channels >= 64


class WinogradConv(nn.Module):
    """A zero-padded 3 x 3 convolution of one picture whose sides are multiples of 4.

    Args:
        conv: the convolution; stride 1.
        dtype: of the products, float32 or bfloat16. The transforms are always float32, as they
            subtract large numbers.
    """

    weight: Tensor
    bias: Tensor
    tile_transform: Tensor
    product_transform: Tensor

    def __init__(self, conv: nn.Conv2d | nn.Conv3d, dtype: torch.dtype) -> None:
        super().__init__()
        kernels = torch.tensor(_KERNELS, dtype=torch.float64)
        spread = torch.einsum("ai,bj,ocij->aboc", kernels, kernels, conv.weight.detach().double())
        # (36, out, in)
        self.register_buffer("weight", spread.reshape(_POSITIONS, *spread.shape[2:]).to(dtype))
        self.register_buffer("bias", cast(Tensor, conv.bias).detach())
        self.register_buffer("tile_transform", _in_both_directions(_TILES))
        self.register_buffer("product_transform", _in_both_directions(_PRODUCTS))

    def forward(self, picture: Tensor) -> Tensor:
        """(h, w, C) float32 -> (h, w, out) float32, both contiguous."""
        height, width, channels = picture.shape
        rows, columns = height // _OUT, width // _OUT
        tiles = matrix_product(self.tile_transform, _cut_into_tiles(picture).t())
        tiles = tiles.view(_POSITIONS, rows * columns, channels)
        if self.weight.dtype == torch.float32:
            pairs = zip(tiles.unbind(), self.weight.unbind(), strict=True)
            products = torch.stack([matrix_product(tile, weight) for tile, weight in pairs])
        else:
            weight = self.weight.transpose(1, 2)
            products = torch.bmm(tiles.to(weight.dtype), weight).float()
        out = matrix_product(self.product_transform, products.view(_POSITIONS, -1).t())
        out = out.view(_OUT, _OUT, rows, columns, -1).permute(2, 0, 3, 1, 4)
        return (out + self.bias).reshape(height, width, -1)


class WinogradResBlock(nn.Module):
    """A `ResBlock` of one picture (h, w, C) float32 -> the same; the sum stays float32.

    Args:
        scale: (C,) of the first norm, which cannot be folded because a relu follows it.
        shift: (C,) likewise.
        conv1: the first convolution, with the second norm folded into it.
        conv2: the second one.
        dtype: of the products.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        scale: Tensor,
        shift: Tensor,
        conv1: nn.Conv2d | nn.Conv3d,
        conv2: nn.Conv2d | nn.Conv3d,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)
        self.conv1 = WinogradConv(conv1, dtype)
        self.conv2 = WinogradConv(conv2, dtype)

    def forward(self, picture: Tensor) -> Tensor:
        """See the class."""
        hidden = torch.addcmul(self.shift, picture, self.scale).relu_()
        hidden = self.conv1(hidden).relu_()
        return cast(Tensor, self.conv2(hidden)).add_(picture)


def matrix_product(left: Tensor, right: Tensor) -> Tensor:
    """`left` (M, K) times the transpose of `right` (N, K), float32: (M, N)."""
    # On CPUs, torch uses MKL for float32 products, which is slow on AMD's; oneDNN is not. This
    # operator is the one that torch.compile uses.
    if left.device.type == "cpu" and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        product = torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")  # noqa: SLF001
        return cast(Tensor, product)
    return left @ right.t()


def _cut_into_tiles(picture: Tensor) -> Tensor:
    """(h, w, C) -> (36, tiles x C): row r holds pixel r of every 6 x 6 tile."""
    height, width, channels = picture.shape
    padded = functional.pad(picture, (0, 0, 1, 1, 1, 1))
    row, column = padded.stride()[:2]
    size = (_TILE, _TILE, height // _OUT, width // _OUT, channels)
    stride = (row, column, _OUT * row, _OUT * column, 1)
    # With one channel and one column of tiles, reshape alone would return an overlapping view.
    return padded.as_strided(size, stride).reshape(_POSITIONS, -1).contiguous()


def _in_both_directions(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """The transform of rows and columns as one matrix for flattened tiles."""
    one = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(one, one).float()
