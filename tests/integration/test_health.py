"""`--healthy`: a bot or worker that lives is told from one that does not."""

import asyncio
import socket
import sys
import time
from pathlib import Path

import pytest
from redis.asyncio import Redis

from animato.health import NoHeartbeat, NothingFetched, check_health
from bot.gateway.polling import PollingHealth
from jobs.engines import EngineInfo
from jobs.errors import BadSettings
from jobs.queues.bot_heartbeats import bot_heartbeats
from jobs.queues.heartbeats import DEAD_AFTER_S, Heartbeat, WorkerRegistry, WorkerState
from jobs.queues.keys import bot_key, lease_key
from jobs.service_errors import QueueUnavailable
from sandbox.server import Sandbox
from tests.integration.jobs import conftest as servers
from tests.integration.jobs.servers import free_port, running
from tests.integration.jobs.test_health_over_http import answered
from tests.integration.sandbox import conftest as sandboxes

pytestmark = pytest.mark.local_sockets

valkey_for_all = servers.valkey_for_all
redis = servers.redis
valkey = servers.valkey
machine_has_no_proxy = sandboxes.machine_has_no_proxy
sandbox = sandboxes.sandbox

LIMIT_S = 60.0
HERE = socket.gethostname()
ANIMATO = (sys.executable, "-P", "-m", "animato")


