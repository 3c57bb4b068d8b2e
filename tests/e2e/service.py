"""The whole service as its owner runs it: bot and worker are processes, which tests kill.

The sandbox stands for Telegram and lives in the test's own process; the Redis server is the
one that `animato up` brings, which is started again when it dies.
"""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
from av.audio.frame import AudioFrame

from bot.drafts.draft_store import draft_id_of
from bot.people import People
from jobs.orders import OrderState, order_id
from jobs.queues.delivery_records import UNCERTAIN_S, DeliveryRecord
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.keys import (
    DELIVER,
    INTAKE,
    LOOK,
    OPEN_CARDS,
    JobRef,
    engine_queue,
    prefix_of,
)
from jobs.queues.order_logs import OrderLogs
from jobs.queues.queues import Queues
from jobs.queues.status import Status
from jobs.redis_server.server import RedisServer
from jobs.templates import SHIPPED_TEMPLATES
from sandbox.server import Sandbox
from tests.e2e.conftest import clean_environment
from tests.e2e.service_secrets import S3_SECRET, WEBHOOK_SECRET, secrets_of, told
from tests.e2e.whole_service import Chatter, portrait
from tests.integration.sandbox.desk import ADMIN, Desk

PATIENCE_S = 180.0
_ASK_S = 0.02
_SOUND_RATE_HZ = 48_000
SHOW_ALL = "Show me all"
Message = dict[str, Any]


