"""Clips: what is found in them, their thumbnails, GIFs and round videos."""

import struct
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from io import BytesIO

import av
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from sandbox.errors import ApiError
from sandbox.media import video
from sandbox.media.video import (
    VideoFacts,
    gif_as_mp4,
    phone_video,
    square_video,
    video_facts,
    video_thumbnail,
)

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
SOUND_RATE = 48_000
# Rows of the matrix in an mp4's track header, for pictures to be turned clockwise by so much.
TURNS = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
Pixel = tuple[int, ...]


def clip(
    size: tuple[int, int] = (64, 48),
    frame_count: int = 25,
    kind: str = "mp4",
    *,
    has_sound: bool = False,
) -> bytes:
    """Red on the left, blue on the right, 25 frames per second."""
    file = BytesIO()
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    with av.open(file, "w", format=kind) as container:
        codecs = ("libvpx-vp9", "libopus") if kind == "webm" else ("libx264", "aac")
        pictures = container.add_stream(codecs[0], rate=25)
        assert isinstance(pictures, av.VideoStream)
        pictures.width, pictures.height = size
        pictures.pix_fmt = "yuv420p"
        sound = container.add_stream(codecs[1], rate=SOUND_RATE) if has_sound else None
        for _ in range(frame_count):
            made = VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
            container.mux(pictures.encode(made))
        container.mux(pictures.encode(None))
        if sound is not None:
            assert isinstance(sound, av.AudioStream)
            for number in range(frame_count * SOUND_RATE // 25 // 960):
                container.mux(sound.encode(silence(number * 960, 960)))
            container.mux(sound.encode(None))
    return file.getvalue()


def silence(start: int, length: int) -> av.AudioFrame:
    frame = av.AudioFrame(format="s16", layout="mono", samples=length)
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
    return frame


def turned(mp4: bytes, degrees: int) -> bytes:
    """The clip with a note in its header that it is to be shown turned clockwise."""
    first, second, third, fourth = (value << 16 for value in TURNS[degrees])
    matrix = struct.pack(">9i", first, second, 0, third, fourth, 0, 0, 0, 1 << 30)
    place = mp4.index(b"tkhd") + 44
    return mp4[:place] + matrix + mp4[place + len(matrix) :]


def gif(frames: list[Image.Image], durations_ms: list[int]) -> bytes:
    file = BytesIO()
    frames[0].save(
        file, "GIF", save_all=True, append_images=frames[1:], duration=durations_ms, loop=0
    )
    return file.getvalue()


def frames_of(content: bytes) -> list[tuple[float, Image.Image]]:
    with av.open(BytesIO(content), "r") as container:
        frames = container.decode(video=0)
        return [(float(frame.time or 0), frame.to_image()) for frame in frames]  # type: ignore[no-untyped-call]


def first_picture(content: bytes) -> Image.Image:
    picture = video_thumbnail(content)
    assert picture is not None
    image = Image.open(BytesIO(picture.content))
    assert (image.format, image.size) == ("JPEG", (picture.width, picture.height))
    return image


def near(image: Image.Image, place: tuple[int, int], colour: Pixel) -> bool:
    pixel = image.getpixel(place)
    assert isinstance(pixel, tuple)
    return all(abs(one - other) < 24 for one, other in zip(pixel, colour, strict=True))


@pytest.fixture(autouse=True)
def nothing_is_said(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The libraries complain of broken files on stderr unless they are told not to."""
    yield
    assert capfd.readouterr() == ("", "")


def wiped(mp4: bytes) -> bytes:
    """The clip with zeros in the place of its pictures."""
    begin = mp4.index(b"mdat") + 4
    end = mp4.index(b"moov") - 4
    return mp4[:begin] + bytes(end - begin) + mp4[end:]


BROKEN = {
    "empty": b"",
    "text": b"no video at all\n" * 100,
    "header alone": clip()[:40],
    "without its index": clip()[:-400],
    "without its pictures": wiped(clip()),
}


# --- facts ----------------------------------------------------------------------------------------


def test_facts_of_a_silent_mp4() -> None:
    assert video_facts(clip()) == VideoFacts(64, 48, 1, has_sound=False, is_mp4=True)


def test_sound_and_length_are_seen() -> None:
    assert video_facts(clip(frame_count=60, has_sound=True)) == VideoFacts(
        64, 48, 2, has_sound=True, is_mp4=True
    )


@pytest.mark.parametrize("kind", ["webm", "mov", "matroska", "avi"])
def test_other_containers_are_no_mp4(kind: str) -> None:
    assert video_facts(clip(kind=kind)) == VideoFacts(64, 48, 1, has_sound=False, is_mp4=False)


@pytest.mark.parametrize(("degrees", "size"), [(90, (48, 64)), (180, (64, 48)), (270, (48, 64))])
def test_size_is_that_of_the_upright_clip(degrees: int, size: tuple[int, int]) -> None:
    facts = video_facts(turned(clip(), degrees))
    assert facts is not None
    assert (facts.width, facts.height) == size


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_clip_has_no_facts(content: bytes) -> None:
    assert video_facts(content) is None
    assert video_thumbnail(content) is None
    with pytest.raises(ApiError, match="VIDEO_CONTENT_TYPE_INVALID"):
        square_video(content)
    with pytest.raises(ApiError, match="IMAGE_PROCESS_FAILED"):
        gif_as_mp4(content)


def test_still_picture_is_no_clip() -> None:
    file = BytesIO()
    Image.new("RGB", (64, 48)).save(file, "PNG")
    assert video_facts(file.getvalue()) is None


def test_sound_alone_is_no_clip() -> None:
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=SOUND_RATE)
        container.mux(sound.encode(silence(0, 4800)))
        container.mux(sound.encode(None))
    assert video_facts(file.getvalue()) is None


# --- thumbnails -----------------------------------------------------------------------------------


def test_thumbnail_is_the_first_frame() -> None:
    image = first_picture(clip())
    assert image.size == (64, 48)
    assert near(image, (8, 24), RED)
    assert near(image, (56, 24), BLUE)


def test_thumbnail_of_a_large_clip_is_small() -> None:
    assert first_picture(clip((1280, 720), frame_count=2)).size == (320, 180)


@pytest.mark.parametrize(
    ("degrees", "red", "blue"),
    [(90, (24, 8), (24, 56)), (180, (56, 24), (8, 24)), (270, (24, 56), (24, 8))],
)
def test_thumbnail_stands_upright(
    degrees: int, red: tuple[int, int], blue: tuple[int, int]
) -> None:
    image = first_picture(turned(clip(), degrees))
    assert near(image, red, RED)
    assert near(image, blue, BLUE)


# --- GIFs -----------------------------------------------------------------------------------------


def test_gif_becomes_a_silent_mp4_with_the_same_timing() -> None:
    colours = [RED, BLUE, WHITE, RED]
    frames = [Image.new("RGB", (64, 48), colour) for colour in colours]
    made = gif_as_mp4(gif(frames, [100, 300, 200, 1400]))
    assert video_facts(made) == VideoFacts(64, 48, 2, has_sound=False, is_mp4=True)
    shown = frames_of(made)
    assert [time for time, _ in shown] == pytest.approx([0, 0.1, 0.4, 0.6])
    for (_, image), colour in zip(shown, colours, strict=True):
        assert near(image, (32, 24), colour)
    with av.open(BytesIO(made), "r") as container:
        assert container.duration == 2_000_000
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")


def test_odd_gif_gets_even_sides() -> None:
    facts = video_facts(gif_as_mp4(gif([Image.new("RGB", (33, 1), RED)], [100])))
    assert facts is not None
    assert (facts.width, facts.height) == (34, 2)


def test_transparent_parts_of_a_gif_become_white() -> None:
    frame = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    frame.paste((*RED, 255), (0, 0, 32, 48))
    ((_, image),) = frames_of(gif_as_mp4(gif([frame], [100])))
    assert near(image, (8, 24), RED)
    assert near(image, (56, 24), WHITE)


def test_gif_that_breaks_off_is_refused_or_shorter() -> None:
    frames = [Image.effect_noise((64, 48), spread) for spread in (20, 60, 100)]
    whole = gif(frames, [100] * 3)
    counts = []
    for length in range(0, len(whole), 500):
        with suppress(ApiError):
            counts.append(len(frames_of(gif_as_mp4(whole[:length]))))
    assert counts
    assert set(counts) <= {1, 2, 3}


def test_gif_of_absurd_size_is_refused() -> None:
    small = gif([Image.new("RGB", (64, 48), RED)], [100])
    with pytest.raises(ApiError, match="IMAGE_PROCESS_FAILED"):
        gif_as_mp4(small[:6] + b"\xff\xff\xff\xff" + small[10:])


# --- round videos ---------------------------------------------------------------------------------


def test_round_video_is_the_middle_of_a_clip_with_its_sound() -> None:
    made = square_video(clip((640, 360), frame_count=50, has_sound=True))
    assert video_facts(made) == VideoFacts(384, 384, 2, has_sound=True, is_mp4=True)
    with av.open(BytesIO(made), "r") as container:
        assert container.streams.audio[0].codec_context.name == "aac"
    image = frames_of(made)[0][1]
    assert near(image, (100, 190), RED)
    assert near(image, (284, 190), BLUE)


def test_silent_round_video_stays_silent() -> None:
    facts = video_facts(square_video(clip()))
    assert facts is not None
    assert not facts.has_sound


@pytest.mark.parametrize(
    ("degrees", "red", "blue"),
    [
        (90, (190, 60), (190, 320)),
        (180, (320, 190), (60, 190)),
        (270, (190, 320), (190, 60)),
    ],
)
def test_round_video_stands_upright(
    degrees: int, red: tuple[int, int], blue: tuple[int, int]
) -> None:
    image = frames_of(square_video(turned(clip(), degrees)))[0][1]
    assert near(image, red, RED)
    assert near(image, blue, BLUE)


def test_round_video_lasts_a_minute_at_most() -> None:
    made = square_video(clip((32, 32), frame_count=62 * 25, has_sound=True))
    facts = video_facts(made)
    assert facts is not None
    assert facts.duration_s == 60
    assert facts.has_sound


def test_round_video_is_made_of_a_webm_too() -> None:
    made = square_video(clip(kind="webm", has_sound=True))
    assert video_facts(made) == VideoFacts(384, 384, 1, has_sound=True, is_mp4=True)


# --- what a phone's app sends ---------------------------------------------------------------------


def test_phone_makes_an_upright_mp4_with_its_sound() -> None:
    made = phone_video(turned(clip(has_sound=True), 90))
    assert video_facts(made) == VideoFacts(48, 64, 1, has_sound=True, is_mp4=True)
    image = frames_of(made)[0][1]
    assert near(image, (24, 12), RED)
    assert near(image, (24, 52), BLUE)


def test_phone_sends_two_minutes_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "_PHONE_LIMIT_S", 2)
    facts = video_facts(phone_video(clip(frame_count=75)))
    assert facts is not None
    assert facts.duration_s == 2
