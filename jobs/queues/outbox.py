"""Turns finished jobs into deliveries, each once, even if bot, workers or Redis crash.

    Outbox.sweep -> finished jobs of some queues become jobs `d-...` in the queue `deliver`
    `delivery_records.py`: what a delivery does that begins again
    Outbox.clean -> removes delivered jobs after 48 h, and their deliveries after 72 h
    hand_in      -> adds what a person asks for: a result once more

It does not rely on events. A delivery's id consists of the job's id and its finishing time: a sweep
that overlaps another adds nothing, and a retry of a failed order is delivered again.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

from pydantic import Field

from jobs.connection import queue_errors
from jobs.media_tasks import Form
from jobs.model import Value
from jobs.orders import JobId, Record
from jobs.queues.bullmq_types import CAPPED_BACKOFF, JobQueue, open_queue
from jobs.queues.durability import wait_until_durable
from jobs.queues.keys import DELIVER, DELIVERED_QUEUES, JobRef
from jobs.queues.outcomes import Finished
from jobs.queues.queues import Queues
from jobs.service_errors import RecordError

KEPT_ORDER_S = 48 * 3600
KEPT_DELIVERY_S = 72 * 3600
_DELIVERY_ATTEMPTS = 110  # about a day, at most a quarter of an hour apart
_FIRST_PAUSE_MS = 5_000
_FULL_SWEEP_EVERY_S = 600
_OVERLAP_S = 60
# A delivery that Redis lost in a crash is added again after this time.
_ASK_AGAIN_S = 5
_BATCH = 500


class Resend(Value):
    """A result that is sent again.

    Attributes:
        person: whose result it is.
        draft: the draft that it was ordered from.
        number: the order's number within the draft.
        form: in which form.
        chat: where it is sent.
        thread_id: the topic there, or None.
        reply_to: the message that it replies to, or None.
    """

    person: int
    draft: str
    number: int
    form: Form
    chat: int
    thread_id: int | None = None
    reply_to: int | None = None


class DeliveryJob(Record):
    """A message to a chat: how a job ended, or a result once more.

    Attributes:
        queue: the job's queue; `HISTORY` with `resend`.
        job_id: its id there.
        finished_ms: when it ended, unix time in ms.
        tap: Telegram's id of the tap that asks for `resend`; empty: how the job ended.
        resend: what is sent again; None with `tap`: the result as a file, in earlier versions.
    """

    queue: str
    job_id: JobId
    finished_ms: int = Field(ge=0)
    tap: str = ""
    resend: Resend | None = Field(default=None, exclude_if=lambda resend: resend is None)

    @property
    def ref(self) -> JobRef:
        """The finished job."""
        return JobRef(self.queue, self.job_id)

    @property
    def delivery_id(self) -> str:
        """The id of this delivery."""
        if self.tap:
            return f"f-{self.job_id}-{self.tap}"
        return f"d-{self.job_id}-{self.finished_ms}"

    @classmethod
    def of(cls, finished: Finished) -> Self:
        """Return the delivery of a finished job."""
        ref = finished.ref
        return cls(queue=ref.queue, job_id=ref.job_id, finished_ms=finished.finished_ms)


class Outbox:
    """Turns finished jobs into deliveries. All methods raise QueueUnavailable on an outage.

    Args:
        queues: the queues.
        swept: the names of those whose jobs are delivered; None: `intake`, `look`, `media` and
            those of all known engines.
        clock: unix time in s.
    """

    def __init__(
        self,
        queues: Queues,
        swept: Sequence[str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._queues = queues
        self._swept = swept
        self._clock = clock
        self._deliver = open_queue(DELIVER, queues.client)
        self._swept_at_s = 0.0
        self._full_sweep_at_s = 0.0
        self._added: frozenset[Finished] = frozenset()
        self._asked_at_s = 0.0

    async def sweep(self) -> int:
        """Add deliveries and return their number; call this every few seconds.

        Finishing times are from the workers' clocks. So the first call, and then one every ten
        minutes, checks all finished jobs: those of a worker with a slow clock are late, not lost.
        """
        now_s = self._clock()
        is_full = now_s - self._full_sweep_at_s >= _FULL_SWEEP_EVERY_S
        since_s = 0.0 if is_full else max(0.0, self._swept_at_s - _OVERLAP_S)
        finished = await self._queues.finished_since(round(since_s * 1000), await self._names())
        if is_full or now_s - self._asked_at_s >= _ASK_AGAIN_S:
            self._added, self._asked_at_s = frozenset(), now_s
        unknown = [one for one in finished if one not in self._added]
        known = await self._deliveries_have("name", unknown)
        new = [one for one, is_known in zip(unknown, known, strict=True) if not is_known]
        with queue_errors(self._queues.client):
            for one in new:
                await _add(self._deliver, DeliveryJob.of(one))
        self._added = frozenset(finished)
        self._swept_at_s = now_s
        if is_full:
            self._full_sweep_at_s = now_s
        return len(new)

    async def clean(self) -> int:
        """Remove old jobs and return their number: delivered ones, then deliveries.

        What is not delivered stays, however old it is.
        """
        due = await self._ended_before(KEPT_ORDER_S, await self._names())
        ended = await self._deliveries_have("finishedOn", due)
        delivered = [one for one, has_ended in zip(due, ended, strict=True) if has_ended]
        # First the order, then its delivery: otherwise the next sweep would send it again.
        removed = await self._remove(delivered)
        old = await self._ended_before(KEPT_DELIVERY_S, [DELIVER])
        return removed + await self._remove(await self._without_order(old))

    async def _names(self) -> Sequence[str]:
        if self._swept is not None:
            return self._swept
        return (*DELIVERED_QUEUES, *await self._queues.known_engine_queues())

    async def _ended_before(self, age_s: float, names: Sequence[str]) -> list[Finished]:
        until_ms = round((self._clock() - age_s) * 1000)
        return await self._queues.finished_since(0, names, until_ms)

    async def _without_order(self, deliveries: list[Finished]) -> list[Finished]:
        """Return the deliveries whose job is gone."""
        found = []
        for one in deliveries:
            with queue_errors(self._queues.client):
                data = await self._queues.client.hget(one.ref.key, "data")
            with suppress(RecordError):
                its = DeliveryJob.read(data or "")
                ended_ms, job = its.finished_ms, Finished(its.ref, its.finished_ms)
                there = await self._queues.finished_since(ended_ms, [its.queue], ended_ms)
                if not its.tap and job in there:
                    continue
            found.append(one)
        return found

    async def _deliveries_have(self, field: str, finished: list[Finished]) -> list[bool]:
        """Return for each finished job whether its delivery exists and has a field."""
        found: list[bool] = []
        for start in range(0, len(finished), _BATCH):
            with queue_errors(self._queues.client):
                async with self._queues.client.pipeline(transaction=False) as pipe:
                    for one in finished[start : start + _BATCH]:
                        pipe.hexists(JobRef(DELIVER, DeliveryJob.of(one).delivery_id).key, field)
                    found += await pipe.execute()
        return found

    async def _remove(self, finished: list[Finished]) -> int:
        for one in finished:
            await self._queues.remove(one.ref)
        return len(finished)


async def hand_in(queues: Queues, delivery: DeliveryJob) -> None:
    """Add a delivery that no sweep would find, once, so that it survives a crash of Redis.

    Raises:
        QueueUnavailable: Redis does not answer.
    """
    key, queue = JobRef(DELIVER, delivery.delivery_id).key, open_queue(DELIVER, queues.client)
    with queue_errors(queues.client):
        while not await queues.client.exists(key):
            await _add(queue, delivery)
            await wait_until_durable(queues.client)


async def _add(queue: JobQueue, delivery: DeliveryJob) -> None:
    options = {
        "jobId": delivery.delivery_id,
        "attempts": _DELIVERY_ATTEMPTS,
        "backoff": {"type": CAPPED_BACKOFF, "delay": _FIRST_PAUSE_MS},
        "removeOnComplete": False,
        "removeOnFail": False,
        "stackTraceLimit": 0,
    }
    await queue.add("delivery", delivery.model_dump(mode="json"), options)
