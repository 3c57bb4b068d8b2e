"""Nothing calls out: looks at photo, clip and voice, a video and its signature connect nowhere.

The program runs in a network namespace that has no route to anywhere. There, the kernel counts each
connection and each datagram that a process tries to send by IPv4, name lookups included, whichever
library does it.
"""

import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from inference.media.writer import VideoWriter
from inference.voice.features import SAMPLE_RATE
from tests.conftest import Require
from tests.e2e.conftest import clean_environment
from tests.unit.inference.media.sounds import encode
from tests.unit.inference.voice.sounds import vowels

# Prints how many sendings the kernel refused in this namespace, then what the program ended with.
COUNTED = """
import subprocess, sys
ended = subprocess.run(sys.argv[1:])
lines = open("/proc/net/snmp").read().splitlines()
names, values = (line.split() for line in lines if line.startswith("Ip:"))
print("refused", dict(zip(names, values))["OutNoRoutes"], "status", ended.returncode)
"""
LOOKUP = """
import socket
try:
    socket.getaddrinfo("example.org", 443)
except OSError:
    pass
"""
CONNECTION = """
import socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
except OSError:
    pass
"""
SIGNED = """
import asyncio, sys
from pathlib import Path
from bot.provenance.signing import UNKNOWN, Mode, Signing
from bot.provenance.verifying import read_credentials
signing = Signing(Path("provenance"), Mode.REQUIRED)
content = asyncio.run(signing.sign(Path(sys.argv[1]), UNKNOWN, "me.mp4"))
Path("signed.mp4").write_bytes(content)
with open("signed.mp4", "rb") as file:
    assert read_credentials(file).is_valid
"""
UNSHARED = ("unshare", "--user", "--map-root-user", "--net")


@pytest.fixture(scope="module", autouse=True)
def namespaces(require_hardware: Require) -> None:
    """Skip where processes may not have network namespaces of their own."""
    is_there = sys.platform.startswith("linux") and shutil.which("unshare") is not None
    may = is_there and subprocess.run([*UNSHARED, "true"], check=False).returncode == 0
    require_hardware(may, "this system allows no network namespaces to ordinary users")


def counted(scratch: Path, *command: object) -> str:
    """The last line of what the command printed there: refused sendings and its exit code."""
    ended = subprocess.run(
        [*UNSHARED, sys.executable, "-c", COUNTED, *map(str, command)],
        cwd=scratch.parent,
        env=clean_environment(scratch),
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    return ended.stdout.splitlines()[-1]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(astronaut()[0:240, 100:340]).save(tmp_path / "me.png")
    return tmp_path / "me.png"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    head = astronaut()[0:240, 100:340]
    with VideoWriter(tmp_path / "clip.mp4", 240, 240, Fraction(25), comment="test") as writer:
        for index in range(8):
            writer.write(np.ascontiguousarray(np.roll(head, index, axis=1)))
    return tmp_path / "clip.mp4"


@pytest.mark.parametrize("program", [LOOKUP, CONNECTION])
def test_what_calls_out_is_counted(scratch: Path, program: str) -> None:
    if program == LOOKUP and not Path("/etc/resolv.conf").exists():
        pytest.skip("names are not looked up by the network here")
    line = counted(scratch, sys.executable, "-c", program)
    assert int(line.split()[1]) > 0


def test_looks_and_a_video_from_a_clip_call_nobody(photo: Path, clip: Path, scratch: Path) -> None:
    line = counted(
        scratch,
        *(sys.executable, "-m", "animato", "animate", "--source_image", photo),
        *("--driving_video", clip, "--output", "me.mp4", "--quiet"),
    )
    assert line == "refused 0 status 0"


def test_looks_and_a_video_from_a_voice_call_nobody(
    photo: Path, scratch: Path, tmp_path: Path
) -> None:
    voice = encode(tmp_path / "voice.ogg", vowels(), rate=SAMPLE_RATE)
    line = counted(
        scratch,
        *(sys.executable, "-m", "animato", "animate", "--source_image", photo),
        *("--voice", voice, "--output", "me.mp4", "--quiet"),
    )
    assert line == "refused 0 status 0"


def test_a_movement_by_name_calls_nobody(photo: Path, scratch: Path) -> None:
    line = counted(
        scratch,
        *(sys.executable, "-m", "animato", "animate", "--source_image", photo),
        *("--template", "blink", "--output", "me.mp4", "--quiet"),
    )
    assert line == "refused 0 status 0"


def test_signing_and_verifying_call_nobody(clip: Path, scratch: Path) -> None:
    assert counted(scratch, sys.executable, "-c", SIGNED, clip) == "refused 0 status 0"
