"""Files that try to make the gate read other files or reach the network."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pillow_heif
import pytest
from av.error import FFmpegError
from PIL import Image

from inference.media.ffmpeg import READABLE_FORMATS, SOUND_FORMATS, input_arguments, programs
from inference.media.gate import ClipPart, LookLimits, VoicePart, look_at_photo
from inference.media.probe import open_container
from inference.process.confinement import working_mechanisms
from jobs.errors import DecoderFailed, MediaError, UnsupportedMedia
from jobs.findings import ClipFindings, PhotoFindings, VoiceFindings
from tests.conftest import Require
from tests.unit.inference.clips import SINE, TIME_LIMIT_S, lavfi, make, pictures
from worker.look import Looks

pytestmark = pytest.mark.local_sockets

ROOT = Path(__file__).parents[3]
SEEN = PhotoFindings | ClipFindings | VoiceFindings


@dataclass(frozen=True)
class Bait:
    """What a hostile file is after.

    Attributes:
        secret: a clip beside the hostile file; `secret.ts` is another one.
        address: where somebody listens, host and port.
        visits: one entry for each connection to the address.
    """

    secret: Path
    address: str
    visits: list[object]

    def words(self, form: str) -> str:
        """The hostile file's words."""
        return form.replace("ADDRESS", self.address)


@pytest.fixture
def bait(tmp_path: Path) -> Iterator[Bait]:
    """A secret and a listener; a test may connect to the listener only where it says so."""
    secret = make(tmp_path / "secret.mp4", *lavfi(pictures(), SINE))
    make(secret.with_suffix(".ts"), "-i", str(secret), "-c", "copy")
    visits: list[object] = []
    ending = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def count() -> None:
            while True:
                connection, address = listening.accept()
                connection.close()
                if ending.is_set():
                    return
                visits.append(address)

        thread = threading.Thread(target=count)
        thread.start()
        host, port = listening.getsockname()
        yield Bait(secret, f"{host}:{port}", visits)
        ending.set()
        socket.create_connection((host, port)).close()
        thread.join()


async def look(kind: str, source: Path, folder: Path, looks: Looks) -> SEEN:
    """What the gate finds in a file."""
    if kind == "photo":
        return await looks.photo(source, folder, LookLimits())
    if kind == "clip":
        return await looks.clip(ClipPart(source), folder, LookLimits())
    return await looks.voice(VoicePart(source), folder, LookLimits())


async def look_at_all(
    sources: dict[str, tuple[str, Path]], folder: Path
) -> dict[str, SEEN | BaseException]:
    """What the gate finds in each file, or its error; the files have kinds."""
    async with Looks(2) as looks:
        places = {name: folder / name for name in sources}
        for place in places.values():
            place.mkdir()
        ends = await asyncio.gather(
            *(look(kind, source, places[name], looks) for name, (kind, source) in sources.items()),
            return_exceptions=True,
        )
    return dict(zip(sources, ends, strict=True))


# --- hostile files --------------------------------------------------------------------------------

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile '{}'\n"
HOSTILE = {
    "concat.mp4": ("clip", CONCAT.format("secret.mp4")),
    "playlist.m3u8": ("clip", PLAYLIST.format("secret.ts")),
    "concat.mp3": ("voice", CONCAT.format("secret.mp4")),
    "playlist.ogg.m3u8": ("voice", PLAYLIST.format("secret.ts")),
}
"""ffmpeg shows the secret for each of them unless something prevents it."""

LISTS = "concat,hls,mpegts,mov"


async def test_a_file_that_names_another_place_is_one_sentence(bait: Bait, folder: Path) -> None:
    # The layers are tried one by one below; each of them would be enough for this.
    sources = {}
    for name, (kind, words) in HOSTILE.items():
        source = bait.secret.with_name(name)
        source.write_text(words)
        sources[name] = (kind, source)
    for name, end in (await look_at_all(sources, folder)).items():
        assert isinstance(end, MediaError), (name, end)
        assert len(str(end).splitlines()) == 1
        assert name in str(end)
        assert str(folder.parent) not in str(end)
        assert list((folder / name).iterdir()) == []


def readers(source: Path, *formats: str) -> set[str]:
    """Which of the two libraries read a file as the gate does, but unconfined."""
    found = set()
    with suppress(FFmpegError), open_container(source, *formats):
        found.add("PyAV")
    command = [str(programs()[0]), "-nostdin", *input_arguments(source, *formats)]
    run = subprocess.run([*command, "-f", "rawvideo", "pipe:1"], capture_output=True, check=False)
    return found | ({"ffmpeg"} if run.stdout else set())


@pytest.mark.parametrize("name", HOSTILE)
def test_formats_that_name_other_files_are_not_read(bait: Bait, name: str) -> None:
    source = bait.secret.with_name(name)
    source.write_text(HOSTILE[name][1])
    assert readers(source, LISTS) == {"PyAV", "ffmpeg"}, "the trick is real"
    assert readers(source, READABLE_FORMATS) == set()
    assert readers(source, SOUND_FORMATS) == set()
    assert readers(source) == set()


def test_protocols_other_than_files_are_not_spoken_even_where_the_format_is_read(
    bait: Bait,
) -> None:
    source, key = bait.secret.with_name("secret.m3u8"), bait.secret.with_name("key.ts")
    key.write_bytes(bytes(16))
    info = bait.secret.with_name("key.txt")
    info.write_text(f"{key.name}\n{key}\n")
    encrypted = ("-c", "copy", "-f", "hls", "-hls_key_info_file", str(info))
    make(source, "-i", str(bait.secret), *encrypted)
    with av.open(f"file:{source}") as container:  # by ffmpeg's own list: file, crypto, data
        assert container.streams
    assert readers(source, LISTS) == set()
    source.write_text(PLAYLIST.format(f"http://{bait.address}/a.ts"))
    assert readers(source, LISTS) == set()
    assert bait.visits == []


