"""`animato demo`: the whole service, from a photo to the video, in one command."""

import socket
from pathlib import Path

import pytest

from inference.media.probe import probe
from inference.media.video import ClipReader
from tests.e2e.conftest import Animato

pytestmark = pytest.mark.local_sockets


def test_demo_makes_its_video_on_the_whole_way_and_ends(animato: Animato, tmp_path: Path) -> None:
    # Nobody's own settings may reach it.
    (tmp_path / ".env").write_text("ANIMATO_WEBHOOK_URL=https://example.org/animato\n")
    ended = animato("demo", ANIMATO_REDIS_URL="redis://127.0.0.1:1", ANIMATO_ADMINS="4242")
    assert ended.code == 0, ended.err
    (line,) = ended.out.splitlines()
    assert line.startswith("out/demo.mp4: ")
    assert "begun, start 1" in ended.err
    assert "Traceback" not in ended.err
    found = probe(tmp_path / "out" / "demo.mp4")
    assert (found.width, found.height) == (512, 512)
    with ClipReader(tmp_path / "out" / "demo.mp4") as clip:
        assert sum(1 for _ in clip) == 100


def test_port_that_is_taken_is_told_with_the_way_out(animato: Animato) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = animato("demo", "--once", "--port", port)
    assert (ended.code, ended.out) == (3, "")
    (said,) = ended.err.splitlines()
    assert said.startswith(f"animato: The port {port} is not available (Address already")
    assert said.endswith("choose another one with --port, or omit --port to use any free one.")
