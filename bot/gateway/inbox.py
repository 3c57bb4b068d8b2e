"""The inbox: updates are stored in Redis before they are confirmed to Telegram.

    put        store an update; then it may be confirmed
    done       delete it after it was handled
    put_aside  give it up after its handlers failed repeatedly; keep it for 7 days
    restore    at the start, queue what an earlier process left unhandled

An update that the library cannot parse (`UnreadableUpdate`) is kept for 7 days, too, and passed to
the application, which reports it.

Telegram sends an unconfirmed update again. One whose number was seen within 48 h is dropped.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError
from telegram import Bot, Update

from bot.gateway.lease import Lease
from bot.gateway.update_processor import chat_of, person_of
from jobs.queues.durability import can_keep
from jobs.queues.keys import failed_update_key, inbox_key, lease_key, seen_key

log = logging.getLogger(__name__)

_SEEN_S = 48 * 3600
ASIDE_S = 7 * 24 * 3600
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_BATCH = 500

# A repeated update that is still in the inbox returns its entry: the reply to the first call may
# have been lost, or the caller cancelled.
_WRITE = """
-- KEYS 1 the inbox   2 the key of the update's number
-- ARGV 1 the update as JSON   2 how long its number is remembered, s
-- Returns its entry in the inbox, or nothing if it was handled before.
local entry = redis.call('GET', KEYS[2])
if not entry then
  entry = redis.call('XADD', KEYS[1], '*', 'update', ARGV[1])
  redis.call('SET', KEYS[2], entry, 'EX', ARGV[2])
elseif #redis.call('XRANGE', KEYS[1], entry, entry) == 0 then
  return false
end
return entry
"""

Result = TypeVar("Result")


@dataclass(frozen=True)
class UnreadableUpdate:
    """An update that python-telegram-bot cannot parse.

    Attributes:
        update_id: Telegram's number of it; 0 if it has none.
        kind: the names of its fields, such as `message`; no contents.
        error: the class of the error that parsing ended with.
        text: the update itself. It is private: store it, never log it.
    """

    update_id: int
    kind: str
    error: str
    text: str = field(repr=False)


def read_update(text: str, bot: Bot) -> Update | UnreadableUpdate:
    """Parse one update's JSON. Its objects' shortcuts use `bot`."""
    data: Any = None
    try:
        data = json.loads(text)
        update = Update.de_json(data, bot)
        update.to_json()  # as it is stored; of objects of unknown types the library cannot
        hash((chat_of(update), person_of(update)))  # what orders updates
    except Exception as exc:  # noqa: BLE001 - the library may raise anything
        fields = data if isinstance(data, dict) else {}
        number = fields.get("update_id")
        return UnreadableUpdate(
            update_id=number if isinstance(number, int) else 0,
            kind=", ".join(sorted(map(str, fields.keys() - {"update_id"}))),
            error=type(exc).__name__,
            text=text,
        )
    return update


class Inbox(asyncio.Queue[object]):
    """The queue between Telegram and the handlers.

    While Redis does not answer, every method waits and tries again.

    Args:
        redis: a client that decodes replies to text.
        bot: the bot's id; another bot's updates have other numbers.

    Attributes:
        lease: of the one process that handles the updates.
    """

    def __init__(self, redis: Redis, bot: int) -> None:
        super().__init__()
        self._redis = redis
        self._bot = bot
        self.lease = Lease(redis, lease_key(bot))
        self._write = redis.register_script(_WRITE)
        self._entry_ids: dict[int, str] = {}  # by number, of updates that wait or are being handled
        self._is_away = False

    async def put(self, item: object) -> None:
        """Store an update and queue it, unless it was seen before.

        Args:
            item: an update; anything else (the application's stop signal) is only queued.
        """
        if isinstance(item, Update | UnreadableUpdate):
            text = item.text if isinstance(item, UnreadableUpdate) else item.to_json()
            entry_id = await self._with_retries(lambda: self._store(item.update_id, text))
            if entry_id is None or item.update_id in self._entry_ids:
                log.info("the update %d came again and is dropped", item.update_id)
                return
            await self._pass_on(entry_id, item)
        else:
            await super().put(item)

    async def restore(self, bot: Bot) -> int:
        """Queue the updates that an earlier process left, in order; return their number."""
        found, last = 0, ""
        while batch := await self._batch_after(last):
            for entry_id, fields in batch:
                last = entry_id
                update = read_update(fields.get("update", ""), bot)
                if update.update_id not in self._entry_ids:
                    await self._pass_on(entry_id, update)
                    found += isinstance(update, Update)
        return found

    async def done(self, update: Update) -> None:
        """Delete an update that was handled."""
        if entry_id := self._entry_ids.get(update.update_id):
            await self._with_retries(lambda: self._redis.xdel(inbox_key(self._bot), entry_id))
            # Last: a repeated `put` meanwhile must find it either here or handled.
            del self._entry_ids[update.update_id]

    async def put_aside(self, update: Update, error: Exception) -> None:
        """Give an update up; keep it with the error's text, for debugging."""
        if entry_id := self._entry_ids.get(update.update_id):
            await self._move_aside(entry_id, update.to_json(), f"{type(error).__name__}: {error}")
            del self._entry_ids[update.update_id]

    async def _pass_on(self, entry_id: str, update: Update | UnreadableUpdate) -> None:
        """Queue a stored update for the application."""
        if isinstance(update, UnreadableUpdate):
            facts = (update.update_id, update.kind, update.error)
            log.error("the update %d (%s) cannot be read and is set aside: %s", *facts)
            await self._move_aside(entry_id, update.text, update.error)
        else:
            self._entry_ids[update.update_id] = entry_id
        await super().put(update)

    async def _store(self, update_id: int, text: str) -> str | None:
        """Store an update durably and return its entry; None if it was handled before.

        Raises:
            RedisError: Redis does not answer, or cannot write.
        """
        seen = seen_key(self._bot, update_id)
        keys = [inbox_key(self._bot), seen]
        args: list[str | int] = [text, _SEEN_S]
        while True:
            entry_id: str | None = await self._write(keys=keys, args=args)
            if entry_id is None:
                return None
            if not await can_keep(self._redis):
                message = "it cannot write to its disk"
                raise RedisError(message)
            # A server that died before writing has lost it.
            if await self._redis.exists(seen):
                return entry_id

    async def _batch_after(self, entry_id: str) -> list[tuple[str, dict[str, str]]]:
        since = f"({entry_id}" if entry_id else "-"
        inbox = inbox_key(self._bot)
        found: Any = await self._with_retries(
            lambda: self._redis.xrange(inbox, min=since, count=_BATCH)
        )
        return list(found)

    async def _move_aside(self, entry_id: str, update: str, error: str) -> None:
        record = json.dumps({"update": update, "error": error})

        async def move() -> None:
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.set(failed_update_key(entry_id), record, ex=ASIDE_S)
                pipeline.xdel(inbox_key(self._bot), entry_id)
                await pipeline.execute()

        await self._with_retries(move)

    async def _with_retries(self, do: Callable[[], Awaitable[Result]]) -> Result:
        """Call `do` until Redis answers, and return its result."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                result = await do()
            except RedisError as exc:
                if not self._is_away:
                    reason = type(exc).__name__
                    log.warning("Redis does not answer (%s): updates wait", reason)
                self._is_away = True
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                if self._is_away:
                    log.info("Redis answers again")
                self._is_away = False
                return result
