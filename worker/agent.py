"""The worker: takes jobs from the queues, makes the videos, and stores them.

    queue `look`             -> LookRunner.look    short-lived children of the gate, ahead of videos
    queue `media`            -> MediaRunner.make   the same
    queue `animate-<engine>` -> Renderer.run_job   one warm engine process, one order at a time

This process does no picture work, so it reacts to cancels at once, renews its locks and can kill
what hangs. `jobs/queues/queue_worker.py` takes the jobs and returns them to the queues.
"""

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inference.process.confinement import working_mechanisms
from inference.process.engine_process import RESTART_REASONS, EngineProcess, offered_engines
from inference.process.offer import EngineOffer
from jobs.engines import MARK, MEDIA_TASKS, PARTS, VOICE
from jobs.errors import os_reason
from jobs.orders import Record, Result
from jobs.queues.assignment import Assignment, Later
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry, WorkerState
from jobs.queues.keys import LOOK, MEDIA, SHORT_QUEUES, is_engine_queue
from jobs.queues.queue_workers import QueueWorkers
from jobs.queues.queues import Queues
from jobs.service_errors import FolderRefused
from jobs.tasks import Shutdown, end_tasks
from jobs.temp_folder import temp_folder
from worker.background import Background
from worker.device_schedule import DeviceSchedule
from worker.disk_space import DiskSpace
from worker.look import LookRunner, Looks
from worker.media_jobs import MediaRunner
from worker.plan import MAX_CONCURRENT_LOOKS, WorkerPlan, only_ready
from worker.render import RenderContext, Renderer, orderable_options
from worker.work_folder import work_folder

log = logging.getLogger(__name__)

# A turn ends after this if another worker has taken the order first.
_TURN_S = 1.0
_CHANGES_EVERY_S = 0.5
_BACKGROUND_END_S = 5.0
_POLL_S = 0.2


