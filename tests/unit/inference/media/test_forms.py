"""Each form of a result keeps to Telegram's limits, and tells how it was made."""

import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from inference.media.ffmpeg import executable
from inference.media.forms import make_form
from inference.media.writer import VideoWriter
from jobs.errors import MediaError
from jobs.media_tasks import Form, Made, MakeForm
from jobs.model import CropBox

COMMENT = "made with AI"
WIDTH, HEIGHT = 160, 120
FACE = CropBox(left=90, upper=40, right=120, lower=70)


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """2 s of a grey picture with a red face that gets lighter."""
    return write(tmp_path / "result.mp4", 50)


def write(path: Path, count: int, audio_from: Path | None = None, rate: int = 25) -> Path:
    with VideoWriter(
        path, WIDTH, HEIGHT, Fraction(rate), audio_from=audio_from, comment=COMMENT
    ) as writer:
        for number in range(count):
            frame = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
            frame[40:70, 90:120] = (200, number % 100, 0)
            writer.write(frame)
    return path


def tone(path: Path, seconds: float) -> Path:
    inputs = ["-f", "lavfi", "-i", f"sine=440:r=48000:d={seconds}"]
    subprocess.run([executable(), "-nostdin", "-v", "error", *inputs, path], check=True, timeout=60)
    return path


def made(form: Form, video: Path, **facts: object) -> tuple[Made, Path]:
    folder = video.parent / form
    folder.mkdir()
    task = MakeForm.model_validate({"form": form, "video": str(video), **facts})
    found = make_form(task, folder)
    path = folder / found.names[0]
    assert path.stat().st_size == found.size_bytes
    return found, path


def shown(path: Path) -> tuple[Any, ...]:
    """Size, length in s, kinds of tracks, and comment of a video."""
    with av.open(str(path)) as video:
        picture = video.streams.video[0]
        times = [float(frame.time or 0) for frame in video.decode(picture)]
        frame_s = float(1 / (picture.average_rate or 25))
        kinds = sorted(str(stream.type) for stream in video.streams)
        metadata = {name.lower(): value for name, value in video.metadata.items()}
        size = picture.width, picture.height
        return size, times[-1] + frame_s, kinds, metadata.get("comment", "")


def test_video_repeats_a_seamless_movement_without_encoding_it_again(result: Path) -> None:
    found, path = made(Form.VIDEO, result, is_seamless=True)
    assert shown(path) == ((WIDTH, HEIGHT), pytest.approx(8.0), ["audio", "video"], COMMENT)
    assert (found.width, found.height) == (WIDTH, HEIGHT)
    assert found.duration_s == pytest.approx(8.0)
    with av.open(str(result)) as before, av.open(str(path)) as after:
        packets = [bytes(packet) for packet in before.demux(video=0) if packet.size]
        repeated = [bytes(packet) for packet in after.demux(video=0) if packet.size]
    assert repeated == packets * 4
    with Image.open(path.with_name(found.names[1])) as thumbnail:
        assert thumbnail.size == (WIDTH, HEIGHT)


def test_video_of_a_movement_that_cannot_be_repeated_is_as_long_as_it_is(result: Path) -> None:
    _, path = made(Form.VIDEO, result)
    assert shown(path)[1] == pytest.approx(2.0)


def test_video_with_sound_keeps_it_and_is_not_repeated(tmp_path: Path) -> None:
    sound = tone(tmp_path / "tone.m4a", 2)
    spoken = write(tmp_path / "spoken.mp4", 50, sound)
    found, path = made(Form.VIDEO, spoken, is_seamless=True)
    assert found.has_sound
    assert shown(path)[1:3] == (pytest.approx(2.0), ["audio", "video"])


