"""The networks as they are run equal the plain ones: whole, and piece by piece.

Tolerances are the specification's; each piece alone is held to less.
"""

from functools import cache

import pytest

pytest.importorskip("torch", reason="the extra neural is not installed")

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.fomm.accelerated import (
    ColumnConv,
    TransposedUpBlock,
    WinogradBottleneck,
    WinogradResBlock,
    accelerated_detector,
    accelerated_generator,
)
from inference.fomm.coordinates import KeypointTensors
from inference.fomm.generator import Generator
from inference.neural.blocks import ResBlock, UpBlock, doubled
from inference.neural.fourier_conv import FourierConv
from inference.neural.picture_conv import (
    AFTER_QUADRUPLED,
    DOUBLED,
    QUADRUPLED,
    WINOGRAD,
    DirectConv,
    TiledConv,
    Tiling,
    VolumeConv,
    is_worth_it,
)
from inference.neural.precision import computes_in_bfloat16
from tests.conftest import Require
from tests.parity.golden_recipe import GOLDENS
from tests.parity.networks import (
    CASES,
    Stages,
    difference,
    filled,
    networks,
    plain_stages,
    psnr_db,
    stages_of,
    vox_parts,
    with_changes,
)

TINY_TOLERANCE, VOX_TOLERANCE = 5e-5, 3e-4
KEYPOINT_TOLERANCE = 1e-5
TINY_CASES = [case for case in CASES if case[0] != "fomm_vox"]


@cache
def fast_stages(name: str, mode: str, dtype: torch.dtype) -> Stages:
    """What the accelerated generator makes of a golden."""
    fast = accelerated_generator(networks(name).generator, dtype, uses_winograd=True)
    return stages_of(fast, networks(name), mode)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def relative(found: Tensor, expected: Tensor) -> float:
    """The largest difference, as a share of the largest number."""
    return difference(found, expected) / float(expected.abs().max())


# --- whole networks -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOLDENS)
def test_accelerated_detector_finds_the_published_keypoints(name: str) -> None:
    golden = networks(name)
    with torch.inference_mode():
        found: KeypointTensors = accelerated_detector(golden.detector)(golden.driving)
    expected = golden.keypoints("kp_driving")
    assert found.value.dtype == torch.float32
    assert difference(found.value, expected.value) <= KEYPOINT_TOLERANCE
    assert (found.jacobian is None) == (expected.jacobian is None)
    if found.jacobian is not None and expected.jacobian is not None:
        assert difference(found.jacobian, expected.jacobian) <= KEYPOINT_TOLERANCE


@pytest.mark.parametrize(("name", "mode"), TINY_CASES)
def test_accelerated_prediction(name: str, mode: str) -> None:
    expected = networks(name).arrays[f"{mode}/prediction"]
    found = fast_stages(name, mode, torch.float32)
    assert difference(found.prediction, expected) <= TINY_TOLERANCE


def test_accelerated_prediction_of_vox() -> None:
    arrays = networks("fomm_vox").arrays
    found = fast_stages("fomm_vox", "rel_scale", torch.float32)
    assert difference(found.motion.deformation[-1:], arrays["rel_scale/deformation_last"]) <= 1e-5
    for key, array in vox_parts(found.prediction).items():
        assert difference(array, arrays[f"rel_scale/{key}"]) <= VOX_TOLERANCE, key
    plain = plain_stages("fomm_vox", "rel_scale").prediction
    assert difference(found.prediction, plain) <= VOX_TOLERANCE


def test_bfloat16_prediction_of_vox_looks_the_same(require_hardware: Require) -> None:
    require_hardware(computes_in_bfloat16(), "this processor does not compute in bfloat16")
    found = fast_stages("fomm_vox", "rel_scale", torch.bfloat16)
    plain = plain_stages("fomm_vox", "rel_scale")
    assert psnr_db(found.prediction, plain.prediction) >= 40
    # Else it would not be bfloat16 that was measured.
    assert difference(found.prediction, plain.prediction) > 10 * VOX_TOLERANCE
    # A quarter of a pixel at 64 px; made of a mask alone that is in 16 bits.
    assert difference(found.motion.deformation, plain.motion.deformation) < 0.5 / 64


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("name", "mode"), TINY_CASES)
def test_all_variants_run_in_16_bits_and_sample_in_32(
    name: str, mode: str, dtype: torch.dtype
) -> None:
    found, plain = fast_stages(name, mode, dtype), plain_stages(name, mode)
    assert found.motion.deformation.dtype == torch.float32
    assert found.moved.dtype == found.prediction.dtype == torch.float32
    assert psnr_db(found.prediction, plain.prediction) >= 45
    assert difference(found.prediction, plain.prediction) > TINY_TOLERANCE


