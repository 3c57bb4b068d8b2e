"""Load LivePortrait's networks from converted files; all keys must match."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from inference.liveportrait.appearance import AppearanceExtractor
from inference.liveportrait.files import APPEARANCE, GENERATOR, MOTION, RETARGETING, WARPING
from inference.liveportrait.generator import Generator
from inference.liveportrait.motion_extractor import MotionExtractor
from inference.liveportrait.retargeting import WIDTHS, Retargeting
from inference.liveportrait.warping import WarpingNetwork
from inference.neural.loading import misfit
from inference.weights.checkpoint_file import SINGLE, read_converted
from jobs.weights_errors import WeightsCorrupt

# Of training steps; converted files have none.
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class PlainNetworks:
    """The networks as published, float32 on the CPU.

    Attributes:
        appearance: F.
        motion: M.
        warping: W.
        generator: G.
        retargeting: S and R, by their names in the checkpoint.
        motion_sha256: hex hash of M's published file; the cache key of what M measures.
    """

    appearance: AppearanceExtractor
    motion: MotionExtractor
    warping: WarpingNetwork
    generator: Generator
    retargeting: Mapping[str, Retargeting]
    motion_sha256: str


def load_plain(paths: Mapping[str, Path]) -> PlainNetworks:
    """Return the networks of converted files.

    Args:
        paths: by published name, as `checkpoints` returns them.

    Raises:
        MediaError: a file is missing or cannot be read.
        WeightsCorrupt: a file is not LivePortrait's; names the first key that does not match.
    """
    # Without memory for random weights, which are replaced anyway.
    with torch.device("meta"):
        appearance, motion = AppearanceExtractor(), MotionExtractor()
        warping, generator = WarpingNetwork(), Generator()
        retargeting = {name: Retargeting(widths) for name, widths in WIDTHS.items()}
    _fill({SINGLE: appearance}, paths[APPEARANCE])
    motion_sha256 = _fill({SINGLE: motion}, paths[MOTION])
    _fill({SINGLE: warping}, paths[WARPING])
    _fill({SINGLE: generator}, paths[GENERATOR])
    _fill(retargeting, paths[RETARGETING])
    return PlainNetworks(appearance, motion, warping, generator, retargeting, motion_sha256)


def _fill(networks: Mapping[str, nn.Module], path: Path) -> str:
    """Fill the networks of one file; return the hash of the published file."""
    checkpoint = read_converted(path)
    for name, network in networks.items():
        weights = checkpoint.networks.get(name, {})
        found = misfit(network, weights, "LivePortrait")
        if found:
            key = found[0] if name == SINGLE else f"{name}.{found[0]}"
            raise WeightsCorrupt(path=str(path), reason=f"{key} {found[1]}")
        counters = {key: torch.tensor(0) for key in network.state_dict() if key.endswith(_COUNTER)}
        network.load_state_dict(weights | counters, assign=True)
        network.eval().requires_grad_(requires_grad=False)
    return checkpoint.origin_sha256
