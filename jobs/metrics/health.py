"""Whether a program lives and is ready: `GET /healthz` and `GET /readyz` beside the metrics.

Requests come from threads of the HTTP server; the checks run in the program's event loop. Each
check is answered with one word, so that nothing secret can be in it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import CancelledError
from functools import partial

from jobs.connection import ping
from jobs.queues.heartbeats import DEAD_AFTER_S, Heartbeat, WorkerState
from jobs.service_errors import FileGone, QueueUnavailable, StoreError
from jobs.store.files import FileStore

LIVE, READY = "/healthz", "/readyz"
OK = "ok"
# The heartbeat is late because Redis does not answer: a restart would not help.
_WAITING = "waiting"
_CHECK_S = 2.0
_ANSWER_S = 3.0
_ANY_KEY = "check/ready"


class Health:
    """The health of this program; create it in the event loop.

    Args:
        url: the address of Redis.
        store: the file store.
        own: returns the words of further checks of readiness, by their names.
        clock: a monotonic clock, s.

    Attributes:
        last_beat: the worker's heartbeat that was written last; None: none yet, or a bot.
    """

    def __init__(
        self,
        url: str,
        store: FileStore,
        own: Callable[["Health"], Mapping[str, str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.last_beat: Heartbeat | None = None
        self._url = url
        self._store = store
        self._own = own
        self._clock = clock
        self._beaten_s = clock()
        self._loop = asyncio.get_running_loop()

    def note_heartbeat(self, heartbeat: Heartbeat | None = None) -> None:
        """Note that a heartbeat was written."""
        self.last_beat, self._beaten_s = heartbeat, self._clock()

    def answer(self, path: str) -> tuple[bool, Mapping[str, str]]:
        """Return whether all is well, and a word per check; called in other threads.

        Args:
            path: LIVE or READY.
        """
        check = self._live() if path == LIVE else self._ready()
        asked = asyncio.run_coroutine_threadsafe(check, self._loop)
        try:
            words = asked.result(_ANSWER_S)
        except (TimeoutError, CancelledError):
            asked.cancel()
            words = {"loop": "stuck"}
        return all(word in (OK, _WAITING) for word in words.values()), words

    async def _live(self) -> dict[str, str]:
        heartbeat = OK
        if self._clock() - self._beaten_s > DEAD_AFTER_S:
            heartbeat = "late" if await self._redis() == OK else _WAITING
        return {"loop": OK, "heartbeat": heartbeat}

    async def _ready(self) -> dict[str, str]:
        redis, store = await asyncio.gather(self._redis(), _word(self._ask_store))
        return {"redis": redis, "store": store, **self._own(self)}

    async def _redis(self) -> str:
        return await _word(partial(ping, self._url, within_s=_CHECK_S))

    async def _ask_store(self) -> None:
        try:
            await self._store.get(_ANY_KEY)
        except FileGone:
            return


async def _word(check: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(_CHECK_S):
            await check()
    except (TimeoutError, QueueUnavailable, StoreError):
        return "down"
    return OK


def worker_words(health: Health) -> dict[str, str]:
    """Return a worker's own words: whether an engine is ready, and the disk is not full."""
    state = None if health.last_beat is None else health.last_beat.state
    engine = {None: "loading", WorkerState.DRAINING: "draining"}.get(state, OK)
    return {"engine": engine, "disk": "full" if state is WorkerState.PAUSED else OK}
