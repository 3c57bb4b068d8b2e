"""The sheet of the history shows what is there, with numbers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.media.result_sheet import draw_sheet
from jobs.media_tasks import DrawSheet


def picture(folder: Path, colour: tuple[int, int, int], size: tuple[int, int]) -> str:
    path = folder / f"{colour[0]}.jpg"
    Image.new("RGB", size, colour).save(path, quality=95)
    return str(path)


@pytest.mark.parametrize(("count", "size"), [(1, (252, 252)), (4, (498, 498)), (9, (744, 744))])
def test_sheet_has_even_rows_of_at_most_three(
    tmp_path: Path, count: int, size: tuple[int, int]
) -> None:
    made = draw_sheet(DrawSheet(pictures=(None,) * count), tmp_path)
    assert (made.width, made.height) == size
    with Image.open(tmp_path / made.names[0]) as sheet:
        assert (sheet.format, sheet.size) == ("JPEG", size)


def test_picture_that_is_gone_or_damaged_is_an_empty_tile(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    red = picture(tmp_path, (220, 10, 10), (320, 180))
    blue = picture(tmp_path, (10, 10, 220), (100, 320))
    made = draw_sheet(DrawSheet(pictures=(red, str(broken), None, blue)), tmp_path)
    with Image.open(tmp_path / made.names[0]) as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    centres = [pixels[y, x] for y, x in ((126, 126), (126, 372), (372, 126), (372, 372))]
    assert np.abs(centres[0] - (220, 10, 10)).max() < 12
    assert np.abs(centres[1] - centres[2]).max() < 4
    assert np.abs(centres[3] - (10, 10, 220)).max() < 12
