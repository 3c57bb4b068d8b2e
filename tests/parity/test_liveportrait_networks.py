"""LivePortrait's networks as they are run make what the published ones make, stage by stage.

All networks have the recipe's weights, are loaded from files in the published layout, and run once;
each stage is compared on a sample of elements. Tolerances are the specification's.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra neural is not installed")
pytest.importorskip("safetensors", reason="the extra neural is not installed")

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from inference.liveportrait.fast_generator import FastGenerator
from inference.liveportrait.fast_warping import FastHourglass, fold_warping
from inference.liveportrait.files import checkpoints
from inference.liveportrait.loading import load_plain
from inference.liveportrait.networks import Networks, load_networks
from inference.liveportrait.warping import DenseMotion, SourceState
from inference.neural.fourier_conv import FourierConv
from inference.neural.precision import computes_in_bfloat16
from inference.weights.store import WeightsStore
from jobs.errors import EngineFailed
from tests.conftest import Require
from tests.liveportrait_recipe import Floats, Goldens, fill, network_inputs

GOLDENS = Goldens("liveportrait_nets")
# A tap may be off by ten times as much as its network's output.
TOLERANCES = {
    **dict.fromkeys(("M.pitch", "M.yaw", "M.roll"), 1e-4),
    **dict.fromkeys(("M.t", "M.exp", "M.scale", "M.kp"), 1e-5),
    **dict.fromkeys(("F.out", "W.out"), 2e-4),
    **dict.fromkeys(("W.deformation", "W.mask", "W.occlusion_map"), 2e-5),
    "G.out": 1e-4,
    **dict.fromkeys(("S.stitching.out", "S.lip.out", "S.eye.out"), 1e-6),
    **dict.fromkeys(("chain.W.out", "chain.image"), 5e-4),
}
TAP_TOLERANCES = {"M": 1e-3, "F": 2e-3, "W": 2e-3, "G": 1e-3}

NORM = ("weight", "bias", "running_mean", "running_var")

Stages = dict[str, Tensor | Floats]

# For networks that do not look at it.
NO_SOURCE = SourceState(*[torch.zeros(0)] * 4)


@pytest.fixture(scope="session")
def paths(liveportrait_weights: Path) -> dict[str, Path]:
    """The converted files."""
    return checkpoints(WeightsStore(liveportrait_weights, say=lambda _: None), may_fetch=False)


@pytest.fixture(scope="session")
def inputs() -> dict[str, Floats]:
    return network_inputs()


@pytest.fixture(scope="session")
def shipped(paths: dict[str, Path]) -> Networks:
    """The networks as they run on a CPU in float32."""
    return load_networks(paths, "cpu", "float32")


@pytest.fixture(scope="session")
def stages(shipped: Networks, inputs: dict[str, Floats]) -> Stages:
    """What the shipped networks make of the goldens' inputs, by the goldens' names."""
    found: Stages = {}
    handles = [
        handle
        for name, network in shipped.modules.items()
        for handle in _watch(found, name, network)
    ]
    warping, generator = shipped.modules["W"], shipped.modules["G"]
    with torch.inference_mode():
        found["F.out"] = feature = shipped.appearance(torch.from_numpy(inputs["F.x"]))
        outputs = shipped.modules["M"](torch.from_numpy(inputs["M.x"]))
        found |= {f"M.{name}": output for name, output in outputs.items()}
        driving = torch.from_numpy(inputs["W.kp_driving"])
        source = shipped.prepare_source(
            torch.from_numpy(inputs["W.feature"]), inputs["W.kp_source"]
        )
        found["W.out"] = warping(source, driving)
        found["G.out"] = generator(torch.from_numpy(inputs["G.x"]))
        for handle in handles:
            handle.remove()
        source = shipped.prepare_source(feature, inputs["W.kp_source"])
        handle = warping.register_forward_hook(
            lambda _network, _inputs, output: found.setdefault("chain.W.out", output)
        )
        found["chain.image"] = shipped.predict(source, inputs["W.kp_driving"])
        handle.remove()
    pairs = inputs["S.stitching.x"]
    found["S.stitching.out"] = np.concatenate(
        [shipped.stitch(pair[None, :63], pair[None, 63:]) for pair in pairs]
    )
    found["S.lip.out"] = shipped.retarget_lips(inputs["S.lip.x"])
    found["S.eye.out"] = shipped.retarget_eyes(inputs["S.eye.x"])
    return found


def _watch(found: Stages, network: str, module: nn.Module) -> list[RemovableHandle]:
    """Keeps what a network's parts return the first time, in the goldens' layout."""

    def keep(name: str) -> Callable[..., None]:
        def hook(_part: nn.Module, _inputs: object, output: Tensor | DenseMotion) -> None:
            if isinstance(output, DenseMotion):
                found.setdefault("W.deformation", output.deformation)
                found.setdefault("W.mask", output.mask)
                found.setdefault("W.occlusion_map", output.occlusion_map)
            elif isinstance(output, Tensor):
                found.setdefault(f"tap:{network}/{name}", _as_published(name, output))

        return hook

    return [part.register_forward_hook(keep(name)) for name, part in module.named_modules() if name]


def _as_published(name: str, output: Tensor) -> Tensor:
    """Fast parts have the channels last, or leave out what comes after them."""
    if name.startswith(("G_middle", "fc", "up_")):
        return output.permute(0, 3, 1, 2).clone()
    return output.clone()


FAST_TAPS = {
    # The hourglass's blocks are volume convolutions here; pooling comes after them.
    "dense_motion_network.hourglass.encoder.down_blocks.0": "dense_motion_network.hourglass.down.0",
    "dense_motion_network.hourglass.encoder.down_blocks.4": "dense_motion_network.hourglass.down.4",
    "dense_motion_network.hourglass.decoder.up_blocks.0": "dense_motion_network.hourglass.up.0",
}


def tap_of(stages: Stages, name: str) -> Floats:
    """A tap of the shipped networks, in the shape of the golden."""
    network, _, part = name.removeprefix("tap:").partition("/")
    found = np.asarray(stages[f"tap:{network}/{FAST_TAPS.get(part, part)}"])
    if ".down_blocks." in part and network == "W":
        depth, height, width, channels = found.shape
        halves = found.reshape(depth, height // 2, 2, width // 2, 2, channels)
        found = halves.mean((2, 4))
    if part in FAST_TAPS:
        found = found.transpose(3, 0, 1, 2)[None]
    if part == "dense_motion_network.compress":
        # The norm after it is folded into it.
        norm = fill("W", dict.fromkeys(map("dense_motion_network.norm.{}".format, NORM), (4,)))
        weight, bias, mean, variance = (
            array.reshape(1, 4, 1, 1, 1).astype(np.float64) for array in norm.values()
        )
        before = (found - bias) * np.sqrt(variance + 1e-5) / weight + mean
        return np.asarray(before, np.float32)
    if part == "G_middle_0.norm_0":
        # The leaky relu after it belongs to the norm here.
        return np.where(found < 0, found * np.float32(5), found)
    return found


@pytest.mark.parametrize("name", TOLERANCES)
def test_output(stages: Stages, name: str) -> None:
    assert GOLDENS.difference(name, stages[name]) <= TOLERANCES[name]


@pytest.mark.parametrize("name", [name for name in GOLDENS.arrays if name.startswith("tap:")])
def test_inner_output(stages: Stages, name: str) -> None:
    tolerance = TAP_TOLERANCES[name.removeprefix("tap:")[0]]
    assert GOLDENS.difference(name, tap_of(stages, name)) <= tolerance


def test_what_is_compared_is_what_runs_fast(shipped: Networks) -> None:
    assert isinstance(shipped.modules["G"], FastGenerator)
    parts = dict(shipped.modules["W"].named_modules())
    assert isinstance(parts["dense_motion_network.hourglass"], FastHourglass)
    assert isinstance(parts["dense_motion_network.mask"], FourierConv)
    norms = [
        name
        for network in shipped.modules.values()
        for name, part in network.named_modules()
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm3d)
    ]
    # A relu follows these.
    assert norms == [f"resblocks_3d.3dr{index}.norm1" for index in range(6)]


def test_heads_are_read_as_published(shipped: Networks, inputs: dict[str, Floats]) -> None:
    found = shipped.motion(torch.from_numpy(inputs["M.x"]))
    assert GOLDENS.difference("M.exp", found.expression.reshape(2, 63)) <= 1e-5
    assert GOLDENS.difference("M.kp", found.keypoints.reshape(2, 63)) <= 1e-5
    assert GOLDENS.difference("M.t", found.translation) <= 1e-5
    assert GOLDENS.difference("M.scale", found.scale[:, None]) <= 1e-5
    for name, angles in (
        ("pitch", found.pitch_deg),
        ("yaw", found.yaw_deg),
        ("roll", found.roll_deg),
    ):
        logits = GOLDENS.arrays[f"M.{name}"].reshape(2, 66).astype(np.float64)
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        assert np.abs(angles - (3 * shares @ np.arange(66) - 97.5)).max() <= 1e-3


class Ready(nn.Module):
    """A network that returns what it is given last."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[-1]


