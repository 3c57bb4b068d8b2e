"""Config and checkpoint together: the published pair is loaded, and every other is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("torch", reason="the extra neural is not installed")
pytest.importorskip("safetensors", reason="the extra neural is not installed")

import torch
from torch import Tensor

from inference.fomm.loading import load_networks
from inference.weights.catalogue import digests_of
from inference.weights.checkpoint_file import (
    Checkpoint,
    Origin,
    read_checkpoint,
    write_converted,
)
from jobs.errors import BrokenConfig, FileMissing
from jobs.weights_errors import WeightsCorrupt, WeightsMismatch
from tests.parity.golden_recipe import GOLDENS
from tests.parity.networks import TINY, difference, model_params, networks

State = dict[str, Tensor]
Parts = dict[str, dict[str, Any]]


def config_file(folder: Path, name: str = "fomm_tiny", changes: Parts | None = None) -> Path:
    """The config of a golden, with options changed by section."""
    changes = changes or {}
    parts = {key: {**part, **changes.get(key, {})} for key, part in GOLDENS[name].config.items()}
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({"model_params": model_params(parts)}), "utf-8")
    return path


def states(name: str = "fomm_tiny") -> dict[str, State]:
    """Both networks' weights, with all that a checkpoint has of them."""
    golden = networks(name)
    return {
        "generator": dict(golden.generator.state_dict()),
        "kp_detector": dict(golden.detector.state_dict()),
    }


def converted(folder: Path, content: dict[str, State]) -> Path:
    """A converted file with exactly these weights."""
    path = folder / "tiny.safetensors"
    origin = Origin(name="tiny.pth.tar", size_bytes=1, mtime_ns=1, sha256="0" * 64, md5="0" * 32)
    write_converted(Checkpoint(content, origin.sha256), path, origin)
    return path


def assert_loads(config: Path, checkpoint: Path, name: str = "fomm_tiny") -> None:
    """The networks in there are the golden's."""
    detector, generator, _ = load_networks(config, checkpoint)
    assert not detector.training
    assert not generator.training
    expected = networks(name)
    for network, own in ((detector, expected.detector), (generator, expected.generator)):
        own_state = own.state_dict()
        assert network.state_dict().keys() == own_state.keys()
        for key, tensor in network.state_dict().items():
            assert torch.equal(tensor, own_state[key]), key


def refusal(config: Path, content: dict[str, State]) -> str:
    """The one sentence that loading these weights ends in."""
    with pytest.raises(WeightsMismatch) as caught:
        load_networks(config, converted(config.parent, content))
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.startswith("tiny.safetensors does not belong to tiny.yaml: ")
    return sentence


# --- what is loaded -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TINY)
def test_every_variant_is_loaded(tmp_path: Path, name: str) -> None:
    assert_loads(config_file(tmp_path, name), converted(tmp_path, states(name)), name)


def test_published_checkpoint_gives_the_published_prediction(tmp_path: Path) -> None:
    content = {
        net: {f"module.{key}": tensor for key, tensor in state.items()}
        for net, state in states().items()
    }
    published = tmp_path / "tiny.pth.tar"
    torch.save(
        {**content, "discriminator": {}, "optimizer_generator": {"state": {}}, "epoch": 99},
        published,
        _use_new_zipfile_serialization=False,
    )
    digests, path = digests_of(published), tmp_path / "tiny.safetensors"
    write_converted(read_checkpoint(published), path, Origin.of(published, digests))
    detector, generator, sha256 = load_networks(config_file(tmp_path), path)
    assert sha256 == digests.sha256
    tiny = networks("fomm_tiny")
    with torch.inference_mode():
        source_kp, source = detector(tiny.source), generator.encode(tiny.source)
        prediction = generator(source, source_kp, tiny.keypoints("rel_scale/kp_norm"))
    assert difference(prediction, tiny.arrays["rel_scale/prediction"]) <= 1e-5


def test_kernels_and_counts_may_be_missing(tmp_path: Path) -> None:
    optional = ("down.weight", "num_batches_tracked")
    content = {
        net: {key: tensor for key, tensor in state.items() if not key.endswith(optional)}
        for net, state in states().items()
    }
    assert_loads(config_file(tmp_path), converted(tmp_path, content))


def test_kernel_of_the_checkpoint_is_used_where_it_has_one(tmp_path: Path) -> None:
    content = states()
    kernel = torch.full_like(content["kp_detector"]["down.weight"], 0.5)
    content["kp_detector"]["down.weight"] = kernel
    detector, _, _ = load_networks(config_file(tmp_path), converted(tmp_path, content))
    assert torch.equal(detector.state_dict()["down.weight"], kernel)


