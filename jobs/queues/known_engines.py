"""The engines that are known in Redis: workers write them, the bot reads them.

An engine stays known after its last worker has left: its queue may still hold orders, and finished
ones still have to be delivered.
"""

from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis

from jobs.connection import queue_errors
from jobs.engines import EngineInfo, current_name
from jobs.orders import Record
from jobs.queues.keys import KNOWN_ENGINES
from jobs.service_errors import RecordError


class KnownEngine(Record):
    """An engine that a worker has advertised, or that orders were accepted for.

    Attributes:
        info: as it was last advertised.
        seen_s: when that was, unix time; 0: never.
    """

    info: EngineInfo
    seen_s: float = 0.0


def as_fields(engines: Iterable[EngineInfo], now_s: float) -> dict[Any, Any]:
    """Return engines as fields of the hash `KNOWN_ENGINES`."""
    return {one.name: KnownEngine(info=one, seen_s=now_s).to_json() for one in engines}


class KnownEngines:
    """Reads them. All methods raise QueueUnavailable if Redis does not answer.

    Args:
        client: of Redis.
        own: engines that are known even if no worker has advertised them.
    """

    def __init__(self, client: Redis, own: Iterable[str] = ()) -> None:
        # redis-py's types do not distinguish its two kinds of clients here.
        self._client: Any = client
        self._own = tuple(own)

    async def names(self) -> tuple[str, ...]:
        """Return their names: our own first, then the others in alphabetical order."""
        with queue_errors(self._client):
            found = await self._client.hkeys(KNOWN_ENGINES)
        others = {current_name(str(name)) for name in found} - set(self._own)
        return (*self._own, *sorted(others))

    async def all(self) -> list[KnownEngine]:
        """Return them, except those written by a newer version of this program.

        Of today's name and former ones, what was advertised last counts.
        """
        with queue_errors(self._client):
            texts = await self._client.hvals(KNOWN_ENGINES)
        found: dict[str, KnownEngine] = {}
        for text in texts:
            try:
                one = KnownEngine.read(text)
            except RecordError:
                continue
            name = current_name(one.info.name)
            if name not in found or one.seen_s > found[name].seen_s:
                info = one.info.model_copy(update={"name": name})
                found[name] = one.model_copy(update={"info": info})
        return list(found.values())

    async def add(self, name: str) -> None:
        """Add an engine that orders are accepted for, unless it is known already."""
        text = KnownEngine(info=EngineInfo(name=name)).to_json()
        with queue_errors(self._client):
            await self._client.hsetnx(KNOWN_ENGINES, name, text)
