"""The result plays where people watch it: in a browser, signed as the bot sends it."""

import asyncio
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bot.provenance.signing import UNKNOWN, Mode, Signing
from tests.conftest import Require
from tests.e2e.conftest import Animato

PAGE = """<!doctype html><video id=v src=me.mp4 muted preload=auto></video><script>
const v = document.getElementById('v');
const say = text => fetch('/said', {method: 'POST', body: text});
v.onerror = () => say('error ' + v.error.message);
v.onended = () => say(`played ${v.videoWidth}x${v.videoHeight} ${v.duration.toFixed(2)}`);
v.playbackRate = 4;
v.play().catch(e => say('refused ' + e));
</script>"""
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--autoplay-policy=no-user-gesture-required",
)


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder and keeps what the page says."""

    def __init__(self, *args: object, said: "queue.Queue[str]", **kwargs: object) -> None:
        self.said = said
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through

    def do_POST(self) -> None:
        self.said.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, "queue.Queue[str]"]]:
    said: queue.Queue[str] = queue.Queue()
    handler = partial(Handler, directory=str(folder), said=said)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", said
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.local_sockets
def test_result_plays_to_its_end_in_chromium(
    animato: Animato, photo: Path, tmp_path: Path, require: Require
) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    require(chromium, "chromium is not installed")
    assert chromium is not None
    made = animato(
        *("animate", "--source_image", photo, "--template", "blink", "--output", "me.mp4"),
        *("--engine", "still"),
    )
    assert made.code == 0, made.err
    made_file = tmp_path / "me.mp4"
    signing = Signing(tmp_path / "provenance", Mode.REQUIRED)
    made_file.write_bytes(asyncio.run(signing.sign(made_file, UNKNOWN, "me.mp4")))
    (tmp_path / "page.html").write_text(PAGE)
    with served(tmp_path) as (address, said):
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        with subprocess.Popen(
            [chromium, *FLAGS, profile, f"{address}/page.html"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as browser:
            try:
                assert said.get(timeout=60) == "played 400x400 3.00"
            finally:
                browser.terminate()
                browser.wait(60)
