"""`animato bot` as it is typed: what is set wrongly is told in one sentence, and it ends."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from redis.asyncio import Redis

from jobs.engines import EngineInfo
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry, WorkerState
from sandbox.server import Sandbox
from tests.integration.jobs import conftest as servers
from tests.integration.sandbox import conftest as sandboxes

pytestmark = pytest.mark.local_sockets

valkey_for_all = servers.valkey_for_all
redis = servers.redis
valkey = servers.valkey
machine_has_no_proxy = sandboxes.machine_has_no_proxy
sandbox = sandboxes.sandbox

LIMIT_S = 120.0
ANIMATO = (sys.executable, "-P", "-m", "animato")


async def test_default_engine_that_neither_this_machine_nor_a_worker_has_is_told(
    valkey: str, redis: Redis, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANIMATO_REDIS_URL", valkey)
    monkeypatch.setenv("ANIMATO_BOT_TOKEN", sandbox.token)
    monkeypatch.setenv("ANIMATO_BOT_API_URL", sandbox.url)
    monkeypatch.setenv("ANIMATO_DEFAULT_ENGINE", "flew")
    sign = Heartbeat(
        worker="a",
        host="elsewhere",
        device="cpu",
        engines=(EngineInfo(name="blue"),),
        version="1",
        state=WorkerState.IDLE,
    )
    await WorkerRegistry(redis).beat(sign, 1.0)
    process = await asyncio.create_subprocess_exec(*ANIMATO, "bot", stderr=PIPE)
    _, said = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode == 3
    known = "auto, blue, fomm, liveportrait, mesh, still"
    says = f"ANIMATO_DEFAULT_ENGINE is 'flew': choose one of {known}."
    assert says in said.decode()


@pytest.mark.parametrize("program", ["bot", "worker"])
async def test_folder_without_movements_is_told(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANIMATO_REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("ANIMATO_BOT_TOKEN", "4242:sandbox")
    monkeypatch.setenv("ANIMATO_TEMPLATES_DIR", str(tmp_path))
    process = await asyncio.create_subprocess_exec(*ANIMATO, program, stderr=PIPE)
    _, said = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode == 3
    assert f"ANIMATO_TEMPLATES_DIR cannot be used: {tmp_path / 'templates.yaml'}" in said.decode()
