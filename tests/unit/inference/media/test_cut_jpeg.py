"""JPEG files without their end are taken if nearly all of the picture is there."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from PIL import Image

from inference.media.gate import look_at
from inference.media.photo import read_photo
from jobs.errors import MediaDamaged
from jobs.model import MediaWarning

Picture = npt.NDArray[np.uint8]

PORTRAIT: Picture = skimage.data.astronaut()
# As scans of old photographs have it: no way to tell missing rows by their colour.
BLACK_BELOW: Picture = np.concatenate([PORTRAIT[:400], np.zeros_like(PORTRAIT[400:])])
KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "optimized": {"optimize": True},
    "without subsampling": {"subsampling": 0},
    "with restart markers": {"restart_marker_rows": 1},
}


def cut(folder: Path, picture: Picture, keep: float | int, **options: Any) -> Path:
    """A JPEG that is cut to a share of its bytes, or by so many bytes if `keep` is negative."""
    content = BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=85, **options)
    data = content.getvalue()
    path = folder / "cut.jpg"
    path.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])
    return path


def whole(picture: Picture, **options: Any) -> Picture:
    content = BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=85, **options)
    return np.asarray(Image.open(content))


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("picture", [PORTRAIT, BLACK_BELOW], ids=["portrait", "black below"])
@pytest.mark.parametrize("missing_bytes", [1, 2, 3])
def test_a_jpeg_without_its_last_bytes_is_taken_whole(
    tmp_path: Path, options: dict[str, Any], picture: Picture, missing_bytes: int
) -> None:
    photo = read_photo(cut(tmp_path, picture, -missing_bytes, **options))
    assert photo.is_cut
    difference = np.abs(photo.picture.astype(int) - whole(picture, **options))
    # The last row of blocks hangs together with the one above it by at most two rows of pixels.
    assert difference[:-18].max() == 0
    assert difference.mean() < 0.01


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
def test_a_few_missing_rows_repeat_the_last_one(tmp_path: Path, options: dict[str, Any]) -> None:
    photo = read_photo(cut(tmp_path, PORTRAIT, 0.995, **options))
    assert photo.is_cut
    assert photo.picture.shape == PORTRAIT.shape
    difference = np.abs(photo.picture.astype(int) - whole(PORTRAIT, **options))
    assert difference[:-18].max() <= (16 if "progressive" in options else 0)
    # Where libjpeg has nothing, it leaves grey.
    assert np.abs(photo.picture[-1].astype(int) - 128).max() > 60


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("picture", [PORTRAIT, BLACK_BELOW], ids=["portrait", "black below"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_jpeg_that_lacks_much_is_refused(
    tmp_path: Path, options: dict[str, Any], picture: Picture, share: float
) -> None:
    with pytest.raises(MediaDamaged):
        read_photo(cut(tmp_path, picture, share, **options))


def test_a_jpeg_cut_after_any_byte_is_refused_or_looks_whole(tmp_path: Path) -> None:
    """Also where the last byte could be half a marker."""
    content = BytesIO()
    Image.fromarray(BLACK_BELOW[::4, ::4]).save(content, "JPEG", optimize=True)
    data, expected = content.getvalue(), np.asarray(Image.open(content))
    path = tmp_path / "cut.jpg"
    taken = 0
    for length in range(len(data) - 200, len(data)):
        path.write_bytes(data[:length])
        try:
            photo = read_photo(path)
        except MediaDamaged:
            continue
        taken += 1
        assert np.abs(photo.picture.astype(int) - expected).mean() < 1
    assert taken >= 2


def test_the_turn_and_the_profile_of_a_cut_jpeg_still_count(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = read_photo(cut(tmp_path, PORTRAIT[:, :256], -2, exif=exif))
    assert photo.picture.shape == (256, 512, 3)
    expected = np.rot90(whole(PORTRAIT[:, :256]), -1)
    assert np.abs(photo.picture.astype(int) - expected).mean() < 1


def test_the_person_is_warned_of_a_cut_jpeg(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    look, _ = look_at(cut(tmp_path, PORTRAIT, -2), None, folder, find_faces=False)
    assert MediaWarning.PHOTO_CUT in look.warnings
