"""Checkpoints: what is taken over, what is refused and how that is told."""

import os
import pickle
import random
import tarfile
from pathlib import Path
from typing import Any

import pytest

from inference.extras import missing_neural
from inference.weights.catalogue import digests_of
from inference.weights.checkpoint_file import (
    FORMAT,
    Origin,
    check_converted,
    read_checkpoint,
    read_converted,
    read_origin,
    write_converted,
)
from jobs.errors import EmptyFile, FileMissing
from jobs.weights_errors import WeightsCorrupt, WeightsFolderRefused
from tests.conftest import Require
from tests.unit.inference.checkpoints import published, write_checkpoint


@pytest.fixture(autouse=True)
def neural(require: Require) -> None:
    require(not missing_neural(), "the extra neural is not installed")


def refusal(path: Path) -> str:
    """The one sentence that reading this file ends in."""
    with pytest.raises(WeightsCorrupt) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def converted(path: Path, **changes: Any) -> Path:
    """A converted file beside a published one."""
    write_checkpoint(path, **changes)
    target = path.with_suffix(".safetensors")
    write_converted(read_checkpoint(path), target, Origin.of(path, digests_of(path)))
    return target


# --- what is taken over ---------------------------------------------------------------------------


@pytest.mark.parametrize("is_zip", [False, True], ids=["layout of 2019", "zip layout"])
def test_the_two_networks_are_read_and_nothing_else(tmp_path: Path, *, is_zip: bool) -> None:
    import torch  # noqa: PLC0415 - `neural` has asked for it

    path = write_checkpoint(tmp_path / "small.pth.tar", is_zip=is_zip)
    checkpoint = read_checkpoint(path)
    kept = ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"]
    assert list(checkpoint.networks["generator"]) == kept
    assert list(checkpoint.networks["kp_detector"]) == kept
    expected = published()["generator"]["0.weight"]
    assert torch.equal(checkpoint.networks["generator"]["0.weight"], expected)
    assert checkpoint.origin_sha256 == digests_of(path).sha256


def test_prefix_of_parallel_training_is_taken_off(tmp_path: Path) -> None:
    state = {f"module.{key}": value for key, value in published()["generator"].items()}
    path = write_checkpoint(tmp_path / "a.pth.tar", generator=state)
    assert "0.weight" in read_checkpoint(path).networks["generator"]


def test_checkpoint_without_discriminator_and_optimizers_will_do(tmp_path: Path) -> None:
    gone = ("discriminator", "optimizer_generator", "optimizer_kp_detector", "epoch")
    without: dict[str, Any] = dict.fromkeys(gone)
    path = write_checkpoint(tmp_path / "a.pth.tar", **without)
    assert read_checkpoint(path).networks["generator"]


def test_other_precisions_become_float32(tmp_path: Path) -> None:
    import torch  # noqa: PLC0415 - `neural` has asked for it

    state = {"half": torch.ones(2).half(), "double": torch.ones(2).double()}
    path = write_checkpoint(tmp_path / "a.pth.tar", generator=state)
    found = read_checkpoint(path).networks["generator"]
    assert {value.dtype for value in found.values()} == {torch.float32}


# --- what is refused ------------------------------------------------------------------------------


