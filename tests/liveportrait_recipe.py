"""Weights and inputs of LivePortrait's goldens, made from nothing but names and numbers.

Each tensor is drawn from a generator of its own, seeded by the crc32 of its name:
`<network>/<key>`, where the network is one of F, M, W, G, S.stitching, S.lip and S.eye.

    weights = fill("M", shapes()["M"])
    golden = Goldens("liveportrait_nets")
    golden.difference("G.out", array)
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]
Shape = tuple[int, ...]

FOLDER = Path(__file__).parent / "parity" / "goldens"

_GAINS = {
    "M/detector.fc_pitch.weight": 2.0,
    "M/detector.fc_yaw.weight": 2.0,
    "M/detector.fc_roll.weight": 2.0,
    "M/detector.fc_kp.weight": 0.25,
    "M/detector.fc_exp.weight": 0.03,
    "M/detector.fc_t.weight": 0.1,
    "M/detector.fc_scale.weight": 0.1,
    "W/dense_motion_network.mask.weight": 6.0,
    "W/dense_motion_network.occlusion.weight": 2.0,
    "W/dense_motion_network.compress.weight": 0.5,
    "W/fourth.weight": 2.0,
    "S.stitching/mlp.6.weight": 0.1,
    "S.lip/mlp.6.weight": 0.1,
    "S.eye/mlp.10.weight": 0.1,
    "G/conv_img.0.weight": 1.5,
}
_BIASES = {"M/detector.fc_scale.bias": 1.3}
_SPECTRAL_GAIN = 1.7


def chance(seed: str) -> np.random.RandomState:
    """A generator whose numbers never change."""
    return np.random.RandomState(zlib.crc32(seed.encode("utf-8")))


# --- weights --------------------------------------------------------------------------------------


def shapes() -> dict[str, dict[str, Shape]]:
    """The shape of each key, by network."""
    found: dict[str, dict[str, Shape]] = {}
    text = (FOLDER / "liveportrait_state_dict.tsv").read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            network, key, _, shape = line.split("\t")
            size = () if shape == "scalar" else tuple(map(int, shape.split("x")))
            found.setdefault(network, {})[key] = size
    return found


def fill(network: str, wanted: Mapping[str, Shape]) -> Arrays:
    """The weights of one network, by key."""
    weights: Arrays = {}
    for key, shape in wanted.items():
        if not key.endswith(("weight_u", "weight_v")):
            weights[key] = _drawn(f"{network}/{key}", shape)
    for key in wanted:
        if key.endswith("weight_u"):
            base = key.removesuffix("weight_u")
            pair = _singular_vectors(f"{network}/{key}", weights[f"{base}weight_orig"])
            weights[key], weights[f"{base}weight_v"] = pair
    return weights


def _drawn(name: str, shape: Shape) -> npt.NDArray[Any]:
    random, last = chance(name), name.rsplit(".", 1)[1]
    if last == "num_batches_tracked":
        return np.array(1000, np.int64)
    if last == "running_var":
        values = random.uniform(0.5, 1.5, shape)
    elif last == "gamma":
        values = 0.5 * random.standard_normal(shape)
    elif last in ("running_mean", "beta"):
        values = 0.2 * random.standard_normal(shape)
    elif _is_norm(name):
        is_scale = last == "weight"
        values = (
            random.uniform(0.6, 1.4, shape) if is_scale else 0.2 * random.standard_normal(shape)
        )
    elif last == "bias":
        if name in _BIASES:
            return np.full(shape, _BIASES[name], np.float32)
        values = 0.1 * random.standard_normal(shape)
    else:
        gain = _SPECTRAL_GAIN if last == "weight_orig" else _GAINS.get(name, 1.0)
        values = gain * random.standard_normal(shape) / np.sqrt(int(np.prod(shape[1:])))
    return np.asarray(values, np.float32)


def _is_norm(name: str) -> bool:
    parts = name.partition("/")[2].split(".")
    if parts[-2] in ("norm", "norm1", "norm2"):
        return True
    # The stem's norm comes after its convolution, those of the other layers before it.
    return "downsample_layers" in parts and (int(parts[-3]) == 0) == (int(parts[-2]) == 1)


def _singular_vectors(name: str, weight: Floats) -> tuple[Floats, Floats]:
    """Those of the largest singular value, by power iteration."""
    matrix = weight.astype(np.float64).reshape(len(weight), -1)
    u = chance(name).standard_normal(len(matrix))
    u /= np.linalg.norm(u)
    for _ in range(20):
        v = matrix.T @ u
        v /= np.linalg.norm(v)
        u = matrix @ v
        u /= np.linalg.norm(u)
    return u.astype(np.float32), v.astype(np.float32)


# --- inputs ---------------------------------------------------------------------------------------


def smooth_field(name: str, shape: Shape, waves: int = 6, most: float = 8.0) -> Floats:
    """Smooth pseudo pictures in [0, 1], (..., H, W): sums of sinusoids."""
    random, (height, width) = chance(name), shape[-2:]
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    field = np.zeros((int(np.prod(shape[:-2])), height, width))
    for index in range(len(field)):
        for _ in range(waves):
            along_x, along_y = random.uniform(-most, most), random.uniform(-most, most)
            phase, amplitude = random.uniform(0, 2 * np.pi), random.uniform(0.3, 1)
            field[index] += amplitude * np.sin(2 * np.pi * (along_x * x + along_y * y) + phase)
    field = (field - field.min()) / (field.max() - field.min())
    return np.asarray(field.reshape(shape), np.float32)


def picture_input(name: str, count: int = 1, size: int = 256) -> Floats:
    """Pictures (count, 3, size, size) in [0, 1], each with its own coarseness and tint."""
    pictures = []
    for index in range(count):
        random = chance(f"{name}#{index}")
        most = random.uniform(0.5, 14)
        for channel in range(3):
            field = smooth_field(f"{name}#{index}/{channel}", (size, size), 5, most)
            least = random.uniform(0, 0.5)
            pictures.append(least + field * random.uniform(0.2, 1 - least))
    array = np.clip(np.array(pictures), 0, 1).astype(np.float32)
    return array.reshape(count, 3, size, size)


def uint8_picture(name: str, height: int, width: int) -> npt.NDArray[np.uint8]:
    """A pseudo picture (height, width, 3) uint8 RGB."""
    field = smooth_field(name, (3, height, width))
    return np.round(field.transpose(1, 2, 0) * 255).astype(np.uint8)


def keypoints(name: str, count: int = 1, spread: float = 0.35) -> Floats:
    """Implicit keypoints (count, 21, 3), z flatter."""
    drawn = chance(name).standard_normal((count, 21, 3)) * spread * np.array([1, 1, 0.4])
    return np.asarray(np.clip(drawn, -0.9, 0.9), np.float32)


def vector(name: str, shape: Sequence[int], scale: float = 1.0) -> Floats:
    """Normally distributed numbers."""
    drawn: Floats = np.asarray(scale * chance(name).standard_normal(tuple(shape)), np.float32)
    return drawn


def network_inputs() -> dict[str, Floats]:
    """The networks' inputs, by the names of the goldens."""
    source = keypoints("W.kp_source")
    driving = source + 0.1 * chance("W.kp_driving").standard_normal(source.shape)
    feature = (smooth_field("W.feature", (1, 32, 16, 64, 64), 2) - np.float32(0.5)) * 4
    decoder = (smooth_field("G.x", (1, 256, 64, 64), 2) - np.float32(0.5)) * 2
    return {
        "M.x": picture_input("M.x", 2),
        "F.x": picture_input("F.x"),
        "W.feature": feature.astype(np.float32),
        "W.kp_source": source,
        "W.kp_driving": driving.astype(np.float32),
        "G.x": decoder.astype(np.float32),
        "S.stitching.x": vector("S.stitching.x", (4, 126), 0.4),
        "S.lip.x": vector("S.lip.x", (4, 65), 0.4),
        "S.eye.x": vector("S.eye.x", (4, 66), 0.4),
    }


# --- goldens --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Goldens:
    """What the published networks made: of large arrays a sample of elements is stored.

    Attributes:
        name: of its files.
    """

    name: str

    @cached_property
    def arrays(self) -> Arrays:
        """The stored elements, by name."""
        with np.load(FOLDER / f"{self.name}.npz") as stored:
            return dict(stored)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Shape, mean, standard deviation and more of the whole arrays, by name."""
        facts: dict[str, Any] = json.loads((FOLDER / f"{self.name}.json").read_text("utf-8"))
        return facts

    def difference(self, name: str, found: npt.ArrayLike) -> float:
        """The largest difference on the stored elements; the shape must be the golden's."""
        array, expected = np.asarray(found, np.float32), self.arrays[name]
        assert list(array.shape) == self.facts[name]["shape"], name
        flat = array.reshape(-1)
        if flat.size > expected.size:
            indices = chance(f"sample/{name}").choice(flat.size, expected.size, replace=False)
            flat = flat[np.sort(indices)]
        return float(np.abs(flat - expected.reshape(-1)).max())
