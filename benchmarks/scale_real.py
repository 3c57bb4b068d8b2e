"""Compares the simulation of `benchmarks/scale.py` with real workers.

    python -m benchmarks.scale_real --orders 500

50 people order the shortest videos of the engine `still` all at once; real workers make them. The
simulation plays the same orders, first with the time that an order took with one worker, then with
the one that it took in the same run: the first comparison shows what workers take from each other
on this machine, the second one what the simulation itself leaves out.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from skimage.data import astronaut

from benchmarks.demand import Arrival, Demand
from benchmarks.run import CLI
from benchmarks.scale import Outcome, Scenario, alone, head, percentile, table_row
from jobs.findings import PhotoFindings
from jobs.orders import LookJob, LookResult, Order, order_id
from jobs.queues.admission import NO_LIMITS
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.keys import engine_queue
from jobs.queues.queues import Queues
from jobs.redis_server.server import RedisServer
from jobs.store.files import FileStore
from jobs.wish import Movement, Wish

_ENGINE, _TEMPLATE, _FRAMES, _SIDE = "still", "blink", 75, 256
_PEOPLE = 50
_PHOTO = "inputs/1/portrait.png"
_ROOT = Path(__file__).parents[1]
_ASK_S = 0.2


@dataclass(frozen=True)
class Measured:
    """What real workers did.

    Attributes:
        wall_s: from the first order to the last end.
        added_s: when each order was placed.
        waits_s: of each order, until it was started.
        takes_s: what each order took.
    """

    wall_s: float
    added_s: tuple[float, ...]
    waits_s: list[float]
    takes_s: list[float]


@asynccontextmanager
async def _workers(folder: Path, many: int) -> AsyncIterator[Queues]:
    """Run workers with a Valkey and a file store during the block."""
    store = FileStore.open(str(folder / "files"), min_free_bytes=0)
    picture = folder / "portrait.png"
    Image.fromarray(astronaut()).resize((_SIDE, _SIDE)).save(picture)
    await store.put(_PHOTO, picture)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(RedisServer(folder))
        queues = await stack.enter_async_context(Queues(server.url, (_ENGINE,), NO_LIMITS))
        settings = {
            "ANIMATO_REDIS_URL": server.url,
            "ANIMATO_STORE_URL": str(folder / "files"),
            "ANIMATO_MIN_FREE_GB": "0",
            "PYTHONPATH": str(_ROOT),
        }
        for _ in range(many):
            worker = await asyncio.create_subprocess_exec(
                *(*CLI, "worker", "--device", "cpu", "--engines", _ENGINE),
                cwd=folder,
                env={**os.environ, **settings},
                stderr=asyncio.subprocess.DEVNULL,
            )
            stack.push_async_callback(worker.wait)
            stack.callback(worker.terminate)
        registry = WorkerRegistry(queues.client)
        while len(await registry.living()) < many:
            await asyncio.sleep(_ASK_S)
        yield queues


async def _look(queues: Queues) -> PhotoFindings:
    """Return what a worker finds in the photo."""
    job = LookJob(look_id="first", person=1, draft="1", photo_key=_PHOTO)
    await queues.send(job.ref, job, job.person)
    while (status := await queues.status(job.ref)) is None or not status.state.is_final:
        await asyncio.sleep(_ASK_S)
    return LookResult.read(status.result or "").photo


def _order(number: int, photo: PhotoFindings) -> Order:
    person = 1 + number % _PEOPLE
    return Order(
        order_id=order_id(person, "1", 1 + number),
        person=person,
        chat=person,
        draft="1",
        number=1 + number,
        engine=_ENGINE,
        wish=Wish(
            photo=photo,
            face_boxes=tuple(face.box for face in photo.faces[:1]),
            movement=Movement(template=_TEMPLATE, frames=_FRAMES),
        ),
        estimated_cost_s=10.0,
    )


async def _measure(many: int, orders: int) -> Measured:
    with tempfile.TemporaryDirectory() as name:
        async with _workers(Path(name), many) as queues:
            # The first ones load the engines; they do not count.
            photo = await _look(queues)
            await _make(queues, [_order(number, photo) for number in range(2 * many)])
            numbers = range(2 * many, 2 * many + orders)
            rows = await _make(queues, [_order(number, photo) for number in numbers])
    added, begun, ended = zip(*rows, strict=True)
    return Measured(
        wall_s=max(ended) - min(added),
        added_s=added,
        waits_s=[start - add for add, start in zip(added, begun, strict=True)],
        takes_s=[end - start for start, end in zip(begun, ended, strict=True)],
    )


async def _make(queues: Queues, orders: Sequence[Order]) -> list[tuple[float, float, float]]:
    """Place orders, wait for them, and return when each was added, begun and ended, s."""
    done_before = await _done(queues)
    for order in orders:
        await queues.submit(order)
    while await _done(queues) < done_before + len(orders):
        await asyncio.sleep(_ASK_S)
    fields = ("timestamp", "processedOn", "finishedOn")
    rows = [await queues.client.hmget(order.ref.key, fields) for order in orders]
    return [(int(added) / 1e3, int(begun) / 1e3, int(ended) / 1e3) for added, begun, ended in rows]


async def _done(queues: Queues) -> int:
    """Return how many orders are done.

    Raises:
        RuntimeError: one has failed.
    """
    counts = (await queues.statistics(engine_queue(_ENGINE))).counts
    if counts["failed"]:
        message = f"orders have failed: {await queues.dead_letters(1)}"
        raise RuntimeError(message)
    return counts["completed"]


def _simulated(measured: Measured, workers: int, take_s: float) -> Outcome:
    """Play the same orders in the simulation, each of which takes `take_s`."""
    first_s = min(measured.added_s)
    arrivals = [
        Arrival(number, added_s - first_s, 1 + number % _PEOPLE, _FRAMES, 1.0)
        for number, added_s in enumerate(measured.added_s)
    ]
    demand = Demand(orders=len(arrivals), people=_PEOPLE, days=1, seed=1)
    return alone(Scenario(demand, workers, take_s / _FRAMES, NO_LIMITS), arrivals)


def _row(what: str, workers: int, ends_s: float, waits_s: list[float]) -> None:
    rate = f"{3600 * len(waits_s) / ends_s:,.0f}"
    waits = (f"{percentile(waits_s, share):.0f} s" for share in (0.5, 0.95, 1.0))
    table_row(str(workers), what, rate, *waits)


def _compare(workers: int, orders: int, alone_s: float | None) -> float:
    """Print the rows of so many workers; return what an order took, s."""
    measured = asyncio.run(_measure(workers, orders))
    take_s = statistics.mean(measured.takes_s)
    _row(f"measured, load {os.getloadavg()[0]:.0f}", workers, measured.wall_s, measured.waits_s)
    times = {"as with one worker": alone_s or take_s, "as in this run": take_s}
    for label, each_s in times.items():
        outcome = _simulated(measured, workers, each_s)
        waits_s = [one.wait_s for one in outcome.starts]
        _row(
            f"simulated, {1000 * each_s:.0f} ms an order, {label}",
            workers,
            max(outcome.ends_s),
            waits_s,
        )
    return take_s


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_real", description=__doc__)
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--workers", default="1,2,4")
    given = parser.parse_args()
    head("workers", "", "orders an hour", "median wait", "95 %", "worst")
    alone_s = None
    for workers in map(int, given.workers.split(",")):
        take_s = _compare(workers, given.orders, alone_s)
        alone_s = alone_s or take_s


if __name__ == "__main__":
    main()