class Malice:
    """Pickled, it is a command that whoever unpickles it runs."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("is_zip", [False, True], ids=["layout of 2019", "zip layout"])
def test_malicious_pickle_is_refused_and_never_run(tmp_path: Path, *, is_zip: bool) -> None:
    marker = tmp_path / "marker"
    malice = Malice(f"touch {marker}")
    path = write_checkpoint(tmp_path / "evil.pth.tar", is_zip=is_zip, epoch=malice)
    assert "unsafe content refused: it refers to the program code" in refusal(path)
    assert not marker.exists()
    # The same file without our care: the command is real.
    pickle.loads(pickle.dumps(malice))  # noqa: S301
    assert marker.exists()


def test_bare_malicious_pickle_is_refused_too(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps({"generator": Malice(f"touch {marker}")}))
    refusal(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>Quota exceeded</html>", "web page, not weights"),
        (b"\n  <html>", "web page, not weights"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n", "Git-LFS pointer"),
        (b"no checkpoint at all" * 40, "damaged or not a PyTorch checkpoint"),
    ],
)
def test_what_mirrors_send_in_the_place_of_weights_is_told(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "vox-cpk.pth.tar"
    path.write_bytes(content)
    assert words in refusal(path)


def test_cut_off_file_is_told(tmp_path: Path) -> None:
    for is_zip in (False, True):
        path = write_checkpoint(tmp_path / "a.pth.tar", is_zip=is_zip)
        path.write_bytes(path.read_bytes()[:-20])
        assert "incomplete" in refusal(path)


def test_real_tar_archive_is_told(tmp_path: Path) -> None:
    inner = write_checkpoint(tmp_path / "inner.pth")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(inner)
    assert "tar archive" in refusal(tmp_path / "a.tar")


def test_file_that_is_not_there_or_empty_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        read_checkpoint(tmp_path / "a.pth.tar")
    (tmp_path / "a.pth.tar").touch()
    with pytest.raises(EmptyFile):
        read_checkpoint(tmp_path / "a.pth.tar")


def test_missing_network_is_named(tmp_path: Path) -> None:
    sentence = refusal(write_checkpoint(tmp_path / "a.pth.tar", kp_detector=None))
    assert "the key kp_detector is missing (its keys: generator, " in sentence


def test_network_that_is_no_dictionary_or_empty_is_named(tmp_path: Path) -> None:
    assert "generator is a list, not a dictionary of tensors" in refusal(
        write_checkpoint(tmp_path / "a.pth.tar", generator=[1, 2])
    )
    assert "generator is empty" in refusal(write_checkpoint(tmp_path / "b.pth.tar", generator={}))


def test_content_that_is_no_dictionary_is_told(tmp_path: Path) -> None:
    import torch  # noqa: PLC0415 - `neural` has asked for it

    torch.save([torch.ones(1)], tmp_path / "a.pth.tar", _use_new_zipfile_serialization=False)
    assert "a list, not a dictionary" in refusal(tmp_path / "a.pth.tar")


def odd_values() -> dict[str, object]:
    import torch  # noqa: PLC0415 - `neural` has asked for it

    return {
        "is a float, not a tensor": 0.5,
        "is not a dense floating-point tensor but one of torch.int64": torch.ones(2).long(),
        "contains NaN": torch.tensor([1.0, float("nan")]),
        "contains NaN or infinity": torch.tensor([1.0, float("-inf")]),
        "is empty (its shape is (0, 3))": torch.ones(0, 3),
        "claims more numbers than it holds": torch.ones(1).expand(1000, 1000),
    }


@pytest.mark.parametrize("index", range(6))
def test_unusable_weight_is_named_with_its_key(tmp_path: Path, index: int) -> None:
    words, value = list(odd_values().items())[index]
    state = published()["generator"] | {"module.bottleneck.r0.conv1.weight": value}
    sentence = refusal(write_checkpoint(tmp_path / "a.pth.tar", generator=state))
    assert "generator.bottleneck.r0.conv1.weight" in sentence
    assert words in sentence


@pytest.mark.parametrize("is_zip", [False, True], ids=["layout of 2019", "zip layout"])
def test_damage_anywhere_is_one_sentence_or_harmless(tmp_path: Path, *, is_zip: bool) -> None:
    whole = write_checkpoint(tmp_path / "a.pth.tar", is_zip=is_zip).read_bytes()
    path = tmp_path / "damaged.pth.tar"
    chance = random.Random(7)
    sentences = []
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content)
        try:
            read_checkpoint(path)
        except WeightsCorrupt as corrupt:
            sentences.append(str(corrupt))
    assert len(sentences) > 15
    assert not any("\n" in sentence for sentence in sentences)


# --- the converted file ---------------------------------------------------------------------------


def test_converted_file_gives_the_same_weights(tmp_path: Path) -> None:
    import torch  # noqa: PLC0415 - `neural` has asked for it

    path = tmp_path / "a.pth.tar"
    target = converted(path)
    before, after = read_checkpoint(path), read_converted(target, is_thorough=True)
    assert after.origin_sha256 == before.origin_sha256
    for name in ("generator", "kp_detector"):
        old, new = before.networks[name], after.networks[name]
        assert sorted(old) == sorted(new)
        assert all(torch.equal(old[key], new[key]) for key in old)


def test_converted_file_says_what_it_was_made_of(tmp_path: Path) -> None:
    path = tmp_path / "a.pth.tar"
    origin = read_origin(converted(path))
    digests = digests_of(path)
    assert origin is not None
    assert (origin.name, origin.sha256, origin.md5) == ("a.pth.tar", digests.sha256, digests.md5)
    assert origin.looks_like(path)
    os.utime(path, ns=(1, 1))
    assert not origin.looks_like(path)


def test_converted_file_can_be_read_by_whoever_may_read_files_here(tmp_path: Path) -> None:
    target = converted(tmp_path / "a.pth.tar")
    (tmp_path / "plain").touch()
    assert target.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.pth.safetensors",
        "a.pth.tar",
        "plain",
    ]


def test_weights_that_share_memory_can_be_converted(tmp_path: Path) -> None:
    import torch  # noqa: PLC0415 - `neural` has asked for it

    shared = torch.arange(6.0)
    target = converted(tmp_path / "a.pth.tar", generator={"a": shared[:4], "b": shared[2:]})
    assert read_converted(target).networks["generator"]["b"].tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize("kept_bytes", [0, 5, 100, -1])
def test_converted_file_that_is_cut_off_is_told(tmp_path: Path, kept_bytes: int) -> None:
    target = converted(tmp_path / "a.pth.tar")
    target.write_bytes(target.read_bytes()[:kept_bytes])
    assert read_origin(target) is None
    with pytest.raises((WeightsCorrupt, EmptyFile)):
        read_converted(target)


def test_converted_file_of_another_format_or_program_is_none_of_ours(tmp_path: Path) -> None:
    from safetensors.torch import save_file  # noqa: PLC0415 - `neural` has asked for it

    target = converted(tmp_path / "a.pth.tar")
    content = target.read_bytes()
    target.write_bytes(content.replace(FORMAT.encode(), b"animato-0"))
    assert read_origin(target) is None
    save_file(dict(published()["generator"]), tmp_path / "other.safetensors")
    with pytest.raises(WeightsCorrupt, match="was not converted by animato"):
        check_converted(tmp_path / "other.safetensors")


def test_changed_content_is_seen_by_a_thorough_look(tmp_path: Path) -> None:
    target = converted(tmp_path / "a.pth.tar")
    content = bytearray(target.read_bytes())
    content[-2] ^= 1
    target.write_bytes(content)
    read_converted(target)
    with pytest.raises(WeightsCorrupt, match="changed since it was made"):
        read_converted(target, is_thorough=True)


def test_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "a.pth.tar")
    origin = Origin.of(path, digests_of(path))
    with pytest.raises(WeightsFolderRefused, match="ANIMATO_CHECKPOINTS_DIR"):
        write_converted(read_checkpoint(path), path / "b.safetensors", origin)
