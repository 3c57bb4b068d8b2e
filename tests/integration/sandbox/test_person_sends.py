"""Files that people send: their kinds, names and limits."""

from pathlib import PurePath

import aiohttp
import pytest

from sandbox.parameters import UPLOAD_LIMIT_BYTES
from tests.integration.sandbox.desk import ALICE, Desk, NotPossible, Part
from tests.integration.sandbox.media import clip, gif, voice, webm
from tests.integration.sandbox.raw_bot import RawBot

pytestmark = pytest.mark.local_sockets


async def test_mp4_stays_as_it_is(desk: Desk) -> None:
    content = clip(has_sound=True)
    shown = (await desk.send(Part("video", content, "a.mp4")))["message"]["video"]
    assert await desk.file(shown["file_id"]) == content


@pytest.mark.parametrize(
    ("kind", "content", "name", "mime_type"),
    [("video", webm(), "me.webm", "video/webm"), ("animation", gif(), "me.gif", "image/gif")],
)
async def test_clip_of_another_kind_stays_as_it_is(
    desk: Desk, kind: str, content: bytes, name: str, mime_type: str
) -> None:
    shown = (await desk.send(Part(kind, content, name)))["message"]["animation"]
    assert (shown["mime_type"], shown["file_name"]) == (mime_type, name)
    assert (shown["width"], shown["height"]) == (64, 48)
    assert await desk.file(shown["file_id"]) == content


async def test_bot_can_send_only_mp4_as_a_video(bot: RawBot, desk: Desk) -> None:
    await desk.say("/start")
    form = aiohttp.FormData({"chat_id": str(ALICE)})
    form.add_field("video", webm(), filename="me.webm")
    address = f"{bot.sandbox.base_url}{bot.sandbox.token}/sendVideo"
    async with bot.session.post(address, data=form) as response:
        shown = (await response.json())["result"]["document"]
    assert await desk.file(shown["file_id"]) == webm()


async def test_recording_is_a_voice_message(bot: RawBot, desk: Desk) -> None:
    await desk.send(Part("voice", voice(), "voice.ogg"), caption="listen")
    (update,) = await bot.call("getUpdates")
    shown = update["message"]["voice"]
    assert (shown["duration"], shown["mime_type"]) == (1, "audio/ogg")
    assert update["message"]["caption"] == "listen"
    with pytest.raises(NotPossible, match="it has no sound"):
        await desk.send(Part("voice", clip(), "silent.mp4"))


async def test_audio_file_keeps_its_name_and_one_without_sound_is_a_file(
    bot: RawBot, desk: Desk
) -> None:
    await desk.send(Part("audio", voice(), "song.ogg"))
    await desk.send(Part("audio", b"no sound", "song.mp3"))
    sent, silent = await bot.call("getUpdates")
    shown = sent["message"]["audio"]
    assert (shown["duration"], shown["mime_type"], shown["file_name"]) == (
        1,
        "audio/ogg",
        "song.ogg",
    )
    assert (await bot.call("getFile", file_id=shown["file_id"]))["file_size"] == len(voice())
    assert await desk.file(shown["file_id"]) == voice()
    assert silent["message"]["document"]["file_name"] == "song.mp3"


@pytest.mark.parametrize(
    ("content", "name", "flags"),
    [(webm(), "me.webm", (False, True)), (b"\x1f\x8b drawing", "me.tgs", (True, False))],
)
async def test_moving_stickers_are_told_apart(
    desk: Desk, content: bytes, name: str, flags: tuple[bool, bool]
) -> None:
    shown = (await desk.send(Part("sticker", content, name)))["message"]["sticker"]
    assert (shown["is_animated"], shown["is_video"]) == flags


async def test_file_over_the_limit_is_refused_with_its_size(desk: Desk) -> None:
    with pytest.raises(NotPossible, match="the limit is 50 MB"):
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
