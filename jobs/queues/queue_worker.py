"""Take a queue's jobs: keep their locks, report progress, finish them or return them.

    QueueWorker -> BullMQ's worker takes a job -> Assignment -> the caller's work -> result
                                               -> stop: cancelled, lost, draining

Workers use it for videos and looks, the bot for downloads and deliveries.

What the work returns is the job's result, and BullMQ's completion of it is the commit: a worker
that has lost the job meanwhile is refused. For what the work may raise see `QueueWorker`.
"""

import asyncio
import json
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self

from redis.exceptions import RedisError

from jobs.connection import connect, queue_errors
from jobs.errors import AnimatoError, Cancelled, EngineUnavailable, ExtraMissing, UserError
from jobs.metrics.worker_metrics import WorkerMetrics
from jobs.orders import Record
from jobs.queues.admission import lua
from jobs.queues.assignment import Assignment, Later, Stop, Work
from jobs.queues.bullmq_types import (
    NEVER_AGAIN,
    RETURNED_TO_QUEUE,
    Json,
    RunningJob,
    Signal,
    end_run,
    has_finished,
    open_worker,
    take_no_more,
    unbegun_jobs,
)
from jobs.queues.counting import count_jobs
from jobs.queues.error_log import ErrorLog
from jobs.queues.failures import CANCELLED, reason_of
from jobs.queues.keys import (
    BEAT_FIELD,
    CANCEL_CHANNEL,
    RESULT_FIELD,
    JobRef,
    cancel_key,
    client_name_of,
)
from jobs.service_errors import FileGone, OrderFailed, RecordError
from jobs.tasks import end_tasks, run_shielded
from jobs.weights_errors import WeightsError

log = logging.getLogger(__name__)

# A retry would fail in the same way.
FINAL = (UserError, RecordError, FileGone, WeightsError, EngineUnavailable, ExtraMissing)
_LISTEN_S = 10.0  # how often an idle listener wakes
_RECONNECT_S = 0.5
_FORCED_TRIES = 5  # see `end_tasks`
_FORCED_S = 1.0


@dataclass(frozen=True)
class WorkRules:
    """How a queue worker takes jobs; the defaults are those of animations.

    Attributes:
        max_concurrent: the most jobs in progress.
        lock_s: a job is lost when its worker has not renewed the lock for this time.
        stalled_check_s: how often lost jobs are looked for.
        most_stalls: a job that was lost more often fails.
        idle_s: how long an idle worker waits for a job before it asks again.
        beat_s: how often progress is reported and cancellation is checked.
        stop_s: how long work may go on after it was asked to stop; then it is cancelled.
    """

    max_concurrent: int = 1
    lock_s: float = 30.0
    stalled_check_s: float = 5.0
    most_stalls: int = 3
    idle_s: float = 2.0
    beat_s: float = 2.0
    stop_s: float = 5.0

    def for_bullmq(self) -> dict[str, Json]:
        """Return BullMQ's options."""
        return {
            "concurrency": self.max_concurrent,
            "lockDuration": round(self.lock_s * 1000),
            "stalledInterval": round(self.stalled_check_s * 1000),
            "maxStalledCount": self.most_stalls,
            "drainDelay": self.idle_s,
            "runRetryDelay": 500,
        }


