"""A worker that does what a test says, step by step, and the orders it is given."""

from fractions import Fraction
from typing import Any

from bullmq import Job, Worker
from redis.asyncio import Redis

from jobs.orders import Lane, Order, Result, order_id
from jobs.queues.keys import JobRef
from jobs.wish import Movement
from tests.wishes import make_wish

ENGINE = "still"
QUEUE = "animate-still"
LOCK_MS = 30_000


def make_order(person: int, number: int = 1, **changes: Any) -> Order:
    """A person's order; each has a chat with the same number."""
    chat = changes.pop("chat", person)
    draft = changes.pop("draft", "7")
    facts: dict[str, Any] = {
        "order_id": order_id(chat, draft, number),
        "person": person,
        "chat": chat,
        "draft": draft,
        "number": number,
        "engine": ENGINE,
        "wish": make_wish(
            changes.pop("photo_key", f"looks/{draft}/photo.png"),
            changes.pop("motion", Movement(template="smile")),
            changes.pop("frames", 75),
            face_boxes=tuple(filter(None, (changes.pop("face_box", None),))),
            options=changes.pop("options", {}),
        ),
        "estimated_cost_s": 10.0,
    }
    return Order(**(facts | changes))


def admins_order(number: int = 1) -> Order:
    return make_order(1, number, lane=Lane.EXPRESS)


def make_result(ref: JobRef, attempt: int = 1) -> Result:
    return Result(
        key=f"results/{ref.job_id}/{attempt}.mp4",
        size_bytes=1000,
        width=640,
        height=480,
        frame_count=75,
        frame_rate=Fraction(25),
        work_frames=75,
        render_s=1.0,
        has_sound=False,
        engine=ENGINE,
        label="A still photo",
        digital_source_type="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
        attempt=attempt,
    )


async def members(redis: Redis, key: str) -> list[tuple[str, float]]:
    """A sorted set, lowest score first."""
    rows: list[Any] = await redis.zrange(key, 0, -1, withscores=True)
    return [(str(name), float(score)) for name, score in rows]


class Hand:
    """Takes jobs out of one queue and ends them."""

    def __init__(self, client: Redis, queue: str = QUEUE, lock_ms: int = LOCK_MS) -> None:
        self._queue = queue
        self._worker = Worker(queue, None, {"connection": client, "lockDuration": lock_ms})
        self._held: dict[str, Job] = {}
        self._starts = 0

    async def take(self) -> str:
        """The id of the job that starts next; empty if none does."""
        self._starts += 1
        job = await self._worker.moveToActive(f"hand:{id(self)}:{self._starts}")
        if job is None:
            return ""
        self._held[job.id] = job
        return str(job.id)

    async def finish(self, job_id: str) -> None:
        job = self._held.pop(job_id)
        result = make_result(JobRef(self._queue, job_id), job.attemptsStarted)
        await job.moveToCompleted(result.model_dump(mode="json"), job.token)

    async def fail(self, job_id: str, error: Exception) -> None:
        job = self._held.pop(job_id)
        await job.moveToFailed(error, job.token)

    def doom_of(self, job_id: str) -> str:
        """Why a job is to fail without being run; empty if it is not."""
        return str(self._held[job_id].deferredFailure or "")

    async def drop(self, job_id: str) -> None:
        """As if this worker had died with the job."""
        job = self._held.pop(job_id)
        await self._worker.client.delete(f"bull:{self._queue}:{job.id}:lock")

    async def find_stalled(self, most: int = 3) -> list[str]:
        """The jobs that are taken back from dead workers; twice, as BullMQ marks them first."""
        found: list[str] = []
        for _ in range(2):
            found += await self._worker.backend.moveStalledJobsToWait(most, 1)
            await self._worker.client.delete(f"bull:{self._queue}:stalled-check")
        return found

    async def work_through(self, at_most: int = 1000) -> list[str]:
        """The ids of what was taken and finished, in the order of their starts."""
        taken: list[str] = []
        while len(taken) < at_most and (job_id := await self.take()):
            taken.append(job_id)
            await self.finish(job_id)
        return taken
