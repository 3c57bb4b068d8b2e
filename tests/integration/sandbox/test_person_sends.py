"""What a phone's app does before it sends, and what becomes of odd files and names."""

from fractions import Fraction
from io import BytesIO
from pathlib import PurePath
from typing import Any

import aiohttp
import av
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from sandbox.media import video
from sandbox.parameters import UPLOAD_LIMIT_BYTES
from tests.integration.sandbox.desk import ALICE, Desk, NotPossible, Part
from tests.integration.sandbox.media import clip, frames, photo
from tests.integration.sandbox.raw_bot import RawBot

pytestmark = pytest.mark.local_sockets


def recoded(kind: str, codec: str, size: tuple[int, int] = (96, 64)) -> bytes:
    """A clip of ten frames in another container."""
    file = BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(10):
            frame = VideoFrame(*size, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def gif(side: int, count: int) -> bytes:
    file = BytesIO()
    images = [Image.new("L", (side, side), 3 * number) for number in range(count)]
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=100)
    return file.getvalue()


@pytest.mark.parametrize(("kind", "codec"), [("webm", "libvpx-vp9"), ("mov", "libx264")])
async def test_clip_of_another_kind_becomes_an_mp4(desk: Desk, kind: str, codec: str) -> None:
    content = recoded(kind, codec)
    message = (await desk.send(Part("video", content, f"me.{kind}")))["message"]
    shown = message["animation"]
    assert (shown["mime_type"], shown["file_name"]) == ("video/mp4", "me.mp4")
    assert (shown["width"], shown["height"]) == (96, 64)
    sent = frames(await desk.file(shown["file_id"]))
    assert {frame.shape for frame in sent} == {(64, 96, 3)}
    assert len(sent) == 10


async def test_large_clip_of_another_kind_is_reduced(desk: Desk) -> None:
    content = recoded("mov", "libx264", (1922, 1080))
    shown = (await desk.send(Part("video", content)))["message"]["animation"]
    assert (shown["width"], shown["height"]) == (1280, 720)


async def test_mp4_stays_as_it_is(desk: Desk) -> None:
    content = clip(has_sound=True)
    shown = (await desk.send(Part("video", content, "a.mp4")))["message"]["video"]
    assert await desk.file(shown["file_id"]) == content


async def test_photo_of_many_pixels_is_reduced_before_it_is_sent(desk: Desk) -> None:
    shown = (await desk.send(Part("photo", photo(9000, 1125))))["message"]["photo"]
    assert (shown[-1]["width"], shown[-1]["height"]) == (1280, 160)


async def test_bot_has_no_phone_that_makes_its_files_fit(bot: RawBot, desk: Desk) -> None:
    await desk.say("/start")

    async def sent(kind: str, content: bytes) -> Any:
        form = aiohttp.FormData({"chat_id": str(ALICE)})
        form.add_field(kind, content, filename="me")
        address = f"{bot.sandbox.base_url}{bot.sandbox.token}/send{kind}"
        async with bot.session.post(address, data=form) as response:
            return await response.json()

    refused = await sent("photo", photo(9000, 1125))
    assert refused["description"] == "Bad Request: PHOTO_INVALID_DIMENSIONS"
    content = recoded("webm", "libvpx-vp9")
    shown = (await sent("video", content))["result"]["document"]
    assert await desk.file(shown["file_id"]) == content


async def test_gif_becomes_an_mp4_in_its_name_too(desk: Desk) -> None:
    message = (await desk.send(Part("animation", gif(64, 2), "me.gif")))["message"]
    assert message["animation"]["file_name"] == "me.mp4"
    assert message["document"]["file_name"] == "me.mp4"


async def test_gif_that_would_take_minutes_is_refused_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "_MAX_GIF_PIXELS", 5 * 64 * 64)
    await desk.send(Part("animation", gif(64, 5)))
    with pytest.raises(NotPossible, match="takes too long"):
        await desk.send(Part("animation", gif(64, 6)))


async def test_file_over_the_limit_is_refused_with_its_size(desk: Desk) -> None:
    with pytest.raises(NotPossible, match="at most 50 MB"):
        await desk.send(Part("document", bytes(UPLOAD_LIMIT_BYTES + 1)))
    assert await desk.messages() == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("me.jpg", "me.jpg"),
        ("../../etc/passwd", "passwd"),
        ("a%22b.txt", 'a"b.txt'),
        ("a%0D%0Ab.txt", "a  b.txt"),
        ("100%.txt", "100%.txt"),
        ("ä ö.txt", "ä ö.txt"),
        ("notes/ me.txt ", "me.txt"),
        (f"{'x' * 300}.txt", f"{'x' * 251}.txt"),
        ("x" * 300, "x" * 255),
        ("/", "file"),
    ],
)
async def test_file_names_are_names(bot: RawBot, given: str, expected: str) -> None:
    # As browsers write it.
    part = f'Content-Disposition: form-data; name="document"; filename="{given}"'
    body = f"--b\r\n{part}\r\n\r\nx\r\n--b--\r\n".encode()
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    address = f"{bot.sandbox.url}/sim/message"
    async with bot.session.post(address, data=body, headers=headers) as response:
        message = (await response.json())["message"]
    assert message["document"]["file_name"] == expected


async def test_path_of_a_file_ends_as_its_name_but_never_long(bot: RawBot, desk: Desk) -> None:
    sent = await desk.send(Part("document", b"x", f"a.{'y' * 40}"))
    found = await bot.call("getFile", file_id=sent["message"]["document"]["file_id"])
    assert PurePath(found["file_path"]).suffix == f".{'y' * 15}"
