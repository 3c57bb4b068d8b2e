"""What one order and one update cost, of everything that may be the first to break.

    python -m benchmarks.scale_bot

Bot and worker run as in `benchmarks/bot.py`, with the sandbox instead of Telegram. Counts Redis
commands, those inside scripts included, and the bytes that stay in the file store; measures the
bot's processor time, so other programs disturb it little. Reads /proc, so it needs Linux.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.bot import (
    MOVEMENT,
    PERSONS,
    Chat,
    Service,
    agreed,
    portrait,
    run_service,
    take_taps,
)
from benchmarks.run import row
from benchmarks.scale import count_commands
from jobs.connection import connect

_PAUSE_S = 4.0  # the bot sends at most three messages to a chat in three seconds
_TICKS = os.sysconf("SC_CLK_TCK")


class _Meter:
    """Reads what a service has used."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._bot = service.bot
        self._files = folder / "files"
        self._client = connect(service.redis_url, is_worker=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def commands(self) -> int:
        return await count_commands(self._client)

    async def redis_bytes(self) -> int:
        facts = await self._client.info("memory")
        return int(facts["used_memory_dataset"])

    def bot_s(self) -> float:
        """The bot's processor time."""
        fields = Path(f"/proc/{self._bot}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def file_bytes(self) -> int:
        return sum(path.stat().st_size for path in self._files.rglob("*") if path.is_file())


async def measure(orders: int, seconds: float) -> AsyncIterator[tuple[str, ...]]:
    """Yield (what, how much) for each figure."""
    photo = portrait()
    with tempfile.TemporaryDirectory() as name:
        async with run_service(Path(name)) as service:
            meter = _Meter(service, Path(name))
            try:
                first = await agreed(service.session, photo)
                async for cells in _orders(meter, first, photo, orders):
                    yield cells
                chats = [await agreed(service.session, photo) for _ in range(PERSONS)]
                idle = await _idle_share(meter)
                before_s = meter.bot_s()
                taps = len(await take_taps(chats, seconds))
                each_s = (meter.bot_s() - before_s - idle * seconds) / taps
                yield "bot's processor time, a tap that turns a page", f"{1000 * each_s:.1f} ms"
                yield "so a core is full at", f"{1 / each_s:.0f} taps/s"
            finally:
                await meter.close()


async def _idle_share(meter: _Meter) -> float:
    """Return how much of a core the bot uses while nobody does anything."""
    before_s = meter.bot_s()
    await asyncio.sleep(3 * _PAUSE_S)
    return (meter.bot_s() - before_s) / (3 * _PAUSE_S)


async def _orders(
    meter: _Meter, chat: Chat, photo: bytes, orders: int
) -> AsyncIterator[tuple[str, ...]]:
    now = asyncio.get_running_loop().time
    before, began_s = await meter.commands(), now()
    await asyncio.sleep(5 * _PAUSE_S)
    idle_rate = (await meter.commands() - before) / (now() - began_s)
    idle_share = await _idle_share(meter)
    yield "Redis commands a second, idle, bot and one worker", f"{idle_rate:.0f}"
    yield "bot's processor time, idle", f"{100 * idle_share:.1f} %"
    before, files, kept = await meter.commands(), meter.file_bytes(), await meter.redis_bytes()
    began_s, bot_s = now(), meter.bot_s()
    for number in range(1, orders + 1):
        await chat.send(photo)
        card = await chat.shows(MOVEMENT, 2)  # one is from before
        await asyncio.sleep(_PAUSE_S)
        await chat.tap(card, MOVEMENT)
        await chat.shows("Share", number)
        await asyncio.sleep(_PAUSE_S)
    took_s = now() - began_s
    commands = (await meter.commands() - before - idle_rate * took_s) / orders
    yield "Redis commands, a photo and its video", f"{commands:.0f}"
    used_s = (meter.bot_s() - bot_s - idle_share * took_s) / orders
    yield "bot's processor time, a photo and its video", f"{1000 * used_s:.0f} ms"
    yield (
        "file store, a photo and its video",
        f"{(meter.file_bytes() - files) / orders / 1e3:.0f} kB",
    )
    grown = (await meter.redis_bytes() - kept) / orders
    yield "Redis memory, a photo and its video", f"{grown / 1e3:.0f} kB"


async def _print(orders: int, seconds: float) -> None:
    async for label, value in measure(orders, seconds):
        row(label, value)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_bot", description=__doc__)
    parser.add_argument("--orders", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20, help="of tapping (default: 20)")
    given = parser.parse_args()
    asyncio.run(_print(given.orders, given.seconds))


if __name__ == "__main__":
    main()