def test_round_video_is_a_square_around_the_face(result: Path) -> None:
    found, path = made(Form.ROUND, result, face_box=FACE)
    assert shown(path) == ((384, 384), pytest.approx(2.0), ["video"], COMMENT)
    assert (found.width, found.height, found.has_sound) == (384, 384, False)
    with av.open(str(path)) as video:
        frame = next(video.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    red = np.argwhere(frame[..., 0] - frame[..., 1] > 100)
    middle = red.mean(axis=0)
    assert np.abs(middle - 192).max() < 8, "the face is in the centre"


def test_round_video_near_the_edge_stays_inside_the_picture(result: Path) -> None:
    edge = CropBox(left=130, upper=-5, right=165, lower=30)
    _, path = made(Form.ROUND, result, face_box=edge)
    assert shown(path)[0] == (384, 384)


def test_round_video_keeps_its_sound_and_ends_before_a_minute(tmp_path: Path) -> None:
    sound = tone(tmp_path / "tone.m4a", 62)
    spoken = write(tmp_path / "spoken.mp4", 62 * 5, sound, rate=5)
    found, path = made(Form.ROUND, spoken)
    size, length_s, kinds, _ = shown(path)
    assert (size, kinds) == ((384, 384), ["audio", "video"])
    assert length_s <= 60
    assert found.has_sound


def test_gif_keeps_length_and_comment(result: Path) -> None:
    found, path = made(Form.GIF, result)
    with Image.open(path) as gif:
        assert (gif.format, gif.size) == ("GIF", (found.width, found.height))
        assert gif.info["comment"] == COMMENT.encode()
        assert gif.info["loop"] == 0
    assert found.duration_s == pytest.approx(2.0)


@pytest.mark.parametrize("count", [50, 250])
def test_sticker_is_as_telegram_wants_it(tmp_path: Path, count: int) -> None:
    result = write(tmp_path / "result.mp4", count)
    found, path = made(Form.STICKER, result, face_box=FACE, is_seamless=True)
    assert (found.width, found.height) == (512, 512)
    assert found.size_bytes <= 256 * 1024
    size, length_s, kinds, comment = shown(path)
    assert (size, kinds, comment) == ((512, 512), ["video"], COMMENT)
    assert min(2.0, count / 25) - 0.1 < length_s <= 3
    with av.open(str(path)) as video:
        assert video.format.name == "matroska,webm"
        assert video.streams.video[0].codec_context.name == "vp9"


@pytest.mark.parametrize("face", [FACE, None])
def test_sticker_is_transparent_outside_its_outline(result: Path, face: CropBox | None) -> None:
    _, path = made(Form.STICKER, result, face_box=face)
    alpha = alpha_of(path)
    assert alpha[:8, :8].max() < 20
    assert alpha[200:312, 200:312].min() > 235


def test_oval_of_a_sticker_is_where_the_face_is(result: Path) -> None:
    left_of_centre = CropBox(left=10, upper=40, right=50, lower=80)
    _, path = made(Form.STICKER, result, face_box=left_of_centre)
    alpha = alpha_of(path)
    # The square cannot begin left of the picture, so the face is 30 of its 96 px from its edge.
    assert alpha[256, 140:180].min() > 235
    assert alpha[256, 380:].max() < 20


def alpha_of(path: Path) -> npt.NDArray[np.uint8]:
    """The alpha of a sticker's first frame, uint8 (512, 512)."""
    decoding = [executable(), "-nostdin", "-v", "error", "-c:v", "libvpx-vp9", "-i", str(path)]
    raw = [*decoding, "-frames:v", "1", "-pix_fmt", "rgba", "-f", "rawvideo", "-"]
    answer = subprocess.run(raw, check=True, timeout=60, capture_output=True)
    return np.frombuffer(answer.stdout, np.uint8).reshape(512, 512, 4)[..., 3]


def test_sticker_of_a_face_at_the_edge_is_a_square_with_round_corners(result: Path) -> None:
    edge = CropBox(left=-10, upper=-10, right=50, lower=50)
    _, path = made(Form.STICKER, result, face_box=edge)
    with Image.open(path.with_name("mask.png")) as mask:
        assert mask.getpixel((256, 2)) == 255
        assert mask.getpixel((2, 256)) == 255
        assert mask.getpixel((2, 2)) == 0


def test_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.mp4"
    path.write_bytes(b"no video at all")
    with pytest.raises(MediaError):
        made(Form.ROUND, path)


def test_metadata_that_is_no_text_is_no_obstacle(result: Path) -> None:
    result.write_bytes(result.read_bytes().replace(COMMENT.encode(), b"\x80" * len(COMMENT)))
    assert made(Form.GIF, result)[0].size_bytes > 0