class QueueWorker:
    """Works on the jobs of one queue while the block lasts.

    The work gets an `Assignment` and should await `wait_for_stop()`. It may return a result
    (or None), or raise:
        an error of `FINAL`: the job fails without a retry
        Later: the job is returned to the queue, and no attempt is counted
        anything else: one attempt is used up; after the last one the job fails

    Leaving the block stops it at once: jobs in progress are returned to the queue.

    Args:
        url: the address of Redis.
        queue: the queue's name.
        work: called for each job.
        rules: how jobs are taken.
        metrics: counts the jobs.

    Raises:
        QueueUnavailable: on entering, if Redis does not answer.
    """

    def __init__(
        self,
        url: str,
        queue: str,
        work: Work,
        rules: WorkRules,
        metrics: WorkerMetrics | None = None,
    ) -> None:
        self.queue = queue
        self._url = url
        self._rules = rules
        self._work = work
        self._metrics = metrics or WorkerMetrics()
        self._in_progress: dict[str, Assignment] = {}
        self._takes_none = False
        self._is_closed = False

    async def __aenter__(self) -> Self:
        watch = self._metrics.connection
        self._client = connect(self._url, is_worker=True, watch=watch)
        # A client of its own, whose only connection names this worker.
        name = client_name_of(self.queue, f"{socket.gethostname()}-{os.getpid()}")
        self._listener = connect(self._url, is_worker=True, watch=watch, name=name)
        self._beat = self._client.register_script(lua("beat"))
        self._commit = self._client.register_script(lua("commit"))
        try:
            with queue_errors(self._client):
                await self._client.ping()
        except BaseException:
            await self._close_clients()
            raise
        self._worker = open_worker(
            self.queue, self._process, self._client, self._rules.for_bullmq()
        )
        count_jobs(self._worker, self.queue, self._metrics)
        self._worker.on("lockRenewalFailed", self._lose)
        self._worker.on("error", ErrorLog().add)
        self._worker.on("stalled", _log_stalled)
        self._tasks = [
            asyncio.create_task(self._worker.run()),
            asyncio.create_task(self._listen()),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drain(grace_s=0)

    @property
    def in_progress(self) -> list[Assignment]:
        """The jobs in progress."""
        return list(self._in_progress.values())

    async def wait_for_end(self) -> None:
        """Return when the worker has stopped by itself, so that another one must be opened."""
        run = self._tasks[0]
        await asyncio.wait({run})
        if not run.cancelled() and (error := run.exception()) is not None:
            log.error("%s: the queue worker has failed", self.queue, exc_info=error)

    async def pause(self) -> None:
        """Take no further jobs; one that is just being taken is returned to the queue."""
        self._takes_none = True
        await self._worker.pause(True)

    def resume(self) -> None:
        """Take jobs again."""
        self._takes_none = self._is_closed
        self._worker.resume()

    async def drain(self, grace_s: float) -> None:
        """Stop the worker: finish jobs that are nearly done, return the others to the queue.

        Args:
            grace_s: jobs that will be done within this time are finished.
        """
        if not self._is_closed:
            self._is_closed = self._takes_none = True
            await run_shielded(self._end(grace_s))

    async def _end(self, grace_s: float) -> None:
        worker = self._worker
        if not worker.running:
            # It is about to start, and would do so after its end; paused, it takes no jobs.
            await worker.pause(True)
            await end_run(worker, self._tasks[0])
        for assignment in self.in_progress:
            remaining_s = assignment.remaining_s()
            if remaining_s is None or remaining_s >= grace_s:
                assignment.stop(Stop.DRAINING)
        take_no_more(worker)
        await has_finished(worker, grace_s)
        for assignment in self.in_progress:
            assignment.stop(Stop.DRAINING)
        await has_finished(worker, 2 * self._rules.stop_s)
        await end_run(worker, self._tasks[0])
        for _ in range(_FORCED_TRIES):
            if await has_finished(worker, _FORCED_S):
                break
            log.warning("%s: the job in progress is left until its lock expires", self.queue)
            await worker.close(force=True)
        for job in unbegun_jobs(worker):
            with suppress(RETURNED_TO_QUEUE, TimeoutError):
                async with asyncio.timeout(_FORCED_S):
                    await self._return_to_queue(job, job.token, 0)
        await end_tasks(self._tasks)
        await self._close_clients()

    async def _close_clients(self) -> None:
        await self._listener.aclose()
        await self._client.aclose()

    # --- one job ---

    async def _process(self, job: RunningJob, token: str, signal: Signal) -> Json:
        """Called by BullMQ for each job; the third parameter makes it create the signal."""
        if self._takes_none:
            await self._return_to_queue(job, token, 0)
        ref = JobRef(self.queue, job.id)
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.hget(ref.key, RESULT_FIELD)
            pipe.exists(cancel_key(job.id))
            committed, is_unwanted = await pipe.execute()
        if committed:
            return json.loads(committed)
        if is_unwanted:
            raise NEVER_AGAIN(CANCELLED)
        assignment = Assignment(ref, job.attemptsStarted, json.dumps(job.data))
        self._in_progress[job.id] = assignment
        try:
            result = await self._supervise(assignment, token, signal)
        except Later as later:
            await self._return_to_queue(job, token, later.after_s)
        finally:
            del self._in_progress[job.id]
        match assignment.stop_reason:
            case Stop.LOST:
                self._metrics.count_lost_lock()
                raise RETURNED_TO_QUEUE
            case Stop.CANCELLED:
                raise NEVER_AGAIN(CANCELLED)
            case Stop.DRAINING if result is None:
                await self._return_to_queue(job, token, 0)
        if result is None:
            return None
        plain = result.model_dump(mode="json")
        args = [token, RESULT_FIELD, json.dumps(plain)]
        if not await self._commit(keys=[ref.lock_key, ref.key], args=args):
            self._metrics.count_lost_lock()
            raise RETURNED_TO_QUEUE
        return plain

    async def _supervise(self, assignment: Assignment, token: str, signal: Signal) -> Record | None:
        """Run the work and return its result; None also if it was stopped before it had one.

        Raises:
            Later: raised by the work.
            Exception: the failure, in a form for BullMQ.
        """
        work = asyncio.ensure_future(self._work(assignment))
        stopping = asyncio.create_task(assignment.wait_for_stop())
        try:
            async with self._watch(assignment, token, signal):
                await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    await asyncio.wait({work}, timeout=self._rules.stop_s)
        finally:
            await end_tasks([stopping, work])
        return self._outcome(work, assignment)

    def _outcome(
        self, work: "asyncio.Future[Record | None]", assignment: Assignment
    ) -> Record | None:
        """Return the work's result, or raise its error in a form for BullMQ."""
        job_id = assignment.ref.job_id
        try:
            return work.result()
        except asyncio.CancelledError:
            if assignment.stop_reason is None:
                raise
            return None
        except Later:
            raise
        except Cancelled as error:
            if assignment.stop_reason is not None:
                return None
            raise NEVER_AGAIN(reason_of(error)) from error
        except FINAL as error:
            # Not its sentence, which may name a person's file.
            log.info("%s: %s", job_id, type(error).__name__)
            raise NEVER_AGAIN(reason_of(error)) from error
        except Exception as error:
            if assignment.stop_reason is not None:
                log.info("%s: stopped (%s): %r", job_id, assignment.stop_reason, error)
                return None
            log.exception("%s: start %d failed", job_id, assignment.start_number)
            ours = error if isinstance(error, AnimatoError) else OrderFailed(order=job_id)
            raise RuntimeError(reason_of(ours)) from error

    @asynccontextmanager
    async def _watch(
        self, assignment: Assignment, token: str, signal: Signal
    ) -> AsyncIterator[None]:
        """Report progress and watch for cancellation while the block lasts."""

        async def cancelled() -> None:
            await signal.wait()
            assignment.stop(Stop.CANCELLED)

        async def beat() -> None:
            while True:
                await self._report(assignment, token)
                await asyncio.sleep(self._rules.beat_s)

        tasks = [asyncio.create_task(cancelled()), asyncio.create_task(beat())]
        try:
            yield
        finally:
            await end_tasks(tasks)

    async def _report(self, assignment: Assignment, token: str) -> None:
        """Report progress, and check for cancellation and a lost lock."""
        ref, progress = assignment.ref, assignment.unpublished()
        try:
            answer = await self._beat(
                keys=[ref.lock_key, ref.key, cancel_key(ref.job_id)],
                args=[token, progress.to_json() if progress else "", BEAT_FIELD],
            )
        except RedisError as error:
            log.warning("%s: progress could not be reported: %r", ref.job_id, error)
            return
        if answer == "lost":
            assignment.stop(Stop.LOST)
        elif answer == "cancelled":
            assignment.stop(Stop.CANCELLED)
        if progress:
            assignment.mark_published(progress)

    async def _return_to_queue(self, job: RunningJob, token: str, after_s: float) -> None:
        """Return a job. Always raises what makes BullMQ leave the job alone."""
        try:
            await job.moveToDelayed(round((time.time() + after_s) * 1000), token)
        except (TypeError, RedisError) as error:
            # The job is lost, or will be when its lock expires.
            log.warning("%s could not be returned to its queue: %r", job.id, error)
        raise RETURNED_TO_QUEUE

    # --- events ---

    def _lose(self, job_ids: list[str]) -> None:
        for job_id in job_ids:
            if job_id in self._in_progress:
                log.warning("%s is lost: its work stops", job_id)
                self._in_progress[job_id].stop(Stop.LOST)

    async def _listen(self) -> None:
        """Pass on cancellations. One that is missed is found by the next report."""
        while True:
            with suppress(RedisError):
                await self._listen_once()
            await asyncio.sleep(_RECONNECT_S)

    async def _listen_once(self) -> None:
        async with self._listener.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(CANCEL_CHANNEL)
            while True:
                message = await channel.get_message(timeout=_LISTEN_S)
                if message is not None:
                    self._worker.cancelJob(message["data"], CANCELLED)


def _log_stalled(job_id: str) -> None:
    log.warning("%s is taken from a worker that stalled", job_id)
