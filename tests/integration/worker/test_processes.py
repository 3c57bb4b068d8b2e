"""Workers as processes: killed, told to end, and started from the command line."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from jobs.orders import OrderState
from jobs.queues.queues import Queues
from jobs.templates import SHIPPED_TEMPLATES
from tests.integration.worker.conftest import (
    LIMIT_S,
    QUICK,
    engine_processes,
    ordered,
    seen,
    signs,
    until,
    working,
)
from worker.plan import WorkerPlan

pytestmark = pytest.mark.local_sockets

ROOT = Path(__file__).parents[3]
LOCK_S = 10.0
ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told from /proc")
SHORT_LOCK = replace(QUICK, lock_s=LOCK_S, stalled_check_s=0.5)


def memory_mb(pid: int) -> float:
    """How much memory a process has, that of its children not counted; from /proc."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@asynccontextmanager
async def process(
    *words: str, folder: Path, **variables: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python program of ours while the block lasts."""
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *words),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        # Read to its end, the pipe is closed.
        await started.communicate()


def as_process(plan: WorkerPlan, *engines: str) -> str:
    return json.dumps(
        {
            "url": plan.url,
            "store": plan.store.place,
            "place": str(plan.place),
            "setup": plan.setup.model_dump(mode="json"),
            "lock_s": LOCK_S,
            "engines": engines,
        }
    )


@ON_LINUX
async def test_order_of_a_killed_worker_is_done_by_another_and_nothing_is_left_of_it(
    queues: Queues, plan: WorkerPlan, word: Path, redis: Redis
) -> None:
    order = await ordered(queues, 2, "waiting")
    program = ("tests.integration.worker.program", as_process(plan, "waiting"))
    async with process(*program, folder=ROOT) as worker:

        async def has_begun() -> bool:
            status = await queues.status(order.ref)
            return bool(status and status.progress and status.progress.frames_done)

        await seen(has_begun)
        (engine,) = engine_processes(worker.pid)
        worker.kill()
        await worker.wait()
        # As if its lock had run out.
        await redis.delete(order.ref.lock_key)
        (abandoned,) = plan.place.iterdir()
        assert list(abandoned.glob("job-*/photo.png"))
    word.touch()
    async with working(replace(plan, render_rules=SHORT_LOCK), "waiting"):
        status = await until(queues, order.ref, OrderState.DONE)
        assert abandoned not in list(plan.place.iterdir())
    assert (status.starts, status.video().attempt) == (2, 2)

    async def is_gone() -> bool:
        return not Path(f"/proc/{engine}/cmdline").exists()

    await seen(is_gone)


@ON_LINUX
@pytest.mark.parametrize(
    ("number", "code", "words"),
    [(signal.SIGTERM, 0, ""), (signal.SIGINT, 130, "finished or returned")],
)
async def test_command_gives_back_what_it_has_in_hand_when_a_signal_comes(
    queues: Queues, plan: WorkerPlan, redis: Redis, number: signal.Signals, code: int, words: str
) -> None:
    order = await ordered(queues, 2, "mesh")
    async with command(plan, "--engines", "mesh", ANIMATO_ENGINES="still") as worker:
        await until(queues, order.ref, OrderState.RUNNING)

        async def has_engine() -> bool:
            return bool(engine_processes(worker.pid))

        await seen(has_engine)
        assert memory_mb(worker.pid) < 150
        # It is not nearly done, however slow we are.
        os.kill(engine_processes(worker.pid)[0], signal.SIGSTOP)
        worker.send_signal(number)
        _, said = await asyncio.wait_for(worker.communicate(), LIMIT_S)
    assert worker.returncode == code, said.decode()
    assert words in said.decode()
    assert "Traceback" not in said.decode()
    status = await until(queues, order.ref, OrderState.WAITING)
    assert (status.starts, await redis.hget(order.ref.key, "atm")) == (1, None)
    assert await signs(redis) == []


async def test_command_does_what_waits_and_ends(queues: Queues, plan: WorkerPlan) -> None:
    order = await ordered(queues, 2)
    async with command(plan, "--once", "--device", "cpu") as worker:
        _, said = await asyncio.wait_for(worker.communicate(), LIMIT_S)
    assert worker.returncode == 0, said.decode()
    assert f"[{order.order_id}]: done: 200 x 200 px, 75 frames" in said.decode()
    await until(queues, order.ref, OrderState.DONE)


async def test_what_cannot_be_used_is_one_sentence(plan: WorkerPlan, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    async def said_without(variables: dict[str, str]) -> str:
        async with command(plan, "--once", **variables) as worker:
            _, said = await asyncio.wait_for(worker.communicate(), LIMIT_S)
        assert worker.returncode == 3, said.decode()
        return said.decode()

    said = await asyncio.gather(
        said_without({"ANIMATO_REDIS_URL": ""}),
        said_without({"ANIMATO_REDIS_URL": f"unix://{tmp_path}/no"}),
        said_without({"ANIMATO_STORE_URL": str(tmp_path / "file")}),
        said_without({"ANIMATO_ENGINES": "mesh,never"}),
        # Told before a server is asked or an engine's process is started.
        said_without({"ANIMATO_ENGINES": "never", "ANIMATO_REDIS_URL": f"unix://{tmp_path}/no"}),
    )
    sentences = (
        "set ANIMATO_REDIS_URL",
        "does not answer",
        "file exists",
        "ANIMATO_ENGINES cannot be used: There is no engine called never: choose one of auto, fomm",
        "ANIMATO_ENGINES cannot be used: There is no engine called never: choose one of auto, fomm",
    )
    for words, sentence in zip(said, sentences, strict=True):
        assert sentence in words
        assert len(words.splitlines()) == 1


@asynccontextmanager
async def command(
    plan: WorkerPlan, *words: str, **variables: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`animato worker` for the plan's queues and store, in a folder without any `.env`."""
    folder = plan.place.parent
    settings = {
        "ANIMATO_REDIS_URL": plan.url,
        "ANIMATO_STORE_URL": plan.store.place,
        "ANIMATO_DATA_DIR": str(folder),
        "ANIMATO_TEMPLATES_DIR": str(SHIPPED_TEMPLATES),
        "ANIMATO_MIN_FREE_GB": "0",
    }
    async with process("animato", "worker", *words, folder=folder, **settings | variables) as run:
        yield run
