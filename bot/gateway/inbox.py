"""The updates that are not handled yet: in Redis before Telegram may forget them.

    put         written down, and only then may Telegram's copy be confirmed
    done        handled; it is forgotten
    put_aside   its handlers failed again and again; kept for 7 days, in nobody's way
    unreadable  the library cannot parse it; the same, and the application is told
    restore     what an earlier process left behind, at the start, before anything new

Telegram sends an update again whose receipt it did not hear of. One that came within the last 48 h
is known by its number and dropped.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError
from telegram import Bot, Update

from bot.gateway.reading import UnreadableUpdate, read_update
from jobs.queues.durability import can_keep
from jobs.queues.keys import failed_update_key, inbox_key, seen_key

log = logging.getLogger(__name__)

_SEEN_S = 48 * 3600
_ASIDE_S = 7 * 24 * 3600
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_BATCH = 500

# A repeated update that still lies in the inbox gives its place: the answer to the first writing
# may have been lost, or its writer cancelled.
_WRITE = """
-- KEYS 1 the inbox   2 the mark of the update
-- ARGV 1 the update as JSON   2 how long its number is remembered, s
-- Returns its place in the inbox, or nothing if it was handled before.
local place = redis.call('GET', KEYS[2])
if not place then
  place = redis.call('XADD', KEYS[1], '*', 'update', ARGV[1])
  redis.call('SET', KEYS[2], place, 'EX', ARGV[2])
elseif #redis.call('XRANGE', KEYS[1], place, place) == 0 then
  return false
end
return place
"""

Result = TypeVar("Result")


class Inbox(asyncio.Queue[object]):
    """The queue between Telegram and the handlers.

    While Redis does not answer, every method waits and tries again: what is not written is not
    confirmed, and what is not forgotten is handled again after a restart.

    Args:
        redis: a client that decodes its answers to text.
        bot: the bot's id; another bot's updates have other numbers.
    """

    def __init__(self, redis: Redis, bot: int) -> None:
        super().__init__()
        self._redis = redis
        self._bot = bot
        self._write = redis.register_script(_WRITE)
        self._entry_ids: dict[int, str] = {}  # of the updates that wait here or are being handled
        self._is_away = False

    async def put(self, item: object) -> None:
        """Returns when the update is written, or was known already.

        Args:
            item: an update; anything else (the application's sign to stop) is passed on.
        """
        if isinstance(item, Update | UnreadableUpdate):
            text = item.text if isinstance(item, UnreadableUpdate) else item.to_json()
            entry_id = await self._patiently(lambda: self._kept(item.update_id, text))
            if entry_id is None or item.update_id in self._entry_ids:
                log.info("the update %d came again and is dropped", item.update_id)
                return
            await self._pass_on(entry_id, item)
        else:
            await super().put(item)

    async def restore(self, bot: Bot) -> int:
        """How many updates an earlier process left behind; they are in the queue now, in order.

        Args:
            bot: whom their shortcuts shall use.
        """
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
        """Forgets an update whose handlers have ended well."""
        if entry_id := self._entry_ids.get(update.update_id):
            await self._patiently(lambda: self._redis.xdel(inbox_key(self._bot), entry_id))
            # Not before: who puts it again meanwhile must find it either here or handled.
            del self._entry_ids[update.update_id]

    async def put_aside(self, update: Update, error: Exception) -> None:
        """Gives an update up. It is kept with the error's text, for whoever looks for the cause."""
        if entry_id := self._entry_ids.get(update.update_id):
            await self._move_aside(entry_id, update.to_json(), f"{type(error).__name__}: {error}")
            del self._entry_ids[update.update_id]

    async def _pass_on(self, entry_id: str, update: Update | UnreadableUpdate) -> None:
        """Hand an update that lies in the inbox to the application."""
        if isinstance(update, UnreadableUpdate):
            facts = (update.update_id, update.kind, update.error)
            log.error("the update %d (%s) cannot be read and is set aside: %s", *facts)
            await self._move_aside(entry_id, update.text, update.error)
        else:
            self._entry_ids[update.update_id] = entry_id
        await super().put(update)

    async def _kept(self, update_id: int, text: str) -> str | None:
        """Where an update is kept, so that the server's death does not lose it.

        None: nowhere, for it was handled before.

        Raises:
            RedisError: the server does not answer, or cannot write.
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
            # A server that died before it had written has forgotten it.
            if await self._redis.exists(seen):
                return entry_id

    async def _batch_after(self, entry_id: str) -> list[tuple[str, dict[str, str]]]:
        since = f"({entry_id}" if entry_id else "-"
        inbox = inbox_key(self._bot)
        found: Any = await self._patiently(
            lambda: self._redis.xrange(inbox, min=since, count=_BATCH)
        )
        return list(found)

    async def _move_aside(self, entry_id: str, update: str, error: str) -> None:
        record = json.dumps({"update": update, "error": error})

        async def move() -> None:
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.set(failed_update_key(entry_id), record, ex=_ASIDE_S)
                pipeline.xdel(inbox_key(self._bot), entry_id)
                await pipeline.execute()

        await self._patiently(move)

    async def _patiently(self, do: Callable[[], Awaitable[Result]]) -> Result:
        """What `do` returns, as soon as Redis answers."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                result = await do()
            except RedisError as exc:
                if not self._is_away:
                    reason = type(exc).__name__
                    log.warning("the queues do not answer (%s): updates wait", reason)
                self._is_away = True
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                if self._is_away:
                    log.info("the queues answer again")
                self._is_away = False
                return result
