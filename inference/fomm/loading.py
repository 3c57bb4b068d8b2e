"""Load the networks from a config and a checkpoint; all keys must match."""

from pathlib import Path

from torch import Tensor, nn

from inference.fomm.config import FommConfig
from inference.fomm.generator import Generator
from inference.fomm.keypoint_detector import KeypointDetector
from inference.weights.checkpoint_file import read_converted
from jobs.weights_errors import WeightsMismatch

# Keys that may be missing: a fixed kernel, and a counter of training steps.
_OPTIONAL = ("down.weight", "num_batches_tracked")


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
    _fill(generator, checkpoint.generator, "generator", files)
    _fill(detector, checkpoint.kp_detector, "kp_detector", files)
    return detector.eval(), generator.eval(), checkpoint.origin_sha256


def _fill(
    network: nn.Module, weights: dict[str, Tensor], name: str, files: tuple[str, str]
) -> None:
    """Load the weights into the network.

    Raises:
        WeightsMismatch: a key is missing, unexpected or has another shape.
    """
    own = network.state_dict()
    for key in sorted(own.keys() | weights.keys()):
        fault = None
        if key not in weights:
            fault = None if key.endswith(_OPTIONAL) else "is missing in it"
        elif key not in own:
            fault = "has no place in the config"
        elif own[key].shape != weights[key].shape:
            shapes = [" x ".join(map(str, tensor.shape)) for tensor in (weights[key], own[key])]
            fault = f"is {shapes[0]} in it and {shapes[1]} in the config"
        if fault is not None:
            raise WeightsMismatch(file=files[0], config=files[1], key=f"{name}.{key}", reason=fault)
    network.load_state_dict(weights, strict=False)
