"""GIF and WebP animations: every player shows them for as long as the frames they were made of."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from PIL import Image, ImageSequence

from inference.media.writer import VideoWriter
from jobs.errors import EncoderFailed


def portrait(width: int, height: int) -> npt.NDArray[np.uint8]:
    whole = Image.fromarray(skimage.data.astronaut()).resize((width, height))
    return np.asarray(whole, dtype=np.uint8)


def write(
    target: Path, count: int, rate: Fraction, size: tuple[int, int] = (96, 64)
) -> VideoWriter:
    """A white square crosses the upper half of a portrait."""
    still = portrait(*size)
    with VideoWriter(target, *size, rate, comment="AI-generated", loop=2) as writer:
        for index in range(count):
            frame = still.copy()
            frame[8:24, index : index + 16] = 255
            writer.write(frame)
    return writer


def write_wrong_frame(target: Path) -> None:
    with VideoWriter(target, 64, 48, Fraction(25), comment="") as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
        writer.write(np.zeros((64, 48, 3), np.uint8))


def decode(path: Path) -> tuple[list[npt.NDArray[np.uint8]], list[int]]:
    frames, durations_ms = [], []
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        for frame in ImageSequence.Iterator(image):
            frames.append(np.asarray(frame.convert("RGB")))
            durations_ms.append(int(frame.info["duration"]))
    return frames, durations_ms


@pytest.mark.parametrize(
    ("name", "rate", "frames", "durations_ms"),
    [
        ("a.gif", Fraction(10), 30, {100}),
        # Hundredths of a second, of which none are lost.
        ("a.gif", Fraction(25), 15, {80}),
        ("a.GIF", Fraction(30), 15, {60, 70}),
        ("a.gif", Fraction(60), 8, {60, 70, 30, 40}),
        ("a.webp", Fraction(25), 30, {40}),
        ("a.webp", Fraction(30000, 1001), 30, {33, 34}),
        ("a.WEBP", Fraction(60), 15, {33, 34}),
    ],
)
def test_an_animation_lasts_as_long_as_its_frames_and_loops(
    tmp_path: Path, name: str, rate: Fraction, frames: int, durations_ms: set[int]
) -> None:
    writer = write(tmp_path / name, 30, rate)
    decoded, shown_ms = decode(tmp_path / name)
    assert len(decoded) == frames == writer.file_frame_count
    assert set(shown_ms) <= durations_ms
    tick_ms = 10 if name.lower().endswith("gif") else 1
    assert abs(sum(shown_ms) - 30_000 / rate) <= tick_ms / 2
    assert abs(frames / writer.file_frame_rate - 30 / rate) < 1 / Fraction(15)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("a.gif", (96, 64), (96, 64)),
        ("a.gif", (960, 640), (480, 320)),
        ("a.gif", (300, 501), (287, 480)),
        ("a.webp", (960, 640), (640, 427)),
        ("a.webp", (95, 63), (95, 63)),
    ],
)
def test_large_frames_are_reduced_and_small_ones_kept(
    tmp_path: Path, name: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    writer = write(tmp_path / name, 3, Fraction(25), size)
    decoded, _ = decode(tmp_path / name)
    assert writer.file_size == expected
    assert {frame.shape for frame in decoded} == {(expected[1], expected[0], 3)}


@pytest.mark.parametrize(("name", "tolerance"), [("a.gif", 8), ("a.webp", 4)])
def test_frames_look_as_they_were_written(tmp_path: Path, name: str, tolerance: float) -> None:
    write(tmp_path / name, 12, Fraction(12), (240, 160))
    decoded, _ = decode(tmp_path / name)
    still = portrait(240, 160).astype(int)
    for index, frame in enumerate(decoded):
        expected = still.copy()
        expected[8:24, index : index + 16] = 255
        assert np.abs(frame - expected).mean() < tolerance


def test_still_parts_of_a_gif_do_not_flicker(tmp_path: Path) -> None:
    write(tmp_path / "a.gif", 12, Fraction(12))
    decoded, _ = decode(tmp_path / "a.gif")
    for frame in decoded:
        assert np.array_equal(frame[24:], decoded[0][24:])


def test_the_comment_is_in_the_metadata(tmp_path: Path) -> None:
    for name in ("a.gif", "a.webp"):
        write(tmp_path / name, 2, Fraction(25))
    with Image.open(tmp_path / "a.gif") as gif, Image.open(tmp_path / "a.webp") as webp:
        assert gif.info["comment"] == b"AI-generated"
        assert webp.getexif()[0x010E] == "AI-generated"


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
@pytest.mark.parametrize("count", [1, 20])
def test_frames_that_are_all_the_same_are_written(tmp_path: Path, name: str, count: int) -> None:
    with VideoWriter(tmp_path / name, 96, 64, Fraction(10), comment="") as writer:
        for _ in range(count):
            writer.write(portrait(96, 64))
    with Image.open(tmp_path / name) as image:
        assert image.size == (96, 64)


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_an_animation_that_fails_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(EncoderFailed, match="no frame"):
        write(tmp_path / name, 0, Fraction(25))
    with pytest.raises(ValueError, match="expected uint8"):
        write_wrong_frame(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
