"""The bot's side of a night, in a process of its own: finished orders are swept and delivered.

    python -m tests.integration.worker.postman FACTS

FACTS is JSON: `url`, `engine`, `chat` (the file that stands for all chats), `seed`, `lock_s`. The
chat has a JSON line for each message that arrived and for each receipt that was noted.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from typing import Any

from jobs.queues.assignment import Assignment, Later
from jobs.queues.delivery_records import NextStep, next_step, read_record, write_record
from jobs.queues.keys import DELIVER, MEDIA
from jobs.queues.outbox import DeliveryJob, Outbox
from jobs.queues.queue_worker import QueueWorker, WorkRules
from jobs.queues.queues import Queues
from jobs.service_errors import QueueUnavailable

SENT, NOTED = "sent", "noted"
FAILING = 0.2  # of the deliveries, at first
_TIMES_FASTER = 10  # is our clock, for what may still arrive is waited for a minute
_SWEEP_EVERY_S = 0.5
_ON_ITS_WAY_S = 0.03  # is a message, and as long its receipt


class Postman:
    """Sends, with a few failures."""

    def __init__(self, queues: Queues, facts: dict[str, Any]) -> None:
        self._queues = queues
        self._seed = facts["seed"]
        self._chat = os.open(facts["chat"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def deliver(self, assignment: Assignment) -> None:
        delivery = DeliveryJob.read(assignment.text)
        name = delivery.delivery_id
        mark = await read_record(self._queues, name)
        now_s = time.time() * _TIMES_FASTER
        step, wait_s = next_step(mark, now_s)
        if step is NextStep.WAIT:
            raise Later(wait_s / _TIMES_FASTER)
        assert step is not NextStep.GIVE_UP, name
        status = await self._queues.status(delivery.ref)
        assert status is not None, name
        if step is NextStep.FINISH:
            self._write(NOTED, delivery, status.state)
            return
        mark = mark.begun(now_s)
        await write_record(self._queues, name, mark)
        await asyncio.sleep(_ON_ITS_WAY_S)
        is_unlucky = random.Random(f"{self._seed} {name}").random() < FAILING
        if is_unlucky and assignment.start_number == 1:
            await write_record(self._queues, name, mark.refused())
            message = "Telegram is down"
            raise ConnectionError(message)
        self._write(SENT, delivery, status.state)
        await asyncio.sleep(_ON_ITS_WAY_S)
        await write_record(self._queues, name, mark.arrived(1))
        self._write(NOTED, delivery, status.state)

    def _write(self, event: str, delivery: DeliveryJob, state: str) -> None:
        facts = {
            "event": event,
            "delivery": delivery.delivery_id,
            "order": delivery.job_id,
            "state": state,
        }
        os.write(self._chat, json.dumps(facts).encode() + b"\n")


async def _sweep(outbox: Outbox) -> None:
    while True:
        with suppress(QueueUnavailable):
            await outbox.sweep()
        await asyncio.sleep(_SWEEP_EVERY_S)


async def main(facts: dict[str, Any]) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    lock_s = facts["lock_s"]
    # However often the bot dies, a delivery is not given up for it.
    rules = WorkRules(
        max_concurrent=4,
        lock_s=lock_s,
        stalled_check_s=lock_s / 3,
        most_stalls=1000,
        idle_s=0.2,
        beat_s=0.5,
    )
    async with Queues(facts["url"], [facts["engine"]]) as queues:
        postman = Postman(queues, facts)
        sweeping = asyncio.create_task(_sweep(Outbox(queues, [MEDIA, *queues.engine_queues])))
        async with QueueWorker(facts["url"], DELIVER, postman.deliver, rules):
            await over.wait()
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
