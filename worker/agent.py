"""The worker: takes orders from the queues, has videos made, and stores them.

    queue `look`             -> look      short-lived children of the gate, ahead of all videos
    queue `animate-<engine>` -> run_job   one engine process, kept warm, one order at a time

It does no picture work itself, so that it always hears who wants to cancel, keeps its locks and can
kill what hangs. How an order is taken and given back is told in `jobs/queues/queue_worker.py`.
"""

import asyncio
import logging
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inference.process.engine_process import RESTART_REASONS, EngineProcess, offered_engines
from inference.process.job_log import job_id
from inference.process.render_job import EngineOffer, Rendered
from jobs.errors import Cancelled, DiskFull
from jobs.orders import LookResult, Order, Result
from jobs.queues.assignment import Assignment, Later
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry, WorkerState
from jobs.queues.keys import LOOK
from jobs.queues.queue_workers import QueueWorkers
from jobs.queues.queues import Queues
from jobs.service_errors import FolderRefused, QueueUnavailable, StoreFull, StoreUnavailable
from jobs.tasks import Shutdown, end_tasks
from jobs.temp_folder import temp_folder
from worker.device_gate import DeviceGate
from worker.disk_space import DiskSpace
from worker.look import LookRunner
from worker.look_children import Looks
from worker.order_log import OrderLog, lines_of, stamped
from worker.plan import LOOKS_AT_ONCE, WorkerPlan, without_lacking
from worker.render import RenderContext, make_video, orderable_options

log = logging.getLogger(__name__)

# An engine may find on its turn that another worker was quicker.
_TURN_S = 1.0
# A store that is down is waited for. Who began an order so often has waited for two hours.
_LATER_S, _LONGEST_LATER_S, _STARTS = 15.0, 300.0, 30
_NEWS_EVERY_S = 0.5
_LAST_CHORES_S = 5.0
_ASK_S = 0.2


async def work(plan: WorkerPlan, ending: Shutdown) -> None:
    """Works until somebody wants it to end, or nothing waits any more if the plan says so.

    Raises:
        UnknownEngine, EngineUnavailable: an engine of the plan cannot run here.
        OperatorError: the device, the engine process or the folder cannot be used.
    """
    asked = asyncio.create_task(ending.asked.wait())
    offering = asyncio.create_task(offered_engines(plan.setup, plan.limits, plan.engines))
    try:
        await asyncio.wait({asked, offering}, return_when=asyncio.FIRST_COMPLETED)
        if not offering.done():
            return
        offer = offering.result() if plan.engines else without_lacking(offering.result())
    finally:
        await end_tasks([asked, offering])
    await serve(plan, offer, ending)


async def serve(plan: WorkerPlan, offer: EngineOffer, ending: Shutdown) -> None:
    """Works as `work` does, on what is known already.

    Args:
        plan: what to do.
        offer: the device, and the engines that are offered.
        ending: says when to end.

    Raises:
        FolderRefused: there is no place for the files of orders.
    """
    async with AsyncExitStack() as stack:
        try:
            folder = stack.enter_context(temp_folder(plan.place))
        except OSError as exc:
            reason = (exc.strerror or "it was refused").lower()
            raise FolderRefused(folder=str(plan.place), reason=reason) from exc
        names = [engine.name for engine in offer.engines]
        queues = await stack.enter_async_context(Queues(plan.url, names))
        plan.metrics.works_on(offer.device, RESTART_REASONS)
        engine = await stack.enter_async_context(
            EngineProcess(plan.setup, plan.limits, plan.metrics.restarted)
        )
        looks = await stack.enter_async_context(Looks(LOOKS_AT_ONCE))
        studio = RenderContext(plan.store, engine, orderable_options(offer))
        desk = LookRunner(plan.store, looks, plan.clip_max_s)
        await Worker(plan, offer, queues, studio, desk).take_orders(folder, ending)


