"""A faster generator: the same results up to rounding.

- Spectral norms are folded, and scale and shift of a SPADE norm are one convolution. The shortcut's
  1 x 1 convolution is folded into the shift of its norm.
- The first convolutions of the norms, which all see the same condition, are one for the middle
  blocks and one for each of the others. For the enlarged pictures they are computed on the small
  condition (`DOUBLED`, `QUADRUPLED`).
- On CPUs, large convolutions are `TiledConv`, and a norm is applied strip by strip, so that the
  maps of its scales and shifts are never stored.

Maps are stacks of pictures (N, h, w, C).
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.liveportrait.generator import (
    MIDDLE_BLOCKS,
    SLOPE,
    Generator,
    Spade,
    SpadeBlock,
    SpectralConv,
)
from inference.neural.picture_conv import (
    AFTER_QUADRUPLED,
    DOUBLED,
    QUADRUPLED,
    WINOGRAD,
    WINOGRAD_2,
    DirectConv,
    TiledConv,
    Tiling,
    conv_2d,
    enlarged,
    is_worth_it,
)

PictureConv = TiledConv | DirectConv


class FastGenerator(nn.Module):
    """Features (B, 256, 64, 64) float32 -> pictures (B, 3, 512, 512) float32 in [0, 1].

    Args:
        plain: the generator as published.
        dtype: of the convolutions and of the maps between them.
        uses_tiles: whether large convolutions are `TiledConv`, for CPUs.
    """

    def __init__(self, plain: Generator, dtype: torch.dtype, *, uses_tiles: bool) -> None:
        super().__init__()
        self.dtype = dtype
        make = _Maker(dtype, uses_tiles=uses_tiles)
        middle = [cast(SpadeBlock, plain.get_submodule(name)) for name in _middle_names()]
        self.fc = make.conv(plain.fc, make.main)
        self.shared = make.conv(_shared([norm for block in middle for norm in _norms(block)]))
        for name, block in zip(_middle_names(), middle, strict=True):
            self.add_module(name, FastBlock(block, make, WINOGRAD))
        self.shared_0 = make.conv(_shared(_norms(plain.up_0)), DOUBLED)
        self.up_0 = FastBlock(plain.up_0, make, WINOGRAD)
        self.shared_1 = make.conv(_shared(_norms(plain.up_1)), QUADRUPLED)
        self.up_1 = FastBlock(plain.up_1, make, AFTER_QUADRUPLED)
        self.conv_img = DirectConv(cast(nn.Conv2d, plain.conv_img[0]), dtype)

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        condition = features.permute(0, 2, 3, 1).to(self.dtype).contiguous()
        maps = self.fc(condition)
        hidden = self.shared(condition).relu_().chunk(2 * MIDDLE_BLOCKS, dim=-1)
        for index, name in enumerate(_middle_names()):
            maps = self.get_submodule(name)(maps, hidden[2 * index : 2 * index + 2])
        maps = self.up_0(maps, self.shared_0(condition).relu_().chunk(3, dim=-1))
        maps = self.up_1(maps, self.shared_1(condition).relu_().chunk(3, dim=-1))
        maps = self.conv_img(functional.leaky_relu_(maps, SLOPE))
        return functional.pixel_shuffle(maps.permute(0, 3, 1, 2).float(), 2).sigmoid()


class FastBlock(nn.Module):
    """A `SpadeBlock`, which doubles its maps first if it has a shortcut.

    Args:
        block: as published.
        make: makes the convolutions.
        tiling: of the norms' convolutions.
    """

    def __init__(self, block: SpadeBlock, make: "_Maker", tiling: Tiling) -> None:
        super().__init__()
        self.conv_0 = make.conv(block.conv_0.folded(), make.main)
        self.conv_1 = make.conv(block.conv_1.folded(), make.main)
        self.norm_0 = FastSpade(block.norm_0, make, tiling)
        self.norm_1 = FastSpade(block.norm_1, make, tiling)
        self.norm_s: FastSpade | None = None
        if block.has_shortcut:
            self.norm_s = FastSpade(block.norm_s, make, tiling, shortcut=block.conv_s)

    def forward(self, maps: Tensor, hidden: Sequence[Tensor]) -> Tensor:
        """Return (N, H, W, out) for maps (N, h, w, in) and what its norms' convolutions see."""
        normalised = _normalised(maps)
        middle = self.conv_0(self.norm_0(normalised, hidden[0]))
        middle = self.conv_1(self.norm_1(_normalised(middle), hidden[1]))
        shortcut = maps if self.norm_s is None else self.norm_s(normalised, hidden[2])
        return cast(Tensor, middle.add_(shortcut))


