"""Configs: what is taken as published, and what is refused and how that is told."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from inference.fomm.config import FommConfig
from jobs.errors import BrokenConfig, FileMissing

SHIPPED = Path(__file__).parents[4] / "config" / "vox-256.yaml"

# As published configs are: most of their lines are about training.
PUBLISHED = """\
# comment: dataset
dataset_params:
  root_dir: data/vox-png
  frame_shape: [256, 256, 3]
  id_sampling: True
  pairs_list: data/vox256.csv
  augmentation_params:
    flip_param:
      horizontal_flip: True
      time_flip: True

model_params:
  common_params:
    num_kp: 10
    num_channels: 3
    estimate_jacobian: True
  kp_detector_params:
     temperature: 0.1
     block_expansion: 32
     max_features: 1024
     scale_factor: 0.25
     num_blocks: 5
  generator_params:
    block_expansion: 64
    max_features: 512
    num_down_blocks: 2
    num_bottleneck_blocks: 6
    estimate_occlusion_map: True
    dense_motion_params:
      block_expansion: 64
      max_features: 1024
      num_blocks: 5
      scale_factor: 0.25
  discriminator_params:
    scales: [1]
    block_expansion: 32
    max_features: 512
    num_blocks: 4
    sn: True

train_params:
  num_epochs: 100
  epoch_milestones: [60, 90]
  lr_generator: 2.0e-4
  loss_weights: {generator_gan: 0, perceptual: [10, 10, 10, 10, 10]}
reconstruction_params:
  num_videos: 1000
  format: '.mp4'
animate_params:
  normalization_params:
    adapt_movement_scale: False
visualizer_params:
  kp_size: 5
  draw_border: True
  colormap: 'gist_rainbow'