class Worker:
    """A worker at work.

    Args:
        plan: what it does.
        offer: its device and the engines that it offers.
        queues: those of the engines.
        studio: where videos are made.
        desk: where photos and clips are looked at.
    """

    def __init__(
        self,
        plan: WorkerPlan,
        offer: EngineOffer,
        queues: Queues,
        studio: RenderContext,
        desk: LookRunner,
    ) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._plan = plan
        self._offer = offer
        self._queues = queues
        self._studio = studio
        self._desk = desk
        self._gate = DeviceGate(queues.engine_queues)
        self._stations = QueueWorkers(plan.url, self._may_take, plan.metrics)
        self._workers = WorkerRegistry(queues.client, plan.url)
        self._order_log = OrderLog(queues.client, plan.url)
        self._chores: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._shortage: str | None = None
        self._is_draining = False

    async def take_orders(self, folder: Path, ending: Shutdown) -> None:
        """Takes orders until it is to end.

        Args:
            folder: for files of orders in hand.
            ending: says when.
        """
        self._folder = folder
        self._room = DiskSpace(self._plan.store, folder, self._plan.min_free_bytes)
        await self._look_round()
        self._stations.start(LOOK, self.look, self._plan.look_rules)
        for queue in self._queues.engine_queues:
            self._stations.start(queue, self.run_job, self._plan.render_rules)
        self._do(self._pass_on())
        names = ", ".join(self._queues.engine_queues)
        log.info("%s works on %s at the queues %s, %s", self.name, self._offer.device, LOOK, names)
        tasks: list[asyncio.Task[Any]]
        tasks = [asyncio.create_task(ending.asked.wait()), asyncio.create_task(self._beat())]
        if self._plan.is_once:
            tasks.append(asyncio.create_task(self._until_nothing_waits()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await self._end(ending, tasks)

    # --- orders -----------------------------------------------------------------------------------

    async def look(self, assignment: Assignment) -> LookResult | None:
        """What the gate found for a look order; see `Station` for what it raises."""
        with self._in_hand(assignment) as folder:
            await self._need_room()
            return await self._desk.look(assignment, folder)

    async def run_job(self, assignment: Assignment) -> Result | None:
        """The video for an order; see `Station` for what it raises."""
        if not self._gate.enter(assignment.ref.queue):
            # It was taken just before its station was paused.
            raise Later(0)
        try:
            await self._stations.update()
            with self._in_hand(assignment) as folder:
                await self._need_room()
                return await self._make(assignment, folder)
        finally:
            self._gate.leave()
            self._do(self._pass_on())

    async def _make(self, assignment: Assignment, folder: Path) -> Result:
        """The stored video; its log and its speed are noted."""
        order = Order.read(assignment.text)
        name, attempt = order.order_id, assignment.attempt
        self._do(self._order_log.add(name, [stamped(f"attempt {attempt} begun by {self.name}")]))
        said: list[str] = []
        end = ["given up at once"]
        try:
            result, rendered = await make_video(order, assignment, self._studio, folder, said)
            end = [_figures(rendered)]
        except Cancelled:
            end = [f"stopped: {assignment.stop_reason}"]
            raise
        except Exception as error:
            end = lines_of(error)
            raise
        finally:
            self._do(self._order_log.add(name, [*said, *(stamped(line) for line in end)]))
        self._plan.metrics.made_video(rendered.frames_per_second)
        seconds = 1 / rendered.frames_per_second
        self._do(self._workers.record_speed(self._offer.device, order.engine, seconds))
        log.info("done: %s", _figures(rendered))
        return result

    @contextmanager
    def _in_hand(self, assignment: Assignment) -> Iterator[Path]:
        """A folder for a job's files while it is worked on.

        Raises:
            Later: the store or the disk cannot be used now; no attempt is charged for that.
        """
        # Each job has a task of its own, so that this is never another's.
        job_id.set(assignment.ref.job_id)
        log.info("begun, attempt %d", assignment.attempt)
        self._news.set()
        try:
            folder = Path(tempfile.mkdtemp(prefix="order-", dir=self._folder))
        except OSError as error:
            log.warning("put off: no place for its files: %s", error)
            raise Later(_LATER_S) from error
        try:
            yield folder
        except (StoreUnavailable, StoreFull, DiskFull) as error:
            if assignment.attempt >= _STARTS:
                raise
            log.warning("put off: %s", error)
            after_s = min(_LONGEST_LATER_S, _LATER_S * assignment.attempt)
            raise Later(after_s) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            self._news.set()

    # --- which orders are taken -------------------------------------------------------------------

    def _may_take(self, queue: str) -> bool:
        return self._shortage is None and (queue == LOOK or self._gate.may_take(queue))

    async def _pass_on(self) -> None:
        """The device is free: whose turn is it?"""
        if not self._gate.is_undecided:
            return
        await self._stations.update()
        waiting = []
        try:
            waiting = [
                queue for queue in self._queues.engine_queues if await self._queues.waits(queue)
            ]
        finally:
            turn = self._gate.give_turn(waiting)
            await self._stations.update()
        if turn is not None:
            asyncio.get_running_loop().call_later(_TURN_S, self._end_turn, turn)

    def _end_turn(self, queue: str) -> None:
        self._gate.end_turn(queue)
        if not self._is_draining:
            self._do(self._stations.update())

    async def _need_room(self) -> None:
        """Nothing, if there is room.

        Raises:
            Later: there is not; by then, no more is taken.
        """
        await self._look_round()
        if self._shortage is not None:
            raise Later(0)

    async def _look_round(self) -> None:
        """Sees whether there is room, and takes orders or none accordingly."""
        before, self._shortage = self._shortage, self._room.shortage()
        if self._shortage is not None and before is None:
            log.warning("no orders are taken for lack of room: %s", self._shortage)
        elif self._shortage is None and before is not None:
            log.warning("there is room again, and orders are taken")
        if (before is None) != (self._shortage is None):
            self._news.set()
            await self._stations.update()

    async def _until_nothing_waits(self) -> None:
        """Returns when all queues are empty and nothing is in hand, twice in a row."""
        calm = 0
        while calm < 2:
            await asyncio.sleep(_ASK_S)
            counts = [
                await self._queues.counts(queue) for queue in (LOOK, *self._queues.engine_queues)
            ]
            waiting = sum(one["wait"] + one["prioritized"] + one["delayed"] for one in counts)
            calm = 0 if waiting or self._stations.in_hand else calm + 1

    # --- signs of life, and the end ---------------------------------------------------------------

    def sign(self) -> Heartbeat:
        """What it does right now."""
        videos = [job for job in self._stations.in_hand if job.ref.queue != LOOK]
        if self._is_draining:
            state = WorkerState.DRAINING
        elif self._shortage is not None:
            state = WorkerState.PAUSED
        else:
            state = WorkerState.WORKING if self._stations.in_hand else WorkerState.IDLE
        return Heartbeat(
            worker=self.name,
            host=socket.gethostname(),
            device=self._offer.device,
            engines=tuple(
                engine.orderable(self._studio.options[engine.name])
                for engine in self._offer.engines
            ),
            version=version("animato"),
            state=state,
            job=videos[0].ref.job_id if videos else None,
            frames_per_second=videos[0].frames_per_second() if videos else None,
            free_bytes=self._room.free_bytes(),
        )

    async def _beat(self) -> None:
        """Gives signs of life: regularly, and soon after something has changed."""
        while True:
            self._news.clear()
            await self._look_round()
            sign = self.sign()
            self._plan.metrics.has_room(sign.free_bytes)
            await self._quietly(self._workers.beat(sign, time.time()))
            await asyncio.sleep(min(_NEWS_EVERY_S, self._plan.beat_s))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._plan.beat_s)

    async def _end(self, ending: Shutdown, tasks: list[asyncio.Task[Any]]) -> None:
        """Ends: what is nearly done is finished, what is not is given back."""
        self._is_draining = True
        await end_tasks(tasks)
        urgent = asyncio.create_task(self._hurry(ending))
        self._do(self._workers.beat(self.sign(), time.time()))
        await self._stations.drain(self._plan.grace_s)
        await end_tasks([urgent])
        if self._chores:
            await asyncio.wait(self._chores, timeout=_LAST_CHORES_S)
        await end_tasks(list(self._chores))
        await self._quietly(self._workers.leave(self.name))
        log.info("%s has ended", self.name)

    async def _hurry(self, ending: Shutdown) -> None:
        await ending.is_urgent.wait()
        self._stations.give_up()

    def _do(self, chore: Coroutine[None, None, None]) -> None:
        """Does something beside the work, which does not wait for it and does not fail with it."""
        task = asyncio.create_task(self._quietly(chore))
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    @staticmethod
    async def _quietly(chore: Coroutine[None, None, None]) -> None:
        try:
            await chore
        except QueueUnavailable as error:
            log.warning("%s", error)


def _figures(rendered: Rendered) -> str:
    return (
        f"{rendered.width} x {rendered.height} px, {rendered.frame_count} frames in"
        f" {rendered.render_s:.2f} s, {rendered.size_bytes} bytes"
    )
