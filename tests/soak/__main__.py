"""The soak test: 200 people use the service while everything fails now and then.

    python -m tests.soak --minutes 20 --seed 1

Bot and workers run as usual, with the sandbox instead of Telegram. Programs are killed and started
again, Telegram refuses, fails, loses answers and goes away, and the disk is full for some seconds
(only as root, who may mount one). Afterwards every order must have ended, every message must have
an answer, no result may have come twice without a known cause, no file may be left after its time,
and memory must not have grown. It prints a report, and exits with 1 if anything did not hold.
"""

import argparse
import asyncio
import logging
import os
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from contextlib import suppress
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.connection import connect
from jobs.queues.heartbeats import WorkerRegistry
from jobs.tasks import end_tasks
from tests.integration.worker.chaos_programs import nothing_runs
from tests.soak.people import Files, Person
from tests.soak.service import MARK, Service, running
from tests.soak.trouble import Trouble
from tests.soak.verdict import Report, Verdict, all_ended, order_cards

_STEADY = 0.5  # of the time, after which bot and workers are not killed any more
_NOTE_S = 5.0
_END_S = 900.0
_RETAIN_S = 120.0
_SWEEPS_S = 240.0


def _say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


async def _watch(service: Service, redis: Redis, known: set[str]) -> None:
    """Note memory and accepted orders, and that no program ends by itself."""
    while True:
        service.note_memory()
        for program in (service.bot, *service.workers):
            program.check()
        with suppress(RedisError):
            known.update(await order_cards(redis))
        await asyncio.sleep(_NOTE_S)


async def _ready(redis: Redis) -> None:
    async with asyncio.timeout(120):
        while not await WorkerRegistry(redis).living():
            await asyncio.sleep(0.2)


async def soak(
    folder: Path, chosen: argparse.Namespace
) -> tuple[Report, "Counter[str]", "Counter[str]"]:
    """Run the test; return the report, what people did, and what happened."""
    counts: Counter[str] = Counter()
    known: set[str] = set()
    async with running(folder, _RETAIN_S / 3600) as service:
        redis = connect(service.redis.url, is_worker=True)
        try:
            await _ready(redis)
            _say(f"begun, seed {chosen.seed}; a disk of its own: {service.has_own_disk}")
            files, people = Files.make(), []
            for number in range(chosen.people):
                added = await service.desk.post("persons", first_name=f"Person {number}")
                person_id = added["person"]["id"]
                seed = chosen.seed * 1000 + number
                people.append(Person(service.desk, person_id, seed, files, counts))
            loop = asyncio.get_running_loop()
            now_s, seconds = loop.time(), 60 * chosen.minutes
            trouble = Trouble(service, chosen.seed)
            watching = asyncio.create_task(_watch(service, redis, known))
            living = asyncio.gather(
                trouble.happen(now_s + _STEADY * seconds, now_s + seconds),
                *(person.live(chosen.pause, now_s + seconds) for person in people),
            )
            await asyncio.wait((watching, living), return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            await living
            _say(f"over: {dict(counts)}; waiting for the rest")
            cards = await all_ended(redis, known, _END_S)
            await end_tasks([watching])
            await asyncio.sleep(10)  # the last edits
            verdict = Verdict(service, people, trouble.log)
            await verdict.look(cards, known)
            verdict.look_at_memory()
            _say("waiting until the files' time is over")
            await verdict.nothing_is_left(redis, _RETAIN_S + _SWEEPS_S)
            await service.close_programs()
            left = [path.name for path in service.scratch.iterdir()]
            verdict.report.faults += [f"a temporary file is left: {name}" for name in left]
        finally:
            await redis.aclose()
    return verdict.report, counts, Counter(what for what, *_ in trouble.log)


def _print(report: Report, counts: "Counter[str]", happened: "Counter[str]") -> None:
    tables = {"people": counts, "trouble": happened, "orders": report.ends}
    for title, table in tables.items():
        _say(f"{title}: " + ", ".join(f"{what} {n}" for what, n in sorted(table.items())))
    _say(f"reasons of failures: {dict(report.reasons)}; results that came twice: {report.doubles}")
    for kind, (middle, end) in report.memory_mb.items():
        _say(f"memory of {kind}: {middle:.0f} MB in the middle, {end:.0f} MB at the end")
    for fault in report.faults:
        _say(f"FAULT: {fault}")
    _say("nothing was lost" if not report.faults else f"{len(report.faults)} faults")


def main() -> int:
    """Run the test once."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1, 10**6))
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument(
        "--pause", type=float, default=200, help="between two acts of a person, s (mean)"
    )
    parser.add_argument("--folder", type=Path, help="for the logs (default: a temporary one)")
    chosen = parser.parse_args()
    mark = os.environ[MARK] = uuid.uuid4().hex
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=folder / "soak.log", level=logging.INFO)
    _say(f"logs: {folder}")
    report, counts, happened = asyncio.run(soak(folder, chosen))
    asyncio.run(nothing_runs(f"{MARK}={mark}"))
    _print(report, counts, happened)
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
