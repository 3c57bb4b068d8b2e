"""A night in half a minute: orders come in twice, are cancelled, and everything is killed.

    run(seed, folder)    orders, sheets -> three agents -> postman; kills meanwhile; then all is
                         looked at
    chaos_programs.py    what is killed and started again
    chaos_verdict.py     what must hold afterwards, and the figures

Agents, their engine processes, the postman and the server are processes that end by kill -9 and are
started again. A seed fixes what is ordered, cancelled and killed in which order; when exactly each
kill strikes, it does not.
"""

import asyncio
import os
import random
import signal
import time
import uuid
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from redis.asyncio import Redis

from inference.process.setup import EngineSetup
from jobs.connection import connect
from jobs.media_jobs import MediaJob
from jobs.media_tasks import DrawSheet
from jobs.orders import Order
from jobs.queues.admission import MEDIA_LIMITS, OrderLimits
from jobs.queues.keys import DELIVER, JobRef, engine_queue, prefix_of
from jobs.queues.outcomes import CancelOutcome
from jobs.queues.queues import Queues
from jobs.queues.status import Status
from jobs.redis_server.server import RedisServer, ServerTimeouts
from jobs.service_errors import QueueUnavailable, TooManyOpenOrders
from jobs.store.files import FileStore
from jobs.tasks import end_tasks
from jobs.templates import SHIPPED_TEMPLATES
from jobs.wish import Movement
from tests.integration.inference.conftest import FACE_BOX, HEAD
from tests.integration.jobs.hand import make_order
from tests.integration.worker.chaos_programs import nothing_runs, program_of
from tests.integration.worker.chaos_verdict import Figures, Night, chat_of, check
from tests.integration.worker.conftest import engine_processes, tried_soon

MARK = "ANIMATED_CHAOS"
ENGINE = "restless"
LOCK_S = 3.0
ORDERS, PERSONS, AGENTS = 80, 8, 3
LIMITS = OrderLimits(open_orders=6, per_day=0, queue=0)
REPEATED, HALF_TAKEN, CANCELLED = 0.3, 0.1, 0.1  # of the orders
ORDERED_WITHIN_S = 12.0
KILLS, KILL_EVERY_S = 13, (0.8, 2.0)
VICTIMS = {"worker": 5, "engine": 4, "server": 4, "postman": 2}  # and how often, as weights
PATIENCE_S = 300.0  # with a night; the machine may have other things to do
UNTIRING = ServerTimeouts(pause_limit_s=1.0, deaths=1000)
PHOTO = "looks/7/photo.png"

# Beside the little that `still` does, an order takes up to 0.6 s.
_SOURCE = """
import random, time
from inference.engines.still import StillEngine

class RestlessEngine(StillEngine):
    name = "restless"

    def animate(self, driving, motion):
        pause_s = random.uniform(0.05, 0.6) / 10
        yield [self._photo]
        for _ in range(10):
            time.sleep(pause_s)
            yield [self._photo]
        yield [self._photo] * (motion.frame_count - 11)

ENGINE = RestlessEngine
"""


@dataclass(frozen=True)
class Wish:
    """What a person does.

    Attributes:
        order: is ordered ...
        at_s: ... so long after the beginning, s ...
        cancelled_s: ... and cancelled so long after that; None: it is not.
        is_repeated: whether somebody else does the same, as when an update comes twice.
        is_half_taken: whether who takes the order dies once between admitting and adding it.
    """

    order: Order
    at_s: float
    cancelled_s: float | None = None
    is_repeated: bool = False
    is_half_taken: bool = False


@dataclass
class Interrupted:
    """Orders that ran when something was killed: since when, and which start of theirs that was."""

    since: dict[str, tuple[int, float]] = field(default_factory=dict)
    longest_s: float = 0.0


