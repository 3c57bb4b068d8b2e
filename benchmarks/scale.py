"""Queues at scale: the real admission and the real order of starts, in virtual time.

    python -m benchmarks.scale                 10,000 orders of 500 people within a week
    python -m benchmarks.scale --people        how many people a machine serves
    python -m benchmarks.scale --seed 2 --workers 4 --loads 1,1.5

Orders are admitted by `admit.lua`, added, taken and finished by BullMQ's scripts, on an embedded
Valkey. Only the work and the clock are simulated, so the same seed gives the same table, apart from
the seconds in its last column. Limits are the defaults. Somebody with too many open orders tries
again when one of them has ended, for two hours; other refusals are final.
"""

import argparse
import asyncio
import heapq
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from benchmarks.demand import PEAK_SHARE, Arrival, Demand, arrivals_of, heavy_people, mean_frames
from jobs.connection import connect
from jobs.queues.admission import NO_LIMITS, Admission, OrderLimits, Request
from jobs.queues.bullmq_types import JobQueue, open_queue, open_worker
from jobs.queues.keys import engine_queue
from jobs.redis_server.server import RedisServer
from jobs.service_errors import QueueFull, TooManyOpenOrders, TooManyOrdersToday

_QUEUE = engine_queue("mesh")
_BEGIN_S = 1_800_000_000.0  # the virtual time at which everything begins, a midnight
_PATIENCE_S = 2 * 3600.0
_LOCK_MS = 3_600_000  # real time: no lock expires while a table is made
_STARTS_EACH = 10  # of a person, in a window of the fairness index
WORKERS = (1, 2, 4, 8, 32)
LOADS = (0.7, 1.0, 3.0)
TARGET_S = 120.0  # the wait that 95 % of the orders should not exceed, for `--people`
# Seconds per frame, from docs/performance.md; a worker each on two cores of a CPU.
SPEEDS = {"mesh": 0.028, "fomm": 0.106, "liveportrait": 2.258}


@dataclass(frozen=True)
class Scenario:
    """Who orders how much, and who works on it.

    Attributes:
        demand: the orders.
        workers: how many there are.
        frame_s: what a frame takes, s.
        limits: of admission.
    """

    demand: Demand
    workers: int
    frame_s: float
    limits: OrderLimits = field(default_factory=OrderLimits)

    @property
    def load(self) -> float:
        """The work that is ordered in the busiest hours, relative to what can be done."""
        peak_s = self.demand.orders_per_day * PEAK_SHARE * mean_frames() * self.frame_s
        return peak_s / (3600 * self.workers)

    @classmethod
    def of_load(cls, demand: Demand, workers: int, load: float, **rest: Any) -> "Scenario":
        """Return the scenario whose machines have the speed that makes this load."""
        return cls(demand, workers, load / cls(demand, workers, 1.0).load, **rest)


@dataclass(frozen=True)
class Start:
    """An order that was started.

    Attributes:
        person: who pays for it.
        at_s: when, s.
        wait_s: how long it had waited since it was accepted.
        passed: how many orders were started meanwhile.
    """

    person: int
    at_s: float
    wait_s: float
    passed: int


