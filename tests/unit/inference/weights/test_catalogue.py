"""The catalogue of weights: the shipped one, and what a catalogue must not say."""

import hashlib
from pathlib import Path

import pytest

from inference.liveportrait.files import FILES, RETARGETING
from inference.weights.catalogue import Digests, WeightsCatalogue, WeightsFile, digests_of
from jobs.errors import UnknownWeights
from jobs.weights_errors import BrokenWeightsCatalogue

CONTENT = b"weights" * 100
FACTS = {
    "name": "small",
    "file": "small.pth",
    "kind": "file",
    "size_bytes": len(CONTENT),
    "licence": "none",
    "source": "here",
}
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
OTHER_MD5 = "0" * 32


def known(**changes: object) -> WeightsFile:
    return WeightsFile.model_validate(FACTS | {"sha256": SHA256, "md5": MD5} | changes)


def catalogue_of(folder: Path, text: str) -> WeightsCatalogue:
    path = folder / "weights.yaml"
    path.write_text(text, "utf-8")
    return WeightsCatalogue.load(path)


# --- the shipped one ------------------------------------------------------------------------------


def test_shipped_catalogue_knows_the_files_that_engines_need() -> None:
    catalogue = WeightsCatalogue.load()
    assert [file.name for file in catalogue.named("face-alignment")] == ["s3fd", "2dfan4"]
    (vox,) = catalogue.with_file("vox-cpk.pth.tar")
    assert (vox.key, vox.size_bytes) == ("vox-cpk-abb41ab1", 728_766_691)


def test_shipped_catalogue_has_the_five_files_of_liveportrait() -> None:
    catalogue = WeightsCatalogue.load()
    files = catalogue.named("liveportrait")
    assert tuple(file.file for file in files) == FILES
    assert sum(file.size_bytes or 0 for file in files) == 522_320_239
    assert all(file.sha256 and len(file.mirrors) == 2 for file in files)
    assert all("MIT" in file.licence for file in files)
    assert catalogue.networks_in(RETARGETING) == (
        "retarget_shoulder",
        "retarget_mouth",
        "retarget_eye",
    )
    assert catalogue.networks_in("appearance_feature_extractor.safetensors") == ()
    assert catalogue.networks_in("anything.pth.tar") == ("generator", "kp_detector")


def test_two_editions_share_a_name_and_only_the_one_with_a_hash_is_fetched() -> None:
    editions = WeightsCatalogue.load().with_file("vox-adv-cpk.pth.tar")
    assert [(bool(file.hash), bool(file.mirrors)) for file in editions] == [
        (True, True),
        (False, False),
    ]


def test_no_shipped_address_claims_to_have_been_tried() -> None:
    mirrors = [mirror for file in WeightsCatalogue.load().files for mirror in file.mirrors]
    assert len(mirrors) >= 9
    assert not any(mirror.tried for mirror in mirrors)


def test_shipped_addresses_are_plain_downloads_over_tls() -> None:
    for file in WeightsCatalogue.load().files:
        for mirror in file.mirrors:
            assert mirror.url.startswith("https://")
            assert not any(page in mirror.url for page in ("drive.google", "yadi.sk", "yandex"))


# --- telling files apart --------------------------------------------------------------------------


def test_file_is_told_by_size_and_either_hash(tmp_path: Path) -> None:
    path = tmp_path / "any name"
    path.write_bytes(CONTENT)
    digests = digests_of(path)
    assert digests == Digests(len(CONTENT), SHA256, MD5)
    assert known().match(digests) == "sha256"
    assert known(sha256="f" * 64).match(digests) == "md5"
    assert known(sha256=None).match(digests) == "md5"
    assert known(md5=OTHER_MD5).match(digests) == "sha256"


def test_wrong_size_or_both_hashes_wrong_is_another_file() -> None:
    digests = Digests(len(CONTENT), SHA256, MD5)
    assert known(size_bytes=len(CONTENT) + 1).match(digests) is None
    assert known(sha256="f" * 64, md5=OTHER_MD5).match(digests) is None
    assert known(sha256=None, md5=None).match(digests) is None


def test_file_of_unknown_size_is_limited_all_the_same() -> None:
    wanted = known(size_bytes=None, about_bytes=1000)
    assert wanted.limit_bytes == 1250
    assert known().limit_bytes == len(CONTENT)


# --- what a catalogue must not say ----------------------------------------------------------------

ENTRY = "- {name: a, file: a.pth, kind: file, size_bytes: 5, licence: x, source: y"
HASH = f"sha256: {SHA256}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{ENTRY}, mirrors: [{{url: 'https://a.org/a'}}]}}", "entry 1.*no hash.*never be fetched"),
        (f"{ENTRY}, {HASH}, mirrors: [{{url: 'ftp://a.org/a'}}]}}", "entry 1: mirrors: 1: url"),
        (f"{ENTRY}, sha256: abc}}", "entry 1: sha256"),
        (f"{ENTRY}, sha265: abc}}", "entry 1: sha265"),
        (f"{ENTRY}}}\n{ENTRY}}}", "name a is given twice"),
        (ENTRY.replace("size_bytes: 5, ", "") + "}", "needs size_bytes or about_bytes"),
        (ENTRY.replace("a.pth", "../a.pth") + "}", "entry 1: file"),
        ("- [", "weights.yaml cannot be used as a catalogue"),
        ("- 2001-99-99", "weights.yaml cannot be used as a catalogue"),
        ("", "weights.yaml cannot be used as a catalogue"),
    ],
)
def test_slip_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BrokenWeightsCatalogue, match=words) as caught:
        catalogue_of(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_catalogue_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BrokenWeightsCatalogue, match="no such file"):
        WeightsCatalogue.load(tmp_path / "weights.yaml")


def test_unknown_name_is_told_the_known_ones_and_groups() -> None:
    with pytest.raises(UnknownWeights, match=r"nix.*vox-cpk.*face-alignment"):
        WeightsCatalogue.load().named("nix")
