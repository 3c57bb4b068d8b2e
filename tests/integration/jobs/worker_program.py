"""A worker in a process of its own, which tests kill, stop and let go on.

    python -m tests.integration.jobs.worker_program URL LOCK_S MOST_STALLS

It says what it does, a word a line. An order whose movement is `poison` kills it.
"""

import asyncio
import os
import signal
import sys

from jobs.orders import Order, Record
from jobs.queues.assignment import Assignment
from jobs.queues.queue_worker import QueueWorker, WorkRules
from tests.integration.jobs.hand import QUEUE, make_result


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def work(assignment: Assignment) -> Record | None:
    say(f"begun {assignment.start_number}")
    motion = Order.read(assignment.text).wish.movement.template
    if motion == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    if motion == "smile":
        return make_result(assignment.ref, assignment.start_number)
    say(await assignment.wait_for_stop())
    return None


async def main(url: str, lock_s: float, most_stalls: int) -> None:
    rules = WorkRules(
        lock_s=lock_s, stalled_check_s=lock_s / 3, most_stalls=most_stalls, beat_s=0.1, stop_s=1
    )
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    async with QueueWorker(url, QUEUE, work, rules) as station:
        say("ready")
        await over.wait()
        await station.drain(grace_s=0)
    say("ended")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
