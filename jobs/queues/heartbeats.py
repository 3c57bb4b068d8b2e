"""Which workers live, and how fast machines of their kind have been.

A worker writes its heartbeat every few seconds and, after each order, how long a frame took.
"""

import logging
from collections.abc import Sequence
from enum import StrEnum

from pydantic import Field
from redis.asyncio import Redis

from jobs.connection import reaching
from jobs.engines import EngineInfo
from jobs.orders import Record
from jobs.queues.admission import lua
from jobs.queues.keys import KNOWN_ENGINES, WORKERS, speed_key, worker_key
from jobs.queues.known_engines import as_fields
from jobs.service_errors import RecordError

BEAT_EVERY_S = 10
DEAD_AFTER_S = 30
_SPEED_WEIGHT = 0.2  # of the newest measurement
_SPEED_KEPT_S = 30 * 86_400
# What a frame can take, s: no encoder is faster, and no worker is given more time.
_LEAST_S, _MOST_S = 1e-5, 3600.0

log = logging.getLogger(__name__)


class WorkerState(StrEnum):
    """What a worker does."""

    IDLE = "idle"
    WORKING = "working"
    PAUSED = "paused"  # it cannot take orders, for lack of room perhaps
    DRAINING = "draining"  # it is told to end


class Heartbeat(Record):
    """A sign of life.

    Attributes:
        worker: its id.
        host: the machine's name.
        device: what it computes on, such as `cpu` or `cuda:0`.
        engines: what it can run, with the options that orders may use.
        version: of the program.
        state: what it does.
        job: the order in hand, or None.
        frames_per_second: of the order in hand, or None.
        free_bytes: room on its disk, or None if that does not matter.
    """

    worker: str
    host: str
    device: str
    engines: tuple[EngineInfo, ...]
    version: str
    state: WorkerState
    job: str | None = None
    frames_per_second: float | None = Field(default=None, gt=0)
    free_bytes: int | None = Field(default=None, ge=0)

    @property
    def engine_names(self) -> tuple[str, ...]:
        """The names of its engines."""
        return tuple(engine.name for engine in self.engines)

    def serves(self, engine: str) -> bool:
        """Whether orders for an engine may come to it."""
        is_up = self.state in (WorkerState.IDLE, WorkerState.WORKING)
        return is_up and engine in self.engine_names


class WorkerRegistry:
    """The workers' book. All its methods raise QueueUnavailable if the server does not answer.

    Args:
        client: the server of the queues.
        url: its address.
    """

    def __init__(self, client: Redis, url: str) -> None:
        self._client = client
        self._url = url
        self._record_speed = client.register_script(lua("speed"))

    async def beat(self, heartbeat: Heartbeat, now_s: float) -> None:
        """Writes a sign of life, which lasts DEAD_AFTER_S; its engines are known from then on."""
        with reaching(self._url):
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.set(worker_key(heartbeat.worker), heartbeat.to_json(), ex=DEAD_AFTER_S)
                pipe.zadd(WORKERS, {heartbeat.worker: now_s})
                if heartbeat.engines:
                    pipe.hset(KNOWN_ENGINES, mapping=as_fields(heartbeat.engines, now_s))
                await pipe.execute()

    async def leave(self, worker: str) -> None:
        """Signs a worker off."""
        with reaching(self._url):
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.delete(worker_key(worker))
                pipe.zrem(WORKERS, worker)
                await pipe.execute()

    async def living(self) -> list[Heartbeat]:
        """The last signs of those that live; one of another version of this program is left out."""
        with reaching(self._url):
            names = list(map(str, await self._client.zrange(WORKERS, 0, -1)))
            if not names:
                return []
            signs = await self._client.mget([worker_key(name) for name in names])
            gone = [name for name, sign in zip(names, signs, strict=True) if sign is None]
            if gone:
                await self._client.zrem(WORKERS, *gone)
        found = []
        for sign in signs:
            try:
                found.append(Heartbeat.read(sign or ""))
            except RecordError:
                continue
        return found

    async def signs(self, workers: Sequence[str]) -> list[float | None]:
        """When each of the workers gave its last sign, unix time; None for one that is gone."""
        if not workers:
            return []
        with reaching(self._url):
            found = await self._client.zmscore(WORKERS, list(workers))
        return [None if sign_s is None else float(sign_s) for sign_s in found]

    async def record_speed(self, device: str, kind: str, seconds_per_frame: float) -> None:
        """Counts a measurement into the mean of a kind of device at a kind of work.

        One that cannot be true is left out: it would spoil everybody's estimates for days.
        """
        if not _LEAST_S <= seconds_per_frame <= _MOST_S:
            log.warning("%s at %s: %s s per frame is not counted", device, kind, seconds_per_frame)
            return
        with reaching(self._url):
            await self._record_speed(
                keys=[speed_key(device, kind)],
                args=[repr(seconds_per_frame), _SPEED_WEIGHT, _SPEED_KEPT_S],
            )

    async def speeds(self, devices: Sequence[str], kind: str) -> list[float | None]:
        """Seconds per frame of each of the devices; None for one without history."""
        if not devices:
            return []
        with reaching(self._url):
            found = await self._client.mget([speed_key(device, kind) for device in devices])
        return [None if text is None else float(text) for text in found]
