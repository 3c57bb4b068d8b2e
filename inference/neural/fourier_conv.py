"""Convolutions of volumes with large kernels and few outputs, as products of spectra, for CPUs.

Slices are split into overlapping tiles. The Fourier transform of tiles, in height and width, turns
the kernel's rows and columns into a factor for each frequency: for 7 x 7 there are eight times
fewer multiplications. In depth the convolution stays as it is. The transforms are matrix products.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

# The result's part of a tile, px.
_OUT = 16
# Rows of tiles that are processed together, so that memory stays small.
_ROWS = 1


class FourierConv(nn.Module):
    """A zero-padded k x k x k convolution, float32, of slices whose sides are multiples of 16.

    Args:
        conv: the convolution; stride 1.
    """

    bias: Tensor
    spectra: Tensor
    across: Tensor
    down: Tensor
    back_up: Tensor
    back_across: Tensor

    def __init__(self, conv: nn.Conv3d) -> None:
        super().__init__()
        weight = conv.weight.detach().double()
        self.outputs, _, self.size = weight.shape[:3]
        self.side = _OUT + self.size - 1
        frequencies = self.side // 2 + 1
        places = torch.arange(self.side, dtype=torch.float64)
        cosine = torch.cos(2 * math.pi / self.side * torch.outer(places, places))
        sine = torch.sin(2 * math.pi / self.side * torch.outer(places, places))
        # Complex numbers are their real part, then their imaginary part.
        across = torch.stack([cosine, -sine], 1)[:frequencies].flatten(0, 1)
        down = torch.cat([torch.cat([cosine, sine], 1), torch.cat([-sine, cosine], 1)])
        back_up = torch.cat(
            [torch.cat([cosine, -sine], 1)[:_OUT], torch.cat([sine, cosine], 1)[:_OUT]]
        )
        # Of real numbers, half of the frequencies are the conjugates of the others.
        times = torch.full((frequencies,), 2.0, dtype=torch.float64)
        times[0] = 1
        if self.side % 2 == 0:
            times[-1] = 1
        back_across = (across.view(frequencies, 2, -1) * times[:, None, None]).flatten(0, 1)
        full = torch.fft.rfft2(weight, (self.side, self.side)).permute(4, 3, 2, 1, 0)
        for name, tensor in {
            "across": across,
            "down": down,
            "back_up": back_up,
            "back_across": back_across.t()[:_OUT] / self.side**2,
            # (frequencies across, frequencies down, k, in, real and imaginary x out)
            "spectra": torch.cat([full.real, full.imag], -1),
            "bias": cast(Tensor, conv.bias).detach(),
        }.items():
            self.register_buffer(name, tensor.float().contiguous())

    def forward(self, volumes: Tensor) -> Tensor:
        """(B, C, D, h, w) -> (B, out, D, h, w) float32."""
        return torch.stack([self._one(volume.permute(1, 2, 3, 0).float()) for volume in volumes])

    def _one(self, volume: Tensor) -> Tensor:
        """(D, h, w, C) -> (out, D, h, w)."""
        margin = self.size // 2
        padded = functional.pad(volume, (0, 0, margin, margin, margin, margin)).contiguous()
        strips = []
        for first in range(0, volume.shape[1], _ROWS * _OUT):
            rows = padded[:, first : first + _ROWS * _OUT + self.size - 1]
            strips.append(self._strip(rows.contiguous(), volume.shape[2] // _OUT))
        return torch.cat(strips, 2) + self.bias[:, None, None, None]

    def _strip(self, rows: Tensor, columns: int) -> Tensor:
        """A few rows of tiles: padded (D, ., ., C) -> (out, D, _ROWS * _OUT, columns * _OUT)."""
        depth, _, _, channels = rows.shape
        plane, row, column, _ = rows.stride()
        size = (self.side, self.side, depth, _ROWS, columns, channels)
        tiles = rows.as_strided(size, (column, row, plane, _OUT * row, _OUT * column, 1))
        tiles = self.across @ tiles.reshape(self.side, -1)
        count, margin = _ROWS * columns, self.size // 2
        # By frequency across: its real and imaginary part, of each row of the tiles.
        found = []
        for tile, spectrum in zip(
            tiles.view(-1, 2 * self.side, depth * count * channels), self.spectra, strict=True
        ):
            parts = (self.down @ tile).view(2, self.side, depth * count, channels)
            parts = functional.pad(parts, (0, 0, margin * count, margin * count))
            real, imaginary = (self._products(part, spectrum, depth * count) for part in parts)
            # The factors are the conjugates of the kernel's spectrum.
            result = torch.cat(
                [
                    real[..., : self.outputs] + imaginary[..., self.outputs :],
                    imaginary[..., : self.outputs] - real[..., self.outputs :],
                ]
            )
            found.append(self.back_up @ result.view(2 * self.side, -1))
        result = self.back_across @ torch.stack(found).view(2 * len(found), -1)
        result = result.view(_OUT, _OUT, depth, _ROWS, columns, self.outputs)
        result = result.permute(5, 2, 3, 1, 4, 0)
        return result.reshape(self.outputs, depth, _ROWS * _OUT, columns * _OUT)

    def _products(self, part: Tensor, spectrum: Tensor, count: int) -> Tensor:
        """(side, padded count, C) by (side, k, C, 2 out) -> (side, count, 2 out), summed over k."""
        step = (part.shape[1] - count) // (self.size - 1)
        result = torch.bmm(part[:, :count], spectrum[:, 0])
        for slice_ in range(1, self.size):
            window = part[:, slice_ * step : slice_ * step + count]
            result.baddbmm_(window, spectrum[:, slice_])
        return result
