"""What is read from videos and recordings."""

from io import BytesIO

import av
import pytest
from PIL import Image

from sandbox.media.clips import as_ogg, read_clip, sound_duration_s
from tests.integration.sandbox import media


def remuxed(content: bytes, kind: str) -> bytes:
    """The same streams in another container."""
    file = BytesIO()
    with av.open(BytesIO(content), "r") as source, av.open(file, "w", format=kind) as target:
        streams = {one: target.add_stream_from_template(one) for one in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream]
                target.mux(packet)
    return file.getvalue()


def test_silent_mp4() -> None:
    clip = read_clip(media.clip())
    assert clip is not None
    assert (clip.width, clip.height, clip.duration_s) == (96, 64, 1)
    assert (clip.has_sound, clip.is_mp4) == (False, True)


def test_sound_is_seen() -> None:
    clip = read_clip(media.clip(has_sound=True))
    assert clip is not None
    assert clip.has_sound


@pytest.mark.parametrize("kind", ["mov", "matroska"])
def test_other_containers_are_not_mp4(kind: str) -> None:
    clip = read_clip(remuxed(media.clip(), kind))
    assert clip is not None
    assert (clip.width, clip.height, clip.is_mp4) == (96, 64, False)


def test_thumbnail_is_the_first_frame_reduced() -> None:
    clip = read_clip(media.clip(640, 360))
    assert clip is not None
    with Image.open(BytesIO(clip.thumbnail.content)) as image:
        assert (image.format, image.size) == ("JPEG", (320, 180))


@pytest.mark.parametrize(
    "content",
    [b"", b"no video\n" * 100, media.clip()[:40], media.clip()[:-400], media.photo()],
    ids=["empty", "text", "header alone", "without its index", "a photo"],
)
def test_what_is_not_a_video_is_not_read(content: bytes) -> None:
    assert read_clip(content) is None


def test_length_of_a_recording_is_read() -> None:
    assert sound_duration_s(media.voice()) == 1
    assert sound_duration_s(media.clip()) is None
    assert sound_duration_s(b"no sound") is None


def test_recording_of_a_browser_becomes_ogg() -> None:
    in_browser = media.voice("webm")
    assert as_ogg(in_browser).startswith(b"OggS")
    assert sound_duration_s(as_ogg(in_browser)) == 1
    for other in (media.voice(), media.clip(has_sound=True), b"no sound"):
        assert as_ogg(other) == other
