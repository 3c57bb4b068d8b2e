"""The bot: how long people wait for the answer to a tap, for a look, and for a video.

    python -m benchmarks.bot --seconds 30
    python -m benchmarks.bot --flood

Bot and worker run as usual, with the sandbox instead of Telegram, an embedded Valkey and a folder
as file store. 40 people turn the pages of their movements at random moments, which redraws their
cards. Times are taken at the sandbox: from a tap until the bot answers it, and from sending a
photo, or tapping a movement, until the card, or the video, is in the chat; with `--flood`, while
another person sends 300 taps and commands within 10 s, or has just sent 100 photos. The machine's
load is printed before and after them.
"""

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image
from skimage.data import astronaut

from benchmarks.run import CLI, row
from jobs.connection import connect
from jobs.queues.heartbeats import WorkerRegistry
from jobs.redis_server.server import RedisServer
from sandbox.server import Sandbox, SandboxOptions

_ROOT = Path(__file__).parents[1]
PERSONS, TAPS_PER_S = 40, 20
MOVEMENT = "Blink"  # 75 frames
NEXT_PAGE = "▶️"
_FLOOD, _FLOOD_ROUNDS = 100, 3
_UPDATES, _UPDATES_S, _OTHERS, _PACE_S = 300, 10.0, 8, 3.0
_ASK_S = 0.02
_PATIENCE_S = 300.0
Message = dict[str, Any]