async def run_agent(plan: WorkerPlan, ending: Shutdown) -> None:
    """Work until `ending` asks it to end, or, if the plan says so, until nothing waits.

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
        offer = offering.result() if plan.engines else only_ready(offering.result())
    finally:
        await end_tasks([asked, offering])
    _log_confinement(await asyncio.to_thread(working_mechanisms))
    await run_agent_with(plan, offer, ending)


def _log_confinement(mechanisms: tuple[str, ...]) -> None:
    if mechanisms:
        log.info("files are decoded in processes confined by %s", " and ".join(mechanisms))
    else:
        log.warning("files are decoded in processes that nothing confines: docs/security.md")


async def run_agent_with(plan: WorkerPlan, offer: EngineOffer, ending: Shutdown) -> None:
    """Work like `run_agent`, with engines that are known already.

    Args:
        plan: what to do.
        offer: the device, and the engines that are offered.
        ending: says when to end.

    Raises:
        FolderRefused: the folder for files of jobs in progress cannot be made.
    """
    async with AsyncExitStack() as stack:
        try:
            folder = stack.enter_context(temp_folder(plan.place))
        except OSError as exc:
            raise FolderRefused(folder=str(plan.place), reason=os_reason(exc)) from exc
        names = [engine.name for engine in offer.engines]
        queues = await stack.enter_async_context(Queues(plan.url, names))
        plan.metrics.set_device(offer.device, RESTART_REASONS)
        engine_process = await stack.enter_async_context(
            EngineProcess(plan.setup, plan.limits, plan.metrics.count_restart)
        )
        looks = await stack.enter_async_context(Looks(MAX_CONCURRENT_LOOKS))
        context = RenderContext(plan.store, engine_process, orderable_options(offer))
        look_runner = LookRunner(plan.store, looks, plan.clip_max_s, plan.setup.checkpoints_dir)
        media_runner = MediaRunner(plan.store, looks, plan.setup.checkpoints_dir)
        short_jobs = {LOOK: look_runner.look, MEDIA: media_runner.make}
        await Worker(plan, offer, queues, context, short_jobs).run(folder, ending)


class Worker:
    """A running worker.

    Args:
        plan: what it does.
        offer: its device and the engines that it offers.
        queues: those of the engines.
        context: what videos are made with.
        short_jobs: does the jobs of the queues `look` and `media`; gets a folder for their files.
    """

    def __init__(
        self,
        plan: WorkerPlan,
        offer: EngineOffer,
        queues: Queues,
        context: RenderContext,
        short_jobs: Mapping[str, Callable[[Assignment, Path], Awaitable[Record | None]]],
    ) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._plan = plan
        self._offer = offer
        self._queues = queues
        self._context = context
        self._short_jobs = short_jobs
        self._schedule = DeviceSchedule(queues.engine_queues)
        self._queue_workers = QueueWorkers(plan.url, self._may_take, plan.metrics)
        self._registry = WorkerRegistry(queues.client)
        self._background = Background()
        self._renderer = Renderer(
            self.name, context, offer.device, queues, self._background, plan.metrics
        )
        self._has_changed = asyncio.Event()
        self._shortage: str | None = None
        self._is_draining = False
        self._at_work: list[Assignment] = []

    async def run(self, folder: Path, ending: Shutdown) -> None:
        """Take jobs until `ending` asks it to end.

        Args:
            folder: for files of jobs in progress.
            ending: says when.
        """
        self._folder = folder
        self._disk_space = DiskSpace(self._plan.store, folder, self._plan.min_free_bytes)
        await self._check_disk_space()
        # The bot offers what heartbeats name, so the first one comes before the first job.
        await self._background.attempt(self._send(self.heartbeat()))
        self._queue_workers.start(LOOK, self._handle_short_job, self._plan.look_rules)
        self._queue_workers.start(MEDIA, self._handle_short_job, self._plan.media_rules)
        for queue in self._queues.engine_queues:
            self._queue_workers.start(queue, self._handle_order, self._plan.render_rules)
        self._background.run(self._choose_turn())
        names = ", ".join((*SHORT_QUEUES, *self._queues.engine_queues))
        log.info(
            "worker %s on %s takes jobs from the queues %s", self.name, self._offer.device, names
        )
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

    # --- jobs -------------------------------------------------------------------------------------

    async def _handle_short_job(self, assignment: Assignment) -> Record | None:
        await self._require_disk_space()
        with self._announce(assignment), work_folder(assignment, self._folder) as folder:
            return await self._short_jobs[assignment.ref.queue](assignment, folder)

    async def _handle_order(self, assignment: Assignment) -> Result | None:
        if not self._schedule.acquire(assignment.ref.queue):
            # It was taken just before its queue worker was paused.
            raise Later(0)
        try:
            await self._queue_workers.update()
            await self._require_disk_space()
            with self._announce(assignment), work_folder(assignment, self._folder) as folder:
                return await self._renderer.run_job(assignment, folder)
        finally:
            self._schedule.release()
            self._background.run(self._choose_turn())

    @contextmanager
    def _announce(self, assignment: Assignment) -> Iterator[None]:
        """Send a heartbeat soon after the work in the block begins and ends."""
        self._at_work.append(assignment)
        self._has_changed.set()
        try:
            yield
        finally:
            self._at_work.remove(assignment)
            self._has_changed.set()

    # --- which jobs are taken ---------------------------------------------------------------------

    def _may_take(self, queue: str) -> bool:
        return self._shortage is None and (queue in SHORT_QUEUES or self._schedule.may_take(queue))

    async def _choose_turn(self) -> None:
        """Choose the queue to serve next, now that the device is free."""
        if not self._schedule.is_undecided:
            return
        await self._queue_workers.update()
        waiting = []
        try:
            waiting = [
                queue for queue in self._queues.engine_queues if await self._queues.waits(queue)
            ]
        finally:
            turn = self._schedule.give_turn(waiting)
            await self._queue_workers.update()
        if turn is not None:
            asyncio.get_running_loop().call_later(_TURN_S, self._end_turn, turn)

    def _end_turn(self, queue: str) -> None:
        self._schedule.end_turn(queue)
        if not self._is_draining:
            self._background.run(self._queue_workers.update())

    async def _require_disk_space(self) -> None:
        """Raise `Later` unless there is enough disk space."""
        await self._check_disk_space()
        if self._shortage is not None:
            raise Later(0)

    async def _check_disk_space(self) -> None:
        """Pause or resume taking jobs according to the free disk space."""
        before, self._shortage = self._shortage, self._disk_space.shortage()
        if self._shortage is not None and before is None:
            log.warning("not taking jobs, too little disk space: %s", self._shortage)
        elif self._shortage is None and before is not None:
            log.warning("enough disk space again, taking jobs")
        if (before is None) != (self._shortage is None):
            self._has_changed.set()
            await self._queue_workers.update()

    async def _until_nothing_waits(self) -> None:
        """Return when all queues are empty and nothing is in progress, twice in a row."""
        calm = 0
        while calm < 2:
            await asyncio.sleep(_POLL_S)
            counts = [
                (await self._queues.statistics(queue)).counts
                for queue in (*SHORT_QUEUES, *self._queues.engine_queues)
            ]
            waiting = sum(one["wait"] + one["prioritized"] + one["delayed"] for one in counts)
            calm = 0 if waiting or self._queue_workers.in_progress else calm + 1

    # --- heartbeat and shutdown -------------------------------------------------------------------

    def heartbeat(self) -> Heartbeat:
        """Return what this worker does right now."""
        videos = [job for job in self._at_work if is_engine_queue(job.ref.queue)]
        if self._is_draining:
            state = WorkerState.DRAINING
        elif self._shortage is not None:
            state = WorkerState.PAUSED
        else:
            state = WorkerState.WORKING if self._at_work else WorkerState.IDLE
        return Heartbeat(
            worker=self.name,
            host=socket.gethostname(),
            device=self._offer.device,
            engines=tuple(
                engine.orderable(
                    (*self._context.options[engine.name], MARK, PARTS, VOICE, *MEDIA_TASKS)
                )
                for engine in self._offer.engines
            ),
            version=version("animato"),
            state=state,
            job=videos[0].ref.job_id if videos else None,
            frames_per_second=videos[0].frames_per_second() if videos else None,
            free_bytes=self._disk_space.free_bytes(),
        )

    async def _send(self, heartbeat: Heartbeat) -> None:
        await self._registry.beat(heartbeat, time.time())
        self._plan.on_heartbeat(heartbeat)

    async def _beat(self) -> None:
        """Send heartbeats: regularly, and soon after something has changed."""
        while True:
            self._has_changed.clear()
            await self._check_disk_space()
            heartbeat = self.heartbeat()
            self._plan.metrics.set_free_bytes(heartbeat.free_bytes)
            await self._background.attempt(self._send(heartbeat))
            await asyncio.sleep(min(_CHANGES_EVERY_S, self._plan.beat_s))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._has_changed.wait(), self._plan.beat_s)

    async def _end(self, ending: Shutdown, tasks: list[asyncio.Task[Any]]) -> None:
        """Shut down: finish what is nearly done, return the rest to the queues."""
        self._is_draining = True
        await end_tasks(tasks)
        urgent = asyncio.create_task(self._return_jobs_when_urgent(ending))
        self._background.run(self._send(self.heartbeat()))
        await self._queue_workers.drain(self._plan.grace_s)
        await end_tasks([urgent])
        await self._background.end(_BACKGROUND_END_S)
        await self._background.attempt(self._registry.leave(self.name))
        log.info("worker %s has stopped", self.name)

    async def _return_jobs_when_urgent(self, ending: Shutdown) -> None:
        await ending.is_urgent.wait()
        self._queue_workers.return_to_queues()