async def test_a_picture_that_is_a_program_is_not_run(bait: Bait, folder: Path) -> None:
    source = bait.secret.with_name("drawing.png")
    source.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n")
    with Image.open(source) as image:
        assert image.format == "EPS"  # Pillow would run Ghostscript
    ends = await look_at_all({"photo": ("photo", source)}, folder)
    assert isinstance(ends["photo"], UnsupportedMedia)


# Runs ffmpeg as a careless program would, after confining itself if it is told to.
CARELESS = """
import subprocess, sys
from pathlib import Path
from inference.process.confinement import confine
is_confined, program, source, folder, *options = sys.argv[1:]
if is_confined == "True":
    confine([Path(source)], Path(folder), [Path(program)])
everything = "file,http,tcp,crypto,data"
command = [program, "-nostdin", "-v", "error", "-protocol_whitelist", everything, *options]
run = subprocess.run([*command, "-i", source, "-f", "rawvideo", "pipe:1"], capture_output=True)
print(len(run.stdout))
"""


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (CONCAT.format("secret.mp4"), ("-safe", "0")),
        (PLAYLIST.format("secret.ts"), ("-allowed_extensions", "ALL", "-extension_picky", "0")),
        (PLAYLIST.format("http://ADDRESS/a.ts"), ("-extension_picky", "0")),
    ],
    ids=["concat", "playlist", "playlist of net"],
)
def test_a_careless_ffmpeg_opens_nothing_else_when_it_is_confined(
    bait: Bait, folder: Path, require: Require, words: str, options: tuple[str, ...]
) -> None:
    require(len(working_mechanisms()) == 2, "this kernel has not both Landlock and seccomp")
    source = bait.secret.with_name("hostile.m3u8")
    source.write_text(bait.words(words))
    shown = {}
    for is_confined in (False, True):
        arguments = (is_confined, programs()[0], source, folder, *options)
        run = subprocess.run(
            [sys.executable, "-P", "-c", CARELESS, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=TIME_LIMIT_S,
        )
        shown[is_confined] = (int(run.stdout) > 0, len(bait.visits))
        bait.visits.clear()
    # The trick is real: without confinement, the secret is shown, or the listener is visited.
    assert any(shown[False])
    assert shown[True] == (False, 0)


def test_code_that_has_taken_over_the_decoder_finds_nothing(
    bait: Bait, folder: Path, tmp_path: Path, require: Require
) -> None:
    require(len(working_mechanisms()) == 2, "this kernel has not both Landlock and seccomp")
    program = tmp_path / "program" / "child.py"
    program.parent.mkdir()
    host, port = bait.address.split(":")
    (tmp_path / ".env").write_text("ANIMATO_BOT_TOKEN=secret")
    program.write_text(
        f"""
import json, os, socket, subprocess
from pathlib import Path
import inference.media.gate_child as child
from jobs.errors import DecoderFailed

def result(attempt):
    try:
        attempt()
    except OSError:
        return "refused"
    return "done"

def hostile(source, folder, request):
    found = dict(
        input=result(source.read_bytes),
        folder=result((folder / "mine").touch),
        beside=result(Path({str(bait.secret)!r}).read_bytes),
        settings=result(Path({str(tmp_path / ".env")!r}).read_text),
        checkout=result(Path({str(ROOT / "README.md")!r}).read_text),
        parent=result(Path(f"/proc/{{os.getppid()}}/environ").read_bytes),
        above=result((folder.parent / "theirs").touch),
        network=result(lambda: socket.create_connection(({host!r}, {port}))),
        shell=result(lambda: subprocess.run(["/bin/sh", "-c", ":"])),
        away=result(os.setsid),
    )
    raise DecoderFailed(name=json.dumps(found), reason="")

child._load = lambda request: hostile
child.main()
""",
        "utf-8",
    )
    source = bait.secret.with_name("me.png")
    Image.new("RGB", (80, 80)).save(source)
    with pytest.raises(DecoderFailed) as caught:
        look_at_photo(source, folder, child=(sys.executable, str(program)))
    found = json.loads(str(caught.value.fields["name"]))
    assert {name for name, end in found.items() if end == "done"} == {"input", "folder"}
    assert bait.visits == []
    assert list(folder.iterdir()) == []


# --- ordinary files -------------------------------------------------------------------------------


async def test_every_kind_of_photo_clip_and_voice_still_passes(folder: Path) -> None:
    place = folder.parent
    picture = Image.fromarray(np.full((120, 90, 3), 130, np.uint8))
    kinds = {}
    for name in ("a.jpg", "a.png", "a.webp", "a.gif"):
        picture.save(place / name)
        kinds[name] = "photo"
    pillow_heif.from_pillow(picture).save(place / "a.heic")
    moving, sounding = lavfi(pictures()), lavfi(pictures(), SINE)
    make(place / "b.mp4", *sounding)
    make(place / "b.webm", *moving, "-c:v", "libvpx", "-b:v", "100k")
    make(place / "b.mov", *sounding)
    make(place / "b.gif", *moving)
    for name, codec in {"c.ogg": "libopus", "c.mp3": "libmp3lame", "c.m4a": "aac"}.items():
        make(place / name, *lavfi("sine=440:d=2"), "-c:a", codec)
        kinds[name] = "voice"
    kinds |= {"a.heic": "photo", **{path.name: "clip" for path in place.glob("b.*")}}
    sources = {name: (kind, place / name) for name, kind in kinds.items()}
    seen = await look_at_all(sources, folder)
    assert {name: str(end) for name, end in seen.items() if isinstance(end, BaseException)} == {}
    assert len(seen) == 12
