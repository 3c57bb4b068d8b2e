"""`animato up` as a process: what its children see, and how all of them end."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from sandbox.server import Sandbox
from tests.conftest import Require
from tests.e2e.conftest import clean_environment
from tests.e2e.service_secrets import S3_SECRET, WEBHOOK_SECRET, secrets_of, told
from tests.e2e.whole_service import Chatter, portrait
from tests.integration.jobs.servers import free_port
from tests.integration.sandbox.desk import ADMIN, Desk

pytestmark = pytest.mark.local_sockets

LIMIT_S = 120


class Children:
    """All processes that descend from one, as far as they were seen.

    Attributes:
        environments: the environment of each, by its command line.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self.environments: dict[str, str] = {}

    def look(self) -> set[int]:
        """Reads the environments of all that live, and returns their ids."""
        parents: dict[int, int] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                stat = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            except OSError:
                continue
            if stat[0] != "Z":
                parents[int(folder.name)] = int(stat[1])
        family = {self._root}
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        for pid in family - {self._root}:
            of_process = [Path(f"/proc/{pid}/{name}") for name in ("cmdline", "environ", "cmdline")]
            try:
                command, environment, later = (
                    path.read_text("utf-8", "replace") for path in of_process
                )
            except OSError:
                continue
            # A child that has not begun its program yet has command line and environment of its
            # parent; if it begins meanwhile, the two do not belong together.
            if command == later:
                self.environments[command.replace("\0", " ").strip()] = environment
        return family - {self._root}

    async def watch(self) -> None:
        """Looks again and again until it is cancelled."""
        while True:
            self.look()
            await asyncio.sleep(0.02)


@asynccontextmanager
async def up(
    folder: Path, sandbox: Sandbox, *words: str, **settings: str
) -> AsyncIterator[Process]:
    """`animato up` while the block lasts; nothing of it is left afterwards."""
    scratch = folder / "scratch"
    scratch.mkdir()
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "animato", "up", *words),
            cwd=folder,
            env={
                **clean_environment(scratch),
                "ANIMATO_BOT_TOKEN": sandbox.token,
                "ANIMATO_BOT_API_URL": sandbox.url,
                # Too long for a socket in it: the Redis server takes a port and a password.
                "ANIMATO_DATA_DIR": str(folder / ("d" * 120)),
                "ANIMATO_ENGINES": "still,mesh",
                "ANIMATO_OPEN": "true",
                "ANIMATO_ADMINS": str(ADMIN),
                "ANIMATO_MIN_FREE_GB": "0",
                "ANIMATO_WEBHOOK_SECRET": WEBHOOK_SECRET,
                "AWS_SECRET_ACCESS_KEY": S3_SECRET,
                **settings,
            },
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def bot_listens(desk: Desk) -> None:
    """Returns when the bot fetches updates."""
    async with asyncio.timeout(LIMIT_S):
        while not (await desk.get("calls"))["polls"]:
            await asyncio.sleep(0.02)


async def test_each_process_of_the_service_sees_only_the_secrets_that_it_needs(
    require_hardware: Require, tmp_path: Path
) -> None:
    require_hardware(sys.platform.startswith("linux"), "environments are told by /proc")
    settings = {
        "ANIMATO_METRICS_PORT": str(port := free_port()),
        "ANIMATO_LOG_FORMAT": "json",
    }
    async with (
        Sandbox() as sandbox,
        aiohttp.ClientSession() as session,
        up(tmp_path, sandbox, **settings) as process,
    ):
        desk = Desk(session, sandbox.url)
        children = Children(process.pid)
        watching = asyncio.create_task(children.watch())
        await bot_listens(desk)
        person = (await desk.post("persons", first_name="Carol"))["person"]["id"]
        carol = Chatter(desk, person)
        await carol.send(portrait())
        await carol.tap("I agree", await carol.sees("Before we begin"))
        await carol.tap("Blink", await carol.sees("Which movement?"))
        await carol.videos()
        owner = Chatter(desk, ADMIN)
        await owner.say("/status")
        await owner.sees("Workers")
        shown = [await desk.transcript(ADMIN), await desk.transcript(person)]
        for place in (port, port + 1):
            async with session.get(f"http://127.0.0.1:{place}/metrics") as response:
                shown.append(await response.text())
        watching.cancel()
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), LIMIT_S)
    (data_dir,) = tmp_path.glob("d*")
    secrets = secrets_of(sandbox, data_dir)
    assert "animato_" in shown[-1]
    log = (tmp_path / "log").read_text("utf-8")
    assert "files are decoded in processes" in log
    assert all("message" in json.loads(line) for line in log.splitlines())
    assert told(secrets, log, *shown, *children.environments) == set()
    seen = {
        command: told(secrets, environment)
        for command, environment in children.environments.items()
        if not command.endswith("animato up")
    }
    needs = {"bot": {"token", "webhook", "password", "store"}, "worker": {"password", "store"}}
    for name, needed in needs.items():
        assert seen[f"{sys.executable} -P -m animato {name}"] == needed
    too_much = {
        command: found
        for command, found in seen.items()
        if found - needs.get(command.partition(" animato ")[2], set())
    }
    assert too_much == {}
    for part in ("--guard", "valkey-server", "process.engine_main", "gate_child", "ffmpeg"):
        assert [command for command in seen if part in command], f"{part} was never seen"


@pytest.mark.parametrize("count", [1, 3])
async def test_nothing_is_left_of_the_service_after_ctrl_c(
    count: int, require_hardware: Require, tmp_path: Path
) -> None:
    require_hardware(sys.platform.startswith("linux"), "processes are told by /proc")
    async with (
        Sandbox() as sandbox,
        aiohttp.ClientSession() as session,
        up(tmp_path, sandbox, "--workers", "2") as process,
    ):
        await bot_listens(Desk(session, sandbox.url))
        children = Children(process.pid).look()
        for _ in range(count):
            os.kill(process.pid, signal.SIGINT)
            await asyncio.sleep(0.05)
        assert await asyncio.wait_for(process.wait(), LIMIT_S) == 130
        async with asyncio.timeout(LIMIT_S):
            while any(Path(f"/proc/{pid}").exists() for pid in children):
                await asyncio.sleep(0.02)
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8")
