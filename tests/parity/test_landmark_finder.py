"""The real face-alignment with networks of our own making: what it is asked, fetches and writes.

Trained weights are not to be had here. So the detector is built to see one face or none, and the
landmarks of a random network are no face's; but they come the whole way that real ones come.
"""

from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from inference.faces.face_alignment import (
    LandmarkFinder,
    face_box,
    load_library,
    unmet_landmark_needs,
)
from tests.conftest import Require

Picture = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]

ASTRONAUT: Picture = np.ascontiguousarray(skimage.data.astronaut()[:256:2, 100:356:2])
HOME_CACHES = (Path.home() / ".cache" / "torch", Path.home() / ".cache" / "face_alignment")


@dataclass(frozen=True)
class Weights:
    """Files that the library takes for its own."""

    seeing: Path
    blind: Path
    landmarks: Path


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory, require: Require) -> Weights:
    require(not unmet_landmark_needs(), "; ".join(unmet_landmark_needs()))
    load_library()
    import torch  # noqa: PLC0415 - skipped where it is not there
    from face_alignment.detection.sfd.net_s3fd import s3fd  # noqa: PLC0415 - likewise
    from face_alignment.models import FAN  # noqa: PLC0415 - likewise

    folder = tmp_path_factory.mktemp("weights")
    paths = Weights(*(folder / name for name in ("seeing.pth", "blind.pth", "landmarks.pth.tar")))
    torch.manual_seed(0)
    detector = s3fd()
    for name, tensor in detector.state_dict().items():
        if "_conf." in name:
            tensor.zero_()
        if name.endswith("_conf.bias"):
            # Nowhere a face: that is what the first logit says.
            tensor[:-1], tensor[-1] = 5.0, -5.0
    torch.save(detector.state_dict(), paths.blind)
    # The deepest layer has one place in so small a picture; the face that it sees fills that.
    detector.conv7_2_mbox_conf.bias.data[:] = torch.tensor([-5.0, 5.0])
    detector.conv7_2_mbox_loc.weight.data.zero_()
    detector.conv7_2_mbox_loc.bias.data[:] = torch.tensor([0.0, 0.0, -8.0, -8.0])
    torch.save(detector.state_dict(), paths.seeing)
    torch.save(FAN(4).state_dict(), paths.landmarks)
    return paths


@pytest.fixture(scope="session")
def finder(weights: Weights) -> LandmarkFinder:
    return LandmarkFinder(weights.seeing, weights.landmarks, "cpu")


@pytest.fixture(scope="session")
def landmarks(finder: LandmarkFinder) -> Points:
    (points,) = finder.find(ASTRONAUT)
    return points


def test_landmarks_are_in_px_of_the_picture_round_the_face(landmarks: Points) -> None:
    assert landmarks.shape == (68, 2)
    assert landmarks.dtype == np.float32
    # What the library cuts out for this box of 103 px.
    centre, reach = (64, 64 - 0.12 * 103), 100 * (103 + 103) / 195
    assert np.abs(landmarks - centre).max() <= reach + 2
    assert np.ptp(landmarks, axis=0).min() > reach / 2


def test_landmarks_of_a_large_picture_are_in_its_own_px(
    finder: LandmarkFinder, landmarks: Points, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.faces.face_alignment._SIDE_PX", len(ASTRONAUT))
    (larger,) = finder.find(ASTRONAUT.repeat(3, axis=0).repeat(3, axis=1))
    assert larger.dtype == np.float32
    assert np.allclose(larger, 3 * landmarks)


def test_faces_have_the_boxes_of_their_landmarks(finder: LandmarkFinder, landmarks: Points) -> None:
    (face,) = finder.faces(ASTRONAUT)
    assert face.number == 1
    assert face.box == face_box(landmarks)


def test_picture_without_a_face_gives_an_empty_list_and_no_warning(weights: Weights) -> None:
    blind = LandmarkFinder(weights.blind, weights.landmarks, "cpu")
    assert blind.find(ASTRONAUT) == []
    assert blind.faces(ASTRONAUT) == ()


class Told:
    """A detector that sees what it is told to."""

    def __init__(self, *boxes: list[float]) -> None:
        self.boxes = boxes

    def __call__(self, _picture: Picture) -> list[list[float]]:
        return [[*box, 0.9] for box in self.boxes]


def test_largest_face_is_the_first(finder: LandmarkFinder, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told([90, 90, 100, 100], [10, 10, 80, 80])
    monkeypatch.setattr(finder._networks.face_detector, "detect_from_image", told)  # noqa: SLF001 - stands for a trained one
    faces = finder.faces(ASTRONAUT)
    assert [face.number for face in faces] == [1, 2]
    assert faces[0].box.width > 2 * faces[1].box.width


def test_boxes_that_cannot_be_cut_out_are_no_faces(
    finder: LandmarkFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound, beside, thin = [10.0, 10, 60, 60], [300.0, 10, 360, 60], [50.0, 50, 40, 60]
    told = Told(beside, thin, [-80, -80, -10, -10], [np.nan, 10, 60, 60], sound)
    monkeypatch.setattr(finder._networks.face_detector, "detect_from_image", told)  # noqa: SLF001 - stands for a trained one
    assert finder._boxes(ASTRONAUT).tolist() == [sound]  # noqa: SLF001 - a find would take longer


def test_library_compiles_nothing_and_others_still_may(finder: LandmarkFinder) -> None:
    import numba  # noqa: PLC0415 - `finder` has asked for it

    library, config = load_library(), cast("Any", numba.config)
    assert isinstance(finder._networks, library.FaceAlignment)  # noqa: SLF001 - what it is made of
    assert isinstance(library.utils.transform_np, FunctionType)
    assert not config.DISABLE_JIT


def test_nothing_is_fetched_and_nothing_is_written(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch  # noqa: PLC0415 - `weights` has asked for it

    before = [path.exists() and sorted(path.rglob("*")) for path in HOME_CACHES]
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    usual = torch.hub.get_dir()
    # Sockets are refused to all tests, so a download would fail this one.
    LandmarkFinder(weights.blind, weights.landmarks, "cpu").find(ASTRONAUT)
    assert torch.hub.get_dir() == usual
    assert list(tmp_path.iterdir()) == []
    assert [path.exists() and sorted(path.rglob("*")) for path in HOME_CACHES] == before


def test_landmark_file_that_is_not_there_is_not_fetched_either(
    weights: Weights, tmp_path: Path
) -> None:
    missing = tmp_path / "2DFAN4-11f355bf06.pth.tar"
    with pytest.raises(FileNotFoundError):
        LandmarkFinder(weights.blind, missing, "cpu")
    assert list(tmp_path.iterdir()) == []
