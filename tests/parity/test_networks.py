"""Our networks equal the published ones, stage by stage.

Each stage is given what the published one was given, so the first test that fails names the stage.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch", reason="the extra neural is not installed")

import torch
from torch import Tensor
from torch.nn import functional

from inference.fomm.blocks import AntiAliasDownsampling
from inference.fomm.config import FommConfig
from inference.fomm.coordinates import KeypointTensors, coordinate_grid, heat_maps, sparse_motions
from inference.fomm.dense_motion import DenseMotion, sampled
from inference.fomm.generator import EncodedSource
from inference.fomm.keypoint_detector import KeypointDetector
from tests.parity.golden_recipe import GOLDENS, checksum, vox_shapes
from tests.parity.networks import (
    CASES,
    config_of,
    difference,
    networks,
    plain_stages,
    stages_of,
    vox_parts,
    with_changes,
)

SHIPPED_CONFIG = Path(__file__).parents[2] / "config" / "vox-256.yaml"
NETS = ("generator", "kp_detector")
# The specification's; rounding alone makes a fifth of it.
TOLERANCE = 1e-5


def state_of(name: str, net: str) -> dict[str, Tensor]:
    own = networks(name)
    return dict((own.generator if net == "generator" else own.detector).state_dict())


# --- names and weights ----------------------------------------------------------------------------


@pytest.mark.parametrize("net", NETS)
def test_vox_networks_have_the_published_keys_and_shapes(net: str) -> None:
    state = state_of("fomm_vox", net)
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == vox_shapes(net)
    assert len(state) == {"generator": 196, "kp_detector": 75}[net]


def test_shipped_config_is_the_one_that_the_golden_was_made_with() -> None:
    assert FommConfig.load(SHIPPED_CONFIG) == config_of(GOLDENS["fomm_vox"])


@pytest.mark.parametrize("net", NETS)
def test_tiny_networks_have_the_stored_keys_and_weights(net: str) -> None:
    prefix, arrays = f"weights/{net}/", networks("fomm_tiny").arrays
    stored = {
        key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)
    }
    state = state_of("fomm_tiny", net)
    assert state.keys() == stored.keys()
    for key, array in stored.items():
        assert difference(state[key], array) <= (1e-8 if key.endswith("down.weight") else 0), key


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("name", [name for name in GOLDENS if name != "fomm_tiny"])
def test_networks_have_all_weights_that_the_stored_checksum_is_of(name: str, net: str) -> None:
    arrays = networks(name).arrays
    stored = arrays[f"crc32/{net}" if name == "fomm_vox" else f"crc/{net}"]
    state = {key: tensor.numpy() for key, tensor in state_of(name, net).items()}
    assert checksum(state) == int(stored)


# --- reducing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "sigma", "size"), [(0.25, 1.5, 13), (0.5, 0.5, 5)])
def test_pictures_are_blurred_by_a_gaussian_and_thinned_out(
    scale: float, sigma: float, size: int
) -> None:
    steps = np.arange(size) - size // 2
    line = np.exp(-(steps**2) / (2 * sigma**2))
    kernel = np.outer(line, line) / line.sum() ** 2
    down = AntiAliasDownsampling(3, scale)
    assert (
        difference(down.state_dict()["weight"], np.broadcast_to(kernel, (3, 1, size, size))) < 1e-7
    )
    picture = torch.rand(2, 3, 24, 20, generator=torch.Generator().manual_seed(0))
    bordered = np.pad(picture.numpy(), ((0, 0), (0, 0), *[(size // 2, size // 2)] * 2))
    windows = np.lib.stride_tricks.sliding_window_view(bordered, (size, size), axis=(2, 3))
    blurred = (windows * kernel).sum((-2, -1))
    every = round(1 / scale)
    assert difference(down(picture), blurred[:, :, ::every, ::every]) < 1e-6


def test_full_scale_has_no_kernel_and_reduces_nothing() -> None:
    changes = {"scale_factor": 1.0}
    config = with_changes("fomm_tiny", kp_detector=changes, dense_motion=changes)
    detector = KeypointDetector(config).eval()
    assert not [key for key in detector.state_dict() if key.startswith("down.")]
    tiny = networks("fomm_tiny")
    weights = tiny.detector.state_dict()
    detector.load_state_dict({key: weights[key] for key in weights if key != "down.weight"})
    with torch.inference_mode():
        found: KeypointTensors = detector(tiny.detector.down(tiny.source))
    assert difference(found.value, tiny.arrays["kp_source/value"]) <= TOLERANCE


# --- the keypoint detector ------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOLDENS)
def test_keypoints_and_jacobians(name: str) -> None:
    golden = networks(name)
    for pictures, key in ((golden.source, "kp_source"), (golden.driving, "kp_driving")):
        found: KeypointTensors = golden.detector(pictures)
        expected = golden.keypoints(key)
        assert difference(found.value, expected.value) <= TOLERANCE
        assert (found.jacobian is None) == (expected.jacobian is None)
        if found.jacobian is not None and expected.jacobian is not None:
            assert difference(found.jacobian, expected.jacobian) <= TOLERANCE


def test_padded_detector_measures_on_its_larger_map() -> None:
    tiny = networks("fomm_tiny")
    padded = KeypointDetector(with_changes("fomm_tiny", kp_detector={"pad": 3})).eval()
    padded.load_state_dict(tiny.detector.state_dict())
    with torch.inference_mode():
        found: KeypointTensors = padded(tiny.source)
        features = padded.predictor(padded.down(tiny.source))
        logits = functional.conv2d(features, padded.kp.weight, padded.kp.bias, padding=3)
    chances = (logits / 0.1).flatten(2).softmax(2).view(10, 16, 16).numpy()
    ways = np.linspace(-1, 1, 16)
    expected = np.stack([chances.sum(1) @ ways, chances.sum(2) @ ways], axis=-1)
    assert difference(found.value[0], expected) <= TOLERANCE


# --- motion ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_deformation_mask_and_occlusion_map(name: str, mode: str) -> None:
    arrays, motion = networks(name).arrays, plain_stages(name, mode).motion
    found: dict[str, Tensor | None] = {
        "deformation": motion.deformation,
        "deformation_last": motion.deformation[-1:],
        "mask": motion.mask,
        "occlusion_map": motion.occlusion_map,
    }
    compared = [key for key in found if f"{mode}/{key}" in arrays]
    assert len(compared) >= (1 if name == "fomm_vox" else 2)
    assert ("occlusion_map" in compared) == (motion.occlusion_map is not None)
    for key in compared:
        maps = found[key]
        assert maps is not None
        assert difference(maps, arrays[f"{mode}/{key}"]) <= TOLERANCE, key


@pytest.mark.parametrize("name", ["fomm_tiny", "fomm_tiny_down1"])
def test_candidates_are_heat_and_colours_of_the_background_and_each_keypoint(name: str) -> None:
    golden = networks(name)
    source_kp, driving_kp = golden.keypoints("kp_source"), golden.keypoints("rel_scale/kp_norm")
    network = golden.generator.dense_motion_network
    motions, candidates = network.candidates(
        network.down(golden.source), source_kp, driving_kp, align_corners=False
    )
    assert motions.shape == (len(driving_kp.value), 11, 16, 16, 2)
    assert candidates.shape == (len(driving_kp.value), 44, 16, 16)
    by_candidate = candidates.view(-1, 11, 4, 16, 16)
    stored = golden.arrays["rel_scale/sparse_deformed_last"]
    assert difference(by_candidate[-1:, :, 1:], stored) <= TOLERANCE
    assert not by_candidate[:, 0, 0].any()
    ways = np.linspace(-1, 1, 16)
    heat = [
        np.exp(-50 * ((ways - x) ** 2 + (ways[:, None] - y) ** 2))
        for value in (driving_kp.value[-1], source_kp.value[0])
        for x, y in value.tolist()
    ]
    expected = np.subtract(heat[:10], heat[10:])
    assert difference(by_candidate[-1, 1:, 0], expected) <= TOLERANCE


def test_grid_and_heat_reach_from_border_to_border() -> None:
    grid = coordinate_grid(3, 5, torch.zeros(1))
    assert grid.dtype == torch.float32
    assert difference(grid[..., 0], [[-1, -0.5, 0, 0.5, 1]] * 3) == 0
    assert difference(grid[..., 1].T, [[-1, 0, 1]] * 5) == 0
    heat = heat_maps(torch.tensor([[[1.0, -1.0]]]), 3, 5, variance=0.5)
    assert float(heat[0, 0, 0, 4]) == 1.0
    assert float(heat[0, 0, 0, 3]) == pytest.approx(np.exp(-0.25))


def test_singular_driving_jacobians_are_inverted_as_far_as_they_can_be() -> None:
    golden = networks("fomm_tiny")
    source, driving = golden.keypoints("kp_source"), golden.keypoints("rel_scale/kp_norm")
    assert source.jacobian is not None
    assert driving.jacobian is not None
    jacobian = driving.jacobian.clone()
    jacobian[1, 2] = 0
    jacobian[1, 3] = torch.tensor([[1.0, 2.0], [2.0, 4.0]])
    usual = sparse_motions(source, driving, 16, 16)
    found = sparse_motions(source, KeypointTensors(driving.value, jacobian), 16, 16)
    changed = (found - usual).flatten(2).abs().amax(2) > 0
    assert changed.nonzero().tolist() == [[1, 3], [1, 4]]
    # A map that takes all to one point brings back that point alone.
    assert difference(found[1, 3], source.value[0, 2].expand(16, 16, 2)) <= TOLERANCE
    inverse = np.linalg.pinv(np.array([[1.0, 2.0], [2.0, 4.0]]))
    offsets = (coordinate_grid(16, 16, jacobian) - driving.value[1, 3]).numpy()
    expected = offsets @ (source.jacobian[0, 3].numpy() @ inverse).T + source.value[0, 3].numpy()
    assert difference(found[1, 4], expected) <= TOLERANCE


def test_jacobian_that_is_not_a_number_raises_no_error_and_spoils_no_other() -> None:
    golden = networks("fomm_tiny")
    source, driving = golden.keypoints("kp_source"), golden.keypoints("rel_scale/kp_norm")
    assert driving.jacobian is not None
    jacobian = driving.jacobian.clone()
    jacobian[1, 2], jacobian[1, 3] = torch.nan, 0
    found = sparse_motions(source, KeypointTensors(driving.value, jacobian), 16, 16)
    assert found.isnan().flatten(2).any(2).nonzero().tolist() == [[1, 3]]


# --- the generator --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "mode"), [case for case in CASES if case[0] != "fomm_vox"])
def test_prediction(name: str, mode: str) -> None:
    expected = networks(name).arrays[f"{mode}/prediction"]
    assert difference(plain_stages(name, mode).prediction, expected) <= TOLERANCE


@pytest.mark.parametrize("mode", ["rel_scale", "abs"])
def test_prediction_of_vox(mode: str) -> None:
    arrays = networks("fomm_vox").arrays
    for key, array in vox_parts(plain_stages("fomm_vox", mode).prediction).items():
        expected = arrays[f"{mode}/{key}"]
        assert difference(array[-len(expected) :], expected) <= TOLERANCE, key


# --- align_corners --------------------------------------------------------------------------------


def sampled_by_hand(
    picture: npt.NDArray[np.float64], grid: npt.NDArray[np.float64], *, align_corners: bool
) -> npt.NDArray[np.float64]:
    """(C, h, w) at (H, W, 2), pixel by pixel; zeros outside."""
    _, height, width = picture.shape
    result = np.zeros((len(picture), *grid.shape[:2]))
    for row, column in np.ndindex(grid.shape[:2]):
        x, y = (grid[row, column] + 1) / 2
        x, y = (
            (x * (width - 1), y * (height - 1))
            if align_corners
            else (x * width - 0.5, y * height - 0.5)
        )
        for i, j in np.ndindex(2, 2):
            near_x, near_y = int(np.floor(x)) + i, int(np.floor(y)) + j
            if 0 <= near_x < width and 0 <= near_y < height:
                share = (1 - abs(x - near_x)) * (1 - abs(y - near_y))
                result[:, row, column] += share * picture[:, near_y, near_x]
    return result


@pytest.mark.parametrize("align_corners", [False, True])
def test_pictures_are_sampled_as_by_hand(*, align_corners: bool) -> None:
    random = np.random.default_rng(0)
    picture, grid = random.random((1, 3, 5, 7)), random.uniform(-1.2, 1.2, (2, 4, 6, 2))
    found = sampled(torch.from_numpy(picture), torch.from_numpy(grid), align_corners)
    expected = [sampled_by_hand(picture[0], one, align_corners=align_corners) for one in grid]
    assert difference(found, expected) < 1e-12


def test_aligned_generator_samples_the_source_and_its_features_so() -> None:
    tiny = networks("fomm_tiny", align_corners=True)
    source_kp, driving_kp = tiny.keypoints("kp_source"), tiny.keypoints("rel_scale/kp_norm")
    encoded = tiny.generator.encode(tiny.source)
    network = tiny.generator.dense_motion_network
    _, candidates = network.candidates(encoded.small, source_kp, driving_kp, align_corners=True)
    # Aligned, the background is a pure copy.
    assert difference(candidates[0, 1:4], encoded.small[0]) <= TOLERANCE
    found = tiny.generator.motion(encoded, source_kp, driving_kp)
    expected: DenseMotion = network(encoded.small, source_kp, driving_kp, align_corners=True)
    assert torch.equal(found.deformation, expected.deformation)
    moved = sampled_by_hand(
        encoded.features[0].double().numpy(),
        found.deformation[0].double().numpy(),
        align_corners=True,
    )
    assert found.occlusion_map is not None
    expected_features = moved * found.occlusion_map[0].double().numpy()
    assert difference(tiny.generator.warped(encoded, found)[0], expected_features) <= TOLERANCE


def test_aligned_prediction_differs_as_much_as_the_specification_says() -> None:
    aligned = networks("fomm_tiny", align_corners=True)
    found = stages_of(aligned.generator, aligned, "rel_scale").prediction
    error = (found - plain_stages("fomm_tiny", "rel_scale").prediction).abs()
    assert float(error.mean()) == pytest.approx(0.023, abs=1e-3)
    assert float(error.max()) > 0.1


def test_motion_is_enlarged_without_aligning_in_either_case() -> None:
    down1 = networks("fomm_tiny_down1", align_corners=True)
    chance = torch.Generator().manual_seed(0)
    source = EncodedSource(torch.rand(1, 16, 32, 32, generator=chance), torch.zeros(1, 3, 16, 16))
    small = coordinate_grid(16, 16, source.small) + 0.1 * torch.rand(2, 16, 16, 2, generator=chance)
    hidden = torch.rand(2, 1, 16, 16, generator=chance)
    found = down1.generator.warped(source, DenseMotion(small, torch.ones(2, 11, 16, 16), hidden))
    larger = functional.interpolate(small.permute(0, 3, 1, 2), scale_factor=2, mode="bilinear")
    moved = functional.grid_sample(
        source.features.expand(2, -1, -1, -1), larger.permute(0, 2, 3, 1), align_corners=True
    )
    expected = moved * functional.interpolate(hidden, scale_factor=2, mode="bilinear")
    assert difference(found, expected) <= TOLERANCE