def small_source(networks: Networks, inputs: dict[str, Floats]) -> SourceState:
    """A quarter of a photo, for time's sake."""
    feature = torch.from_numpy(inputs["W.feature"])[..., :32, :32].contiguous()
    return networks.prepare_source(feature, inputs["W.kp_source"])


def test_both_frames_of_a_batch_are_the_same(shipped: Networks, inputs: dict[str, Floats]) -> None:
    twice = np.repeat(inputs["W.kp_driving"], 2, axis=0)
    one, other = shipped.predict(small_source(shipped, inputs), twice)
    assert one.std() > 0.01
    assert np.array_equal(one, other)


def test_frames_are_truncated_pictures(
    shipped: Networks, stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(shipped.modules, "W", Ready())
    monkeypatch.setitem(shipped.modules, "G", Ready())
    picture = np.asarray(stages["chain.image"])
    pictures = np.concatenate([picture, 1 - picture, picture])
    frames = shipped.render(NO_SOURCE, pictures)
    assert frames.shape == (3, 512, 512, 3)
    assert frames.dtype == np.uint8
    exact = 255 * pictures.transpose(0, 2, 3, 1).astype(np.float64)
    # Up to rounding of the pictures themselves.
    assert (np.abs(frames + 0.5 - exact) <= 0.51).all()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_frame_that_is_not_finite_is_an_error(
    shipped: Networks, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    monkeypatch.setitem(shipped.modules, "W", Ready())
    monkeypatch.setitem(shipped.modules, "G", Ready())
    pictures = np.zeros((2, 3, 8, 8), np.float32)
    pictures[1, 2, 3, 4] = value
    with pytest.raises(EngineFailed, match=r"liveportrait.*a frame contains NaN or infinity"):
        shipped.render(NO_SOURCE, pictures)


class NotFinite(nn.Module):
    """A generator whose pictures are not numbers."""

    def forward(self, features: Tensor) -> Tensor:
        return torch.full((len(features), 3, 512, 512), torch.nan)


def test_bfloat16_looks_the_same_and_falls_back_once(
    paths: dict[str, Path],
    inputs: dict[str, Floats],
    shipped: Networks,
    stages: Stages,
    require_hardware: Require,
    caplog: pytest.LogCaptureFixture,
) -> None:
    require_hardware(computes_in_bfloat16(), "this processor does not compute in bfloat16")
    networks = load_networks(paths, "cpu", "bfloat16")
    source = networks.prepare_source(torch.as_tensor(stages["F.out"]), inputs["W.kp_source"])
    found = networks.predict(source, inputs["W.kp_driving"])
    error = found - np.asarray(stages["chain.image"])
    assert -10 * np.log10((error**2).mean()) >= 40
    # Else it would not be bfloat16 that was measured.
    assert np.abs(error).max() > 1e-3
    networks.modules["G"] = NotFinite()
    source = small_source(networks, inputs)
    found = networks.predict(source, inputs["W.kp_driving"])
    assert networks.dtype == torch.float32
    expected = shipped.predict(source, inputs["W.kp_driving"])
    assert np.abs(found - expected).max() <= TOLERANCES["chain.image"]
    assert caplog.text.count("switching to float32") == 1


def test_variant_for_gpus_makes_the_same(paths: dict[str, Path], inputs: dict[str, Floats]) -> None:
    plain, other = load_plain(paths), load_plain(paths)
    fold_warping(other.warping, torch.float32)
    fast = FastGenerator(plain.generator, torch.float32, uses_tiles=False).eval()
    # Smaller ones, for time's sake.
    feature = torch.from_numpy(inputs["W.feature"])[..., :32, :32].contiguous()
    features = torch.from_numpy(inputs["G.x"])[..., :16, :16].contiguous()
    keypoints, driving = (
        torch.from_numpy(inputs[f"W.kp_{name}"]) for name in ("source", "driving")
    )
    with torch.inference_mode():
        expected, found = (
            network.warping(network.warping.prepare(feature, keypoints), driving)
            for network in (plain, other)
        )
        assert float((found - expected).abs().max()) <= TOLERANCES["W.out"]
        difference = (fast(features) - plain.generator(features)).abs().max()
        assert float(difference) <= TOLERANCES["G.out"]
