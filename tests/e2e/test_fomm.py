"""The engine `fomm` as a person types it, with networks that show what they are given."""

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from skimage.data import astronaut

from inference.extras import missing_neural
from inference.faces.finder import find_faces
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from inference.square_crop import face_square
from jobs.model import CropBox
from tests.conftest import Require
from tests.e2e.conftest import Animato, Networks

Picture = npt.NDArray[np.uint8]

# Of the astronaut's head in the clip, and of the clip's frames.
STEP_PX, STEPS = 3, 9


def frames_of(path: Path) -> list[Picture]:
    with ClipReader(path) as frames:
        return list(frames)


def psnr_db(one: Picture, other: Picture) -> float:
    difference = one.astype(float) - other
    return float(10 * np.log10(255**2 / (difference**2).mean()))


def changed_part(frame: Picture, photo: Picture) -> CropBox:
    """The smallest box that holds all pixels that are not the photo's."""
    rows, columns = np.nonzero((frame != photo).any(axis=-1))
    sides = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    left, upper, right, lower = map(int, sides)
    return CropBox(left=left, upper=upper, right=right, lower=lower)


@pytest.fixture(scope="module")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut, 1024 x 760 px."""
    path = tmp_path_factory.mktemp("landscape") / "photo.png"
    image = Image.fromarray(astronaut()[:380])
    image.resize((1024, 760), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture(scope="module")
def passing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of the astronaut's head that goes to the right on a plain ground."""
    path = tmp_path_factory.mktemp("passing") / "clip.mp4"
    head = np.asarray(Image.fromarray(astronaut()[20:260, 100:340]).resize((200, 200)))
    with VideoWriter(path, 360, 240, Fraction(25), comment="test") as writer:
        for index in range(STEPS + 1):
            frame = np.full((240, 360, 3), 120, np.uint8)
            left = 60 + STEP_PX * index
            frame[20:220, left : left + 200] = head
            writer.write(frame)
    return path


# --- what is seen ---------------------------------------------------------------------------------


def test_face_is_moved_and_pasted_back_and_the_rest_is_the_photo(
    animato: Animato, landscape: Path, passing: Path, networks: Networks, tmp_path: Path
) -> None:
    ended = animato(
        *("animate", "--engine", "fomm", "--source_image", landscape, "--driving_video", passing),
        *("--output", "me.mkv", *networks.named, "--json"),
        ANIMATO_CHECKPOINTS_DIR=str(networks.store),
    )
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    assert (said["engine"], said["frames"]) == ("fomm", STEPS + 1)
    assert (said["width"], said["height"]) == (1024, 760)
    photo = np.asarray(Image.open(landscape))
    frames = frames_of(tmp_path / "me.mkv")
    square = face_square(find_faces(photo)[0].box, 2.0)
    for frame in frames:
        part = changed_part(frame, photo)
        assert square.left <= part.left < part.right <= square.right
        assert square.upper <= part.upper < part.lower <= square.lower
        assert min(part.width, part.height) > 0.9 * square.width
    inner = np.s_[square.upper + 60 : square.lower - 60, square.left + 60 : square.right - 60]
    assert psnr_db(frames[0], photo) > 28
    assert psnr_db(frames[0][inner], photo[inner]) > 23
    offsets = [_offset(frames[0][inner], frame[inner]) for frame in frames]
    # To the right: a square that followed the head would leave it where it is.
    steps = np.diff(np.array(offsets), axis=0)
    assert steps[:, 0].min() > 1
    assert steps[:, 0].sum() > 2 * np.abs(steps[:, 1].sum()) + 10


def _offset(one: Picture, other: Picture) -> tuple[float, float]:
    """How far the picture has moved, x and y, px."""
    # Softened: the networks' pixels make a pattern that stays where it is.
    soft = [cv2.GaussianBlur(picture, (0, 0), 4) for picture in (one, other)]
    first, second = (picture.mean(axis=-1) for picture in soft)
    window = cv2.createHanningWindow(first.shape[::-1], cv2.CV_64F)
    (x, y), _ = cv2.phaseCorrelate(first, second, window)
    return x, y


def test_whole_photo_is_squeezed_where_nothing_is_cropped(
    quick_animato: Animato, landscape: Path, passing: Path, networks: Networks, tmp_path: Path
) -> None:
    ended = quick_animato(
        *("animate", "--engine", "fomm", "--source_image", landscape, "--driving_video", passing),
        *("--no-crop_image", "--no-crop_video", "--no-paste_back", "--duration", "0.08"),
        *("--output", "me.mkv", *networks.named),
        ANIMATO_CHECKPOINTS_DIR=str(networks.store),
    )
    assert ended.code == 0, ended.err
    first, second = frames_of(tmp_path / "me.mkv")
    squeezed = np.asarray(Image.open(landscape).resize((256, 256), Image.Resampling.BOX))
    assert first.shape == second.shape == (256, 256, 3)
    assert psnr_db(first[8:-8, 8:-8], squeezed[8:-8, 8:-8]) > 20