def test_acceleration_leaves_the_plain_networks_alone() -> None:
    tiny = networks("fomm_tiny")
    before = {key: tensor.clone() for key, tensor in tiny.generator.state_dict().items()}
    accelerated_generator(tiny.generator, torch.bfloat16, uses_winograd=True)
    accelerated_detector(tiny.detector)
    after = tiny.generator.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], tensor) for key, tensor in before.items())
    assert (
        difference(tiny.detector(tiny.source).value, tiny.arrays["kp_source/value"])
        <= KEYPOINT_TOLERANCE
    )


# --- piece by piece -------------------------------------------------------------------------------


@cache
def wide() -> Generator:
    """A small generator whose bottleneck is just wide enough for Winograd's convolutions."""
    generator = Generator(
        with_changes("fomm_tiny", generator={"block_expansion": 32, "max_features": 64})
    ).eval()
    filled(generator, "generator", "wide")
    return generator


@pytest.mark.parametrize("uses_winograd", [False, True])
def test_every_piece_of_the_generator_makes_what_the_plain_one_makes(
    *, uses_winograd: bool
) -> None:
    plain = wide()
    fast = accelerated_generator(plain, torch.float32, uses_winograd=uses_winograd)
    assert isinstance(fast.bottleneck, WinogradBottleneck) == uses_winograd
    assert isinstance(fast.final, ColumnConv)
    assert all(isinstance(block, TransposedUpBlock) for block in fast.up_blocks)
    sizes = {
        "first": (1, 3, 32, 24),
        "down_blocks.0": (1, 32, 16, 12),
        "down_blocks.1": (2, 64, 16, 12),
        "bottleneck": (3, 64, 12, 8),
        "up_blocks.0": (2, 64, 8, 6),
        "up_blocks.1": (2, 64, 16, 12),
        "final": (2, 32, 20, 24),
        "dense_motion_network.hourglass": (2, 44, 16, 16),
    }
    for name, size in sizes.items():
        x = torch.randn(size, generator=chance())
        with torch.inference_mode():
            expected = plain.get_submodule(name)(x)
            found = fast.get_submodule(name)(x)
        assert relative(found, expected) <= 1e-5, name


