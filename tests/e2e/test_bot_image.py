"""The bot runs with what its image holds: without OpenCV, NumPy and all that only pictures need."""

import asyncio
import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from jobs.redis_server.server import RedisServer
from sandbox.server import Sandbox
from tests.e2e.conftest import ROOT, clean_environment

pytestmark = pytest.mark.local_sockets

OURS = {"animato", "bot", "inference", "jobs", "sandbox"}
# Refuses to import some modules, as if they were not installed, and then runs `animato`.
WITHOUT = """
import json, sys

class Lacking:
    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Lacking(set(json.loads(sys.argv.pop(1)))))
from animato.cli import main
sys.exit(main(sys.argv[1:]))
"""


def lacking(folder: Path) -> list[str]:
    """The installed modules that the bot's image does not hold."""
    (folder / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    subprocess.run([sys.executable, ROOT / "image_requirements.py"], cwd=folder, check=True)
    wanted = [Requirement(line) for line in (folder / "bot.txt").read_text("utf-8").splitlines()]
    held: set[str] = set()
    while wanted:
        one = wanted.pop()
        name = canonicalize_name(one.name)
        if name in held:
            continue
        held.add(name)
        for line in requires(name) or ():
            needed = Requirement(line)
            environments = [{"extra": extra} for extra in ("", *one.extras)]
            if needed.marker is None or any(map(needed.marker.evaluate, environments)):
                wanted.append(needed)
    return [
        module
        for module, packages in packages_distributions().items()
        if module not in OURS and not held.intersection(map(canonicalize_name, packages))
    ]


async def test_bot_fetches_updates_without_any_picture_library(tmp_path: Path) -> None:
    modules = lacking(tmp_path)
    assert {
        "ai_edge_litert",
        "av",
        "cv2",
        "imageio_ffmpeg",
        "numpy",
        "PIL",
        "skimage",
        "torch",
    } <= set(modules)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    async with Sandbox() as sandbox, RedisServer(tmp_path) as server:
        bot = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WITHOUT, json.dumps(modules), "bot"),
            cwd=tmp_path,
            env={
                **clean_environment(scratch),
                "ANIMATO_REDIS_URL": server.url,
                "ANIMATO_DATA_DIR": str(tmp_path / "data"),
                "ANIMATO_BOT_TOKEN": sandbox.token,
                "ANIMATO_BOT_API_URL": sandbox.url,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert bot.stdout is not None
        said = ""
        try:
            # The link for the first admin comes when the bot is up.
            async with asyncio.timeout(120):
                while line := await bot.stdout.readline():
                    said += line.decode()
                    if re.search("start=", said):
                        break
            bot.terminate()
            said += (await asyncio.wait_for(bot.stdout.read(), 60)).decode()
            # Its output ends before its status is known, and a signal in between loses the status.
            code = await asyncio.wait_for(bot.wait(), 60)
        finally:
            if bot.returncode is None:
                bot.kill()
            await bot.wait()
    assert "start=" in said, said
    assert code == 0, said


def test_command_that_needs_pictures_says_which_image_has_them(tmp_path: Path) -> None:
    modules = json.dumps(lacking(tmp_path))
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, modules, "doctor"],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (said,) = ended.stderr.splitlines()
    assert re.match(r"animato: this command needs \w+, which is not installed here", said)
    assert ended.returncode == 3
