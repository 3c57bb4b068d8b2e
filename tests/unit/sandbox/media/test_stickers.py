"""Stickers of all three kinds."""

import gzip
import json
from io import BytesIO

import av
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from sandbox.errors import ApiError
from sandbox.media.stickers import sticker


def encoded(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def webm(width: int, height: int) -> bytes:
    file = BytesIO()
    with av.open(file, "w", format="webm") as container:
        stream = container.add_stream("libvpx-vp9", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(VideoFrame(width, height, "yuv420p")))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("size", "made"), [((1024, 512), (512, 256)), ((20, 64), (160, 512)), ((512, 512), (512, 512))]
)
def test_picture_becomes_a_webp_sticker(size: tuple[int, int], made: tuple[int, int]) -> None:
    image = Image.new("RGBA", size, (0, 0, 255, 255))
    image.paste((0, 0, 0, 0), (0, 0, size[0] // 2, size[1]))
    result = sticker(encoded(image))
    assert (result.width, result.height, result.mime) == (*made, "image/webp")
    assert not result.is_animated
    assert not result.is_video
    with Image.open(BytesIO(result.content)) as shown:
        assert (shown.format, shown.size) == ("WEBP", made)
        assert shown.convert("RGBA").getpixel((4, 4))[3] == 0  # type: ignore[index]


def test_drawing_that_moves_is_told_by_its_bytes() -> None:
    content = gzip.compress(json.dumps({"tgs": 1, "w": 512, "h": 512, "layers": []}).encode())
    result = sticker(content)
    assert (result.content, result.width, result.height) == (content, 512, 512)
    assert (result.is_animated, result.is_video) == (True, False)
    assert result.mime == "application/x-tgsticker"


@pytest.mark.parametrize(
    "content",
    [
        b"no sticker",
        gzip.compress(b"{}"),
        gzip.compress(b"[" * 100_000),
        gzip.compress(b" " * 20_000_000 + b'{"w": 512, "h": 512}'),
        b"\x1f\x8b broken",
        b"\x1a\x45\xdf\xa3 broken",
        encoded(Image.new("1", (9000, 9000))),
    ],
)
def test_other_stickers_are_refused(content: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        sticker(content)
    assert caught.value.code == 400


def test_webm_is_a_video_sticker() -> None:
    content = webm(512, 256)
    made = sticker(content)
    assert (made.content, made.width, made.height, made.mime) == (content, 512, 256, "video/webm")
    assert made.is_video
    assert not made.is_animated
