"""The bot under load: how soon each of very many updates is answered, and whether any is lost.

    python -m benchmarks.load --seconds 60
    python -m benchmarks.load --seconds 60 --per-second 40 --limit 50

Bot and worker run as in `benchmarks/bot.py`; the sandbox refuses messages above Telegram's limits.
People take turns, at random moments: each sends an update every three seconds, since the bot sends
at most three messages to a chat in that time. Updates are taps that turn a page (60 %), commands
(25 %), texts (13 %) and photos (2 %). The first answer is the answer to the tap, or the first
message that replies to the update; the card of a photo is an edit of that message.
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp

from benchmarks.bot import (
    MOVEMENT,
    NEXT_PAGE,
    Chat,
    Message,
    agreed,
    machine_load,
    portrait,
    run_service,
)
from benchmarks.run import row
from sandbox.limits import COUNTED, NOT_COUNTED, TOTAL_LIMIT
from sandbox.server import SandboxOptions
from sandbox.world.telegram import Settings

_SHARES = {"tap": 60, "command": 25, "text": 13, "photo": 2}
_COMMANDS = ("/help", "/start", "/history", "/privacy", "/language")
_CARD = "photo, to its card with movements"
_EACH_S = 3  # between two updates of a person
_TOGETHER = 4  # people who join at the same time
_PATIENCE_S = 120.0
Place: TypeAlias = tuple[int, int]  # chat and message


class _Replies:
    """Notes the bot's calls: first replies, cards, refusals, and messages that count."""

    def __init__(self) -> None:
        self.replied: dict[Place, asyncio.Future[int]] = defaultdict(asyncio.Future)
        self.carded: dict[Place, asyncio.Future[None]] = defaultdict(asyncio.Future)
        self.refused = 0
        self.per_second: Counter[int] = Counter()

    @asynccontextmanager
    async def watched(self, session: aiohttp.ClientSession) -> AsyncIterator[None]:
        """Note calls during the block."""
        async with session.ws_connect("/sim/events", max_msg_size=0) as events:
            watching = asyncio.create_task(self._watch(events))
            try:
                yield
            finally:
                watching.cancel()

    async def _watch(self, events: aiohttp.ClientWebSocketResponse) -> None:
        async for event in events:
            fields = json.loads(event.data)
            if fields["type"] == "call":
                self._note(fields["call"])

    def _note(self, call: dict[str, Any]) -> None:
        method, parameters = call["method"], call["parameters"]
        self.refused += call["status"] == 429
        if call["status"] != 200 or not method.startswith(COUNTED) or method == NOT_COUNTED:
            return
        self.per_second[int(call["at"])] += 1
        chat = int(parameters["chat_id"])
        if "reply_parameters" in parameters:
            place = chat, int(parameters["reply_parameters"]["message_id"])
            _set(self.replied[place], call["response"]["result"]["message_id"])
        elif MOVEMENT in json.dumps(parameters.get("reply_markup")):
            _set(self.carded[chat, int(parameters["message_id"])], None)


def _set(future: "asyncio.Future[Any]", result: object) -> None:
    if not future.done():
        future.set_result(result)


@dataclass
class _Load:
    """Sends updates and waits for their answers.

    Attributes:
        sent: how many updates of each kind.
        waited_s: how long answered ones waited.
    """

    replies: _Replies
    photo: bytes
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    sent: Counter[str] = field(default_factory=Counter)
    waited_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def run(self, chats: list[Chat], seconds: float, per_second: float) -> None:
        """Send updates for so long, and wait for the answers to all."""
        cards = [await chat.shows(MOVEMENT) for chat in chats]
        kinds = self.chance.choices(
            list(_SHARES), list(_SHARES.values()), k=round(seconds * per_second)
        )
        now = time.monotonic()
        async with asyncio.TaskGroup() as sending:
            for number, kind in enumerate(kinds):
                now += self.chance.expovariate(per_second)
                await asyncio.sleep(now - time.monotonic())
                which = number % len(chats)
                self.sent[kind] += 1
                sending.create_task(self._update(kind, chats[which], cards[which]))

    async def _update(self, kind: str, chat: Chat, card: Message) -> None:
        started = time.perf_counter()
        if kind == "tap":
            if await chat.tap(card, NEXT_PAGE):
                self.waited_s[kind].append(time.perf_counter() - started)
            return
        if kind == "photo":
            message = await chat.send(self.photo)
        else:
            message = await chat.say(
                self.chance.choice(_COMMANDS) if kind == "command" else "Hello, what can you do?"
            )
        try:
            async with asyncio.timeout(_PATIENCE_S):
                reply = await self.replies.replied[chat.person, message["message_id"]]
                self.waited_s[kind].append(time.perf_counter() - started)
                if kind == "photo":
                    await self.replies.carded[chat.person, reply]
                    self.waited_s[_CARD].append(time.perf_counter() - started)
        except TimeoutError:
            pass  # it is missing among the times


async def measure(seconds: float, per_second: float, limit: int) -> None:
    """Print the table."""
    row("load of the machine before (1, 5, 15 minutes)", *machine_load())
    options = SandboxOptions(settings=Settings(enforce_limits=True), messages_per_second=limit)
    variables = {"ANIMATO_MESSAGES_PER_SECOND": str(limit)}
    load = _Load(_Replies(), portrait())
    with tempfile.TemporaryDirectory() as name:
        async with run_service(Path(name), options, **variables) as service:
            session = service.session
            chats: list[Chat] = []
            while len(chats) < _EACH_S * per_second:
                joining = (agreed(session, load.photo) for _ in range(_TOGETHER))
                chats += await asyncio.gather(*joining)
            await asyncio.sleep(_EACH_S)
            async with load.replies.watched(session):
                await load.run(chats, seconds, per_second)
    _print(load)
    row("load of the machine after (1, 5, 15 minutes)", *machine_load())


def _print(load: _Load) -> None:
    row("", "sent", "answered", "median", "95 %", "99 %", "worst")
    firsts = [one for kind in _SHARES for one in load.waited_s[kind]]
    _row_of("first answer, all updates", load.sent.total(), firsts)
    for kind in _SHARES:
        _row_of(f"first answer, {kind}", load.sent[kind], load.waited_s[kind])
    _row_of(_CARD, load.sent["photo"], load.waited_s[_CARD])
    counts = load.replies.per_second
    row("messages and edits of the bot", str(counts.total()))
    row("of these in the busiest second", str(max(counts.values())))
    row("refused with 429", str(load.replies.refused))


def _row_of(label: str, sent: int, waited_s: list[float]) -> None:
    times: list[float] = []
    if len(waited_s) > 1:
        percents = statistics.quantiles(waited_s, n=100, method="inclusive")
        times = [*(percents[one - 1] for one in (50, 95, 99)), max(waited_s)]
    row(label, str(sent), str(len(waited_s)), *(f"{1000 * one:.0f} ms" for one in times))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="(default: %(default)s)")
    parser.add_argument("--per-second", type=float, default=20, help="updates (default: 20)")
    parser.add_argument(
        "--limit",
        type=int,
        default=TOTAL_LIMIT,
        help="of messages per second, of bot and sandbox (default: %(default)s)",
    )
    given = parser.parse_args()
    asyncio.run(measure(given.seconds, given.per_second, given.limit))


if __name__ == "__main__":
    main()
