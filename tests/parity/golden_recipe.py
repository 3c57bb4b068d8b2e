"""Weights and pictures of the goldens, made from nothing but names and numbers.

Each tensor is drawn from a generator of its own, seeded by its name: so the order in which modules
are built does not matter, and an implementation with the same names and shapes gets the same
weights, bit by bit.

    source, driving = images(size=256, frames=3)
    weights = fill(shapes, net="generator", tag="vox")
    golden = read_golden("fomm_vox")
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]
Arrays = dict[str, npt.NDArray[Any]]
Section = dict[str, Any]

FOLDER = Path(__file__).parent / "goldens"

# Weights are drawn from N(0, (gain / sqrt(fan_in))^2); the first ending that fits counts.
_GAINS = (
    ("kp.weight", 1.2),
    ("jacobian.weight", 0.5),
    ("mask.weight", 4.0),
    ("occlusion.weight", 5.0),
    ("final.weight", 2.2),
    ("conv2.weight", 0.7),
    ("", math.sqrt(2.0)),
)

VOX: dict[str, Section] = {
    "common": {"num_kp": 10, "num_channels": 3, "estimate_jacobian": True},
    "kp_detector": {
        "temperature": 0.1,
        "block_expansion": 32,
        "max_features": 1024,
        "scale_factor": 0.25,
        "num_blocks": 5,
    },
    "generator": {
        "block_expansion": 64,
        "max_features": 512,
        "num_down_blocks": 2,
        "num_bottleneck_blocks": 6,
        "estimate_occlusion_map": True,
    },
    "dense_motion": {
        "block_expansion": 64,
        "max_features": 1024,
        "num_blocks": 5,
        "scale_factor": 0.25,
    },
}

_TINY_SIZE = {"block_expansion": 8, "max_features": 24}
TINY: dict[str, Section] = {
    "common": VOX["common"],
    "kp_detector": VOX["kp_detector"] | _TINY_SIZE | {"num_blocks": 3},
    "generator": VOX["generator"] | _TINY_SIZE | {"num_bottleneck_blocks": 2},
    "dense_motion": VOX["dense_motion"] | _TINY_SIZE | {"num_blocks": 3},
}


@dataclass(frozen=True)
class Golden:
    """How the networks of one golden file were made.

    Attributes:
        base: the configuration before `changes`.
        tag: seeds the weights, with their names.
        changes: options that differ, by section.
        size: of the pictures, px.
        frames: how many `images` draws; the variants of tiny use the first three of the six.
    """

    base: Mapping[str, Section]
    tag: str
    changes: Mapping[str, Section] = field(default_factory=dict)
    size: int = 64
    frames: int = 6

    @property
    def config(self) -> dict[str, Section]:
        """The configuration with its changes, by section."""
        return {name: part | self.changes.get(name, {}) for name, part in self.base.items()}


GOLDENS = {
    "fomm_tiny": Golden(TINY, "tiny35"),
    "fomm_tiny_nojac": Golden(TINY, "tiny35-nojac", {"common": {"estimate_jacobian": False}}),
    "fomm_tiny_noocc": Golden(
        TINY, "tiny35-noocc-b", {"generator": {"estimate_occlusion_map": False}}
    ),
    "fomm_tiny_singlejac": Golden(
        TINY, "tiny35-singlejac-b", {"kp_detector": {"single_jacobian_map": True}}
    ),
    "fomm_tiny_down1": Golden(TINY, "tiny35-down1", {"generator": {"num_down_blocks": 1}}),
    "fomm_vox": Golden(VOX, "vox", size=256, frames=3),
}


def read_golden(name: str) -> Arrays:
    """All arrays of the golden file of that name."""
    with np.load(FOLDER / f"{name}.npz") as stored:
        return dict(stored)


def vox_shapes(net: str) -> dict[str, tuple[int, ...]]:
    """The shape of each key of a vox network, `generator` or `kp_detector`, as published."""
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    for line in (FOLDER / "vox_state_dict.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            section = shapes.setdefault(line[1:].partition(":")[0].strip(), {})
        elif line:
            key, shape = line.split("\t")[:2]
            section[key] = () if shape == "scalar" else tuple(map(int, shape.split("x")))
    return shapes[net]


# --- weights --------------------------------------------------------------------------------------


def write_vox_checkpoint(path: Path) -> None:
    """Write weights of the published size, in the published layout of 2019."""
    import torch  # noqa: PLC0415 - only where the extra `neural` is installed

    content: dict[str, object] = {"epoch": 99}
    for net in ("generator", "kp_detector"):
        weights = fill(vox_shapes(net), net, "vox")
        content[net] = {key: torch.from_numpy(array) for key, array in weights.items()}
        content[f"optimizer_{net}"] = {"state": {0: {"step": 3}}, "param_groups": [{"lr": 2e-4}]}
    torch.save(content, path, _use_new_zipfile_serialization=False)


def fill(shapes: Mapping[str, Sequence[int]], net: str, tag: str) -> Arrays:
    """The weights of one network, by key.

    Keys that end in `down.weight` are left out: the fixed anti-alias kernel stays as it was built.

    Args:
        shapes: of each key of its state dict.
        net: `generator` or `kp_detector`.
        tag: as in `GOLDENS`.
    """
    weights: Arrays = {}
    for key in sorted(shapes):
        if key.endswith("num_batches_tracked"):
            weights[key] = np.asarray(0, dtype=np.int64)
        elif not key.endswith("down.weight"):
            shape = tuple(shapes[key])
            weights[key] = _drawn(key, shape, f"{tag}/{net}/{key}").reshape(shape)
    return weights


def checksum(weights: Mapping[str, npt.NDArray[Any]]) -> int:
    """The crc32 of all tensors that `fill` draws, as float32 and in the order of their keys."""
    total = 0
    for key in sorted(weights):
        if not key.endswith(("down.weight", "num_batches_tracked")):
            total = zlib.crc32(np.ascontiguousarray(weights[key], np.float32).tobytes(), total)
    return total


def _drawn(key: str, shape: tuple[int, ...], seed: str) -> npt.NDArray[np.float32]:
    """One tensor's numbers, as drawn and in one row."""
    # The goldens were made with this generator, whose numbers never change.
    random = np.random.RandomState(zlib.crc32(seed.encode("ascii")))
    count = int(np.prod(shape))
    if key.endswith("running_var"):
        values = random.uniform(0.5, 1.5, count)
    elif key.endswith("running_mean"):
        values = 0.2 * random.standard_normal(count)
    elif len(shape) == 1 and key.endswith(".weight"):
        values = random.uniform(0.6, 1.4, count)
    elif len(shape) == 1:
        values = 0.1 * random.standard_normal(count)
        if key.endswith("jacobian.bias"):
            values = 1.5 * values + np.tile([1.0, 0.0, 0.0, 1.0], count // 4)
    else:
        gain = next(gain for ending, gain in _GAINS if key.endswith(ending))
        values = random.standard_normal(count) * (gain / math.sqrt(np.prod(shape[1:])))
    return np.asarray(values, np.float32)


# --- pictures -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """A drawn head: its place (half the picture is 1), its turn in rad, its size and looks."""

    x: float
    y: float
    angle: float
    zoom: float
    mouth: float
    hue: float


def images(size: int, frames: int) -> tuple[Picture, list[Picture]]:
    """A source picture and driving frames, uint8 (size, size, 3) RGB."""
    driving = []
    for index in range(frames):
        t = index / max(frames - 1, 1)
        mouth = 0.015 + 0.06 * abs(math.sin(3 * t))
        head = Head(-0.12 + 0.3 * t, 0.05 - 0.15 * t, -0.15 + 0.5 * t, 0.85 + 0.2 * t, mouth, 0.9)
        driving.append(drawn_head(size, head))
    return drawn_head(size, Head(0.05, 0.02, 0.08, 1.00, 0.02, 0.3)), driving


def drawn_head(size: int, head: Head) -> Picture:
    """A smooth picture that looks like a head, uint8 (size, size, 3)."""
    c = (np.arange(size) + 0.5) / size * 2.0 - 1.0
    x, y = np.meshgrid(c, c)
    u, v = (x - head.x) / head.zoom, (y - head.y) / head.zoom
    cosine, sine = np.cos(head.angle), np.sin(head.angle)
    u, v = u * cosine + v * sine, v * cosine - u * sine

    def blob(px: float, py: float, rx: float, ry: float, sharp: float = 10.0) -> Doubles:
        distance = np.sqrt(((u - px) / rx) ** 2 + ((v - py) / ry) ** 2)
        return np.asarray(1.0 / (1.0 + np.exp(np.clip(sharp * (distance - 1.0), -60, 60))))

    hue = head.hue
    wave = 0.5 + 0.22 * np.sin(3.1 * x + 1.7 * y) + 0.18 * np.cos(2.3 * y - 1.1 * x + hue)
    picture = np.stack([wave * 0.6, wave * 0.75, 0.9 - 0.6 * wave], -1)
    hair = (blob(0.0, -0.12, 0.62, 0.78), (0.25 + 0.1 * hue, 0.14, 0.10))
    skin = (blob(0.0, 0.05, 0.50, 0.66), (0.88, 0.68 - 0.1 * hue, 0.55))
    layers = [hair, skin]
    for side in (-1, 1):
        layers.append((blob(0.21 * side, -0.12, 0.11, 0.06, 6), (0.97, 0.97, 0.97)))
        layers.append((blob(0.21 * side, -0.12, 0.05, 0.05, 6), (0.15, 0.25, 0.45)))
        layers.append((blob(0.21 * side, -0.25, 0.13, 0.025, 4), (0.22, 0.12, 0.08)))
    layers.append((blob(0.0, 0.10, 0.06, 0.14, 4), (0.78, 0.55, 0.44)))
    layers.append((blob(0.0, 0.36, 0.17, 0.03 + head.mouth, 5), (0.70, 0.20, 0.22)))
    for alpha, colour in layers:
        picture = picture * (1 - alpha[..., None]) + alpha[..., None] * np.asarray(colour, float)
    return np.asarray(np.rint(255.0 * np.clip(picture, 0.0, 1.0)), np.uint8)
