"""What must hold after a night of chaos, and its figures.

check(night, took_s) -> Figures, or an AssertionError that says what did not hold
"""

import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.media.video import ClipReader
from jobs.media_jobs import MediaJob
from jobs.orders import Order, OrderState
from jobs.queues.keys import DELIVER, MEDIA, open_key, prefix_of
from jobs.queues.outbox import DeliveryJob
from jobs.queues.outcomes import Finished
from jobs.queues.queue_worker import WorkRules
from jobs.queues.queues import ATTEMPTS, Queues
from jobs.queues.status import Status
from jobs.store.files import FileStore
from jobs.store.retention import Retention

FRAMES = 75  # of each video
_HOUR_S = 3600.0
_HEAD = (
    "seed",
    "kills worker / engine / server / postman",
    "done / failed / cancelled",
    "recomputed (max starts)",
    "computed to the end twice",
    "delivered twice",
    "lost",
    "longest pick-up",
    "took",
)


@dataclass
class Night:
    """What happened, as it is noted meanwhile.

    Attributes:
        seed: of all that happens.
        folder: of everything.
        queues: on the server.
        store: with the photo and the results.
        accepted: the orders that were taken, by their ids.
        sheets: the jobs of the queue `media`, by their ids.
        unwanted: the ids of those that somebody wanted to cancel.
        kills: how many of which kind.
        longest_pickup_s: from a kill to the next start of an order that ran.
    """

    seed: int
    folder: Path
    queues: Queues
    store: FileStore
    accepted: dict[str, Order] = field(default_factory=dict)
    sheets: dict[str, MediaJob] = field(default_factory=dict)
    unwanted: set[str] = field(default_factory=set)
    kills: Counter[str] = field(default_factory=Counter)
    longest_pickup_s: float = 0.0

    @property
    def chat(self) -> Path:
        """The file that stands for all chats."""
        return self.folder / "chat.jsonl"

    @property
    def place(self) -> Path:
        """The folder of the agents' folders."""
        return self.folder / "work"


@dataclass(frozen=True)
class Figures:
    """A row of the table; see its head."""

    seed: int
    kills: tuple[int, ...]
    ended: tuple[int, ...]
    recomputed: int
    most_starts: int
    computed_twice: int
    delivered_twice: int
    lost: int
    longest_pickup_s: float
    took_s: float

    @staticmethod
    def head() -> str:
        """The first two lines of the table."""
        return f"| {' | '.join(_HEAD)} |\n|{'---|' * len(_HEAD)}"

    def row(self) -> str:
        """A line of the table."""
        cells = (
            self.seed,
            " / ".join(map(str, self.kills)),
            " / ".join(map(str, self.ended)),
            f"{self.recomputed} ({self.most_starts})",
            self.computed_twice,
            self.delivered_twice,
            self.lost,
            f"{self.longest_pickup_s:.1f} s",
            f"{self.took_s:.0f} s",
        )
        return f"| {' | '.join(map(str, cells))} |"