def test_padding_widens_the_square_on_its_own_side(
    quick_animato: Animato, landscape: Path, passing: Path, networks: Networks, tmp_path: Path
) -> None:
    ended = quick_animato(
        *("animate", "--engine", "fomm", "--source_image", landscape, "--driving_video", passing),
        *("--face_box", "400,200,500,300", "-cip", "10", "30", "50", "30", "--duration", "0.04"),
        *("--output", "me.mkv", *networks.named),
        ANIMATO_CHECKPOINTS_DIR=str(networks.store),
    )
    assert ended.code == 0, ended.err
    photo = np.asarray(Image.open(landscape))
    part = changed_part(frames_of(tmp_path / "me.mkv")[0], photo)
    # The seam begins with the photo itself.
    assert np.abs(np.array(part.sides) - (340, 120, 600, 380)).max() <= 6


def test_face_detector_of_earlier_versions_is_accepted_with_a_warning(
    quick_animato: Animato, landscape: Path, passing: Path, networks: Networks
) -> None:
    ended = quick_animato(
        *("animate", "--engine", "fomm", "--source_image", landscape, "--driving_video", passing),
        *("--face_detector", "lbp", "--duration", "0.04", "--output", "me.mp4", *networks.named),
        ANIMATO_CHECKPOINTS_DIR=str(networks.store),
    )
    assert ended.code == 0, ended.err
    assert "warning: --face_detector lbp no longer exists" in ended.err


def test_template_moves_the_photo_and_is_measured_for_the_next_time(
    quick_animato: Animato, photo: Path, networks: Networks, tmp_path: Path
) -> None:
    ended = quick_animato(
        *("animate", "--engine", "fomm", "--source_image", photo, "--template", "shake"),
        *("--output", "me.mkv", *networks.named, "--json"),
        ANIMATO_CHECKPOINTS_DIR=str(tmp_path / "store"),
    )
    assert ended.code == 0, ended.err
    frames = frames_of(tmp_path / "me.mkv")
    (kept,) = (tmp_path / "store" / "keypoints").iterdir()
    with np.load(kept) as stored:
        assert len(stored["value"]) == len(frames) == json.loads(ended.out)["frames"]
    assert max(np.abs(frame.astype(int) - frames[0]).mean() for frame in frames) > 1


# --- which engine ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        (("--engine", "mesh", "--smooth", "0.1"), "--smooth"),
        (("--engine", "mesh", "--cpu"), "--cpu"),
        (("--engine", "still", "--no-crop_image"), "--crop_image"),
        (("--engine", "mesh", "--best_frame", "0"), "--best_frame"),
        (("--checkpoint", "none.pth.tar"), "--checkpoint"),
    ],
)
def test_option_of_another_engine_is_a_usage_error(
    quick_animato: Animato, photo: Path, arguments: tuple[str, ...], flag: str
) -> None:
    ended = quick_animato(
        *("animate", "--source_image", photo, "--template", "blink", "--output", "me.mp4"),
        *arguments,
    )
    assert ended.code == 2
    assert f"does not support {flag}; use fomm" in ended.err


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "sentence"),
    [
        ((), {"ANIMATO_DEFAULT_ENGINE": "nonsense"}, 3, "ANIMATO_DEFAULT_ENGINE is 'nonsense'"),
        (("--engine", "nonsense"), {}, 1, "There is no engine called nonsense"),
    ],
)
def test_unknown_engine_is_the_fault_of_who_named_it(
    quick_animato: Animato,
    photo: Path,
    arguments: tuple[str, ...],
    settings: dict[str, str],
    code: int,
    sentence: str,
) -> None:
    ended = quick_animato(
        *("animate", "--source_image", photo, "--template", "blink", "--output", "me.mp4"),
        *arguments,
        **settings,
    )
    assert ended.code == code
    (said,) = ended.err.splitlines()
    assert sentence in said
    assert "mesh" in said


def test_engine_that_is_set_is_taken(quick_animato: Animato, photo: Path) -> None:
    ended = quick_animato(
        *("animate", "--source_image", photo, "--template", "blink", "--output", "me.mp4"),
        "--json",
        ANIMATO_DEFAULT_ENGINE="still",
    )
    assert json.loads(ended.out)["engine"] == "still"


def test_device_that_is_not_there_is_one_sentence(
    quick_animato: Animato,
    photo: Path,
    passing: Path,
    networks: Networks,
    require_hardware: Require,
) -> None:
    import torch  # noqa: PLC0415 - only where the extra is installed

    require_hardware(not torch.cuda.is_available(), "there is a GPU")
    typed = (
        *("animate", "--engine", "fomm", "--source_image", photo, "--driving_video", passing),
        *("--duration", "0.04", "--output", "me.mp4", "--quiet", *networks.named),
    )
    settings = {"ANIMATO_DEVICE": "cuda", "ANIMATO_CHECKPOINTS_DIR": str(networks.store)}
    ended = quick_animato(*typed, **settings)
    assert ended.code == 3
    (said,) = ended.err.splitlines()
    assert "The device cuda is not available" in said
    assert "--cpu" in said
    assert quick_animato(*typed, "--cpu", **settings).code == 0


def test_engines_are_listed_with_the_weights_that_are_not_there(
    quick_animato: Animato, require: Require
) -> None:
    require(not missing_neural(), "the extra neural is not installed")
    listed = quick_animato("engines").out
    assert "fomm         needs weights: run `animato weights fetch vox-cpk`" in listed
    assert "liveportrait needs weights: run `animato weights fetch liveportrait`" in listed