@dataclass
class Outcome:
    """What came of a scenario.

    Attributes:
        starts: the orders that were accepted, in the order of their starts.
        ends_s: when orders were done.
        refused: how many orders were not accepted, by reason.
        fairness: Jain's index of each window, and the number of people in it.
        operations: Redis commands, those inside scripts included.
        wall_s: how long the simulation took.
    """

    starts: list[Start] = field(default_factory=list)
    ends_s: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    fairness: list[tuple[float, int]] = field(default_factory=list)
    operations: int = 0
    wall_s: float = 0.0

    def jain(self) -> float | None:
        """Return Jain's index, the mean over the windows weighted by people; None without any."""
        weight = sum(people for _, people in self.fairness)
        return sum(one * people for one, people in self.fairness) / weight if weight else None

    def per_busy_hour(self) -> float:
        """Return how many orders are done in a busiest hour, the mean over the days."""
        busy = Counter(int(at_s // 86_400) for at_s in self.ends_s if int(at_s // 3600) % 24 == 20)
        return sum(busy.values()) / max(1, len(busy))


def jain_index(shares: list[float]) -> float:
    """Return (sum x)^2 / (n sum x^2): 1 if all shares are equal, 1/n if one person has all."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0


class _Fairness:
    """Jain's index over the work begun for each person who waits during all of a window.

    A window lasts until these people have had ten starts each on average. Whoever has no waiting
    order any more leaves it.
    """

    def __init__(self) -> None:
        self.found: list[tuple[float, int]] = []
        self._waiting: Counter[int] = Counter()
        self._work: dict[int, float] = {}
        self._starts = 0

    def add(self, person: int) -> None:
        self._waiting[person] += 1

    def begin(self, person: int, cost_s: float) -> None:
        if person in self._work:
            self._work[person] += cost_s
            self._starts += 1
        self._waiting[person] -= 1
        if not self._waiting[person]:
            del self._waiting[person]
            self._work.pop(person, None)
        if len(self._work) < 2:
            self._open()
        elif self._starts >= _STARTS_EACH * len(self._work):
            self.found.append((jain_index(list(self._work.values())), len(self._work)))
            self._open()

    def _open(self) -> None:
        self._work, self._starts = dict.fromkeys(self._waiting, 0.0), 0


class _Simulation:
    """Plays a scenario on an empty Redis."""

    def __init__(self, scenario: Scenario, client: Redis) -> None:
        self._scenario = scenario
        self._admission = Admission(client)
        self._queue: JobQueue = open_queue(_QUEUE, client)
        self._client = client
        self._taker: Any = open_worker(_QUEUE, _no_work, client, {"lockDuration": _LOCK_MS})
        self._idle = list(range(scenario.workers))
        self._waiting: dict[str, tuple[Arrival, float, int]] = {}
        self._postponed: dict[int, deque[Arrival]] = defaultdict(deque)
        self._events: list[tuple[float, int, Any]] = []
        self._numbers = count()
        self._fairness = _Fairness()
        self.outcome = Outcome(fairness=self._fairness.found)

    async def run(self, arrivals: Sequence[Arrival]) -> Outcome:
        began_s = time.perf_counter()
        before = await count_commands(self._client)
        for arrival in arrivals:
            self._push(arrival.at_s, partial(self._arrive, arrival))
        while self._events:
            at_s, _, happen = heapq.heappop(self._events)
            await happen(at_s)
        self.outcome.operations = await count_commands(self._client) - before
        self.outcome.wall_s = time.perf_counter() - began_s
        return self.outcome

    def _push(self, at_s: float, happen: Any) -> None:
        heapq.heappush(self._events, (at_s, next(self._numbers), happen))

    async def _arrive(self, arrival: Arrival, now_s: float) -> None:
        cost_s = arrival.frames * self._scenario.frame_s
        request = Request(_QUEUE, f"o{arrival.number}", arrival.person, cost_s)
        try:
            priority = await self._admission.admit(
                request, self._scenario.limits, _BEGIN_S + now_s, [_QUEUE]
            )
        except TooManyOpenOrders:
            if now_s - arrival.at_s < _PATIENCE_S:
                self._postponed[arrival.person].append(arrival)
            else:
                self.outcome.refused["open"] += 1
            return
        except TooManyOrdersToday:
            self.outcome.refused["day"] += 1
            return
        except QueueFull:
            self.outcome.refused["full"] += 1
            return
        name, data = f"{arrival.frames} frames", {"order_id": request.job_id}
        await self._queue.add(name, data, {"jobId": request.job_id, "priority": priority})
        self._waiting[request.job_id] = (arrival, now_s, len(self.outcome.starts))
        self._fairness.add(arrival.person)
        if self._idle:
            await self._start(self._idle.pop(), now_s)

    async def _start(self, worker: int, now_s: float) -> None:
        number = len(self.outcome.starts)
        job = await self._taker.moveToActive(f"{worker}:{number}")
        arrival, accepted_s, begun = self._waiting.pop(job.id)
        self.outcome.starts.append(Start(arrival.person, now_s, now_s - accepted_s, number - begun))
        cost_s = arrival.frames * self._scenario.frame_s
        self._fairness.begin(arrival.person, cost_s)
        self._push(now_s + cost_s * arrival.surprise, partial(self._end, worker, job, arrival))

    async def _end(self, worker: int, job: Any, arrival: Arrival, now_s: float) -> None:
        await job.moveToCompleted({}, job.token)
        self.outcome.ends_s.append(now_s)
        if self._waiting:
            await self._start(worker, now_s)
        else:
            self._idle.append(worker)
        if self._postponed[arrival.person]:
            await self._arrive(self._postponed[arrival.person].popleft(), now_s)


async def _no_work(job: Any, token: str, signal: Any) -> None:
    """BullMQ's worker needs a processor; jobs are taken by hand."""


async def count_commands(client: Redis) -> int:
    """Return how many commands Redis has executed, those inside scripts included."""
    stats = await client.info("commandstats")
    return sum(one["calls"] for one in stats.values())


async def simulate(
    scenario: Scenario, client: Redis, arrivals: Sequence[Arrival] | None = None
) -> Outcome:
    """Play a scenario on an empty Redis, which is not empty afterwards.

    Args:
        scenario: workers, speed and limits.
        client: of Redis.
        arrivals: the orders; None: those of the scenario's demand.
    """
    chosen = arrivals_of(scenario.demand) if arrivals is None else arrivals
    return await _Simulation(scenario, client).run(chosen)


def alone(scenario: Scenario, arrivals: Sequence[Arrival] | None = None) -> Outcome:
    """Play a scenario on a Valkey of its own; see `simulate`."""

    async def play() -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            async with RedisServer(Path(folder)) as server:
                client = connect(server.url, is_worker=False)
                try:
                    return await simulate(scenario, client, arrivals)
                finally:
                    await client.aclose()

    return asyncio.run(play())


# --- tables ---------------------------------------------------------------------------------------


def percentile(values: list[float], share: float) -> float:
    """Return the least value that `share` of the values do not exceed; 0 without any."""
    return sorted(values)[max(0, -int(-len(values) * share // 1) - 1)] if values else 0.0


def _waits(scenario: Scenario, outcome: Outcome) -> tuple[list[float], list[float]]:
    """Return how long the orders of light and of heavy people waited, s."""
    heavy = heavy_people(scenario.demand)
    light = [one.wait_s for one in outcome.starts if one.person not in heavy]
    return light, [one.wait_s for one in outcome.starts if one.person in heavy]


def _cells(scenario: Scenario, outcome: Outcome) -> Iterator[str]:
    has_limits = scenario.limits != NO_LIMITS
    yield f"{scenario.workers}" if has_limits else f"{scenario.workers}, no limits"
    yield f"{scenario.load:.2f}"
    yield f"{mean_frames() * scenario.frame_s:.0f} s"
    yield f"{outcome.per_busy_hour():.0f}"
    for waits in _waits(scenario, outcome):
        yield " / ".join(_short(percentile(waits, share)) for share in (0.5, 0.95, 1.0))
    jain = outcome.jain()
    yield "-" if jain is None else f"{jain:.2f} ({len(outcome.fairness)})"
    yield " / ".join(str(outcome.refused[reason]) for reason in ("open", "day", "full"))
    yield f"{outcome.operations / max(1, len(outcome.ends_s)):.0f}"
    yield f"{outcome.wall_s:.0f} s"


def _short(time_s: float) -> str:
    return f"{time_s:.0f} s" if time_s < 300 else f"{time_s / 60:.0f} min"


_HEAD = (
    *("workers", "load", "an order takes", "orders done in a busiest hour"),
    *("wait of light people: median / 95 % / worst", "of heavy people", "Jain's index (windows)"),
    *("refused: open / day / full", "Redis commands an order", "simulated in"),
)


def table_row(*cells: str) -> None:
    """Print a row of a table in Markdown."""
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def head(*cells: str) -> None:
    """Print the head of such a table."""
    table_row(*cells)
    sys.stdout.write(f"|{'---|' * len(cells)}\n")


def _print_loads(demand: Demand, workers: list[int], loads: list[float], processes: int) -> None:
    scenarios = [Scenario.of_load(demand, many, load) for many in workers for load in loads]
    # What the order of starts does alone.
    few = workers[len(workers) // 2]
    scenarios += [Scenario.of_load(demand, few, load, limits=NO_LIMITS) for load in loads]
    head(*_HEAD)
    with ProcessPoolExecutor(processes) as pool:
        for scenario, outcome in zip(scenarios, pool.map(alone, scenarios), strict=True):
            table_row(*_cells(scenario, outcome))


def _most_people(engine: str, workers: int) -> tuple[str, ...]:
    """Find how many people can be served with 95 % of the orders waiting for at most two minutes.

    Only the orders of the two busiest hours are played. Each person orders three times a day.
    """
    frame_s = SPEEDS[engine]
    per_hour = 3600 * workers / (mean_frames() * frame_s)

    def scenario(people: int) -> Scenario:
        demand = Demand(orders=3 * people, people=people, days=1, seed=1, hours=(19, 21))
        return Scenario(demand, workers, frame_s)

    def is_served(people: int) -> bool:
        waits = [one.wait_s for one in alone(scenario(people)).starts]
        return percentile(waits, 0.95) <= TARGET_S

    low, high = 0, int(1.3 * per_hour / PEAK_SHARE / 3)
    while high - low > max(1, high // 20):
        middle = (low + high) // 2
        low, high = (middle, high) if is_served(middle) else (low, middle)
    load = f"{scenario(low).load:.2f}" if low else "-"
    return engine, str(workers), f"{per_hour:.0f}", str(low), load


def _print_people(workers: list[int], processes: int) -> None:
    cases = [(engine, many) for many in workers for engine in reversed(SPEEDS)]
    head("engine", "workers", "orders an hour", "people a day", "load of the busiest hour")
    with ProcessPoolExecutor(processes) as pool:
        for cells in pool.map(_most_people, *zip(*cases, strict=True)):
            table_row(*cells)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--workers", help="such as 1,2,4")
    parser.add_argument("--loads", help="of the busiest hour, such as 0.7,1.5")
    parser.add_argument("--people", action="store_true", help="how many people are served")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    workers = [int(one) for one in given.workers.split(",")] if given.workers else []
    if given.people:
        _print_people(workers or [1, 2, 4], given.processes)
        return
    loads = [float(one) for one in given.loads.split(",")] if given.loads else list(LOADS)
    demand = Demand(orders=given.orders, people=500, days=7, seed=given.seed)
    _print_loads(demand, workers or list(WORKERS), loads, given.processes)


if __name__ == "__main__":
    main()
