"""Which workers are alive, and how fast machines of their kind have been.

A worker writes its heartbeat every few seconds and, after each order, the seconds per frame.
"""

import logging
from collections.abc import Sequence
from enum import StrEnum

from pydantic import Field
from redis.asyncio import Redis

from jobs.connection import queue_errors
from jobs.engines import MEDIA_OPTION, EngineInfo
from jobs.orders import Record
from jobs.queues.admission import lua
from jobs.queues.keys import KNOWN_ENGINES, WORKERS, speed_key, worker_key
from jobs.queues.known_engines import as_fields
from jobs.service_errors import RecordError

BEAT_EVERY_S = 5
DEAD_AFTER_S = 15
_SPEED_WEIGHT = 0.2  # of the newest measurement in the moving average
_SPEED_KEPT_S = 30 * 86_400
# Plausible seconds per frame: no encoder is faster, and no worker is given more time.
_LEAST_S, _MOST_S = 1e-5, 3600.0

log = logging.getLogger(__name__)


class WorkerState(StrEnum):
    """What a worker is doing."""

    IDLE = "idle"
    WORKING = "working"
    PAUSED = "paused"  # it cannot take orders, for example because its disk is full
    DRAINING = "draining"  # it is shutting down


class Heartbeat(Record):
    """A worker's heartbeat.

    Attributes:
        worker: its id.
        host: the machine's name.
        device: what it computes on, such as `cpu` or `cuda:0`.
        engines: its engines, with the options that orders may use.
        version: of the program.
        state: what it is doing.
        job: the current order, or None.
        frames_per_second: of the current order, or None.
        free_bytes: free bytes on its disk, or None if that does not matter.
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
        """Whether it takes orders for an engine."""
        return self._is_up and engine in self.engine_names

    @property
    def media_tasks(self) -> frozenset[str]:
        """The kinds of tasks that it takes from the queue `media`."""
        options = {option for engine in self.engines for option in engine.options if self._is_up}
        prefix = MEDIA_OPTION
        return frozenset(one.removeprefix(prefix) for one in options if one.startswith(prefix))

    @property
    def _is_up(self) -> bool:
        return self.state in (WorkerState.IDLE, WorkerState.WORKING)


class WorkerRegistry:
    """Heartbeats and speeds in Redis. All methods raise QueueUnavailable if it does not answer."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._record_speed = client.register_script(lua("speed"))

    async def beat(self, heartbeat: Heartbeat, now_s: float) -> None:
        """Write a heartbeat, which expires after DEAD_AFTER_S, and its engines, which do not."""
        with queue_errors(self._client):
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.set(worker_key(heartbeat.worker), heartbeat.to_json(), ex=DEAD_AFTER_S)
                pipe.zadd(WORKERS, {heartbeat.worker: now_s})
                if heartbeat.engines:
                    pipe.hset(KNOWN_ENGINES, mapping=as_fields(heartbeat.engines, now_s))
                await pipe.execute()

    async def leave(self, worker: str) -> None:
        """Remove a worker."""
        with queue_errors(self._client):
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.delete(worker_key(worker))
                pipe.zrem(WORKERS, worker)
                await pipe.execute()

    async def living(self) -> list[Heartbeat]:
        """Return the last heartbeats of live workers, except those of another program version."""
        with queue_errors(self._client):
            names = list(map(str, await self._client.zrange(WORKERS, 0, -1)))
            if not names:
                return []
            texts = await self._client.mget([worker_key(name) for name in names])
            gone = [name for name, text in zip(names, texts, strict=True) if text is None]
            if gone:
                await self._client.zrem(WORKERS, *gone)
        found = []
        for text in texts:
            try:
                found.append(Heartbeat.read(text or ""))
            except RecordError:
                continue
        return found

    async def last_seen(self, workers: Sequence[str]) -> list[float | None]:
        """Return the unix time of each worker's last heartbeat; None for one that is gone."""
        if not workers:
            return []
        with queue_errors(self._client):
            found = await self._client.zmscore(WORKERS, list(workers))
        return [None if beat_s is None else float(beat_s) for beat_s in found]

    async def record_speed(self, device: str, kind: str, seconds_per_frame: float) -> None:
        """Add a measurement to the moving average of a kind of device at a kind of work.

        Implausible ones are ignored: they would spoil everybody's estimates for days.
        """
        if not _LEAST_S <= seconds_per_frame <= _MOST_S:
            log.warning("%s at %s: ignored %s s per frame", device, kind, seconds_per_frame)
            return
        with queue_errors(self._client):
            await self._record_speed(
                keys=[speed_key(device, kind)],
                args=[repr(seconds_per_frame), _SPEED_WEIGHT, _SPEED_KEPT_S],
            )

    async def speeds(self, devices: Sequence[str], kind: str) -> list[float | None]:
        """Return the seconds per frame of each device; None for one without history."""
        if not devices:
            return []
        with queue_errors(self._client):
            found = await self._client.mget([speed_key(device, kind) for device in devices])
        return [None if text is None else float(text) for text in found]