class Program:
    """One of `animato`'s programs as a process that can be killed and started again.

    Args:
        words: after `animato`.
        environment: all that it gets.
        folder: where it runs, and its log lies.
    """

    def __init__(self, words: tuple[str, ...], environment: dict[str, str], folder: Path) -> None:
        self._words = words
        self._environment = environment
        self._folder = folder
        self._process: Process | None = None

    @property
    def log(self) -> str:
        """What all its runs have said."""
        return self._log_file.read_text("utf-8", "replace")

    @property
    def temporary(self) -> Path:
        """Where its temporary files lie."""
        return Path(self._environment["TMPDIR"])

    @property
    def _log_file(self) -> Path:
        return self._folder / f"{self._words[0]}.log"

    async def start(self) -> None:
        """Starts it; it need not be up when this returns."""
        with self._log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "animato", *self._words),
                cwd=self._folder,
                env=self._environment,
                stderr=log,
            )

    def freeze(self) -> None:
        """Stops it in the middle of whatever it does."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it go on."""
        self._send(signal.SIGCONT)

    async def kill(self) -> None:
        """Ends it without a word of warning."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Asks it to end; when this returns, it has."""
        self.thaw()
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        self._send(how)
        if self._process is not None:
            await self._process.wait()

    def _send(self, what: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(what)


class Person(Chatter):
    """Somebody who has agreed to the terms."""

    async def card(
        self, photo: Message, words: str = "Which movement?", after: Message | None = None
    ) -> Message:
        """The bot's message with these words that answers a photo, as soon as it is there.

        With `after`, it is below that message: an earlier one may still say the same.
        """
        found: list[Message] = []
        above = after["message_id"] if after else 0

        async def is_there() -> bool:
            found[:] = [
                one
                for one in await self._said()
                if one["reply_to_message"]["message_id"] == photo["message_id"]
                and words in str(one.get("text") or one.get("caption"))
                and one["message_id"] > above
            ]
            return bool(found)

        await until(is_there, f"{words!r}")
        return found[-1]

    async def orders(self, label: str = "Blink", *, engine: str = "still") -> JobRef:
        """Sends a photo and taps on a button of its card; the order."""
        photo = await self.send(portrait())
        card = await self.card(photo)
        if engine == "mesh":
            await self.tap("Sharper", card)
        await self.tap(label, card)
        return order_of(photo, engine="mesh" if label == SHOW_ALL else engine)

    async def count_of_videos(self) -> int:
        """How many videos there are right now."""
        return sum("animation" in one or "video" in one for one in await self._said())


@dataclass(frozen=True)
class Service:
    """Everything, and what can befall it.

    Attributes:
        sandbox: Telegram.
        desk: the persons.
        server: of the queues.
        queues: as the bot has them.
        bot: the bot's program.
        worker: the only worker's.
    """

    sandbox: Sandbox
    desk: Desk
    server: RedisServer
    queues: Queues
    bot: Program
    worker: Program

    async def person(self, name: str) -> Person:
        """Somebody of a test's own."""
        person = (await self.desk.post("persons", first_name=name))["person"]["id"]
        await People(self.queues.client, self.queues.url, frozenset(), is_open=True).agree(person)
        return Person(self.desk, person)

    async def begin(self, *programs: Program) -> None:
        """Starts programs, and returns when they are up."""
        polls = await self._polls()
        for program in programs:
            await program.start()
        if self.bot in programs:
            await until(lambda: self._polls_after(polls), "the bot listens")
        if self.worker in programs:
            await until(self.workers.living, "a worker is there")

    @property
    def workers(self) -> WorkerRegistry:
        """The book of the workers."""
        return WorkerRegistry(self.queues.client)

    async def status(self, ref: JobRef) -> Status:
        """How an order stands."""
        found = await self.queues.status(ref)
        assert found is not None, f"{ref.job_id} was never ordered"
        return found

    async def is_in(self, state: OrderState, ref: JobRef) -> None:
        """Waits until an order is in a state."""

        async def holds() -> bool:
            status = await self.queues.status(ref)
            return status is not None and status.state is state

        await until(holds, f"{ref.job_id} is {state}")

    async def starts_of(self, ref: JobRef) -> int:
        """How often a worker has begun an order."""
        logs = OrderLogs(self.queues.client)
        lines = await logs.last(ref.job_id, 200)
        return sum(bool(re.search(r"start \d+ by", line)) for line in lines)

    async def has_met(self, method: str) -> None:
        """Waits until no failure of a method is on order any more."""

        async def holds() -> bool:
            faults = (await self.desk.get("fault"))["faults"]
            return all(one["method"] != method for one in faults)

        await until(holds, f"{method} has failed as it should")

    async def all_is_fetched(self) -> None:
        """Waits until Telegram has forgotten every update."""

        async def holds() -> bool:
            return not len(self.sandbox.telegram.updates)

        await until(holds, "the bot has fetched all updates")

    async def has_called(self, method: str, chat: int) -> bool:
        """Whether the bot has called a method for a chat."""
        return any(
            str(call["parameters"].get("chat_id")) == str(chat)
            for call in await self.desk.calls(method)
        )

    async def locks_pass(self, *queues: str) -> None:
        """What killed programs had in hand looks as it does after half a minute."""
        client = self.queues.client
        for queue in queues:
            prefix = prefix_of(queue)
            for job in map(str, await client.lrange(f"{prefix}active", 0, -1)):
                await client.delete(JobRef(queue, job).lock_key)
                await client.sadd(f"{prefix}stalled", job)
            await client.delete(f"{prefix}stalled-check")

    async def doubts_pass(self) -> int:
        """What was being sent a minute ago is sent now; how many deliveries that are."""
        client, found = self.queues.client, 0
        async for key in client.scan_iter("animato:sent:*"):
            mark = DeliveryRecord.read(str(await client.get(key)))
            if mark.message_id is None and mark.since_s:
                earlier = mark.model_copy(update={"since_s": mark.since_s - UNCERTAIN_S})
                await client.set(key, earlier.to_json(), keepttl=True)
                found += 1
        await self.pauses_pass(DELIVER)
        return found

    async def pauses_pass(self, queue: str) -> None:
        """What is to be tried again later is tried now."""
        client, prefix = self.queues.client, prefix_of(queue)
        for job in map(str, await client.zrange(f"{prefix}delayed", 0, -1)):
            await client.zadd(f"{prefix}delayed", {job: 0}, xx=True)
        await client.zadd(f"{prefix}marker", {"0": 0})

    async def left(self) -> dict[str, int]:
        """What somebody still has to do: jobs by queue, updates and cards."""
        client, found = self.queues.client, {}
        for queue in (INTAKE, LOOK, DELIVER, *await self.queues.known_engine_queues()):
            counts = (await self.queues.statistics(queue)).counts
            found[queue] = sum(counts[one] for one in ("active", "wait", "prioritized", "delayed"))
        found["cards"] = await client.scard(OPEN_CARDS)
        async for key in client.scan_iter("animato:inbox:*"):
            is_inbox = await client.type(key) == "stream"
            found[key] = await client.xlen(key) if is_inbox else 1
        return {what: count for what, count in found.items() if count}

    async def _polls(self) -> int:
        return int((await self.desk.get("calls"))["polls"])

    async def _polls_after(self, polls: int) -> bool:
        return await self._polls() > polls


def order_of(photo: Message, number: int = 1, engine: str = "still") -> JobRef:
    """The order that a tap under a photo's card makes."""
    chat = photo["chat"]["id"]
    name = order_id(chat, draft_id_of(chat, photo["message_id"]), number)
    return JobRef(engine_queue(engine), name)


async def until(holds: Callable[[], Any], what: str) -> None:
    """Returns when a coroutine says that it holds."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await holds():
                await asyncio.sleep(_ASK_S)
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None


@asynccontextmanager
async def service(
    folder: Path, *, engines: str = "mesh,still", code: Path | None = None, **settings: str
) -> AsyncIterator[Service]:
    """Everything at work; nothing of it outlives the block, and no secret is in its logs.

    Args:
        folder: for all files.
        engines: what the worker offers.
        code: a folder of packages that the worker imports instead of ours.
        settings: besides those that it needs, for bot and worker.
    """
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox())
        server = await stack.enter_async_context(RedisServer(folder))
        queues = await stack.enter_async_context(Queues(server.url))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        environment = {
            **clean_environment(folder),
            "ANIMATO_REDIS_URL": server.url,
            "ANIMATO_STORE_URL": str(folder / "files"),
            "ANIMATO_DATA_DIR": str(folder),
            "ANIMATO_BOT_TOKEN": sandbox.token,
            "ANIMATO_BOT_API_URL": sandbox.url,
            "ANIMATO_ADMINS": str(ADMIN),
            "ANIMATO_OPEN": "true",
            "ANIMATO_MIN_FREE_GB": "0",
            "ANIMATO_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "AWS_SECRET_ACCESS_KEY": S3_SECRET,
            **settings,
        }
        worker = ("worker", "--device", "cpu", "--engines", engines)
        path = f"{code}{os.pathsep}{environment['PYTHONPATH']}" if code else ""
        found = Service(
            sandbox=sandbox,
            desk=Desk(session, sandbox.url),
            server=server,
            queues=queues,
            bot=Program(("bot",), environment, folder),
            worker=Program(worker, environment | ({"PYTHONPATH": path} if path else {}), folder),
        )
        try:
            await found.begin(found.bot, found.worker)
            yield found
        finally:
            with suppress(ProcessLookupError):
                await found.worker.stop()
            await found.bot.stop()
        assert told(secrets_of(sandbox, folder), found.bot.log, found.worker.log) == set()


def face_with_sound() -> bytes:
    """A movement of the shipped ones, 3 s long, with a tone."""
    file = BytesIO()
    with av.open(str(SHIPPED_TEMPLATES / "blink.mp4")) as source, av.open(file, "w", "mp4") as clip:
        (picture,) = source.streams.video
        video = clip.add_stream_from_template(picture)
        sound = clip.add_stream("aac", rate=_SOUND_RATE_HZ)
        for packet in source.demux(picture):
            if packet.dts is not None:
                packet.stream = video
                clip.mux(packet)
        times = np.arange(3 * _SOUND_RATE_HZ) / _SOUND_RATE_HZ
        wave = (0.2 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
        tone = AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        tone.sample_rate, tone.time_base = _SOUND_RATE_HZ, Fraction(1, _SOUND_RATE_HZ)
        clip.mux(sound.encode(tone))
        clip.mux(sound.encode(None))
    return file.getvalue()
