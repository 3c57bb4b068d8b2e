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
from inference.media.visible_mark import VisibleMark, noted
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


def write(
    path: Path, count: int, audio_from: Path | None = None, rate: int = 25, description: str = ""
) -> Path:
    with VideoWriter(
        *(path, WIDTH, HEIGHT, Fraction(rate)),
        audio_from=audio_from,
        comment=COMMENT,
        description=description,
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
    return pixels_of(path)[..., 3]


def pixels_of(path: Path) -> npt.NDArray[np.uint8]:
    """A sticker's first frame, uint8 (512, 512, 4) RGBA."""
    decoding = [executable(), "-nostdin", "-v", "error", "-c:v", "libvpx-vp9", "-i", str(path)]
    raw = [*decoding, "-frames:v", "1", "-pix_fmt", "rgba", "-f", "rawvideo", "-"]
    answer = subprocess.run(raw, check=True, timeout=60, capture_output=True)
    return np.frombuffer(answer.stdout, np.uint8).reshape(512, 512, 4)


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


# --- the visible mark -----------------------------------------------------------------------------


def box(left: int, upper: int, width: int, height: int) -> CropBox:
    return CropBox(left=left, upper=upper, right=left + width, lower=upper + height)


def marked(path: Path, mark: CropBox) -> Path:
    """A result that says that its mark is there; there is none, so a new one can be seen."""
    return write(path, 25, description=VisibleMark(mark).note)


LOWER_RIGHT = box(140, 108, 18, 12)


def mark_of(path: Path) -> CropBox | None:
    with av.open(str(path)) as video:
        metadata = {name.lower(): value for name, value in video.metadata.items()}
    return noted(metadata.get("description", ""))


def first_frame(path: Path) -> npt.NDArray[np.uint8]:
    with av.open(str(path)) as video:
        return np.asarray(next(video.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)


def test_repeated_video_says_where_its_mark_is(tmp_path: Path) -> None:
    _, path = made(Form.VIDEO, marked(tmp_path / "result.mp4", LOWER_RIGHT), is_seamless=True)
    assert mark_of(path) == LOWER_RIGHT


def test_round_video_gets_a_mark_inside_its_circle_and_beside_all_faces(tmp_path: Path) -> None:
    result = marked(tmp_path / "result.mp4", LOWER_RIGHT)
    others = (box(95, 86, 20, 20),)
    _, path = made(Form.ROUND, result, face_box=FACE, other_faces=others)
    place = mark_of(path)
    assert place is not None
    corners = [(x, y) for x in (place.left, place.right) for y in (place.upper, place.lower)]
    assert max(np.hypot(x - 192, y - 192) for x, y in corners) < 192
    square = box(57, 7, 96, 96)  # of the result, enlarged to 384 px
    for face in (FACE, *others):
        shown = face.moved(-square.left, -square.upper).scaled(384 / square.width)
        assert place.overlap(shown) == 0
    letters = first_frame(path)[place.upper : place.lower, place.left : place.right]
    assert letters.max() > 200
    assert letters.min() < 90
    assert shown_comment(path) == COMMENT


def shown_comment(path: Path) -> str:
    return str(shown(path)[3])


def test_round_video_that_shows_the_results_mark_gets_no_second_one(tmp_path: Path) -> None:
    result = marked(tmp_path / "result.mp4", box(100, 80, 18, 10))
    _, path = made(Form.ROUND, result, face_box=FACE)
    assert mark_of(path) is None
    assert not path.with_name("mark.png").exists()


def test_sticker_gets_its_mark_outside_the_oval(tmp_path: Path) -> None:
    result = marked(tmp_path / "result.mp4", LOWER_RIGHT)
    found, path = made(Form.STICKER, result, face_box=FACE)
    place = mark_of(path)
    assert place is not None
    inside = np.s_[place.upper : place.lower, place.left : place.right]
    pixels = pixels_of(path)
    assert pixels[inside][8:-8, 16:-16, 3].min() > 200
    assert pixels[inside][..., :3].max() > 200
    assert pixels[inside][8:-8, 16:-16, 1].min() < 100
    assert pixels[: place.upper - 4, place.right - 8 :, 3][:100].max() < 20
    assert found.size_bytes <= 256 * 1024


def test_square_sticker_has_its_mark_inside_and_not_over_the_face(tmp_path: Path) -> None:
    result = marked(tmp_path / "result.mp4", LOWER_RIGHT)
    edge = box(-10, -10, 40, 40)
    _, path = made(Form.STICKER, result, face_box=edge)
    place = mark_of(path)
    assert place is not None
    assert place.left > 256
    assert place.lower < 500
    assert pixels_of(path)[place.upper : place.lower, place.left : place.right, 3].min() > 235


@pytest.mark.parametrize("form", [Form.ROUND, Form.STICKER, Form.VIDEO])
def test_forms_of_a_result_without_a_mark_have_none(result: Path, form: Form) -> None:
    _, path = made(form, result, face_box=FACE)
    assert mark_of(path) is None
