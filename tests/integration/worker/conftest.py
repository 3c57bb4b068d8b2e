"""Workers with a few odd engines beside the real ones, and a store with somebody's photo."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import skimage.data
from PIL import Image
from redis.asyncio import Redis

from inference.process.engine_process import EngineLimits
from inference.process.offer import EngineOffer, OfferedEngine
from inference.process.setup import EngineSetup
from jobs.orders import LookJob, Order, OrderState
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry
from jobs.queues.keys import JobRef
from jobs.queues.queue_worker import WorkRules
from jobs.queues.queues import Queues
from jobs.queues.status import Status
from jobs.store.files import FileStore
from jobs.tasks import Shutdown, end_tasks
from jobs.templates import SHIPPED_TEMPLATES
from jobs.wish import Movement
from tests.integration.inference.conftest import FACE_BOX, HEAD
from tests.integration.jobs import conftest as servers
from tests.integration.jobs.hand import make_order
from worker.agent import run_agent_with
from worker.plan import WorkerPlan

machine_has_no_proxy_and_no_keys = servers.machine_has_no_proxy_and_no_keys
valkey_for_all = servers.valkey_for_all
redis = servers.redis
valkey = servers.valkey

LIMIT_S = 60.0
ENGINES = ("chatty", "crashing", "mesh", "steady", "still", "waiting")
QUICK = WorkRules(beat_s=0.1, stop_s=3.0, idle_s=0.1)
PHOTO, CLIP, WALL = "inputs/7/photo.png", "inputs/7/clip.mp4", "inputs/7/wall.png"

ENGINE = """
import os, signal, time
from inference.engines.still import StillEngine

class OddEngine(StillEngine):
    name = "{name}"

    def animate(self, driving, motion):
        yield [self._photo]
        {body}
        yield [self._photo] * (motion.frame_count - 1)

ENGINE = OddEngine
"""
BODIES = {
    "chatty": "print('a word')",
    "crashing": "os.kill(os.getpid(), signal.SIGKILL)",
    # Until there is a file `word` beside it.
    "waiting": """while not os.path.exists(os.path.join(os.path.dirname(__file__), "word")):
            time.sleep(0.01)
            yield []""",
    "steady": """for _ in range(motion.frame_count - 1):
            time.sleep(0.06)
            yield [self._photo]
        return""",
}


@pytest.fixture(scope="session")
def odd_engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engines")
    for name, body in BODIES.items():
        (folder / f"{name}.py").write_text(ENGINE.format(name=name, body=body))
    return folder


@pytest.fixture
def word(odd_engines: Path) -> Path:
    """The file that lets the engine `waiting` go on."""
    path = odd_engines / "word"
    path.unlink(missing_ok=True)
    return path


@pytest.fixture
async def store(tmp_path: Path) -> FileStore:
    """A store with a photo, a wall without a face, and a clip."""
    opened = FileStore.open(str(tmp_path / "store"), min_free_bytes=0)
    Image.fromarray(HEAD).save(tmp_path / "photo.png")
    Image.fromarray(skimage.data.brick()).convert("RGB").save(tmp_path / "wall.png")
    await opened.put(PHOTO, tmp_path / "photo.png")
    await opened.put("looks/7/photo.png", tmp_path / "photo.png")
    await opened.put(WALL, tmp_path / "wall.png")
    await opened.put(CLIP, SHIPPED_TEMPLATES / "blink.mp4")
    return opened


@pytest.fixture
def plan(
    valkey: str, store: FileStore, tmp_path: Path, odd_engines: Path, word: Path
) -> WorkerPlan:
    assert word.parent == odd_engines
    return WorkerPlan(
        url=valkey,
        store=store,
        place=tmp_path / "work",
        setup=EngineSetup(
            templates_dir=SHIPPED_TEMPLATES,
            checkpoints_dir=tmp_path / "weights",
            device="cpu",
            is_offline=True,
            further_engines=odd_engines,
        ),
        limits=EngineLimits(),
        min_free_bytes=0,
        beat_s=0.1,
        render_rules=QUICK,
        look_rules=replace(QUICK, max_concurrent=2),
    )


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey, ENGINES) as opened:
        yield opened


def offer_of(*engines: str) -> EngineOffer:
    abilities: dict[str, Any] = {"mesh": {"options": ("strength",), "max_faces": 8}}
    offered = (OfferedEngine(name=name, **abilities.get(name, {})) for name in engines)
    return EngineOffer(device="cpu", engines=tuple(offered))


@dataclass
class Running:
    """A worker that works: how it is told to end, and its end."""

    ending: Shutdown
    end: "asyncio.Task[None]"

    async def ended(self) -> None:
        async with asyncio.timeout(LIMIT_S):
            await self.end


@asynccontextmanager
async def working(plan: WorkerPlan, *engines: str) -> AsyncIterator[Running]:
    """A worker that offers these engines while the block lasts."""
    ending = Shutdown()
    task = asyncio.create_task(run_agent_with(plan, offer_of(*engines), ending))
    try:
        yield Running(ending, task)
        ending.ask()
        ending.ask()
        async with asyncio.timeout(LIMIT_S):
            await task
    finally:
        await end_tasks([task])


async def ordered(queues: Queues, person: int, engine: str = "still", **changes: Any) -> Order:
    """A person's order of the photo, handed in."""
    facts = {"engine": engine, "face_box": FACE_BOX, **changes}
    facts.setdefault("motion", Movement(template="blink"))
    order = make_order(person, **facts)
    await queues.submit(order)
    return order


async def look_ordered(queues: Queues, name: str = "look-1", **changes: Any) -> LookJob:
    facts = {"person": 2, "draft": "7", "photo_key": PHOTO, **changes}
    order = LookJob(look_id=name, **facts)
    await queues.send(order.ref, order, order.person)
    return order


async def until(queues: Queues, ref: JobRef, state: OrderState) -> Status:
    """The status of a job as soon as it has this state; it must not end in another one."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            status = await queues.status(ref)
            if status is not None and status.state is state:
                return status
            assert status is None or not status.state.is_final, status
            await asyncio.sleep(0.02)


async def seen(question: Callable[[], Awaitable[object]]) -> None:
    """Returns as soon as the answer is true."""
    async with asyncio.timeout(LIMIT_S):
        while not await question():
            await asyncio.sleep(0.02)


async def signs(redis: Redis) -> list[Heartbeat]:
    return await WorkerRegistry(redis).living()


async def tried_soon(redis: Redis, ref: JobRef) -> None:
    """Has an order that waits be tried again at once when it fails."""
    options = await redis.hget(ref.key, "opts")
    assert options is not None
    await redis.hset(ref.key, "opts", str(options).replace('"delay":15000', '"delay":10'))


def engine_processes(parent: int) -> list[int]:
    """The engine processes of a worker, from /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            above = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if above == parent and b"inference.process.engine_main" in command:
            found.append(int(folder.name))
    return found