@dataclass(frozen=True)
class Chat:
    """A person's private chat with the bot."""

    session: aiohttp.ClientSession
    person: int

    async def send(self, photo: bytes) -> Message:
        """Send a photo, and return its message."""
        form = aiohttp.FormData({"user_id": str(self.person), "chat_id": str(self.person)})
        form.add_field("photo", photo, filename="photo.jpg")
        return await self._write(form)

    async def say(self, text: str) -> Message:
        """Write a text, and return its message."""
        form = {"user_id": str(self.person), "chat_id": str(self.person), "text": text}
        return await self._write(aiohttp.FormData(form))

    async def _write(self, form: aiohttp.FormData) -> Message:
        message: Message = (await _post(self.session, "message", form))["message"]
        return message

    async def ask(self, text: str) -> None:
        """Write a text, and wait for the bot's next message."""
        before = len(await self._messages())
        await self.say(text)
        async with asyncio.timeout(_PATIENCE_S):
            while len(await self._messages()) < before + 2:
                await asyncio.sleep(_ASK_S)

    async def tap(self, message: Message, words: str) -> bool:
        """Tap the button whose label contains `words`; return whether the bot answered in 10 s."""
        wish = {
            "user_id": str(self.person),
            "chat_id": str(self.person),
            "message_id": str(message["message_id"]),
            "label": next(label for label in _labels(message) if words in label),
        }
        return (await _post(self.session, "tap", aiohttp.FormData(wish)))["answer"] is not None

    async def shows(self, button: str, count: int = 1) -> Message:
        """Wait until `count` messages have such a button, and return the last one."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                messages = await self._messages()
                found = [one for one in messages if button in " ".join(_labels(one))]
                if len(found) >= count:
                    return found[-1]
                await asyncio.sleep(_ASK_S)

    async def _messages(self) -> list[Message]:
        async with self.session.get(f"/sim/chat/{self.person}") as response:
            messages: list[Message] = (await response.json())["messages"]
        return messages


async def _post(session: aiohttp.ClientSession, act: str, form: aiohttp.FormData) -> Message:
    async with session.post(f"/sim/{act}", data=form) as response:
        response.raise_for_status()
        answer: Message = await response.json()
        return answer


def _labels(message: Message) -> list[str]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for buttons in rows for button in buttons]


def portrait() -> bytes:
    """Return a photo of a person."""
    file = BytesIO()
    Image.fromarray(astronaut()).save(file, "JPEG", quality=95)
    return file.getvalue()


@dataclass(frozen=True)
class Service:
    """A running service.

    Attributes:
        session: for the person side.
        redis_url: the address of its Redis.
        bot: the bot's process id.
    """

    session: aiohttp.ClientSession
    redis_url: str
    bot: int


@asynccontextmanager
async def run_service(
    folder: Path, options: SandboxOptions | None = None, **variables: str
) -> AsyncIterator[Service]:
    """Run bot and worker during the block; `variables` are further settings of theirs."""
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox(options))
        server = await stack.enter_async_context(RedisServer(folder))
        settings = {
            "ANIMATO_REDIS_URL": server.url,
            "ANIMATO_STORE_URL": str(folder / "files"),
            "ANIMATO_DATA_DIR": str(folder),
            "ANIMATO_BOT_TOKEN": sandbox.token,
            "ANIMATO_BOT_API_URL": sandbox.url,
            "ANIMATO_OPEN": "true",
            "ANIMATO_MIN_FREE_GB": "0",
            "PYTHONPATH": str(_ROOT),
            **variables,
        }
        # A request of a tap lasts until its answer: those of one person must not use up a limit.
        connections = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(sandbox.url, connector=connections)
        )
        programs = []
        for words in (("bot",), ("worker", "--device", "cpu")):
            program = await asyncio.create_subprocess_exec(
                *(*CLI, *words),
                cwd=folder,
                env={**os.environ, **settings},
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            programs.append(program)
            stack.push_async_callback(program.wait)
            stack.callback(program.terminate)
        client = connect(server.url, is_worker=False)
        stack.push_async_callback(client.aclose)
        while not await WorkerRegistry(client).living():
            await asyncio.sleep(_ASK_S)
        yield Service(session, server.url, programs[0].pid)


async def agreed(session: aiohttp.ClientSession, photo: bytes) -> Chat:
    """Return a new person who has sent a photo, agreed to the terms, and got the card."""
    form = aiohttp.FormData({"first_name": "Somebody"})
    chat = Chat(session, (await _post(session, "persons", form))["person"]["id"])
    await chat.send(photo)
    terms = await chat.shows("I agree")
    await chat.tap(terms, "I agree")
    await chat.shows(MOVEMENT)
    return chat


async def measure_bot(seconds: float, rounds: int) -> AsyncIterator[tuple[str, ...]]:
    """Yield (what, median, 95 %, 99 % or worst) for each figure."""
    photo = portrait()
    yield ("load of the machine before (1, 5, 15 minutes)", *machine_load())
    with tempfile.TemporaryDirectory() as name:
        async with run_service(Path(name)) as service:
            session = service.session
            first = await agreed(session, photo)
            async for cells in _ways(first, photo, rounds):
                yield cells
            chats = [first]
            while len(chats) < PERSONS:
                chats.append(await agreed(session, photo))
            yield _row_ms(
                f"tap to answer, {TAPS_PER_S} taps a second", await take_taps(chats, seconds)
            )
    yield ("load of the machine after (1, 5, 15 minutes)", *machine_load())


async def measure_flood() -> AsyncIterator[tuple[str, ...]]:
    """Yield the same for two people, one of whom has sent very many photos."""
    photo = portrait()
    yield ("load of the machine before (1, 5, 15 minutes)", *machine_load())
    with tempfile.TemporaryDirectory() as name:
        async with run_service(Path(name)) as service:
            session = service.session
            other, flooder = await agreed(session, photo), await agreed(session, photo)
            people = [await agreed(session, photo) for _ in range(_OTHERS + 1)]
            yield await _answered(*people)
            async for cells in _ways(other, photo, _FLOOD_ROUNDS):
                yield cells
            async for cells in _flooded(flooder, other, photo):
                yield cells
    yield ("load of the machine after (1, 5, 15 minutes)", *machine_load())


async def _ways(chat: Chat, photo: bytes, rounds: int) -> AsyncIterator[tuple[str, ...]]:
    """Measure one photo after the other, with nobody else there."""
    look_s, reply_s = [], []
    for number in range(1, rounds + 1):
        # The bot sends at most three messages to a chat in three seconds.
        await asyncio.sleep(4)
        started = time.perf_counter()
        await chat.send(photo)
        card = await chat.shows(MOVEMENT, 2)  # one is from before
        look_s.append(time.perf_counter() - started)
        await asyncio.sleep(4)
        started = time.perf_counter()
        await chat.tap(card, MOVEMENT)
        await chat.shows("Share", number)
        reply_s.append(time.perf_counter() - started)
    yield _row_s("photo to card with movements", look_s)
    yield _row_s("tap to video, `mesh`, 75 frames of 512 px", reply_s)


async def _flooded(flooder: Chat, other: Chat, photo: bytes) -> AsyncIterator[tuple[str, ...]]:
    """Measure two people while one of them has just sent very many photos."""
    shown = await flooder.shows(MOVEMENT)
    await asyncio.gather(*(flooder.send(photo) for _ in range(_FLOOD)))
    tap_s, look_s, reply_s = [], [], []
    for number in range(_FLOOD_ROUNDS + 1, 2 * _FLOOD_ROUNDS + 1):
        started = time.perf_counter()
        await flooder.tap(shown, NEXT_PAGE)
        tap_s.append(time.perf_counter() - started)
        started = time.perf_counter()
        await other.send(photo)
        card = await other.shows(MOVEMENT, 2)  # one is from before
        look_s.append(time.perf_counter() - started)
        started = time.perf_counter()
        await other.tap(card, MOVEMENT)
        await other.shows("Share", number)
        reply_s.append(time.perf_counter() - started)
    yield _row_s(f"one person sends {_FLOOD} photos: their tap to its answer", tap_s)
    yield _row_s("another person's photo to card meanwhile", look_s)
    yield _row_s("another person's tap to video meanwhile", reply_s)


async def _answered(flooder: Chat, *others: Chat) -> tuple[str, ...]:
    """Measure the first answers to others while one person sends very many updates."""
    shown = await flooder.shows(MOVEMENT)
    cards = [await chat.shows(MOVEMENT) for chat in others]
    waited_s: list[float] = []

    async def flood() -> None:
        async with asyncio.TaskGroup() as flooding:
            for number in range(_UPDATES):
                act = flooder.tap(shown, NEXT_PAGE) if number % 2 else flooder.say("/help")
                flooding.create_task(act)
                await asyncio.sleep(_UPDATES_S / _UPDATES)

    async def use(chat: Chat, card: Message) -> None:
        while not flooding.done():
            for act in (partial(chat.tap, card, NEXT_PAGE), partial(chat.ask, "/help")):
                started = time.perf_counter()
                await act()
                waited_s.append(time.perf_counter() - started)
            await asyncio.sleep(_PACE_S)

    await asyncio.sleep(_PACE_S)  # the bot sends at most three messages to a chat in three seconds
    flooding = asyncio.create_task(flood())
    await asyncio.sleep(_UPDATES_S / 10)
    await asyncio.gather(*(use(*one) for one in zip(others, cards, strict=True)), flooding)
    label = f"one person sends {_UPDATES} taps and commands in {_UPDATES_S:.0f} s: others' answers"
    return _row_ms(label, waited_s)


async def take_taps(chats: list[Chat], seconds: float) -> list[float]:
    """Return how long each tap waited for its answer, s."""
    cards = [await chat.shows(MOVEMENT) for chat in chats]
    chance = random.Random(1)
    waited_s: list[float] = []

    async def tap(number: int) -> None:
        started = time.perf_counter()
        await chats[number].tap(cards[number], NEXT_PAGE)
        waited_s.append(time.perf_counter() - started)

    ending = time.monotonic() + seconds
    async with asyncio.TaskGroup() as tapping:
        while time.monotonic() < ending:
            await asyncio.sleep(chance.expovariate(TAPS_PER_S))
            tapping.create_task(tap(chance.randrange(len(chats))))
    return waited_s


def machine_load() -> list[str]:
    """Return the load of 1, 5 and 15 minutes."""
    return [f"{load:.1f}" for load in os.getloadavg()]


def _row_ms(label: str, times_s: list[float]) -> tuple[str, ...]:
    percents = statistics.quantiles(times_s, n=100)
    return label, *(f"{1000 * percents[one - 1]:.0f} ms" for one in (50, 95, 99))


def _row_s(label: str, times_s: list[float]) -> tuple[str, ...]:
    return label, f"{statistics.median(times_s):.1f} s", "", f"{max(times_s):.1f} s"


async def tell(figures: AsyncIterator[tuple[str, ...]]) -> None:
    """Print a table."""
    row("", "median", "95 %", "99 % or worst")
    async for cells in figures:
        row(*cells)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bot", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="of tapping (default: 30)")
    parser.add_argument("--rounds", type=int, default=10, help="of photos (default: 10)")
    parser.add_argument("--flood", action="store_true", help="while one person floods the bot")
    arguments = parser.parse_args()
    figures = measure_bot(arguments.seconds, arguments.rounds)
    asyncio.run(tell(measure_flood() if arguments.flood else figures))


if __name__ == "__main__":
    main()
