"""Orders: fetch the files, have the engine process render, store the video.

run_job -> EngineProcess.render, in its process animate_photo -> file store
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from inference.engine_options import parse_options
from inference.process.engine_process import EngineProcess
from inference.process.offer import EngineOffer
from inference.process.setup import RESULT_NAME, THUMBNAIL_NAME
from jobs.errors import Cancelled
from jobs.metrics.worker_metrics import WorkerMetrics
from jobs.orders import Order, Progress, Result, Stage
from jobs.queues.assignment import Assignment
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.order_logs import OrderLogs
from jobs.queues.queues import Queues
from jobs.service_errors import BrokenRecord
from jobs.store.files import FileStore
from jobs.store.keys import result_key, result_thumbnail_key
from jobs.tasks import end_tasks
from jobs.wish import Video, Wish
from worker.background import Background
from worker.order_files import order_files

log = logging.getLogger(__name__)

# Files and devices of this machine: orders must not choose them.
_OPERATORS_OWN = frozenset({"config", "checkpoint", "device"})
# An order may take this many times its estimate, and at least this long.
_TIMES_ESTIMATED = 5
_SHORTEST_LIMIT_S = 600.0
_CANCEL_AGAIN_S = 0.2


@dataclass(frozen=True)
class RenderContext:
    """What rendering needs.

    Attributes:
        store: source of photos and clips, target of videos.
        engine_process: renders.
        options: the options that an order may set, by engine.
    """

    store: FileStore
    engine_process: EngineProcess
    options: dict[str, tuple[str, ...]]


def orderable_options(offer: EngineOffer) -> dict[str, tuple[str, ...]]:
    """Return the options that an order may set, by engine."""
    return {
        engine.name: tuple(name for name in engine.options if name not in _OPERATORS_OWN)
        for engine in offer.engines
    }


class Renderer:
    """Makes the videos of one worker.

    Args:
        name: the worker's.
        context: what rendering needs.
        device: what the engine process computes on.
        queues: the connection to Redis.
        background: where records about orders are written.
        metrics: where videos are counted.
    """

    def __init__(
        self,
        name: str,
        context: RenderContext,
        device: str,
        queues: Queues,
        background: Background,
        metrics: WorkerMetrics,
    ) -> None:
        self._name = name
        self._context = context
        self._device = device
        self._order_logs = OrderLogs(queues.client)
        self._registry = WorkerRegistry(queues.client)
        self._background = background
        self._metrics = metrics

    async def run_job(self, assignment: Assignment, folder: Path) -> Result:
        """Make the video for an order; record its log and its speed.

        Args:
            assignment: an `Order`.
            folder: for this order's files alone.

        Raises:
            RecordError: the order cannot be read, or has options that the engine does not
                understand.
            Cancelled: the assignment was stopped.
            OutdatedOrder: the order lacks what this version needs.
            UserError, OperatorError: from the engine process and the store.
        """
        order = Order.read(assignment.text)
        self._log(order, f"start {assignment.start_number} by {self._name}")
        engine_process = self._context.engine_process
        engine_process.clear_log()
        outcome = "given up at once"
        try:
            result = await self._make_video(order, assignment, folder)
            outcome = _summary(result)
        except Cancelled:
            outcome = f"stopped: {assignment.stop_reason}"
            raise
        except Exception as error:
            # Admins read this in a chat, where a traceback is too long.
            outcome = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise
        finally:
            self._log(order, outcome, engine_process.log_lines)
        self._metrics.record_speed(result.frames_per_second)
        seconds = 1 / result.frames_per_second
        self._background.run(self._registry.record_speed(self._device, order.engine, seconds))
        log.info("done: %s", outcome)
        return result

    async def _make_video(self, order: Order, assignment: Assignment, folder: Path) -> Result:
        store = self._context.store
        order.check_complete()
        _check_options(order, self._context.options.get(order.engine, ()))
        assignment.report(Progress(stage=Stage.PREPARING))
        async with order_files(order.wish, store, folder) as wish:
            if assignment.stop_reason is not None:
                raise Cancelled
            video = await self._run_engine(order, wish, assignment, folder)
        frames = video.frame_count
        assignment.report(Progress(stage=Stage.STORING, frames_done=frames, frames_total=frames))
        start_number = assignment.start_number
        key = result_key(order.order_id, start_number)
        thumbnail_key = result_thumbnail_key(order.order_id, start_number)
        await asyncio.gather(
            store.put(key, folder / RESULT_NAME), store.put(thumbnail_key, folder / THUMBNAIL_NAME)
        )
        return Result(**dict(video), key=key, attempt=start_number, thumbnail_key=thumbnail_key)

    async def _run_engine(
        self, order: Order, wish: Wish, assignment: Assignment, folder: Path
    ) -> Video:
        """Make the video; cancel it when the assignment is stopped."""

        def report(done: int, total: int) -> None:
            assignment.report(
                Progress(stage=Stage.ANIMATING, frames_done=done, frames_total=max(done, total))
            )

        engine_process = self._context.engine_process
        limit_s = max(_SHORTEST_LIMIT_S, _TIMES_ESTIMATED * order.estimated_cost_s)
        rendering = asyncio.ensure_future(
            engine_process.render(wish, order.engine, folder, limit_s, report)
        )
        stopping = asyncio.ensure_future(assignment.wait_for_stop())
        try:
            await asyncio.wait({rendering, stopping}, return_when=asyncio.FIRST_COMPLETED)
            while not rendering.done():
                # Repeat: the request may not have started yet.
                engine_process.cancel()
                await asyncio.wait({rendering}, timeout=_CANCEL_AGAIN_S)
            return rendering.result()
        finally:
            await end_tasks([rendering, stopping])

    def _log(self, order: Order, line: str, before: Sequence[str] = ()) -> None:
        stamped = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}"
        self._background.run(self._order_logs.add(order.order_id, [*before, stamped]))


def _check_options(order: Order, understood: Collection[str]) -> None:
    """Raise BrokenRecord unless the engine understands the order's options and their values."""
    for name in order.wish.options:
        if name not in understood:
            raise BrokenRecord(kind="Order", reason=f"{order.engine} has no option {name}")
    try:
        parse_options(order.wish.options)
    except ValidationError as exc:
        where = exc.errors()[0]["loc"][0]
        raise BrokenRecord(kind="Order", reason=f"wrong at options.{where}") from exc


def _summary(result: Result) -> str:
    return (
        f"{result.width} x {result.height} px, {result.frame_count} frames in"
        f" {result.render_s:.2f} s, {result.size_bytes} bytes"
    )