"""

HOURGLASSES = ["kp_detector_params", "generator_params.dense_motion_params"]


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "my.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def changed(folder: Path, place: str, value: object, **more: object) -> Path:
    """The published config with values of one section replaced; None takes the first one out."""
    data: dict[str, Any] = copy.deepcopy(yaml.safe_load(PUBLISHED))
    *sections, name = place.split(".")
    inner = data
    for section in sections:
        inner = inner[section]
    inner.update(more)
    if value is None:
        del inner[name]
    else:
        inner[name] = value
    return written(folder, yaml.safe_dump(data))


def refusal(path: Path) -> str:
    """The one sentence that loading this config ends in."""
    with pytest.raises(BrokenConfig) as caught:
        FommConfig.load(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.startswith("The config my.yaml cannot be used: ")
    return sentence


# --- what is taken --------------------------------------------------------------------------------


def test_published_config_is_taken_with_all_that_is_about_training(tmp_path: Path) -> None:
    config = FommConfig.load(written(tmp_path, PUBLISHED))
    assert config == FommConfig.load(SHIPPED)
    assert config.common_params.num_kp == 10
    assert config.generator_params.dense_motion_params.max_features == 1024


def test_options_that_few_configs_name_have_the_published_defaults(tmp_path: Path) -> None:
    config = FommConfig.load(written(tmp_path, PUBLISHED))
    assert config.kp_detector_params.single_jacobian_map is False
    assert config.kp_detector_params.pad == 0
    assert config.generator_params.dense_motion_params.kp_variance == 0.01
    for place in ("kp_detector_params", "generator_params.dense_motion_params"):
        path = changed(tmp_path, f"model_params.{place}.scale_factor", None)
        assert FommConfig.load(path) != config
    path = changed(tmp_path, "model_params.generator_params.estimate_occlusion_map", None)
    assert FommConfig.load(path).generator_params.estimate_occlusion_map is False


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("common_params.num_kp", 15),
        ("common_params.estimate_jacobian", False),
        ("kp_detector_params.single_jacobian_map", True),
        ("kp_detector_params.pad", 3),
        ("kp_detector_params.scale_factor", 0.5),
        ("kp_detector_params.scale_factor", 1),
        ("kp_detector_params.num_blocks", 6),
        ("kp_detector_params.block_expansion", 1024),
        ("generator_params.num_down_blocks", 3),
        ("generator_params.num_down_blocks", 6),
        ("generator_params.max_features", 64),
        ("generator_params.num_bottleneck_blocks", 0),
        ("generator_params.estimate_occlusion_map", False),
        ("generator_params.dense_motion_params.kp_variance", 0.02),
        ("generator_params.dense_motion_params.scale_factor", 0.125),
        ("generator_params.dense_motion_params.num_blocks", 6),
    ],
)
def test_networks_of_other_shapes_are_described_too(
    tmp_path: Path, place: str, value: float
) -> None:
    config: Any = FommConfig.load(changed(tmp_path, f"model_params.{place}", value))
    for name in place.split("."):
        config = getattr(config, name)
    assert config == value


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        "common_params",
        "common_params.num_kp",
        "kp_detector_params",
        "kp_detector_params.temperature",
        "kp_detector_params.num_blocks",
        "generator_params",
        "generator_params.num_down_blocks",
        "generator_params.dense_motion_params",
        "generator_params.dense_motion_params.max_features",
    ],
)
def test_missing_name_is_told_with_its_place(tmp_path: Path, place: str) -> None:
    sentence = refusal(changed(tmp_path, f"model_params.{place}", None))
    assert sentence.endswith(f"model_params.{place}: field required.")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("common_params.num_kp", 0),
        ("common_params.num_kp", 65),
        ("common_params.num_kp", "ten"),
        ("common_params.num_kp", 10.5),
        ("common_params.num_channels", 4),
        ("common_params.estimate_jacobian", "perhaps"),
        ("common_params", [1, 2]),
        ("kp_detector_params.temperature", 0),
        ("kp_detector_params.temperature", float("inf")),
        ("kp_detector_params.temperature", float("nan")),
        ("kp_detector_params.block_expansion", -8),
        ("kp_detector_params.max_features", 10**9),
        ("kp_detector_params.pad", 4),
        ("kp_detector_params.scale_factor", 2),
        ("kp_detector_params.scale_factor", 0),
        ("kp_detector_params.scale_factor", 1e-9),
        ("generator_params.num_down_blocks", 0),
        ("generator_params.num_down_blocks", {}),
        ("generator_params.num_down_blocks", 7),
        ("generator_params.num_bottleneck_blocks", -1),
        ("generator_params.dense_motion_params.num_blocks", 9),
        ("generator_params.dense_motion_params.kp_variance", -0.01),
        ("generator_params.dense_motion_params.kp_variance", float("inf")),
    ],
)
def test_value_that_cannot_be_used_is_told_with_its_place(
    tmp_path: Path, place: str, value: object
) -> None:
    assert f"model_params.{place}: " in refusal(changed(tmp_path, f"model_params.{place}", value))


@pytest.mark.parametrize("place", HOURGLASSES)
@pytest.mark.parametrize("scale", [0.3, 0.75, 0.2501])
def test_scale_that_is_not_one_over_a_whole_number_is_named(
    tmp_path: Path, place: str, scale: float
) -> None:
    sentence = refusal(changed(tmp_path, f"model_params.{place}.scale_factor", scale))
    reason = f"a scale_factor of {scale} is not one over a whole number"
    assert sentence.endswith(f"model_params.{place}: {reason}.")


@pytest.mark.parametrize("place", HOURGLASSES)
@pytest.mark.parametrize("step", [3, 5, 7, 12, 31])
def test_scale_that_leaves_a_part_of_a_pixel_is_named(
    tmp_path: Path, place: str, step: int
) -> None:
    sentence = refusal(changed(tmp_path, f"model_params.{place}.scale_factor", 1 / step))
    reason = f"a scale_factor of {1 / step} does not divide 256 px evenly"
    assert sentence.endswith(f"model_params.{place}: {reason}.")


@pytest.mark.parametrize("place", HOURGLASSES)
@pytest.mark.parametrize(("step", "num_blocks"), [(2, 8), (4, 7), (8, 6), (32, 4)])
def test_more_blocks_than_a_picture_can_be_halved_are_named(
    tmp_path: Path, place: str, step: int, num_blocks: int
) -> None:
    def halved(count: int) -> Path:
        place_of_count = f"model_params.{place}.num_blocks"
        return changed(tmp_path, place_of_count, count, scale_factor=1 / step)

    FommConfig.load(halved(num_blocks - 1))
    reason = f"{256 // step} px cannot be halved evenly by num_blocks = {num_blocks}"
    assert refusal(halved(num_blocks)).endswith(f"model_params.{place}: {reason}.")


@pytest.mark.parametrize("place", [*HOURGLASSES, "generator_params"])
def test_first_layer_with_more_channels_than_any_may_have_is_named(
    tmp_path: Path, place: str
) -> None:
    sentence = refusal(changed(tmp_path, f"model_params.{place}.max_features", 8))
    assert f"model_params.{place}: a block_expansion of " in sentence
    assert sentence.endswith(" is more than max_features, 8.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "just words",
        "- a list",
        "42",
        "train_params: {}",
        "model_params:",
        "model_params: [1]",
    ],
)
def test_file_without_model_params_says_that(tmp_path: Path, text: str) -> None:
    assert refusal(written(tmp_path, text)).endswith("model_params is missing.")


@pytest.mark.parametrize(
    "text",
    [
        "model_params: {common_params: {num_kp: 10}",
        "model_params:\n\tcommon_params: 1",
        "a: b: c",
        "a: &x *y",
        "? {a: b}\n: c",
        "a: !!python/object/apply:os.system [ls]",
        "a: !!int words",
        "a: !!bool words",
        "a: !!timestamp words",
        "a: 2019-99-99",
        "a: " + "9" * 5000,
        "[" * 5000,
        b"a: \xff\xfe\xff",
        b"\x80\x02}q\x00.",
        b"PK\x03\x04\x00\x00\x08\x08",
    ],
    ids=lambda text: repr(text[:16]),
)
def test_file_that_is_no_yaml_says_that(tmp_path: Path, text: str | bytes) -> None:
    assert refusal(written(tmp_path, text)).endswith("it cannot be read as YAML text.")


def test_missing_file_and_folder_are_named_with_their_path(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(FileMissing) as caught:
            FommConfig.load(path)
        assert str(path) in str(caught.value)
