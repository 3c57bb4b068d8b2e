"""Load the networks from a config and a checkpoint; all keys must match."""

from pathlib import Path

from torch import Tensor, nn

from inference.fomm.config import FommConfig
from inference.fomm.generator import Generator
from inference.fomm.keypoint_detector import KeypointDetector
from inference.neural.loading import misfit
from inference.weights.checkpoint_file import read_converted
from jobs.weights_errors import WeightsMismatch


def load_networks(
    config_path: Path, checkpoint_path: Path, *, align_corners: bool = False
) -> tuple[KeypointDetector, Generator, str]:
    """Return both networks, float32 on the CPU, and the SHA-256 (hex) of the published file.

    Args:
        config_path: a YAML config as published.
        checkpoint_path: a converted checkpoint.
        align_corners: see `Generator`.

    Raises:
        FileMissing, BrokenConfig: the config cannot be used.
        WeightsCorrupt: the checkpoint cannot be used.
        WeightsMismatch: the two do not match; names the first such key.
    """
    config = FommConfig.load(config_path)
    checkpoint = read_converted(checkpoint_path)
    detector, generator = KeypointDetector(config), Generator(config, align_corners=align_corners)
    files = checkpoint_path.name, config_path.name
    _fill(generator, checkpoint.networks.get("generator", {}), "generator", files)
    _fill(detector, checkpoint.networks.get("kp_detector", {}), "kp_detector", files)
    return detector.eval(), generator.eval(), checkpoint.origin_sha256


def _fill(
    network: nn.Module, weights: dict[str, Tensor], name: str, files: tuple[str, str]
) -> None:
    """Load the weights into the network.

    Raises:
        WeightsMismatch: a key is missing, unexpected or has another shape.
    """
    found = misfit(network, weights, "the config")
    if found:
        key, reason = found
        raise WeightsMismatch(file=files[0], config=files[1], key=f"{name}.{key}", reason=reason)
    network.load_state_dict(weights, strict=False)
