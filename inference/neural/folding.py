"""Fold batch norms into the convolutions before them."""

from typing import cast

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from inference.neural.blocks import ResBlock, SameBlock


def fold_norms(network: nn.Module) -> None:
    """Fold the norms of all blocks that have one after a convolution, in place."""
    for module in network.modules():
        if isinstance(module, SameBlock):
            fold_pair(module, "conv", "norm")
        elif isinstance(module, ResBlock):
            fold_pair(module, "conv1", "norm2")


def fold_pair(module: nn.Module, conv: str, norm: str) -> None:
    """Fold a module's norm into its convolution, by their names."""
    before = cast(nn.Conv2d, module.get_submodule(conv))
    setattr(
        module, conv, fuse_conv_bn_eval(before, cast(nn.BatchNorm2d, module.get_submodule(norm)))
    )
    setattr(module, norm, nn.Identity())


def scale_and_shift(norm: nn.BatchNorm2d | nn.BatchNorm3d) -> tuple[Tensor, Tensor]:
    """Return a norm that cannot be folded as a factor and a summand, (C,) each."""
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    scale = (norm.weight / (variance + norm.eps).sqrt()).detach()
    return scale, norm.bias.detach() - mean * scale
