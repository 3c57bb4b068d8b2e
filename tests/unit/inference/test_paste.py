"""The animated part lies in its place, and the rest of the photo is the photo."""

import numpy as np
import pytest

from inference.arrays import Picture
from inference.engine import EngineCrop
from inference.paste import paste_back
from jobs.model import CropBox


@pytest.fixture
def photo() -> Picture:
    return np.full((60, 80, 3), 40, np.uint8)


def frame_for(box: CropBox, level: int = 240) -> Picture:
    return np.full((box.height, box.width, 3), level, np.uint8)


def test_the_frame_takes_the_boxs_place_and_nothing_else_changes(photo: Picture) -> None:
    box = CropBox(left=10, upper=20, right=50, lower=45)
    whole = paste_back(photo, frame_for(box), EngineCrop(box))
    assert (whole[20:45, 10:50] == 240).all()
    whole[20:45, 10:50] = 40
    np.testing.assert_array_equal(whole, photo)


def test_the_photo_itself_is_not_written(photo: Picture) -> None:
    photo.flags.writeable = False
    box = CropBox(left=0, upper=0, right=80, lower=60)
    paste_back(photo, frame_for(box), EngineCrop(box, feather_px=4))
    assert (photo == 40).all()


def test_what_reaches_outside_the_photo_is_dropped(photo: Picture) -> None:
    box = CropBox(left=-7, upper=-3, right=90, lower=66)
    y, x = np.mgrid[0:69, 0:97]
    frame = np.dstack([x, y, x]).astype(np.uint8)
    whole = paste_back(photo, frame, EngineCrop(box))
    np.testing.assert_array_equal(whole, frame[3:63, 7:87])


def test_a_feathered_seam_begins_with_the_photo_and_rises_smoothly_inwards(photo: Picture) -> None:
    box = CropBox(left=10, upper=10, right=60, lower=50)
    whole = paste_back(photo, frame_for(box), EngineCrop(box, feather_px=8))
    row = whole[30, :, 0].astype(int)
    wave = (1 - np.cos(np.pi * np.arange(8) / 8)) / 2
    np.testing.assert_allclose(row[10:18], 40 + 200 * wave, atol=1)
    assert row[10] == 40
    np.testing.assert_array_equal(row[10:60], row[10:60][::-1])
    np.testing.assert_array_equal(whole[10:50, 35, 0], whole[10:50, 35, 0][::-1])
    assert (row[18:52] == 240).all()
    assert (row[:10] == 40).all()
    assert (whole[10, :] == 40).all()


def test_along_the_photos_own_border_there_is_no_seam_to_feather(photo: Picture) -> None:
    box = CropBox(left=0, upper=-5, right=50, lower=60)
    whole = paste_back(photo, frame_for(box), EngineCrop(box, feather_px=8))
    assert (whole[:, :42] == 240).all()
    assert whole[30, 49, 0] < 60


def test_a_feather_blends_a_corner_once_in_each_direction(photo: Picture) -> None:
    box = CropBox(left=10, upper=10, right=60, lower=50)
    whole = paste_back(photo, frame_for(box), EngineCrop(box, feather_px=4))
    assert whole[12, 12, 0] == pytest.approx(40 + 200 * (1 / 2) ** 2, abs=1)
    assert whole[12, 35, 0] == pytest.approx(40 + 200 * (1 / 2), abs=1)


def test_where_nothing_is_blended_frame_and_photo_are_exact() -> None:
    random = np.random.default_rng(0)
    photo = random.integers(0, 256, (60, 80, 3), np.uint8)
    frame = random.integers(0, 256, (40, 50, 3), np.uint8)
    box = CropBox(left=10, upper=10, right=60, lower=50)
    whole = paste_back(photo, frame, EngineCrop(box, feather_px=5))
    np.testing.assert_array_equal(whole[15:45, 15:55], frame[5:-5, 5:-5])
    whole[11:49, 11:59] = photo[11:49, 11:59]
    np.testing.assert_array_equal(whole, photo)


@pytest.mark.parametrize(("frame_side", "box_side"), [(16, 40), (64, 20)])
@pytest.mark.parametrize("feather_px", [0, 6])
def test_a_frame_of_another_size_is_brought_to_the_boxs(
    photo: Picture, frame_side: int, box_side: int, feather_px: int
) -> None:
    """Left half dark, right half bright: the step has to be in the middle of the box."""
    frame = np.full((frame_side, frame_side, 3), 80, np.uint8)
    frame[:, frame_side // 2 :] = 240
    box = CropBox(left=20, upper=8, right=20 + box_side, lower=8 + box_side)
    crop = EngineCrop(box, feather_px, frame_size=(frame_side, frame_side))
    whole = paste_back(photo, frame, crop)
    row = whole[8 + box_side // 2, :, 0].astype(int)
    assert int(np.argmax(np.diff(row[28 : 20 + box_side - 6]))) + 29 == 20 + box_side // 2
    assert (whole[: 8 + bool(feather_px)] == 40).all()
    assert row[20 + box_side // 4] == pytest.approx(80, abs=12)
    assert whole.shape == photo.shape


def test_an_enlarged_frame_at_the_photos_border_loses_what_lies_outside(photo: Picture) -> None:
    y, x = np.mgrid[0:32, 0:32]
    frame = np.dstack([4 * x, 4 * y, x]).astype(np.uint8)
    box = CropBox(left=-16, upper=-8, right=80, lower=56)
    whole = paste_back(photo, frame, EngineCrop(box, frame_size=(32, 32)))
    # Each px of the frame covers three columns and two rows of the photo.
    np.testing.assert_allclose(whole[20, 2:70, 0], 4 * (np.arange(2, 70) + 15) / 3, atol=2)
    np.testing.assert_allclose(whole[2:50, 20, 1], 2 * (np.arange(2, 50) + 8) - 1, atol=2)


def test_a_crop_tells_the_size_of_its_frames() -> None:
    box = CropBox(left=10, upper=10, right=60, lower=50)
    whole, reduced = EngineCrop(box), EngineCrop(box, frame_size=(256, 128))
    assert (whole.frame_width, whole.frame_height) == (50, 40)
    assert (reduced.frame_width, reduced.frame_height) == (256, 128)


def test_another_photo_is_feathered_by_its_own_size(photo: Picture) -> None:
    box = CropBox(left=30, upper=10, right=80, lower=50)
    crop = EngineCrop(box, feather_px=8)
    at_border = paste_back(photo, frame_for(box), crop)
    wider = np.full((60, 120, 3), 40, np.uint8)
    inside = paste_back(wider, frame_for(box), crop)
    assert at_border[30, 79, 0] == 240
    assert inside[30, 79, 0] < 60
