"""A thumbnail is what Telegram takes: a JPEG of the first frame, 320 px and 200 kB at most."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from inference.media.thumbnail import write_thumbnail
from inference.media.writer import VideoWriter


def write_video(path: Path, *frames: npt.NDArray[np.uint8]) -> None:
    height, width = frames[0].shape[:2]
    with VideoWriter(path, width, height, Fraction(25), comment="test") as writer:
        for frame in frames:
            writer.write(frame)


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(1280, 720, (320, 180)), (480, 960, (160, 320)), (320, 320, (320, 320)), (96, 64, (96, 64))],
)
def test_a_thumbnail_shows_the_first_frame_in_small(
    tmp_path: Path, width: int, height: int, size: tuple[int, int]
) -> None:
    first = np.full((height, width, 3), (200, 60, 40), dtype=np.uint8)
    write_video(tmp_path / "a.mp4", first, np.zeros_like(first))
    write_thumbnail(tmp_path / "a.mp4", tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("JPEG", size)
        assert np.abs(np.asarray(thumbnail).astype(int) - (200, 60, 40)).max() <= 8


def test_a_thumbnail_of_noise_is_small_enough(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    write_video(tmp_path / "a.mp4", noise)
    write_thumbnail(tmp_path / "a.mp4", tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").stat().st_size < 200_000
