"""Hostile clips and files that are none: each gives the right error, none opens another file.

All are made here, tiny, by ffmpeg or by hand.
"""

import io
import os
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.media.ffmpeg import Ffmpeg, executable, input_arguments
from jobs.errors import (
    ClipTooManyPixels,
    EmptyFile,
    FileMissing,
    FileUnreadable,
    MediaDamaged,
    MediaError,
    NoFrameDecoded,
    NoVideoStream,
    UnsupportedClip,
)
from tests.unit.inference.clips import (
    SINE,
    TIME_LIMIT_S,
    lavfi,
    make,
    normalised,
    nothing_hangs,
    pictures,
)

__all__ = ["nothing_hangs"]  # the fixture is used by every test of this file


# --- files that are refused -----------------------------------------------------------------------


def picture_bytes(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(buffer, kind)
    return buffer.getvalue()


def gif_of(width: int, height: int) -> bytes:
    data = bytearray(picture_bytes("GIF"))
    struct.pack_into("<HH", data, 6, width, height)
    return bytes(data)


def webp_of(width: int, height: int) -> bytes:
    """An animated WebP's header with one frame that is not there."""
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas
    body += b"ANIM" + struct.pack("<I", 6) + b"\0" * 6
    body += b"ANMF" + struct.pack("<I", 16) + b"\0" * 12 + b"\x28\0\0\0"
    return b"RIFF" + struct.pack("<I", len(body)) + body


def noise_bytes(count: int) -> bytes:
    return np.random.default_rng(5).integers(0, 256, count, dtype=np.uint8).tobytes()


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
DASH = '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{}</BaseURL></MPD>'
DATA_URI = "data:video/mp4;base64,AAAA"

REFUSED: dict[str, tuple[bytes, type[MediaError]]] = {
    "zero bytes.mp4": (b"", EmptyFile),
    "one byte.mp4": (b"\0", UnsupportedClip),
    "text.mp4": (b"Dear bot, here is my clip.\n" * 50, UnsupportedClip),
    "noise.mp4": (noise_bytes(5000), UnsupportedClip),
    "noise.webm": (noise_bytes(5000), UnsupportedClip),
    "zeros.avi": (b"\0" * 5000, UnsupportedClip),
    "archive.mp4": (b"PK\x03\x04" + zlib.compress(noise_bytes(500)), UnsupportedClip),
    "photo.mp4": (picture_bytes("JPEG"), UnsupportedClip),
    "picture.mov": (picture_bytes("PNG"), UnsupportedClip),
    "still.webp": (picture_bytes("WEBP"), UnsupportedClip),
    "drawing.mp4": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedClip),
    "playlist.mp4": (PLAYLIST.format("secret.mp4").encode(), UnsupportedClip),
    "playlist.m3u8": (PLAYLIST.format("secret.mp4").encode(), UnsupportedClip),
    "playlist of data.m3u8": (
        PLAYLIST.format("data:video/mp4;base64,AAAA").encode(),
        UnsupportedClip,
    ),
    "playlist of net.m3u8": (PLAYLIST.format("http://127.0.0.1:9/a.ts").encode(), UnsupportedClip),
    "concat.mp4": (b"ffconcat version 1.0\nfile secret.mp4\n", UnsupportedClip),
    "concat of all.mp4": (b"ffconcat version 1.0\nfile file:///etc/hostname\n", UnsupportedClip),
    "dash.mpd": (DASH.format("secret.mp4").encode(), UnsupportedClip),
    "session.sdp": (b"v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n", UnsupportedClip),
    "script.avs": (b'AVISource("secret.mp4")\n', UnsupportedClip),
    "only the beginning.mp4": (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", MediaDamaged),
    "only the beginning.mkv": (b"\x1aE\xdf\xa3", MediaDamaged),
    "only the beginning.avi": (b"RIFF\xff\xff\xff\x7fAVI LIST", MediaDamaged),
    "huge.gif": (gif_of(65535, 65535), ClipTooManyPixels),
    "huge.webp": (webp_of(16384, 16384), ClipTooManyPixels),
    "empty frame.webp": (webp_of(64, 48), NoFrameDecoded),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_no_clip_is_refused_by_name(tmp_path: Path, name: str) -> None:
    data, error = REFUSED[name]
    make(tmp_path / "secret.mp4", *lavfi(pictures()))
    (tmp_path / name).write_bytes(data)
    with pytest.raises(error, match=name.split(".", maxsplit=1)[0]) as caught:
        normalised(tmp_path / name)
    assert type(caught.value) is error
    assert str(tmp_path) not in str(caught.value)


def sound_alone(folder: Path) -> Path:
    return make(folder / "sound.m4a", *lavfi(SINE))


def sound_with_cover(folder: Path) -> Path:
    cover = make(folder / "cover.png", *lavfi("color=white:s=32x32:d=1"), "-frames:v", "1")
    disposition = ["-map", "0", "-map", "1", "-c:v", "png", "-disposition:v:0", "attached_pic"]
    return make(folder / "song.mp4", *lavfi(SINE), "-i", str(cover), *disposition)


def sound_in_ogg(folder: Path) -> Path:
    return make(folder / "sound.ogg", *lavfi(SINE), "-c:a", "libvorbis")


def without_index(folder: Path) -> Path:
    data = make(folder / "a.mp4", *lavfi(pictures())).read_bytes()
    source = folder / "b.mp4"
    source.write_bytes(data[: data.index(b"moov") - 4])
    return source


def index_alone(folder: Path) -> Path:
    front = ["-movflags", "+faststart"]
    data = make(folder / "a.mp4", *lavfi(pictures()), *front).read_bytes()
    source = folder / "b.mp4"
    source.write_bytes(data[: data.index(b"mdat") + 4])
    return source


def zeroed_pictures(folder: Path) -> Path:
    data = bytearray(make(folder / "a.mp4", *lavfi(pictures())).read_bytes())
    begin, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[begin:end] = bytes(end - begin)
    source = folder / "b.mp4"
    source.write_bytes(data)
    return source


def no_pictures_but_sound(folder: Path) -> Path:
    nothing = ["-vf", "select=0", "-c:v", "mpeg4", "-movflags", "empty_moov+delay_moov"]
    return make(folder / "b.mkv", *lavfi(pictures(), SINE), *nothing[:2], "-c:v", "ffv1")


def raw_avi_that_claims_much(folder: Path) -> Path:
    small = make(folder / "a.avi", *lavfi(pictures()), "-c:v", "rawvideo")
    data = bytearray(small.read_bytes())
    begin = data.index(b"strf") + 8
    struct.pack_into("<ii", data, begin + 4, 8000, 8000)
    source = folder / "b.avi"
    source.write_bytes(data)
    return source


def folder_alone(folder: Path) -> Path:
    (folder / "b.mp4").mkdir()
    return folder / "b.mp4"


def named_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "b.mp4")
    return folder / "b.mp4"


def nothing(folder: Path) -> Path:
    return folder / "b.mp4"


@pytest.mark.parametrize(
    ("build", "error"),
    [
        (sound_alone, NoVideoStream),
        (sound_with_cover, NoVideoStream),
        (sound_in_ogg, NoVideoStream),
        (without_index, MediaDamaged),
        (index_alone, NoFrameDecoded),
        (zeroed_pictures, NoFrameDecoded),
        (no_pictures_but_sound, NoFrameDecoded),
        (raw_avi_that_claims_much, ClipTooManyPixels),
        (folder_alone, FileUnreadable),
        (named_pipe, FileUnreadable),
        (nothing, FileMissing),
    ],
)
def test_a_clip_without_usable_pictures_is_refused(
    tmp_path: Path, build: Callable[[Path], Path], error: type[MediaError]
) -> None:
    source = build(tmp_path)
    with pytest.raises(error) as caught:
        normalised(source)
    assert type(caught.value) is error


# --- files that point at other files --------------------------------------------------------------


def with_reference(data: bytes, name: str) -> bytes:
    """An mp4 whose picture track says that its data lies in the file `name` beside it."""
    path = f"/{name}".encode()
    alias = bytearray(150)
    struct.pack_into(">hh", alias, 130, 1, 1)  # one level up, one level down: the same folder
    record = struct.pack(">HH", 2, len(path)) + path + b"\0" * (len(path) % 2)
    entry_body = bytes(4) + bytes(alias) + record + struct.pack(">HH", 0xFFFF, 0)
    entry = struct.pack(">I", 8 + len(entry_body)) + b"alis" + entry_body
    dref = bytes(4) + struct.pack(">I", 1) + entry
    begin = data.index(b"dref") - 4
    (old_size,) = struct.unpack_from(">I", data, begin)
    new_size = 8 + len(dref)
    box = struct.pack(">I", new_size) + b"dref" + dref
    changed = bytearray(data[:begin] + box + data[begin + old_size :])
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        at = changed.rindex(parent, 0, begin + 8) - 4
        (size,) = struct.unpack_from(">I", changed, at)
        struct.pack_into(">I", changed, at, size + new_size - old_size)
    return bytes(changed)


def frames_by_ffmpeg(*arguments: str) -> int:
    command = [executable(), "-nostdin", "-v", "error", *arguments]
    output = ["-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"]
    run = subprocess.run(
        [*command, *output], check=False, capture_output=True, timeout=TIME_LIMIT_S
    )
    return len(run.stdout) // (64 * 48)


@pytest.mark.parametrize("trick", ["playlist.m3u8", "concat.mp4", "reference.mp4"])
def test_a_trick_that_opens_another_file_opens_none_here(tmp_path: Path, trick: str) -> None:
    secret = make(tmp_path / "secret.mp4", *lavfi(pictures()))
    source = tmp_path / trick
    careless = ["-protocol_whitelist", "file"]
    if trick == "reference.mp4":
        data = secret.read_bytes()
        begin, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
        blank = data[:begin] + bytes(end - begin) + data[end:]
        source.write_bytes(with_reference(blank, "secret.mp4"))
        careless += ["-enable_drefs", "1"]
    elif trick == "concat.mp4":
        source.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    else:
        careless += ["-allowed_extensions", "ALL", "-extension_picky", "0"]
        segment = make(tmp_path / "secret.ts", "-i", str(secret), "-c", "copy")
        source.write_text(PLAYLIST.format(segment.name))
    # The trick is real: a careless ffmpeg shows the secret.
    assert frames_by_ffmpeg(*careless, "-i", str(source)) > 20

    with pytest.raises(MediaError):
        normalised(source)
    # Neither half relies on the other: ffmpeg alone refuses too.
    assert frames_by_ffmpeg(*input_arguments(source)) == 0
    with Ffmpeg([*input_arguments(source), "-f", "null", "-"]) as ffmpeg:
        ffmpeg.finish()
    assert ffmpeg.error_count > 0
