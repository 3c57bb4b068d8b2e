"""What goes wrong during a soak test."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tests.soak.service import Service

_EVERY_S = (6.0, 20.0)
_SENDING = ("sendAnimation", "sendVideo", "sendMessage", "editMessageText")
# After these, nobody can know whether a message arrived.
UNCERTAIN = ("bot killed", "server killed", "answers lost", "Telegram away", "disk full")
_Act = Callable[[], Awaitable[bool]]


class Trouble:
    """Kills programs, breaks connections and fills the disk.

    Args:
        service: what it happens to.
        seed: of what happens when.

    Attributes:
        log: what happened when, unix time; `until` is when it was over.
    """

    def __init__(self, service: Service, seed: int) -> None:
        self._service = service
        self._random = random.Random(seed)
        self.log: list[tuple[str, float, float]] = []

    async def happen(self, steady_s: float, until_s: float) -> None:
        """Cause trouble until this time of the loop's clock.

        Args:
            steady_s: from then on, bot and workers are not killed, so that their memory can be
                watched.
            until_s: the end.
        """
        loop = asyncio.get_running_loop()
        acts: dict[str, tuple[_Act, int]] = {
            "worker killed": (self._kill_worker, 4),
            "engine killed": (self._kill_engine, 4),
            "bot killed": (self._kill_bot, 3),
            "server killed": (self._kill_server, 3),
            "429": (self._refuse, 3),
            "5xx": (self._fail, 3),
            "answers lost": (self._lose_answers, 2),
            "answers late": (self._delay_answers, 2),
            "Telegram away": (self._take_telegram_away, 2),
            "disk full": (self._fill_disk, 2),
        }
        killing = ("worker killed", "bot killed")
        while True:
            await asyncio.sleep(self._random.uniform(*_EVERY_S))
            if loop.time() > until_s:
                return
            names = [name for name in acts if loop.time() < steady_s or name not in killing]
            name = self._random.choices(names, [acts[one][1] for one in names])[0]
            begun_s = time.time()
            if await acts[name][0]():
                self.log.append((name, begun_s, time.time()))

    # --- kills ------------------------------------------------------------------------------------

    async def _kill_worker(self) -> bool:
        worker = self._random.choice(self._service.workers)
        await worker.kill()
        await worker.start()
        return True

    async def _kill_bot(self) -> bool:
        await self._service.bot.kill()
        await self._service.bot.start()
        return True

    async def _kill_engine(self) -> bool:
        engines = self._service.engines()
        for pid in engines[:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(engines)

    async def _kill_server(self) -> bool:
        with suppress(LookupError, ProcessLookupError):
            os.kill(self._service.redis.pid, signal.SIGKILL)
            return True
        return False  # it is just being started again

    # --- Telegram ---------------------------------------------------------------------------------

    async def _refuse(self) -> bool:
        return await self._fault(retry_after=self._random.randint(1, 5))

    async def _fail(self) -> bool:
        return await self._fault(code=self._random.choice((500, 502, 504)))

    async def _lose_answers(self) -> bool:
        return await self._fault(drop=True)

    async def _delay_answers(self) -> bool:
        return await self._fault(timeout=self._random.uniform(1, 8))

    async def _fault(self, **what: object) -> bool:
        method, times = self._random.choice(_SENDING), self._random.randint(1, 5)
        await self._service.desk.fault(method=method, times=times, seconds=10, **what)
        return True

    async def _take_telegram_away(self) -> bool:
        seconds = self._random.uniform(2, 10)
        await self._service.desk.post("outage", seconds=seconds)
        await asyncio.sleep(seconds)
        return True

    # --- the disk ---------------------------------------------------------------------------------

    async def _fill_disk(self) -> bool:
        if not self._service.has_own_disk:
            return False
        ballast = self._service.disk / "ballast"

        def fill() -> None:
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 16))

        await asyncio.to_thread(fill)
        await asyncio.sleep(self._random.uniform(4, 10))
        ballast.unlink()
        return True
