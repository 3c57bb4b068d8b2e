"""LivePortrait's weight files: both layouts are loaded, and every bad one is one sentence."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra neural is not installed")
pytest.importorskip("safetensors", reason="the extra neural is not installed")

import torch
from safetensors.torch import save_file
from torch import Tensor

from inference.liveportrait.files import APPEARANCE, FILES, GENERATOR, MOTION, RETARGETING, WARPING
from inference.liveportrait.loading import _fill
from inference.liveportrait.retargeting import WIDTHS, Retargeting
from inference.weights.store import WeightsStore
from jobs.weights_errors import WeightsCorrupt, WeightsError, WeightsMissing
from tests.liveportrait_recipe import fill, shapes
from tests.liveportrait_weights import RETARGETING as PARTS

State = dict[str, Tensor]
Content = dict[str, State]


def content() -> Content:
    """The smallest of the five files."""
    wanted = shapes()
    return {
        name: {key: torch.from_numpy(value) for key, value in fill(part, wanted[part]).items()}
        for part, name in PARTS.items()
    }


def loaded(folder: Path) -> dict[str, Retargeting]:
    """The networks of that file in a folder."""
    store = WeightsStore(folder, say=lambda _: None)
    path = store.checkpoint(folder / RETARGETING, may_fetch=False)
    networks = {name: Retargeting(widths) for name, widths in WIDTHS.items()}
    _fill(networks, path)
    return networks


def refusal(folder: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_right(networks: dict[str, Retargeting]) -> None:
    for name, state in content().items():
        for key, value in state.items():
            assert torch.equal(networks[name].state_dict()[key], value), f"{name}.{key}"


def test_pickle_is_loaded(tmp_path: Path) -> None:
    parallel = {
        name: {f"module.{key}": value for key, value in state.items()}
        for name, state in content().items()
    }
    torch.save(parallel, tmp_path / RETARGETING)
    assert_right(loaded(tmp_path))


def test_safetensors_file_stands_for_the_pickle_of_its_name(tmp_path: Path) -> None:
    flat = {
        f"{name}.{key}": value for name, state in content().items() for key, value in state.items()
    }
    path = tmp_path / RETARGETING.replace(".pth", ".safetensors")
    store = WeightsStore(tmp_path)
    assert not store.has_checkpoint(tmp_path / RETARGETING)
    save_file(flat, path)
    assert store.has_checkpoint(tmp_path / RETARGETING)
    assert_right(loaded(tmp_path))
    path.write_bytes(path.read_bytes()[:-9])
    path.touch()
    assert not store.has_checkpoint(tmp_path / RETARGETING)
    assert "damaged" in refusal(tmp_path)


def without_a_key(states: Content) -> None:
    del states["retarget_eye"]["mlp.4.bias"]


def with_another_key(states: Content) -> None:
    states["retarget_mouth"]["mlp.8.bias"] = torch.ones(3)


def of_another_shape(states: Content) -> None:
    states["retarget_shoulder"]["mlp.0.weight"] = torch.ones(128, 127)


def not_a_number(states: Content) -> None:
    states["retarget_mouth"]["mlp.6.bias"][5] = torch.nan


def without_a_network(states: Content) -> None:
    del states["retarget_eye"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_a_key, "retarget_eye.mlp.4.bias is missing in it"),
        (with_another_key, "retarget_mouth.mlp.8.bias has no place in LivePortrait"),
        (of_another_shape, "mlp.0.weight is 128 x 127 in it and 128 x 126 in LivePortrait"),
        (not_a_number, "retarget_mouth.mlp.6.bias contains NaN or infinity"),
        (without_a_network, "the key retarget_eye is missing"),
    ],
)
def test_bad_content_is_named(
    tmp_path: Path, change: Callable[[Content], None], words: str
) -> None:
    states = content()
    change(states)
    torch.save(states, tmp_path / RETARGETING)
    assert words in refusal(tmp_path)


def test_another_file_half_a_file_and_a_web_page_are_told(tmp_path: Path) -> None:
    path = tmp_path / RETARGETING
    torch.save(content()["retarget_eye"], path)
    assert "the key retarget_shoulder is missing" in refusal(tmp_path)
    torch.save(content(), path)
    path.write_bytes(path.read_bytes()[:100_000])
    assert "it is incomplete; download it again" in refusal(tmp_path)
    path.write_text("<html>Quota exceeded</html>", "utf-8")
    assert "it is a web page, not weights" in refusal(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_missing_file_names_the_command(tmp_path: Path, name: str) -> None:
    store = WeightsStore(tmp_path)
    assert not store.has_checkpoint(tmp_path / name)
    with pytest.raises(WeightsMissing, match=r"`animato weights fetch liveportrait-\w+`"):
        store.checkpoint(tmp_path / name, may_fetch=False)


@pytest.mark.parametrize("name", [APPEARANCE, MOTION, WARPING, GENERATOR])
def test_plain_state_dict_is_converted_whole(tmp_path: Path, name: str) -> None:
    state = {"module.a.weight": torch.ones(2, 3), "a.num_batches_tracked": torch.tensor(1)}
    torch.save(state, tmp_path / name)
    store = WeightsStore(tmp_path, say=lambda _: None)
    path = store.convert(tmp_path / name)
    with pytest.raises(WeightsCorrupt, match=r"network has no place|a.weight has no place"):
        _fill({"network": torch.nn.Sequential()}, path)
    torch.save({"a.weight": torch.tensor([1.0, np.inf])}, tmp_path / name)
    with pytest.raises(WeightsCorrupt, match=r": a\.weight contains NaN or infinity"):
        store.convert(tmp_path / name)