def chat_of(path: Path) -> list[dict[str, Any]]:
    """What arrived in the chats, and which receipts were noted."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def check(night: Night, took_s: float) -> Figures:
    """The figures of a night whose programs have ended; its server still runs.

    Raises:
        AssertionError: something did not hold.
    """
    statuses = {
        name: await night.queues.status(order.ref) for name, order in night.accepted.items()
    }
    lost = [name for name, status in statuses.items() if status is None]
    assert not lost, f"lost: {lost}"
    found = {name: status for name, status in statuses.items() if status is not None}
    for name, status in found.items():
        _ended_rightly(name, status, is_unwanted=name in night.unwanted)
    for name, job in night.sheets.items():
        of_sheet = await night.queues.status(job.ref)
        assert of_sheet is not None, f"lost: {name}"
        assert of_sheet.state is OrderState.DONE, f"{name}: {of_sheet}"
        found[name] = of_sheet
    delivered_twice = _delivered_rightly(night, found)
    found = {name: status for name, status in found.items() if name in night.accepted}
    await _nothing_waits(night)
    await _attempts_are_within_the_rules(night, found)
    await _nobody_is_held_up(night)
    computed_twice = await _store_is_right(night, found)
    left = [path.name for path in night.place.iterdir()]
    assert left == [], f"work folders are left: {left}"
    states = Counter(status.state for status in found.values())
    ends = (OrderState.DONE, OrderState.FAILED, OrderState.CANCELLED)
    return Figures(
        seed=night.seed,
        kills=tuple(night.kills[kind] for kind in ("worker", "engine", "server", "postman")),
        ended=tuple(states[end] for end in ends),
        recomputed=sum(status.starts > 1 for status in found.values()),
        most_starts=max(status.starts for status in found.values()),
        computed_twice=computed_twice,
        delivered_twice=delivered_twice,
        lost=len(lost),
        longest_pickup_s=night.longest_pickup_s,
        took_s=took_s,
    )


def _ended_rightly(name: str, status: Status, *, is_unwanted: bool) -> None:
    """In one of three ways, and cancelled only if that was wanted."""
    match status.state:
        case OrderState.DONE:
            assert status.error is None
            assert status.video().key.startswith(f"results/{name}/")
        case OrderState.FAILED:
            assert status.error is not None, f"{name} failed without a reason"
        case OrderState.CANCELLED:
            assert is_unwanted, f"{name} was cancelled, and nobody wanted that"
        case _:
            message = f"{name} has not ended: {status}"
            raise AssertionError(message)


def _delivered_rightly(night: Night, statuses: dict[str, Status]) -> int:
    """How many were delivered twice, each because of a death between sending and its receipt."""
    events = defaultdict(list)
    for line in chat_of(night.chat):
        events[line["delivery"]].append(line)
    by_order = defaultdict(list)
    for delivery, lines in events.items():
        by_order[lines[0]["order"]].append(delivery)
    twice = 0
    for name, status in statuses.items():
        deliveries = by_order.pop(name, [])
        if status.finished_s is None:
            # It was removed while it waited; whoever cancelled it has seen so.
            assert not deliveries, f"{name} was removed and delivered"
            continue
        finished = Finished(status.ref, round(status.finished_s * 1000))
        assert deliveries == [DeliveryJob.of(finished).delivery_id], f"{name}: {deliveries}"
        lines = events[deliveries[0]]
        # A second message is right only where nobody had noted that the first one had arrived.
        words = " ".join(line["event"] for line in lines)
        assert re.fullmatch(r"sent( sent)*( noted)+", words), f"{name}: {words}"
        assert {line["state"] for line in lines} == {status.state}, f"{name}: {lines}"
        twice += words.count("sent") > 1
    assert not by_order, f"delivered, and never ordered: {dict(by_order)}"
    return twice


async def _nothing_waits(night: Night) -> None:
    """Nothing is left in the queues, and no lock."""
    client = night.queues.client
    for queue in (*night.queues.engine_queues, MEDIA, DELIVER):
        counts = (await night.queues.statistics(queue)).counts
        left = {
            state: counts[state]
            for state in ("active", "wait", "prioritized", "delayed")
            if counts[state]
        }
        assert not left, f"{queue}: {left}"
        locks = await client.keys(f"{prefix_of(queue)}*:lock")
        assert not locks, f"{queue}: {locks}"
        assert not await client.smembers(f"{prefix_of(queue)}stalled"), f"{queue}: stalled ones"
        assert counts["failed"] == 0 or queue != DELIVER, "a delivery failed"


async def _attempts_are_within_the_rules(night: Night, statuses: dict[str, Status]) -> None:
    for name, status in statuses.items():
        row = await night.queues.client.hmget(status.ref.key, ("atm", "stc"))
        attempts, stalls = (int(number or 0) for number in row)
        assert attempts <= ATTEMPTS, f"{name}: {attempts} attempts"
        assert stalls <= WorkRules().most_stalls + 1, f"{name}: {stalls} stalls"


async def _nobody_is_held_up(night: Night) -> None:
    """No open set has a member that counts, and no order is still being taken."""
    client = night.queues.client
    for person in {order.person for order in night.accepted.values()}:
        for key in map(str, await client.zrange(open_key(person), 0, -1)):
            is_open = await client.exists(key) and not await client.hexists(key, "finishedOn")
            assert not is_open, f"{key!r} is still open"
    for taking in await client.keys("animato:taking:*"):
        # One whose time has just run out tells -2.
        assert await client.pttl(taking) != -1, f"{taking!r} stays for ever"
    # Hashes of jobs that nobody would ever remove.
    (queue,) = night.queues.engine_queues
    prefix = prefix_of(queue)
    known = {
        *await client.zrange(f"{prefix}completed", 0, -1),
        *await client.zrange(f"{prefix}failed", 0, -1),
    }
    jobs = {str(key).removeprefix(prefix) for key in await client.keys(f"{prefix}c*-7-*")}
    assert jobs == known, f"jobs in no queue: {jobs - known}, without a job: {known - jobs}"


async def _store_is_right(night: Night, statuses: dict[str, Status]) -> int:
    """How many orders were computed to the end more than once; then all goes with its time."""
    store, now = night.store, time.time()
    keys = [file.key async for file in store.listing("results") if file.key.endswith(".mp4")]
    uploads = Counter(key.split("/")[1] for key in keys)
    retention = Retention(night.queues.client, store, input_s=_HOUR_S, result_s=_HOUR_S)
    winners = set()
    for name, status in statuses.items():
        key = status.video().key if status.state is OrderState.DONE else ""
        winners |= {key} - {""}
        await retention.record_delivery(name, now, key)
    assert {file.key async for file in store.listing("results")} == winners
    path = night.folder / "video.mp4"
    for name, status in statuses.items():
        if status.state is OrderState.DONE:
            await store.fetch(status.video().key, path)
            assert path.stat().st_size == status.video().size_bytes, name
            with ClipReader(path) as frames:
                assert sum(1 for _ in frames) == FRAMES, name
    later = now + 100 * _HOUR_S
    await retention.sweep(later)
    await retention.sweep_leaks(later, _none_is_known)
    left = [path.name for path in Path(store.place).rglob("*") if path.is_file()]
    assert not left, f"files are left in the store: {left}"
    return sum(count > 1 for count in uploads.values())


async def _none_is_known(orders: Sequence[str]) -> list[bool]:
    """After so long, nothing is stored of any order."""
    return [False for _ in orders]