class Chaos:
    """One night.

    Args:
        seed: of what happens.
        folder: an empty one.
        server: started.
        queues: on it.
    """

    def __init__(self, seed: int, folder: Path, server: RedisServer, queues: Queues) -> None:
        self.night = Night(seed, folder, queues, FileStore.open(str(folder / "store")))
        self._random = random.Random(seed)
        self._server = server
        self._queues = queues
        self._interrupted = Interrupted()
        self._is_over = asyncio.Event()
        setup = EngineSetup(
            templates_dir=SHIPPED_TEMPLATES,
            checkpoints_dir=folder / "weights",
            device="cpu",
            is_offline=True,
            further_engines=folder,
        )
        agent = {
            "url": server.url,
            "store": self.night.store.place,
            "place": str(self.night.place),
            "setup": setup.model_dump(mode="json"),
            "lock_s": LOCK_S,
            "engines": [ENGINE],
        }
        postman = {
            "url": server.url,
            "engine": ENGINE,
            "chat": str(self.night.chat),
            "seed": seed,
            "lock_s": LOCK_S,
        }
        self._agents = [
            program_of("program", agent, folder / f"agent-{number}.log")
            for number in range(1, AGENTS + 1)
        ]
        self._postman = program_of("postman", postman, folder / "postman.log")

    async def happen(self) -> None:
        """Everything, to the end: all orders ended and delivered, all programs gone."""
        watching = connect(self._server.url, is_worker=True)
        programs = [*self._agents, self._postman]
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._put_photo()
            await asyncio.gather(*(program.start() for program in programs))
            tasks = [
                asyncio.create_task(self._pass(watching)),
                asyncio.create_task(self._watch(watching)),
            ]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await end_tasks(tasks)
            codes = await asyncio.gather(*(program.end() for program in programs))
            # Who has only just been started ends before it can be polite.
            assert set(codes) <= {0, -signal.SIGTERM}, f"programs ended with {codes}"
        finally:
            await end_tasks(tasks)
            await asyncio.gather(*(program.kill() for program in programs))
            await watching.aclose()
        self.night.longest_pickup_s = self._interrupted.longest_s

    async def _pass(self, client: Redis) -> None:
        """Returns when all orders have ended and are delivered."""
        wishes = self._wishes()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill(client))
            async with asyncio.TaskGroup() as people:
                for wish in wishes:
                    people.create_task(self._order(wish))
            await self._all_ended()
            # What is killed from now on strikes deliveries only, and there were enough of those.
            self._is_over.set()
        await self._all_delivered()

    async def _put_photo(self) -> None:
        photo = self.night.folder / "photo.png"
        Image.fromarray(HEAD).save(photo)
        await self.night.store.put(PHOTO, photo)
        (self.night.folder / f"{ENGINE}.py").write_text(_SOURCE)

    # --- people -----------------------------------------------------------------------------------

    def _wishes(self) -> list[Wish]:
        choose = self._random
        found = []
        for number in range(ORDERS):
            order = make_order(
                2 + number % PERSONS,
                1 + number // PERSONS,
                engine=ENGINE,
                face_box=FACE_BOX,
                motion=Movement(template="blink"),
            )
            wish = Wish(
                order,
                at_s=choose.uniform(0, ORDERED_WITHIN_S),
                cancelled_s=choose.uniform(0, 6) if choose.random() < CANCELLED else None,
                is_half_taken=choose.random() < HALF_TAKEN,
            )
            found.append(wish)
            if choose.random() < REPEATED:
                at_s = wish.at_s + choose.choice((0.0, choose.uniform(0, 5)))
                found.append(Wish(order, at_s, is_repeated=True))
        return found

    async def _ask_for_sheet(self, person: int) -> None:
        """Add a small job beside the orders, once although it is sent twice."""
        task = DrawSheet(pictures=(None,))
        job = MediaJob(job_id=f"sheet-{person}", person=person, chat=person, task=task)
        sent = 0
        while sent < 2:
            try:
                await self._queues.send(job.ref, job, person, MEDIA_LIMITS)
                sent += 1
            except QueueUnavailable:
                await asyncio.sleep(0.3)
        self.night.sheets[job.job_id] = job

    async def _order(self, wish: Wish) -> None:
        order = wish.order
        await asyncio.sleep(wish.at_s)
        if order.number == 2 and not wish.is_repeated:
            await self._ask_for_sheet(order.person)
        if wish.is_half_taken:
            with suppress(QueueUnavailable, TooManyOpenOrders):
                request = self._queues.request_of(order)
                await self._queues.admission.admit(request, LIMITS, time.time())
        while True:
            try:
                submitted = await self._queues.submit(order)
                break
            except (TooManyOpenOrders, QueueUnavailable):
                await asyncio.sleep(0.3)
        self.night.accepted[order.order_id] = order
        if wish.is_repeated:
            return
        if not submitted.status.state.is_final:
            await tried_soon(self._queues.client, order.ref)
        if wish.cancelled_s is not None:
            self.night.unwanted.add(order.order_id)
            await asyncio.sleep(wish.cancelled_s)
            while not await self._cancelled(order):
                await asyncio.sleep(0.3)

    async def _cancelled(self, order: Order) -> bool:
        """Whether the wish to cancel an order was heard."""
        with suppress(QueueUnavailable):
            assert await self._queues.cancel(order.ref) is not CancelOutcome.UNKNOWN, order
            return True
        return False

    # --- death ------------------------------------------------------------------------------------

    async def _kill(self, client: Redis) -> None:
        kinds, weights = list(VICTIMS), list(VICTIMS.values())
        plan = self._random.choices(kinds, weights, k=KILLS)
        agents = [self._random.randrange(AGENTS) for _ in plan]
        pauses = [self._random.uniform(*KILL_EVERY_S) for _ in plan]
        # Who is killed while it starts is no loss to anybody.
        while not (await self._queues.statistics(engine_queue(ENGINE))).counts["completed"]:
            await asyncio.sleep(0.1)
        for kind, number, pause_s in zip(plan, agents, pauses, strict=True):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_over.wait(), pause_s)
            if self._is_over.is_set():
                return
            if await self._kill_one(kind, number, client):
                self.night.kills[kind] += 1

    async def _kill_one(self, kind: str, number: int, client: Redis) -> bool:
        """Whether there was somebody to kill.

        Args:
            kind: of whom.
            number: of the agent that it strikes, unless that has no work and another one has.
            client: tells what is running.
        """
        circle = self._agents[number:] + self._agents[:number]
        agent = next((one for one in circle if engine_processes(one.pid)), circle[0])
        if kind == "server":
            try:
                os.kill(self._server.pid, signal.SIGKILL)
            except LookupError:
                return False  # it is just being started again
        elif kind == "postman":
            await self._postman.kill()
            await self._postman.start()
        elif kind == "worker":
            await self._note_running(client)
            await agent.kill()
            await agent.start()
        else:
            await self._note_running(client)
            engines = engine_processes(agent.pid)
            for pid in engines:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return bool(engines)
        return True

    async def _note_running(self, client: Redis) -> None:
        prefix = prefix_of(engine_queue(ENGINE))
        for name in map(str, await client.lrange(f"{prefix}active", 0, -1)):
            starts = int(await client.hget(f"{prefix}{name}", "ats") or 0)
            # One that was interrupted and has not been taken since is interrupted still.
            if self._interrupted.since.get(name, (-1, 0.0))[0] != starts:
                self._interrupted.since[name] = (starts, time.time())

    async def _watch(self, client: Redis) -> None:
        """Sees that all programs live, and how long interrupted orders wait to be begun again."""
        interrupted, queue = self._interrupted, engine_queue(ENGINE)
        while True:
            for program in (*self._agents, self._postman):
                program.check()
            for name, (starts, since_s) in list(interrupted.since.items()):
                key = JobRef(queue, name).key
                row = await client.hmget(key, ("ats", "processedOn", "finishedOn"))
                if int(row[0] or 0) > starts:
                    waited_s = int(row[1] or 0) / 1000 - since_s
                    interrupted.longest_s = max(interrupted.longest_s, waited_s)
                if int(row[0] or 0) > starts or row[0] is None or row[2] is not None:
                    del interrupted.since[name]
            await asyncio.sleep(0.1)

    # --- the morning ------------------------------------------------------------------------------

    async def _statuses(self) -> dict[str, Status | None]:
        found: dict[str, Status | None] = {}
        for name, order in self.night.accepted.items():
            found[name] = await self._queues.status(order.ref)
        for name, job in self.night.sheets.items():
            found[name] = await self._queues.status(job.ref)
        return found

    async def _all_ended(self) -> None:
        while True:
            statuses = await self._statuses()
            # One that is not known any more is lost, and not waited for.
            if all(status is None or status.state.is_final for status in statuses.values()):
                return
            await asyncio.sleep(0.2)

    async def _all_delivered(self) -> None:
        statuses = await self._statuses()
        expected = {
            name for name, status in statuses.items() if status and status.finished_s is not None
        }
        while True:
            noted = {line["order"] for line in chat_of(self.night.chat) if line["event"] == "noted"}
            counts = (await self._queues.statistics(DELIVER)).counts
            left = sum(counts[state] for state in ("active", "wait", "prioritized", "delayed"))
            if expected <= noted and not left:
                return
            await asyncio.sleep(0.2)


async def run(seed: int, folder: Path) -> Figures:
    """The figures of a night.

    Args:
        seed: of what happens.
        folder: an empty one with a short path, for a socket lies in it.

    Raises:
        AssertionError: something did not hold.
    """
    begun_s = time.monotonic()
    mark = os.environ[MARK] = uuid.uuid4().hex
    try:
        async with AsyncExitStack() as stack:
            server = RedisServer(folder / "data", timeouts=UNTIRING)
            await stack.enter_async_context(server)
            queues = await stack.enter_async_context(Queues(server.url, [ENGINE], LIMITS))
            chaos = Chaos(seed, folder, server, queues)
            async with asyncio.timeout(PATIENCE_S):
                await chaos.happen()
            figures = await check(chaos.night, time.monotonic() - begun_s)
        await nothing_runs(f"{MARK}={mark}")
    finally:
        del os.environ[MARK]
    return figures