def test_no_norm_is_left_where_one_can_be_folded() -> None:
    tiny = networks("fomm_tiny")
    fast = accelerated_generator(tiny.generator, torch.float32, uses_winograd=False)
    norms = [name for name, part in fast.named_modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms == ["bottleneck.1.r0.norm1", "bottleneck.1.r1.norm1"]
    detector = accelerated_detector(tiny.detector)
    assert not [part for part in detector.modules() if isinstance(part, nn.BatchNorm2d)]


@pytest.mark.parametrize(("in_features", "out_features"), [(1, 1), (5, 3), (24, 16)])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (6, 5), (16, 16)])
def test_up_block_as_one_transposed_convolution(
    in_features: int, out_features: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    block = UpBlock(in_features, out_features)
    block.norm = nn.Identity()
    x = torch.randn(2, in_features, *size, generator=chance())
    with torch.inference_mode():
        expected = block(x)
        found = TransposedUpBlock(block)(x)
    assert found.shape == (2, out_features, 2 * size[0], 2 * size[1])
    assert difference(found, expected) <= 1e-5


@pytest.mark.parametrize(("channels", "out", "kernel"), [(8, 3, 7), (5, 1, 3), (3, 4, 5)])
@pytest.mark.parametrize("size", [(1, 1), (7, 13), (32, 20)])
def test_last_convolution_column_by_column(
    channels: int, out: int, kernel: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2)
    x = torch.randn(2, channels, *size, generator=chance())
    with torch.inference_mode():
        assert difference(ColumnConv(conv)(x), conv(x)) <= 1e-5


@pytest.mark.parametrize("size", [(2, 16, 16), (5, 32, 48)])
def test_convolution_by_spectra(size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    conv = nn.Conv3d(5, 3, 7, padding=3)
    x = torch.randn(2, 5, *size, generator=chance())
    with torch.inference_mode():
        assert difference(FourierConv(conv)(x), conv(x)) <= 1e-5


@pytest.mark.parametrize("tiling", [WINOGRAD, DOUBLED, None])
def test_convolution_of_volumes_as_convolutions_of_pictures(tiling: Tiling | None) -> None:
    torch.manual_seed(0)
    conv = nn.Conv3d(7, 5, 3, padding=1)

    def make(flat: nn.Conv2d) -> nn.Module:
        if tiling is None:
            return DirectConv(flat, torch.float32)
        return TiledConv(flat, torch.float32, tiling)

    x = torch.randn(1, 7, 6, 8, 12, generator=chance())
    with torch.inference_mode():
        found = VolumeConv(conv, make)(x[0].permute(1, 2, 3, 0)).permute(3, 0, 1, 2)[None]
        expected = conv(doubled(x) if tiling is DOUBLED else x).relu()
    assert difference(found, expected) <= 1e-5


WINOGRAD_SIZES = [(4, 4), (4, 68), (68, 4), (12, 20), (36, 40), (64, 64)]


@pytest.mark.parametrize(("in_features", "out_features"), [(1, 1), (7, 13), (65, 33)])
@pytest.mark.parametrize("size", WINOGRAD_SIZES)
def test_winograd_convolution(in_features: int, out_features: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(in_features, out_features, 3, padding=1)
    picture = torch.randn(*size, in_features, generator=chance())
    with torch.inference_mode():
        expected = conv(picture.permute(2, 0, 1)[None])[0].permute(1, 2, 0)
        found = TiledConv(conv, torch.float32)(picture[None])[0]
        rough = TiledConv(conv, torch.bfloat16)(picture[None])[0]
    assert found.dtype == rough.dtype == torch.float32
    assert found.is_contiguous()
    assert relative(found, expected) <= 1e-4
    # The products' 8 bits, grown by the transforms.
    assert 1e-3 < relative(rough, expected) < 0.15


def test_winograd_takes_only_convolutions_that_it_can_do_and_that_gain() -> None:
    assert is_worth_it(nn.Conv2d(64, 64, 3, padding=1))
    assert not is_worth_it(nn.Conv2d(64, 31, 3, padding=1))
    assert not is_worth_it(nn.Conv2d(63, 64, 3, padding=1))
    assert not is_worth_it(nn.Conv2d(64, 64, 5, padding=1))
    assert not is_worth_it(nn.Conv2d(64, 64, 3))
    assert not is_worth_it(nn.Conv2d(64, 64, 3, padding=1, stride=2))


def test_winograd_residual_block_with_and_without_its_bottleneck() -> None:
    block = wide().bottleneck.get_submodule("r0")
    assert isinstance(block, ResBlock)
    fast = accelerated_generator(wide(), torch.float32, uses_winograd=True)
    inner = fast.bottleneck.get_submodule("blocks.0")
    assert isinstance(inner, WinogradResBlock)
    x = torch.randn(1, 64, 16, 8, generator=chance())
    picture = x[0].permute(1, 2, 0).contiguous()
    with torch.inference_mode():
        before = picture.clone()
        found = inner(picture[None])[0]
        expected = block(x)[0].permute(1, 2, 0)
    assert relative(found, expected) <= 1e-4
    assert torch.equal(picture, before)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (40, 24)])
def test_tiled_convolutions_of_enlarged_pictures(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    first, second = nn.Conv2d(7, 13, 3, padding=1), nn.Conv2d(13, 5, 3, padding=1)
    x = torch.randn(2, 7, *size, generator=chance())
    pictures = x.permute(0, 2, 3, 1)
    with torch.inference_mode():
        doubled = first(functional.interpolate(x, scale_factor=2))
        found = TiledConv(first, torch.float32, DOUBLED)(pictures)
        assert difference(found.permute(0, 3, 1, 2), doubled) <= 1e-5
        quadrupled = first(functional.interpolate(x, scale_factor=4))
        distinct = TiledConv(first, torch.float32, QUADRUPLED)(pictures)
        found = TiledConv(second, torch.float32, AFTER_QUADRUPLED)(distinct)
        expected = second(quadrupled)
    rows, columns = (
        [4 * index + part for index in range(side) for part in (0, 1, 3)] for side in size
    )
    assert difference(distinct.permute(0, 3, 1, 2), quadrupled[:, :, rows][..., columns]) <= 1e-5
    assert relative(found.permute(0, 3, 1, 2), expected) <= 1e-4
