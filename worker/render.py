"""An order in a worker's hand: its files come from the store, its video goes there.

fetch -> the engine process renders (`inference/process/render.py` there) -> store
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from inference.engine_options import EngineOptions
from inference.process.engine_process import EngineProcess
from inference.process.render_job import ClipFile, EngineOffer, Rendered, RenderJob
from jobs.errors import Cancelled
from jobs.orders import Order, Progress, Result, Stage
from jobs.queues.assignment import Assignment
from jobs.service_errors import BrokenRecord
from jobs.store.files import FileStore
from jobs.store.keys import result_key, result_thumbnail_key
from jobs.tasks import end_tasks

# They name files and devices of this machine, which are not for people to choose.
_OPERATORS_OWN = frozenset({"config", "checkpoint", "device"})
# An order is given up when it takes so many times as long as was thought, or this long.
_TIMES_ESTIMATED = 5
_SHORTEST_LIMIT_S = 600.0
_CANCEL_AGAIN_S = 0.2

_OPTIONS = TypeAdapter(EngineOptions)


@dataclass(frozen=True)
class RenderContext:
    """What videos are made with.

    Attributes:
        store: where photos and clips come from and videos go to.
        engine: the process that makes them.
        options: what may be asked of each engine, by its name.
    """

    store: FileStore
    engine: EngineProcess
    options: dict[str, tuple[str, ...]]


def orderable_options(offer: EngineOffer) -> dict[str, tuple[str, ...]]:
    """What an order may ask of each engine, by its name."""
    return {
        engine.name: tuple(name for name in engine.options if name not in _OPERATORS_OWN)
        for engine in offer.engines
    }


async def make_video(
    order: Order, assignment: Assignment, studio: RenderContext, folder: Path, said: list[str]
) -> tuple[Result, Rendered]:
    """The stored video and how it was made.

    Args:
        order: what is wanted.
        assignment: the same in hand; it is told how far the work is, and stops it.
        studio: what it is made with.
        folder: for this order's files alone.
        said: takes what the engine process said meanwhile, line by line.

    Raises:
        Cancelled: the assignment was stopped.
        RecordError: the order asks for what cannot be.
        UserError, OperatorError: what the engine process raises, and what the store does.
    """
    options = _options_of(order, studio.options.get(order.engine, ()))
    assignment.report(Progress(stage=Stage.PREPARING))
    job = RenderJob(
        job_id=order.order_id,
        engine=order.engine,
        options=options,
        photo=await _fetched(studio.store, order.photo_key, folder / "photo.png"),
        face_box=order.face_box,
        template=order.motion.template,
        templates=order.motion.templates,
        clip=await _clip_of(order, studio.store, folder),
        output=folder / "video.mp4",
        thumbnail=folder / "thumbnail.jpg",
        time_limit_s=max(_SHORTEST_LIMIT_S, _TIMES_ESTIMATED * order.estimated_cost_s),
    )
    if assignment.stop_reason is not None:
        raise Cancelled
    try:
        rendered = await _rendered(job, assignment, studio.engine)
    finally:
        said += studio.engine.log_lines
    assignment.report(
        Progress(
            stage=Stage.STORING,
            frames_done=rendered.frame_count,
            frames_total=rendered.frame_count,
        )
    )
    key = result_key(order.order_id, assignment.attempt)
    await studio.store.put(key, job.output)
    thumbnail_key = result_thumbnail_key(order.order_id, assignment.attempt)
    await studio.store.put(thumbnail_key, folder / "thumbnail.jpg")
    result = Result(
        key=key,
        size_bytes=rendered.size_bytes,
        width=rendered.width,
        height=rendered.height,
        frame_count=rendered.frame_count,
        duration_s=rendered.duration_s,
        has_sound=rendered.has_sound,
        engine=rendered.engine,
        label=rendered.label,
        digital_source_type=rendered.digital_source_type,
        attempt=assignment.attempt,
        thumbnail_key=thumbnail_key,
    )
    return result, rendered


async def _clip_of(order: Order, store: FileStore, folder: Path) -> ClipFile | None:
    if order.motion.clip_key is None:
        return None
    path = await _fetched(store, order.motion.clip_key, folder / "clip.mp4")
    return ClipFile(path=path, frame_count=order.frames)


async def _fetched(store: FileStore, key: str, path: Path) -> Path:
    await store.fetch(key, path)
    return path


async def _rendered(job: RenderJob, assignment: Assignment, engine: EngineProcess) -> Rendered:
    """What the engine process has made; it is told to stop when the assignment is."""

    def tell(done: int, total: int) -> None:
        assignment.report(
            Progress(stage=Stage.ANIMATING, frames_done=done, frames_total=max(done, total))
        )

    rendering = asyncio.ensure_future(engine.render(job, tell))
    stopping = asyncio.ensure_future(assignment.stopped())
    try:
        await asyncio.wait({rendering, stopping}, return_when=asyncio.FIRST_COMPLETED)
        while not rendering.done():
            # Again: it may not have begun to listen yet.
            engine.cancel()
            await asyncio.wait({rendering}, timeout=_CANCEL_AGAIN_S)
        return rendering.result()
    finally:
        await end_tasks([rendering, stopping])


def _options_of(order: Order, understood: Collection[str]) -> EngineOptions:
    """The order's options for its engine.

    Raises:
        BrokenRecord: one that the engine does not understand, or a value that it cannot have.
    """
    for name in order.options:
        if name not in understood:
            raise BrokenRecord(kind="Order", reason=f"{order.engine} has no option {name}")
    try:
        return _OPTIONS.validate_python(order.options)
    except ValidationError as exc:
        where = exc.errors()[0]["loc"][0]
        raise BrokenRecord(kind="Order", reason=f"wrong at options.{where}") from exc
