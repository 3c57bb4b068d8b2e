from pathlib import Path

import pytest

from inference.opencv_build import gui_opencv_warning


def install(folder: Path, distribution: str) -> None:
    """Leaves in `folder` what pip leaves there to remember a distribution."""
    record = folder / f"{distribution.replace('-', '_')}-5.0.0.93.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 5.0.0.93\n"
    )


def test_headless_build_is_all_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "opencv-python-headless")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert gui_opencv_warning() is None


@pytest.mark.parametrize("build", ["opencv-python", "opencv-contrib-python"])
def test_build_with_windows_is_told_with_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: str
) -> None:
    install(tmp_path, "opencv-python-headless")
    install(tmp_path, build)
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    sentence = gui_opencv_warning()
    assert sentence is not None
    assert sentence.startswith(f"{build} took the place of opencv-python-headless")
    assert f"pip uninstall --yes {build} &&" in sentence
    assert sentence.endswith("--constraint constraints.txt opencv-python-headless")


def test_two_builds_with_windows_are_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "opencv-python")
    install(tmp_path, "opencv-contrib-python")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    sentence = gui_opencv_warning()
    assert sentence is not None
    assert "uninstall --yes opencv-python opencv-contrib-python &&" in sentence
