"""A thumbnail is what Telegram takes: a JPEG of 320 px and 200 kB at most."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.media.thumbnail import write_thumbnail


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(1280, 720, (320, 180)), (480, 960, (160, 320)), (320, 320, (320, 320)), (96, 64, (96, 64))],
)
def test_a_thumbnail_shows_a_frame_in_small(
    tmp_path: Path, width: int, height: int, size: tuple[int, int]
) -> None:
    frame = np.full((height, width, 3), (200, 60, 40), dtype=np.uint8)
    write_thumbnail(frame, tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("JPEG", size)
        assert np.abs(np.asarray(thumbnail).astype(int) - (200, 60, 40)).max() <= 8


def test_a_thumbnail_of_noise_is_small_enough(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    write_thumbnail(noise, tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").stat().st_size < 200_000