@pytest.fixture(autouse=True)
def settings(valkey: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANIMATO_REDIS_URL", valkey)


async def sign_of_bot(redis: Redis) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await redis.exists(bot_key(HERE)):
            await asyncio.sleep(0.01)


async def code_of(*words: str) -> int:
    """The exit code of a command of the program."""
    process = await asyncio.create_subprocess_exec(*ANIMATO, *words)
    return await asyncio.wait_for(process.wait(), LIMIT_S)


def heartbeat(host: str) -> Heartbeat:
    return Heartbeat(
        worker="a-worker",
        host=host,
        device="cpu",
        engines=(EngineInfo(name="still"),),
        version="1",
        state=WorkerState.IDLE,
    )


async def test_bot_is_alive_while_it_gives_signs(valkey: str, redis: Redis) -> None:
    with pytest.raises(NoHeartbeat, match=f"No bot on this machine \\({HERE}\\)"):
        await asyncio.to_thread(check_health, "bot")
    async with bot_heartbeats(valkey, PollingHealth().is_silent):
        await sign_of_bot(redis)
        await asyncio.to_thread(check_health, "bot")
        with pytest.raises(NoHeartbeat, match="No worker"):
            await asyncio.to_thread(check_health, "worker")


async def test_sign_of_a_bot_that_hangs_fades(valkey: str, redis: Redis) -> None:
    async with bot_heartbeats(valkey, PollingHealth().is_silent, every_s=LIMIT_S):
        await sign_of_bot(redis)
        assert 0 < await redis.ttl(bot_key(HERE)) <= DEAD_AFTER_S


class Clock:
    """A steady clock that a test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def test_bot_that_could_fetch_nothing_for_a_minute_is_not_healthy(valkey: str) -> None:
    clock = Clock()
    polling_health = PollingHealth(clock)
    clock.now_s = 1000
    async with bot_heartbeats(valkey, polling_health.is_silent, every_s=0.01):
        await checked(None)  # nothing is fetched yet
        polling_health.note_answer()
        clock.now_s += 59
        await checked(None)
        clock.now_s += 2
        await checked(NothingFetched)
        polling_health.note_answer()
        await checked(None)


async def checked(error: type[Exception] | None) -> None:
    """Returns when the check ends with this error, or with none."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                await asyncio.to_thread(check_health, "bot")
            except (NoHeartbeat, NothingFetched) as exc:
                found: type[Exception] | None = type(exc)
            else:
                found = None
            if found is error:
                return


async def test_bot_gives_signs_again_when_the_server_takes_them_again(
    valkey: str, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    await redis.config_set("maxmemory", 1)
    try:
        async with bot_heartbeats(valkey, PollingHealth().is_silent, every_s=0.01):
            async with asyncio.timeout(LIMIT_S):
                while "it refused" not in caplog.text:
                    await asyncio.sleep(0.01)
            await redis.config_set("maxmemory", 0)
            await sign_of_bot(redis)
    finally:
        await redis.config_set("maxmemory", 0)


async def test_worker_is_alive_by_its_heartbeat_and_not_by_another_machine_s(redis: Redis) -> None:
    workers = WorkerRegistry(redis)
    await workers.beat(heartbeat("elsewhere"), time.time())
    with pytest.raises(NoHeartbeat, match="No worker"):
        await asyncio.to_thread(check_health, "worker")
    await workers.beat(heartbeat(HERE), time.time())
    await asyncio.to_thread(check_health, "worker")


async def test_nobody_is_alive_without_the_server_of_the_queues(
    redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await redis.set(bot_key(HERE), "alive")
    monkeypatch.setenv("ANIMATO_REDIS_URL", f"unix://{tmp_path}/nowhere")
    with pytest.raises(QueueUnavailable):
        await asyncio.to_thread(check_health, "bot")
    monkeypatch.setenv("ANIMATO_REDIS_URL", "")
    monkeypatch.setenv("REDIS_URL", "")
    with pytest.raises(BadSettings, match="set ANIMATO_REDIS_URL"):
        await asyncio.to_thread(check_health, "bot")


async def test_bot_that_runs_is_found_alive_from_its_command_line(
    sandbox: Sandbox, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await code_of("bot", "--healthy") == 3
    monkeypatch.setenv("ANIMATO_BOT_TOKEN", sandbox.token)
    monkeypatch.setenv("ANIMATO_BOT_API_URL", sandbox.url)
    port = free_port()
    monkeypatch.setenv("ANIMATO_METRICS_PORT", str(port))
    with running([*ANIMATO, "bot"]) as bot:
        await sign_of_bot(redis)
        monkeypatch.delenv("ANIMATO_METRICS_PORT")
        assert await code_of("bot", "--healthy") == 0
        assert await answered(port, "/healthz") == (200, {"loop": "ok", "heartbeat": "ok"})
        words = {"redis": "ok", "store": "ok", "telegram": "ok"}
        async with asyncio.timeout(LIMIT_S):
            while (ready := await answered(port, "/readyz"))[1]["telegram"] == "starting":
                await asyncio.sleep(0.05)
        assert ready == (200, words)
        bot.terminate()
        assert await asyncio.to_thread(bot.wait, LIMIT_S) == 0


async def test_bot_that_stands_by_lives_but_is_not_ready(
    sandbox: Sandbox, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, webhook = free_port(), f"127.0.0.1:{free_port()}"
    for name, value in {
        "BOT_TOKEN": sandbox.token,
        "BOT_API_URL": sandbox.url,
        "METRICS_PORT": str(port),
        "WEBHOOK_URL": f"http://{webhook}/updates",
        "WEBHOOK_LISTEN": webhook,
    }.items():
        monkeypatch.setenv(f"ANIMATO_{name}", value)
    lease = lease_key(int(sandbox.token.partition(":")[0]))

    async def is_told(status: int, word: str) -> None:
        async with asyncio.timeout(LIMIT_S):
            while True:
                ready, words = await answered(port, "/readyz")
                if (ready, words["telegram"]) == (status, word):
                    return
                await asyncio.sleep(0.05)

    await redis.set(lease, "another")
    with running([*ANIMATO, "bot"]) as bot:
        await sign_of_bot(redis)
        await is_told(503, "standby")
        assert (await answered(port, "/healthz"))[0] == 200
        await redis.delete(lease)
        await is_told(200, "ok")
        bot.terminate()
        assert await asyncio.to_thread(bot.wait, LIMIT_S) == 0
