"""The service: the overhead of queues and worker, and the time from a photo to its look.

    python -m benchmarks.service --rounds 20

A worker runs as usual, with the engines `still` and `mesh`, an embedded Valkey and a folder as file
store. Reads /proc, so it needs Linux. Each figure is the median of several, with the worst; the
load of the machine is printed before and after them.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from PIL import Image
from skimage.data import astronaut, brick

from benchmarks.run import CLI, row
from inference.process.engine_process import EngineProcess
from inference.process.setup import EngineSetup
from jobs.findings import PhotoFindings
from jobs.orders import LookJob, LookResult, Order, OrderState, order_id
from jobs.queues.admission import NO_LIMITS
from jobs.queues.keys import JobRef
from jobs.queues.queues import Queues
from jobs.queues.waiting import Estimates
from jobs.redis_server.server import RedisServer
from jobs.store.files import FileStore
from jobs.templates import SHIPPED_TEMPLATES
from jobs.wish import Movement, Wish

_ENGINES = ("still", "mesh")
_ROOT = Path(__file__).parents[1]
_TEMPLATE, _FRAMES = "blink", 75
_PORTRAIT, _WALL = "inputs/1/portrait.png", "inputs/1/wall.png"
_LONG_QUEUE, _VIDEOS = 1000, 200
_IDLE_S = 20.0
_ASK_S = 0.005


@dataclass(frozen=True)
class Service:
    """The queues, the file store, and the worker's process id."""

    queues: Queues
    store: FileStore
    worker: int

    def engine(self) -> int:
        """Return the process id of the worker's engine.

        Raises:
            StopIteration: it has none.
        """
        children = Path(f"/proc/{self.worker}/task/{self.worker}/children").read_text()
        commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_text() for pid in children.split()}
        return next(pid for pid, words in commands.items() if "inference.process" in words)

    async def until_done(self, ref: JobRef) -> str:
        """Wait for the result of a job.

        Raises:
            RuntimeError: it failed.
        """
        while True:
            status = await self.queues.status(ref)
            if status is not None and status.state is OrderState.DONE:
                return status.result or ""
            if status is not None and status.state.is_final:
                message = f"{ref.job_id} is {status.state}: {status.error}"
                raise RuntimeError(message)
            await asyncio.sleep(_ASK_S)

    async def look(self, name: str, photo_key: str) -> LookResult:
        """Return what the gate finds in a photo."""
        order = LookJob(look_id=name, person=1, draft="1", photo_key=photo_key)
        await self.queues.send(order.ref, order, order.person)
        return LookResult.read(await self.until_done(order.ref))


