"""The animated part lies in its place, and the rest of the photo is the photo."""

import numpy as np
import pytest

from inference.engine import EngineCrop, Picture
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


def test_a_feathered_seam_rises_evenly_inwards(photo: Picture) -> None:
    box = CropBox(left=10, upper=10, right=60, lower=50)
    whole = paste_back(photo, frame_for(box), EngineCrop(box, feather_px=8))
    row = whole[30, :, 0].astype(int)
    np.testing.assert_allclose(row[10:18], 40 + 200 * (np.arange(8) + 0.5) / 8, atol=1)
    np.testing.assert_array_equal(row[10:60], row[10:60][::-1])
    np.testing.assert_array_equal(whole[10:50, 35, 0], whole[10:50, 35, 0][::-1])
    assert (row[18:52] == 240).all()
    assert (row[:10] == 40).all()


def test_along_the_photos_own_border_there_is_no_seam_to_feather(photo: Picture) -> None:
    box = CropBox(left=0, upper=-5, right=50, lower=60)
    whole = paste_back(photo, frame_for(box), EngineCrop(box, feather_px=8))
    assert (whole[:, :42] == 240).all()
    assert whole[30, 49, 0] < 60


def test_a_feather_blends_a_corner_once_in_each_direction(photo: Picture) -> None:
    box = CropBox(left=10, upper=10, right=60, lower=50)
    whole = paste_back(photo, frame_for(box), EngineCrop(box, feather_px=4))
    assert whole[11, 11, 0] == pytest.approx(40 + 200 * (1.5 / 4) ** 2, abs=1)


def test_another_photo_is_feathered_by_its_own_size(photo: Picture) -> None:
    box = CropBox(left=30, upper=10, right=80, lower=50)
    crop = EngineCrop(box, feather_px=8)
    at_border = paste_back(photo, frame_for(box), crop)
    wider = np.full((60, 120, 3), 40, np.uint8)
    inside = paste_back(wider, frame_for(box), crop)
    assert at_border[30, 79, 0] == 240
    assert inside[30, 79, 0] < 60
