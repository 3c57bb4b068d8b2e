"""A person's jobs in all queues: finds them, and deletes them with what is stored about them.

A job that a worker is still working on stays. It is marked, so that nothing is delivered when it
ends (`bot/orders/forgotten.py`).
"""

import json
import re
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any

from bot.orders.forgotten import mark_forgotten
from bot.services import Services
from jobs.connection import queue_errors
from jobs.queues.delivery_records import DeliveryRecord
from jobs.queues.keys import (
    DELIVER,
    DELIVERED_QUEUES,
    JobRef,
    accepted_key,
    accepting_key,
    cancel_key,
    counted_key,
    log_key,
    prefix_of,
    sent_key,
)
from jobs.service_errors import RecordError

_BATCH = 500
_SEPARATORS = re.compile(r"[:-]")


@dataclass(frozen=True)
class PersonalJob:
    """A job of a person's.

    Attributes:
        ref: where it is.
        chat: where its outcome goes; 0 if unknown.
        draft: the draft that it is for; empty if unknown.
        of_job: the job that a delivery is about; empty for other jobs.
    """

    ref: JobRef
    chat: int = 0
    draft: str = ""
    of_job: str = ""

    @property
    def is_outcome(self) -> bool:
        """Whether it delivers how a job ended; if it is missing, the outbox adds it again."""
        return self.ref.queue == DELIVER and self.ref.job_id.startswith("d-")


def names_any(names: Collection[str], text: str) -> bool:
    """Whether one of the parts of a job's id or a key's name is among these names."""
    return any(part in names for part in _SEPARATORS.split(text))


class PersonalJobs:
    """Finds and deletes jobs. Its methods raise QueueUnavailable if Redis does not answer."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._redis = services.queues.client

    async def find(self, person_id: int, names: Collection[str]) -> list[PersonalJob]:
        """Return the jobs of a person, and then their deliveries.

        Args:
            person_id: the person.
            names: parts of the ids of orders that are the person's.
        """
        found = []
        for queue in await self._queues():
            async for ref, data in self._stored(queue):
                if data.get("person") == person_id:
                    found.append(PersonalJob(ref, data.get("chat", 0), data.get("draft", "")))
        chats = {job.ref: job.chat for job in found}
        names = {*names, *(job.draft for job in found if job.draft), f"c{person_id}"}
        other = re.compile(rf"sheet-.+-{person_id}|chart-{person_id}-.+")
        async for ref, data in self._stored(DELIVER):
            of_job, resend = str(data.get("job_id")), data.get("resend") or {}
            source = JobRef(str(data.get("queue")), of_job)
            is_own = source in chats or names_any(names, of_job) or other.fullmatch(of_job)
            if is_own or resend.get("person") == person_id:
                found.append(PersonalJob(ref, resend.get("chat", chats.get(source, 0)), "", of_job))
        return found

    async def messages(self, jobs: Collection[PersonalJob]) -> list[tuple[int, int]]:
        """Return the messages that were sent for some deliveries: chat and id."""
        found = []
        for job in jobs:
            for name in _deliveries_of(job.ref):
                with queue_errors(self._services.queues.url):
                    text = await self._redis.get(sent_key(name))
                try:
                    message = DeliveryRecord.read(text).message_id if text else None
                except RecordError:
                    continue
                if message is not None:
                    found.append((job.chat, message))
        return found

    async def delete(self, jobs: Collection[PersonalJob]) -> list[JobRef]:
        """Delete jobs, with their logs and marks. Return those that a worker is working on."""
        left = []
        with queue_errors(self._services.queues.url):
            for job in jobs:
                ref, job_id = job.ref, job.ref.job_id
                await self._services.queues.remove(ref)
                keys = [log_key(job_id), accepted_key(job_id), accepting_key(job_id)]
                if await self._redis.exists(ref.key):
                    left.append(ref)
                    await mark_forgotten(self._services, job.of_job or job_id)
                else:
                    keys.append(cancel_key(job_id))
                for name in _deliveries_of(ref):
                    keys += [sent_key(name), counted_key(name)]
                await self._redis.delete(*keys)
        return left

    async def delete_events(self, jobs: Collection[PersonalJob], names: Collection[str]) -> None:
        """Delete the queues' events about jobs; BullMQ keeps the last thousands."""
        job_ids = {job.ref.job_id for job in jobs}
        with queue_errors(self._services.queues.url):
            for queue in (*await self._queues(), DELIVER):
                stream = f"{prefix_of(queue)}events"
                events: Any = await self._redis.xrange(stream)
                about = [(event_id, str(fields.get("jobId", ""))) for event_id, fields in events]
                found = [
                    event_id
                    for event_id, job_id in about
                    if job_id in job_ids or names_any(names, job_id)
                ]
                if found:
                    await self._redis.xdel(stream, *found)

    async def _queues(self) -> tuple[str, ...]:
        return (*DELIVERED_QUEUES, *await self._services.queues.known_engine_queues())

    async def _stored(self, queue: str) -> AsyncIterator[tuple[JobRef, dict[str, Any]]]:
        """Yield the jobs of a queue, in any state, and their data."""
        prefix = prefix_of(queue)
        with queue_errors(self._services.queues.url):
            async for key in self._redis.scan_iter(f"{prefix}*", count=_BATCH, _type="HASH"):
                try:
                    data = json.loads(await self._redis.hget(key, "data") or "")
                except ValueError:
                    continue  # a record of BullMQ's own
                if isinstance(data, dict):
                    yield JobRef(queue, str(key).removeprefix(prefix)), data


def _deliveries_of(ref: JobRef) -> tuple[str, ...]:
    """Return the names under which a delivery is recorded; none for other jobs."""
    return (ref.job_id, f"{ref.job_id}-label") if ref.queue == DELIVER else ()
