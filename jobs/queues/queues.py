"""The queues: add jobs, read their status, cancel and remove them.

    submit -> admission (duplicate? limits; fair tag) -> BullMQ's queue `animate-<engine>`
    status -> state, place, progress, result or error
    cancel -> removed while it waits; else its worker stops
    finished_since -> what to deliver (`outbox.py`)

`queue_worker.py` takes jobs out of a queue; `keys.py` lists the Redis keys.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Self

from redis.asyncio import Redis

from jobs.connection import connect, queue_errors
from jobs.errors import Cancelled, UnknownEngine, UserError
from jobs.metrics.order_metrics import OrderMetrics
from jobs.orders import Order, OrderState, Record
from jobs.queues.admission import NO_LIMITS, Admission, OrderLimits, Request, lua
from jobs.queues.bullmq_types import JobQueue, open_queue, stored_job
from jobs.queues.durability import wait_until_durable
from jobs.queues.keys import (
    CANCEL_CHANNEL,
    DELIVERED_QUEUES,
    JobRef,
    accepted_key,
    cancel_key,
    day_key,
    engine_queues,
    fair_key,
    is_engine_queue,
    is_former_queue,
    open_key,
    photos_key,
    prefix_of,
)
from jobs.queues.known_engines import KnownEngines
from jobs.queues.outcomes import (
    STATES,
    UNFINISHED,
    CancelOutcome,
    DeadLetter,
    Finished,
    QueueStatistics,
    Submitted,
)
from jobs.queues.status import STATUS_FIELDS, Status, read_status, status_of
from jobs.service_errors import OrderNotFailed, RecordError

ATTEMPTS = 3
_SHORT_S = 1.0  # the cost of a job of the short queues
RETRY_AFTER_MS = 15_000
_ACCEPTED_KEPT_S = 172_800  # as long as finished orders are
# Long: the order of a dead worker waits until there is another worker.
_CANCEL_KEPT_S = 172_800
# The score of a delayed job: its time in ms, followed by a counter.
_DELAYED_COUNTER_BITS = 12
_FIRST_TAG = 1.0  # see `admit.lua`
_OLDEST = lua("oldest")


class Queues:
    """The queues on one Redis. All methods raise QueueUnavailable if it does not answer.

    Args:
        url: the address of Redis.
        engines: those that are known even if no worker has advertised them; a worker's own.
        limits: the default of `submit`.
        clock: unix time in s.
        metrics: counts orders.
    """

    def __init__(
        self,
        url: str,
        engines: Sequence[str] = (),
        limits: OrderLimits | None = None,
        clock: Callable[[], float] = time.time,
        metrics: OrderMetrics | None = None,
    ) -> None:
        self.url = url
        self._metrics = metrics or OrderMetrics()
        self.client: Redis = connect(url, is_worker=False, watch=self._metrics.connection)
        self._known = KnownEngines(self.client, engines)
        self.engine_queues = _queues_of(engines)
        self.limits = limits or OrderLimits()
        self.clock = clock
        self.admission = Admission(self.client)
        self._queues: dict[str, JobQueue] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def known_engine_queues(self) -> tuple[str, ...]:
        """Return the queues of all engines that were advertised or ordered."""
        return _queues_of(await self._known.names())

    async def submit(self, order: Order, limits: OrderLimits | None = None) -> Submitted:
        """Add an order, once; submitting it again changes nothing.

        Args:
            order: the order.
            limits: instead of the default, such as `NO_LIMITS` for admins.

        Raises:
            TooManyOpenOrders, TooManyOrdersToday, QueueFull: a limit is reached.
            UnknownEngine: no worker has ever advertised its engine.
        """
        ref = order.ref
        queues = await self.check_engine(order.engine)
        await self._known.add(order.engine)
        request = self.request_of(order)
        with self._metrics.refusals(), queue_errors(self.client):
            limits = limits or self.limits
            is_new = await self._enqueue(request, limits, order, queues)
            self._metrics.count_submission(ref.queue, order.lane, is_new=is_new)
            status = await self._status_of_accepted(ref, queues)
        return Submitted(is_new, status)

    async def check_engine(self, engine: str) -> tuple[str, ...]:
        """Return the queues of all engines if orders for this one are accepted.

        Raises:
            UnknownEngine: no worker has ever advertised it.
        """
        known = await self._known.names()
        if engine not in known:
            raise UnknownEngine(name=engine, known=", ".join(known))
        return _queues_of(known)

    async def send(
        self,
        ref: JobRef,
        record: Record,
        person: int,
        limits: OrderLimits = NO_LIMITS,
        follows: JobRef | None = None,
    ) -> bool:
        """Add a job to one of the queues without engine; return whether it is new.

        Args:
            ref: the queue and the job's id.
            record: the job's data.
            person: whose fair share it uses.
            limits: such as `PHOTO_LIMITS`.
            follows: the job that sends this one, and no longer counts.

        Raises:
            TooManyPhotos, TooManyMediaJobs: the person has too many.
        """
        request = Request(ref.queue, ref.job_id, person, _SHORT_S)
        with queue_errors(self.client):
            if follows is not None:
                await self.client.zrem(photos_key(person), follows.key)
            return await self._enqueue(request, limits, record)

    async def status(self, ref: JobRef) -> Status | None:
        """Return the status of a job; None if nothing is known about it."""
        with queue_errors(self.client):
            return await read_status(self.client, ref)

    async def cancel(self, ref: JobRef) -> CancelOutcome:
        """Cancel an order. The caller checks whether the person may."""
        with queue_errors(self.client):
            # First, so that a worker that takes it at this moment finds the request.
            await self.client.set(cancel_key(ref.job_id), "1", ex=_CANCEL_KEPT_S)
            status = await self.status(ref)
            if status is None:
                return CancelOutcome.UNKNOWN
            if await self._is_removed(status):
                return CancelOutcome.REMOVED
            if status.state.is_final:
                return CancelOutcome.TOO_LATE
            await self.client.publish(CANCEL_CHANNEL, ref.job_id)
        return CancelOutcome.TOLD

    async def remove_waiting(self, ref: JobRef) -> bool:
        """Remove an order that has not begun; return whether it is removed, now or earlier."""
        with queue_errors(self.client):
            status = await self.status(ref)
            return status is not None and await self._is_removed(status)

    async def retry(self, ref: JobRef) -> None:
        """Give a failed or cancelled order all its attempts again.

        Raises:
            OrderNotFailed: it is neither failed nor cancelled.
        """
        with queue_errors(self.client):
            job = await stored_job(self._queue(ref.queue), ref.job_id)
            if job is None:
                raise OrderNotFailed(order=ref.job_id)
            was_cancelled = await self.client.getdel(cancel_key(ref.job_id))
            try:
                await job.retry("failed", {"resetAttemptsMade": True})
            except TypeError as exc:  # BullMQ's refusal
                if was_cancelled:
                    await self.client.set(cancel_key(ref.job_id), "1", ex=_CANCEL_KEPT_S)
                raise OrderNotFailed(order=ref.job_id) from exc
            async with self.client.pipeline(transaction=True) as pipe:
                pipe.hdel(ref.key, "stc")
                if is_engine_queue(ref.queue):
                    pipe.zadd(open_key(job.data["person"]), {ref.key: self.clock()})
                await pipe.execute()

    async def dead_letters(self, at_most: int = 100) -> list[DeadLetter]:
        """Return the jobs that failed, but not because of their input, the latest first."""
        found = []
        for queue in (*DELIVERED_QUEUES, *await self.known_engine_queues()):
            with queue_errors(self.client):
                ids = await self.client.zrevrange(f"{prefix_of(queue)}failed", 0, -1)
                refs = [JobRef(queue, str(job_id)) for job_id in ids]
                async with self.client.pipeline(transaction=False) as pipe:
                    for ref in refs:
                        pipe.hmget(ref.key, (*STATUS_FIELDS, "data"))
                    rows = await pipe.execute()
            for ref, (*fields, data) in zip(refs, rows, strict=True):
                stored = dict(zip(STATUS_FIELDS, fields, strict=True))
                if stored["finishedOn"] is None:
                    continue  # retried or removed at this moment
                status = status_of(ref, stored, None, is_delayed=False)
                if not isinstance(status.error, UserError | Cancelled):
                    found.append(DeadLetter(status, data))
        found.sort(key=lambda letter: letter.status.finished_s or 0, reverse=True)
        return found[:at_most]

    async def statistics(self, queue: str) -> QueueStatistics:
        """Return the jobs of a queue in numbers, all of one moment."""
        prefix = prefix_of(queue)
        with queue_errors(self.client):
            async with self.client.pipeline(transaction=True) as pipe:
                for state in STATES:
                    is_list = state in ("active", "wait")
                    (pipe.llen if is_list else pipe.zcard)(prefix + state)
                pipe.hget(fair_key(queue), "V")
                # Not by its hash, which a server that has just been restarted does not know.
                pipe.eval(_OLDEST, 0, prefix)
                *numbers, tag, oldest_ms = await pipe.execute()
        counts = dict(zip(STATES, map(int, numbers), strict=True))
        # The tags of an empty queue are reset only when the next job comes.
        is_empty = tag is None or not any(counts[state] for state in UNFINISHED)
        return QueueStatistics(counts, oldest_ms, _FIRST_TAG if is_empty else float(tag))

    async def all_statistics(self) -> dict[str, QueueStatistics]:
        """Return the jobs of all queues but the deliveries in numbers, by queue.

        Those of former names are left out while they have no unfinished jobs.
        """
        queues = (*DELIVERED_QUEUES, *await self.known_engine_queues())
        found = {queue: await self.statistics(queue) for queue in queues}
        return {
            queue: one
            for queue, one in found.items()
            if one.unfinished or not is_former_queue(queue)
        }

    async def waits(self, queue: str) -> bool:
        """Return whether a queue has jobs that may be taken now; delayed ones count once due."""
        due = (round(self.clock() * 1000) + 1) << _DELAYED_COUNTER_BITS
        prefix = prefix_of(queue)
        with queue_errors(self.client):
            async with self.client.pipeline(transaction=True) as pipe:
                pipe.llen(f"{prefix}wait")
                pipe.zcard(f"{prefix}prioritized")
                pipe.zcount(f"{prefix}delayed", "-inf", f"({due}")
                return any(await pipe.execute())

    async def finished_since(
        self, since_ms: int, queues: Sequence[str], until_ms: float = math.inf
    ) -> list[Finished]:
        """Return the jobs of some queues that ended in a time, by their workers' clocks."""
        with queue_errors(self.client):
            async with self.client.pipeline(transaction=True) as pipe:
                for queue in queues:
                    for state in ("completed", "failed"):
                        key = f"{prefix_of(queue)}{state}"
                        pipe.zrangebyscore(key, since_ms, until_ms, withscores=True)
                answers = await pipe.execute()
        names = [queue for queue in queues for _ in range(2)]
        return [
            Finished(JobRef(queue, job_id), int(score))
            for queue, rows in zip(names, answers, strict=True)
            for job_id, score in rows
        ]

    async def remove(self, ref: JobRef) -> None:
        """Remove a finished job."""
        with queue_errors(self.client):
            await self._queue(ref.queue).remove(ref.job_id)

    @staticmethod
    def request_of(order: Order) -> Request:
        """Return an order as a request for admission."""
        ref = order.ref
        return Request(ref.queue, ref.job_id, order.person, order.estimated_cost_s, order.lane)

    def _queue(self, name: str) -> JobQueue:
        if name not in self._queues:
            self._queues[name] = open_queue(name, self.client)
        return self._queues[name]

    async def _enqueue(
        self, request: Request, limits: OrderLimits, record: Record, queues: Sequence[str] = ()
    ) -> bool:
        """Add a job unless it is known; return whether it is new, once it would survive a crash."""
        ref = JobRef(request.queue, request.job_id)
        keys = [JobRef(queue, ref.job_id).key for queue in {ref.queue, *queues}]
        while True:
            priority = await self.admission.admit(request, limits, self.clock(), queues)
            if priority is not None:
                await self._add(ref, record, priority)
            await wait_until_durable(self.client)
            if await self.client.exists(accepted_key(ref.job_id), *keys):
                return priority is not None
            # Redis has crashed in between and lost it: repeat.

    async def _add(self, ref: JobRef, record: Record, priority: int) -> None:
        name = type(record).__name__
        if isinstance(record, Order):
            name = f"{record.wish.cost_frames} frames"
        options = {
            "jobId": ref.job_id,
            "priority": priority,
            "attempts": ATTEMPTS,
            "backoff": {"type": "fixed", "delay": RETRY_AFTER_MS},
            # `Outbox.clean` removes jobs, and only delivered ones.
            "removeOnComplete": False,
            "removeOnFail": False,
            "stackTraceLimit": 0,  # they are in the worker's log
        }
        await self._queue(ref.queue).add(name, record.model_dump(mode="json"), options)
        # Not earlier: a crash in between would block the id for two days.
        await self.client.set(accepted_key(ref.job_id), "taken", ex=_ACCEPTED_KEPT_S)

    async def _status_of_accepted(self, ref: JobRef, queues: Sequence[str]) -> Status:
        """Return the status of an order that is or was in one of the queues."""
        for queue in (ref.queue, *queues):
            status = await self.status(JobRef(queue, ref.job_id))
            if status is not None:
                return status
        # Finished, delivered and cleaned away.
        return Status(ref, OrderState.DONE)

    async def _is_removed(self, status: Status) -> bool:
        """Remove a job if it still waits; return whether it is removed, now or earlier."""
        if status.state.is_final:
            return status.state is OrderState.CANCELLED and not status.starts
        return status.state is not OrderState.RUNNING and await self._remove(status)

    async def _remove(self, status: Status) -> bool:
        """Remove a waiting job as if it had never been ordered; return whether that succeeded."""
        ref = status.ref
        data = await self.client.hget(ref.key, "data")
        await self.client.set(accepted_key(ref.job_id), OrderState.CANCELLED, ex=_ACCEPTED_KEPT_S)
        if not await self._queue(ref.queue).remove(ref.job_id):
            await self.client.set(accepted_key(ref.job_id), "taken", ex=_ACCEPTED_KEPT_S)
            return False  # a worker has just taken it
        if data is None or not is_engine_queue(ref.queue):
            return True
        try:
            order = Order.read(data)
        except RecordError:
            return True  # written by a newer bot, which will account for it
        await self.client.zrem(open_key(order.person), ref.key)
        if status.starts == 0:
            await self.client.zrem(day_key(order.person), ref.job_id)
            await self.admission.refund(self.request_of(order))
        return True


def _queues_of(engines: Sequence[str]) -> tuple[str, ...]:
    return tuple(queue for engine in engines for queue in engine_queues(engine))
