"""Work for a station that a test leads, and waiting for what comes of it."""

import asyncio
import time

from jobs.orders import OrderState, Record
from jobs.queues.assignment import Assignment, Stop
from jobs.queues.keys import JobRef
from jobs.queues.queue_worker import WorkRules
from jobs.queues.queues import Queues
from jobs.queues.status import Status
from tests.integration.jobs.hand import make_result

LIMIT_S = 60.0
QUICK = WorkRules(beat_s=0.05, stop_s=0.5, idle_s=0.1)


async def until(queues: Queues, ref: JobRef, state: OrderState) -> Status:
    """The status of a job as soon as it has this state."""
    deadline_s = time.monotonic() + LIMIT_S
    while True:
        status = await queues.status(ref)
        if status is not None and status.state is state:
            return status
        assert time.monotonic() < deadline_s, f"it is not {state}, but {status}"
        await asyncio.sleep(0.01)


class Bench:
    """Work that waits for a word, or for being told to stop.

    Attributes:
        begun: the assignments, in the order of their starts.
        stops: why they were stopped.
        is_stubborn: whether being told to stop is ignored.
    """

    def __init__(self) -> None:
        self.begun: list[Assignment] = []
        self.stops: list[Stop] = []
        self.is_stubborn = False
        self.word = asyncio.Event()

    async def __call__(self, assignment: Assignment) -> Record | None:
        self.begun.append(assignment)
        word = asyncio.create_task(self.word.wait())
        stop = asyncio.create_task(assignment.wait_for_stop())
        waited = {word} if self.is_stubborn else {word, stop}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            word.cancel()
            stop.cancel()
            if assignment.stop_reason is not None:
                self.stops.append(assignment.stop_reason)
        return make_result(assignment.ref, assignment.start_number) if self.word.is_set() else None

    async def has_begun(self, count: int = 1) -> Assignment:
        async with asyncio.timeout(LIMIT_S):
            while len(self.begun) < count:
                await asyncio.sleep(0.01)
        return self.begun[count - 1]
