"""Records in Redis, one per key, changed by optimistic transactions."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from jobs.connection import queue_errors
from jobs.orders import Record

R = TypeVar("R", bound=Record)

# Fields that are stored under the name that they had in an earlier version.
_STORED_NAMES = {
    "chat_id": "chat",
    "draft_id": "draft",
    "earlier_draft_id": "earlier",
    "findings": "look",
    "is_lead": "is_clip",
    "lead": "clip",
    "message": "card",
    "movement": "motion",
    "order_chat_id": "chat_of_ids",
    "person_id": "person",
    "problem": "trouble",
    "reserved_number": "wish_number",
    "wants_lead": "wants_clip",
}


STORED_NAMES = ConfigDict(
    alias_generator=lambda name: _STORED_NAMES.get(name, name),
    populate_by_name=True,
    serialize_by_alias=True,
)
"""The configuration of values some of whose fields have other names in Redis."""


class BotRecord(Record):
    """Base of the bot's own records."""

    model_config = STORED_NAMES


class RecordStore(Generic[R]):
    """Reads and changes records. Its methods raise QueueUnavailable if Redis does not answer.

    Args:
        parse: reads a stored record.
        kept_s: how long a record is kept after its last change; None: its expiry stays as it is.
    """

    def __init__(
        self,
        redis: Redis,
        url: str,
        parse: Callable[[str | bytes], R],
        kept_s: int | None = None,
    ) -> None:
        self._redis = redis
        self._url = url
        self._parse = parse
        self._expiry: dict[str, Any] = {"ex": kept_s} if kept_s else {"keepttl": True}

    async def read(self, key: str) -> R | None:
        """Return the record under `key`, or None if there is none.

        Raises:
            RecordError: it was written by another version of this program.
        """
        with queue_errors(self._url):
            text = await self._redis.get(key)
        return None if text is None else self._parse(text)

    async def change(self, key: str, change: Callable[[R], R]) -> R | None:
        """Change a record and return it. Return None if there is none.

        Args:
            key: where it is stored.
            change: returns the changed record; called again if another client was faster.
        """
        return await self._change(key, change, None)

    async def change_or_create(self, key: str, new: R, change: Callable[[R], R]) -> R:
        """Same as `change`, but change and store `new` if there is no record."""
        return await self._change(key, change, new) or new

    async def _change(self, key: str, change: Callable[[R], R], new: R | None) -> R | None:
        async def attempt(pipe: Pipeline) -> R | None:
            text = await pipe.get(key)
            record = new if text is None else self._parse(text)
            if record is None:
                return None
            changed = change(record)
            pipe.multi()  # type: ignore[no-untyped-call]  # redis-py
            pipe.set(key, changed.to_json(), **self._expiry)
            return changed

        with queue_errors(self._url):
            changed: R | None = await self._redis.transaction(
                attempt, key, value_from_callable=True
            )
        return changed