@pytest.mark.parametrize("align_corners", [False, True])
def test_option_reaches_the_generator(tmp_path: Path, *, align_corners: bool) -> None:
    paths = config_file(tmp_path), converted(tmp_path, states())
    _, generator, _ = load_networks(*paths, align_corners=align_corners)
    assert generator.align_corners is align_corners


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "key"),
    [
        ("generator", "bottleneck.r1.conv2.weight"),
        ("generator", "dense_motion_network.mask.bias"),
        ("generator", "first.norm.running_mean"),
        ("kp_detector", "kp.weight"),
        ("kp_detector", "jacobian.bias"),
    ],
)
def test_missing_key_is_named(tmp_path: Path, net: str, key: str) -> None:
    content = states()
    del content[net][key]
    assert f": {net}.{key} is missing in it. " in refusal(config_file(tmp_path), content)


@pytest.mark.parametrize("net", ["generator", "kp_detector"])
def test_left_over_key_is_named(tmp_path: Path, net: str) -> None:
    content = states()
    content[net]["attention.weight"] = torch.ones(1)
    sentence = refusal(config_file(tmp_path), content)
    assert f": {net}.attention.weight has no place in the config. " in sentence


def test_key_of_another_shape_is_named_with_both_shapes(tmp_path: Path) -> None:
    content = states()
    content["generator"]["final.weight"] = torch.ones(3, 8, 5, 5)
    sentence = refusal(config_file(tmp_path), content)
    assert ": generator.final.weight is 3 x 8 x 5 x 5 in it and 3 x 8 x 7 x 7 in the config. " in (
        sentence
    )


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"common": {"num_kp": 15}}, "generator.dense_motion_network."),
        ({"common": {"estimate_jacobian": False}}, "kp_detector.jacobian.bias has no place"),
        ({"kp_detector": {"single_jacobian_map": True}}, "kp_detector.jacobian.bias is 40 in it"),
        ({"kp_detector": {"scale_factor": 1.0}}, "kp_detector.down.weight has no place"),
        ({"kp_detector": {"scale_factor": 0.5}}, "kp_detector.down.weight is 3 x 1 x 13 x 13 in"),
        ({"kp_detector": {"num_blocks": 4}}, "kp_detector.predictor."),
        ({"generator": {"num_bottleneck_blocks": 3}}, "generator.bottleneck.r2."),
        ({"generator": {"num_bottleneck_blocks": 1}}, "generator.bottleneck.r1."),
        ({"generator": {"num_down_blocks": 3}}, "generator.down_blocks.2."),
        ({"generator": {"block_expansion": 16}}, "generator."),
        (
            {"generator": {"estimate_occlusion_map": False}},
            "generator.dense_motion_network.occlusion.bias has no place",
        ),
    ],
)
def test_config_of_other_networks_is_told_by_a_key(
    tmp_path: Path, changes: Parts, named: str
) -> None:
    sentence = refusal(config_file(tmp_path, changes=changes), states())
    assert f" does not belong to tiny.yaml: {named}" in sentence
    assert sentence.endswith(
        "Name the config that the weights were trained with (--config), or get the weights again."
    )


def test_weights_that_are_not_numbers_are_named(tmp_path: Path) -> None:
    content = states()
    content["generator"]["final.bias"] = torch.tensor([0.0, torch.nan, 0.0])
    path = converted(tmp_path, content)
    with pytest.raises(WeightsCorrupt) as caught:
        load_networks(config_file(tmp_path), path)
    assert str(path) in str(caught.value)
    assert "generator.final.bias contains NaN or infinity" in str(caught.value)


def test_missing_and_wrong_files_are_named(tmp_path: Path) -> None:
    config, checkpoint = config_file(tmp_path), converted(tmp_path, states())
    missing, wrong = tmp_path / "none", tmp_path / "wrong"
    wrong.write_text("[1, 2]", "utf-8")
    with pytest.raises(FileMissing, match="none"):
        load_networks(missing, checkpoint)
    with pytest.raises(FileMissing, match="none"):
        load_networks(config, missing)
    with pytest.raises(BrokenConfig, match="wrong"):
        load_networks(wrong, checkpoint)
    with pytest.raises(WeightsCorrupt, match="wrong"):
        load_networks(config, wrong)