@asynccontextmanager
async def _service(folder: Path) -> AsyncIterator[Service]:
    """Run a worker with its Valkey and file store during the block."""
    store = FileStore.open(str(folder / "files"), min_free_bytes=0)
    for key, picture in ((_PORTRAIT, astronaut()), (_WALL, brick())):
        path = folder / key.rpartition("/")[2]
        Image.fromarray(picture).convert("RGB").save(path)
        await store.put(key, path)
    async with RedisServer(folder) as server, Queues(server.url, _ENGINES, NO_LIMITS) as queues:
        settings = {
            "ANIMATO_REDIS_URL": server.url,
            "ANIMATO_STORE_URL": str(folder / "files"),
            "ANIMATO_MIN_FREE_GB": "0",
            "PYTHONPATH": str(_ROOT),
        }
        worker = await asyncio.create_subprocess_exec(
            *(*CLI, "worker", "--device", "cpu", "--engines", ",".join(_ENGINES)),
            cwd=folder,
            env={**os.environ, **settings},
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield Service(queues, store, worker.pid)
        finally:
            worker.terminate()
            await worker.wait()


_UNSEEN = PhotoFindings(
    file=_PORTRAIT, sheet=_PORTRAIT, width=512, height=512, original_width=512, original_height=512
)


def _wish(photo: PhotoFindings) -> Wish:
    return Wish(
        photo=photo,
        face_boxes=tuple(face.box for face in photo.faces[:1]),
        movement=Movement(template=_TEMPLATE, frames=_FRAMES),
    )


def _order(number: int, engine: str, look: LookResult | None = None) -> Order:
    """An order of a person of its own; without a look, nobody will do it."""
    return Order(
        order_id=order_id(number, "1", 1),
        person=number,
        chat=number,
        draft="1",
        number=1,
        engine=engine,
        wish=_wish(_UNSEEN if look is None else look.photo),
        estimated_cost_s=10.0,
    )


async def measure_service(rounds: int) -> AsyncIterator[tuple[str, ...]]:
    """Yield (what, median, worst) for each figure."""
    yield ("load of the machine before (1, 5 minutes)", *_load())
    with tempfile.TemporaryDirectory() as name:
        async for cells in _long_queue(Path(name), rounds):
            yield cells
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with _service(folder) as service:
            portrait = await service.look("first", _PORTRAIT)
            async for cells in _idle(service, portrait):
                yield cells
            async for cells in _overhead(service, portrait, folder, rounds):
                yield cells
            async for cells in _looks(service, portrait, rounds):
                yield cells
    yield ("load of the machine after (1, 5 minutes)", *_load())


async def _long_queue(folder: Path, rounds: int) -> AsyncIterator[tuple[str, ...]]:
    """Measure submitting and asking while a thousand orders wait."""
    async with RedisServer(folder) as server, Queues(server.url, _ENGINES, NO_LIMITS) as queues:
        estimates = Estimates(queues.client)
        for number in range(1, _LONG_QUEUE + 1):
            await queues.submit(_order(number, "mesh"))
        submit_s, position_s, range_s = [], [], []
        for number in range(1, 10 * rounds + 1):
            new = _order(_LONG_QUEUE + number, "mesh")
            started = time.perf_counter()
            await queues.submit(new)
            submit_s.append(time.perf_counter() - started)
            old = _order(number * _LONG_QUEUE // (10 * rounds), "mesh")
            started = time.perf_counter()
            await queues.status(old.ref)
            position_s.append(time.perf_counter() - started)
            started = time.perf_counter()
            await estimates.until_done(old.ref, "mesh")
            range_s.append(time.perf_counter() - started)
            await queues.cancel(new.ref)
    yield _row_ms("submit, 1,000 waiting", submit_s)
    yield _row_ms("state and position, 1,000 waiting", position_s)
    yield _row_ms("estimated time, 1,000 waiting", range_s)


async def _idle(service: Service, portrait: LookResult) -> AsyncIterator[tuple[str, ...]]:
    """Measure memory and wake-ups, without an engine and with one."""
    agent = service.worker
    yield "worker, no engine process", f"{_memory_mb(agent):.0f} MB", await _wakes(agent)
    orders = [_order(number, engine, portrait) for number, engine in enumerate(_ENGINES, 1)]
    for order in orders:
        await service.queues.submit(order)
    for order in orders:
        await service.until_done(order.ref)
    engine = service.engine()
    yield "worker, engine process warm", f"{_memory_mb(agent):.0f} MB", await _wakes(agent)
    yield (
        "engine process, still and mesh used",
        f"{_memory_mb(engine):.0f} MB",
        await _wakes(engine),
    )


async def _overhead(
    service: Service, portrait: LookResult, folder: Path, rounds: int
) -> AsyncIterator[tuple[str, ...]]:
    """Measure `still` by the service and by the engine process alone, in turns."""
    photo = folder / "photo.png"
    await service.store.fetch(portrait.photo.file, photo)
    setup = EngineSetup(templates_dir=SHIPPED_TEMPLATES, checkpoints_dir=folder, device="cpu")
    alone_s, service_s = [], []
    async with EngineProcess(setup) as engine:
        for number in range(rounds + 1):
            wish = _wish(portrait.photo)
            wish = wish.with_files({wish.photo.file: str(photo)})
            started = time.perf_counter()
            await engine.render(wish, "still", folder)
            alone_s.append(time.perf_counter() - started)
            order = _order(100 + number, "still", portrait)
            started = time.perf_counter()
            await service.queues.submit(order)
            await service.until_done(order.ref)
            service_s.append(time.perf_counter() - started)
    # The first one has loaded the engine.
    overhead_s = [ours - alone for ours, alone in zip(service_s[1:], alone_s[1:], strict=True)]
    yield _row_ms("a video of `still`, engine process alone", alone_s[1:])
    yield _row_ms("a video of `still`, as an order", service_s[1:])
    yield _row_ms("overhead of the service", overhead_s)


async def _looks(
    service: Service, portrait: LookResult, rounds: int
) -> AsyncIterator[tuple[str, ...]]:
    """Measure from a submitted photo to the answer, with and without waiting videos."""
    idle_s: dict[str, list[float]] = {_WALL: [], _PORTRAIT: []}
    busy_s: dict[str, list[float]] = {_WALL: [], _PORTRAIT: []}
    numbers = count(1000)
    for spent_s in (idle_s, busy_s):
        for _ in range(rounds):
            if spent_s is busy_s:
                await _fill_up(service, portrait, numbers)
            for key, times in spent_s.items():
                started = time.perf_counter()
                await service.look(f"look-{next(numbers)}", key)
                times.append(time.perf_counter() - started)
    yield _row_s("photo without a face, nothing else to do", idle_s[_WALL])
    yield _row_s("photo with a face, nothing else to do", idle_s[_PORTRAIT])
    yield _row_s("photo without a face, 200 videos wait", busy_s[_WALL])
    yield _row_s("photo with a face, 200 videos wait", busy_s[_PORTRAIT])


async def _fill_up(service: Service, portrait: LookResult, numbers: "count[int]") -> None:
    """Fill the queues up to the wanted number of videos, half for each engine."""
    for engine in _ENGINES:
        counts = (await service.queues.statistics(f"animate-{engine}")).counts
        for _ in range(_VIDEOS // 2 - counts["wait"] - counts["prioritized"]):
            await service.queues.submit(_order(next(numbers), engine, portrait))


def _memory_mb(pid: int) -> float:
    """Return the resident memory of a process, shared pages included."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def _wakes(pid: int) -> str:
    """Return the wake-ups per second of all threads of a process."""

    def so_far() -> dict[str, int]:
        text = {path.parent.name: path.read_text() for path in tasks.glob("*/status")}
        return {
            thread: int(words.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
            for thread, words in text.items()
        }

    tasks = Path(f"/proc/{pid}/task")
    await asyncio.sleep(2)  # what was just done is over
    before = so_far()
    await asyncio.sleep(_IDLE_S)
    wakes = sum(now - before.get(thread, 0) for thread, now in so_far().items())
    return f"{wakes / _IDLE_S:.1f} /s"


def _load() -> list[str]:
    return [f"{load:.1f}" for load in os.getloadavg()[:2]]


def _row_ms(label: str, times_s: list[float]) -> tuple[str, ...]:
    median, worst = statistics.median(times_s) * 1000, max(times_s) * 1000
    return label, f"{median:.1f} ms", f"{worst:.1f} ms"


def _row_s(label: str, times_s: list[float]) -> tuple[str, ...]:
    return label, f"{statistics.median(times_s):.2f} s", f"{max(times_s):.2f} s"


async def tell_service(rounds: int) -> None:
    """Print the table."""
    row("", "median", "worst")
    async for cells in measure_service(rounds):
        row(*cells)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="of each (default: 10)")
    rounds = parser.parse_args().rounds
    if not sys.platform.startswith("linux"):
        parser.error("it reads /proc, which only Linux has")
    asyncio.run(tell_service(rounds))


if __name__ == "__main__":
    main()