class FastSpade(nn.Module):
    """A SPADE norm of normalised maps, with the leaky relu or the shortcut's convolution after it.

    Args:
        norm: as published.
        make: makes the convolution.
        tiling: of the convolution.
        shortcut: the convolution after the norm; None: a leaky relu.
    """

    shortcut: Tensor | None

    def __init__(
        self, norm: Spade, make: "_Maker", tiling: Tiling, shortcut: SpectralConv | None = None
    ) -> None:
        super().__init__()
        gamma, beta = norm.mlp_gamma, norm.mlp_beta
        weight, bias = beta.weight.detach(), cast(Tensor, beta.bias).detach()
        mixing = None
        if shortcut is not None:
            mixing = shortcut.folded().weight.detach().flatten(1)
            weight, bias = torch.einsum("ab,bcij->acij", mixing, weight), mixing @ bias
        one_more = cast(Tensor, gamma.bias).detach() + 1
        self.features = len(one_more)
        self.conv = make.conv(
            conv_2d(torch.cat([gamma.weight.detach(), weight]), torch.cat([one_more, bias])), tiling
        )
        self.register_buffer("shortcut", None if mixing is None else mixing.t().to(make.dtype))

    def forward(self, normalised: Tensor, hidden: Tensor) -> Tensor:
        """(N, h, w, C) and (N, h', w', 128) -> (N, H, W, C or out).

        The maps are doubled if the convolution's result is larger.
        """
        count, height, width, _ = normalised.shape
        channels = self.features if self.shortcut is None else self.shortcut.shape[1]
        result = normalised.new_empty(0)
        for index in range(count):
            done = 0
            for strip in self.conv.strips(hidden[index]):
                repeats = strip.shape[1] // width
                if not len(result):
                    size = (count, height * repeats, width * repeats, channels)
                    result = normalised.new_empty(size)
                part = slice(done, done + len(strip))
                rows = normalised[index, part.start // repeats : part.stop // repeats]
                self._modulate(enlarged(rows[None], repeats)[0], strip, result[index, part])
                done = part.stop
        return result

    def _modulate(self, rows: Tensor, strip: Tensor, target: Tensor) -> None:
        """Fill `target` with a few rows of the result; `strip` is their scale and shift."""
        scale, shift = strip[..., : self.features], strip[..., self.features :]
        if self.shortcut is None:
            functional.leaky_relu_(torch.addcmul(shift, rows, scale, out=target), SLOPE)
        else:
            torch.add(rows.mul(scale) @ self.shortcut, shift, out=target)


class _Maker:
    """Makes the convolutions of pictures.

    In 16 bits, those that the picture passes through are `WINOGRAD_2`: with `WINOGRAD`, the
    result would have 5 dB more noise.
    """

    def __init__(self, dtype: torch.dtype, *, uses_tiles: bool) -> None:
        self.dtype = dtype
        self.main = WINOGRAD if dtype == torch.float32 else WINOGRAD_2
        self._uses_tiles = uses_tiles

    def conv(self, conv: nn.Conv2d, tiling: Tiling = WINOGRAD) -> PictureConv:
        is_enlarged = tiling not in (WINOGRAD, WINOGRAD_2)
        if self._uses_tiles and (is_enlarged or is_worth_it(conv)):
            return TiledConv(conv, self.dtype, tiling)
        return DirectConv(conv, self.dtype, {DOUBLED: 2, QUADRUPLED: 4}.get(tiling, 1))


def _normalised(maps: Tensor) -> Tensor:
    """Instance norm of (N, h, w, C); statistics are float32."""
    exact = maps.float()
    centred = exact - exact.mean((1, 2), keepdim=True)
    variance = centred.square().mean((1, 2), keepdim=True)
    return centred.mul_((variance + 1e-5).rsqrt_()).to(maps.dtype)


def _middle_names() -> list[str]:
    return [f"G_middle_{index}" for index in range(MIDDLE_BLOCKS)]


def _norms(block: SpadeBlock) -> list[Spade]:
    return [block.norm_0, block.norm_1, *([block.norm_s] if block.has_shortcut else [])]


def _shared(norms: Sequence[Spade]) -> nn.Conv2d:
    """The norms' first convolutions as one."""
    convs = [cast(nn.Conv2d, norm.mlp_shared[0]) for norm in norms]
    return conv_2d(
        torch.cat([conv.weight.detach() for conv in convs]),
        torch.cat([cast(Tensor, conv.bias).detach() for conv in convs]),
    )
