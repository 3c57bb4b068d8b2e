"""The networks of the goldens: built by us, filled with the recipe's weights, run and compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from inference.fomm.config import FommConfig
from inference.fomm.coordinates import KeypointTensors
from inference.fomm.dense_motion import DenseMotion
from inference.fomm.generator import Generator
from inference.fomm.keypoint_detector import KeypointDetector
from tests.parity.golden_recipe import GOLDENS, Arrays, Golden, fill, read_golden

TINY = tuple(name for name in GOLDENS if name != "fomm_vox")
# What the goldens hold: how the keypoints were carried over.
MODES = dict.fromkeys(TINY, ("rel_scale",)) | {
    "fomm_tiny": ("rel_scale", "rel", "abs"),
    "fomm_tiny_nojac": ("rel_scale", "abs"),
    "fomm_vox": ("rel_scale", "abs"),
}
CASES = [(name, mode) for name, modes in MODES.items() for mode in modes]


@dataclass(frozen=True)
class Networks:
    """Both networks of a golden, float32 and ready to run; they are shared, so leave them alone.

    Attributes:
        arrays: what the published networks made with these weights.
        detector: ours.
        generator: ours.
    """

    arrays: Arrays
    detector: KeypointDetector
    generator: Generator

    @property
    def source(self) -> Tensor:
        """The source picture, (1, 3, H, W)."""
        return as_tensor(self.arrays["source"][None])

    @property
    def driving(self) -> Tensor:
        """The driving frames, (B, 3, H, W)."""
        return as_tensor(self.arrays["driving"])

    def keypoints(self, name: str) -> KeypointTensors:
        """Stored keypoints: `kp_source`, `kp_driving` or `MODE/kp_norm`."""
        jacobian = self.arrays.get(f"{name}/jacobian")
        return KeypointTensors(
            torch.from_numpy(self.arrays[f"{name}/value"]),
            None if jacobian is None else torch.from_numpy(jacobian),
        )


def as_tensor(pictures: npt.NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in [0, 1], as the published code makes it."""
    return torch.from_numpy(np.float32(pictures) / np.float32(255)).permute(0, 3, 1, 2)


def config_of(golden: Golden) -> FommConfig:
    """A golden's configuration as a published config says it."""
    return FommConfig.model_validate(model_params(golden.config))


def model_params(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The sections of a golden's configuration under the names of a published config."""
    return {
        "common_params": dict(parts["common"]),
        "kp_detector_params": dict(parts["kp_detector"]),
        "generator_params": {
            **parts["generator"],
            "dense_motion_params": dict(parts["dense_motion"]),
        },
    }


def filled(network: nn.Module, net: str, tag: str) -> None:
    """Puts the recipe's weights into a network; the fixed kernels stay as they were built."""
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    weights = {key: torch.from_numpy(array) for key, array in fill(shapes, net, tag).items()}
    left_alone = network.load_state_dict(weights, strict=False)
    assert all(key.endswith("down.weight") for key in left_alone.missing_keys)
    assert not left_alone.unexpected_keys


def with_changes(name: str, **changes: Mapping[str, Any]) -> FommConfig:
    """A golden's configuration with options changed, by section."""
    parts = GOLDENS[name].config
    params = {section: {**part, **changes.get(section, {})} for section, part in parts.items()}
    return FommConfig.model_validate(model_params(params))


@cache
def networks(name: str, *, align_corners: bool = False) -> Networks:
    """Both networks of the golden of that name."""
    golden = GOLDENS[name]
    config = config_of(golden)
    detector, generator = KeypointDetector(config), Generator(config, align_corners=align_corners)
    filled(detector, "kp_detector", golden.tag)
    filled(generator, "generator", golden.tag)
    for network in (detector, generator):
        network.eval().requires_grad_(requires_grad=False)
    return Networks(read_golden(name), detector, generator)


@dataclass(frozen=True)
class Stages:
    """What a generator makes of a golden's own keypoints, stage by stage."""

    motion: DenseMotion
    moved: Tensor
    prediction: Tensor


def stages_of(generator: Generator, golden: Networks, mode: str) -> Stages:
    """Runs a generator, plain or accelerated, on a golden's source and keypoints."""
    with torch.inference_mode():
        source = generator.encode(golden.source)
        driving_kp = golden.keypoints(f"{mode}/kp_norm")
        motion = generator.motion(source, golden.keypoints("kp_source"), driving_kp)
        moved = generator.warped(source, motion)
        return Stages(motion, moved, generator.decode(moved))


@cache
def plain_stages(name: str, mode: str) -> Stages:
    """What our plain generator makes of a golden; shared, so leave it alone."""
    return stages_of(networks(name).generator, networks(name), mode)


def vox_parts(prediction: Tensor) -> dict[str, npt.NDArray[np.float64]]:
    """What the vox golden holds of the predictions (B, 3, 256, 256), by its keys."""
    exact = np.asarray(prediction, np.float64)
    boxes = exact.reshape(len(exact), 3, 32, 8, 32, 8)
    return {
        "prediction_box8": boxes.mean((3, 5)),
        "prediction_mean": exact.mean((1, 2, 3)),
        "prediction_std": exact.std((1, 2, 3)),
        "prediction_crop": exact[:, :, 96:160, 96:160],
    }


def difference(found: npt.ArrayLike | Tensor, expected: npt.ArrayLike | Tensor) -> float:
    """The largest difference of two arrays of one shape; NaN if one of them holds NaN."""
    one, other = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert one.shape == other.shape
    return float(np.abs(one - other).max())


def psnr_db(found: Tensor, expected: Tensor) -> float:
    """How alike pictures in [0, 1] are, dB."""
    return float(-10 * torch.log10(((found - expected) ** 2).mean()))
