"""New cards: what is about to be sent is noted first, so that no card is left behind.

Telegram does not say whether a message arrived whose answer was lost, and has no key by which the
same message would be sent once. So a card is sent in these steps:

    note in Redis that it is sent, and the highest message id known in the chat
    send it
    note whose card it is              (the caller's part)
    note that it arrived

Whoever sends a card that was noted but did not arrive for all we know, has it sent again. If it did
arrive, its id lies between the one that was noted and that of the new card: these ids are edited to
"See below.". Telegram refuses that for what is not the bot's own or has no text; texts of the bot
that are known to have arrived are left out.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from redis.asyncio import Redis
from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter, TelegramError

from bot.gateway.messenger import ChatTarget, MessageContent, Messenger, SentMessage
from bot.texts import Texts
from jobs.connection import queue_errors
from jobs.drafts import Card
from jobs.queues.keys import sending_key, texts_key
from jobs.service_errors import QueueUnavailable

log = logging.getLogger(__name__)

_KEPT_S = 30 * 86_400  # as long as drafts
_KNOWN_TEXTS = 100
# A lost card comes right after the id that was noted; each try counts as a message.
_MOST_TRIES = 8
# These say for certain that nothing has been sent.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_REFUSED = (BadRequest, Forbidden, RetryAfter)


def was_never_sent(error: NetworkError) -> bool:
    """Whether an error says for certain that Telegram has not got the message."""
    return isinstance(error.__cause__, _NEVER_SENT)


class NewCards:
    """Sends cards, and knows which texts of the bot have arrived.

    Args:
        redis: the server of the queues.
        url: its address.
        messenger: sends; each of its texts is noted here from now on.
        texts: the sentences.
    """

    def __init__(self, redis: Redis, url: str, messenger: Messenger, texts: Texts) -> None:
        self._redis = redis
        self._url = url
        self._messenger = messenger
        self._texts = texts
        # What is being sent and not noted yet, by chat.
        self._under_way: defaultdict[int, set[asyncio.Future[None]]] = defaultdict(set)
        messenger.around_text = self._noted

    async def send(
        self,
        name: str,
        place: ChatTarget,
        words: MessageContent,
        note: Callable[[Card], Awaitable[object]],
    ) -> Card:
        """Send a card. One of this name that may have been sent before is told "See below.".

        Args:
            name: the same for every attempt to send this card.
            place: where.
            words: what it says.
            note: writes down whose card it is; it may be called again for another message.

        Raises:
            TelegramError: it was not sent, or nobody knows.
            QueueUnavailable: the server does not answer.
        """
        async with self._sending(place.chat):
            with queue_errors(self._url):
                after, is_repeated = await self._intend(name, place)
            try:
                sent = await self._messenger.send_text(place, words)
            except TelegramError as error:
                is_certain = isinstance(error, NetworkError) and was_never_sent(error)
                if not is_repeated and (is_certain or isinstance(error, _REFUSED)):
                    await self._forget(name, place.chat)
                raise
            card = Card(message_id=sent.message_id)
            await note(card)
            await self._note(place.chat, sent.message_id)
        if not is_repeated or await self._are_told(place.chat, after, sent.message_id):
            await self._forget(name, place.chat)
        return card

    # --- inside -----------------------------------------------------------------------------------

    async def _intend(self, name: str, place: ChatTarget) -> tuple[int, bool]:
        """Note that a card is about to be sent.

        Returns:
            The highest message id that was known before it was sent for the first time; and whether
            that was earlier.
        """
        key = sending_key(place.chat)
        earlier = await self._redis.hget(key, name)
        if earlier is not None:
            return int(earlier), True
        newest: Any = await self._redis.zrange(texts_key(place.chat), -1, -1)
        after = max(place.reply_to or 0, *map(int, newest), 0)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(key, name, str(after))
            pipe.expire(key, _KEPT_S)
            await pipe.execute()
        return after, False

    async def _are_told(self, chat: int, after: int, before: int) -> bool:
        """Edit what may be a lost card; False if Telegram did not answer."""
        others = set(self._under_way.get(chat, ()))
        if others:
            await asyncio.wait(others)
        with queue_errors(self._url):
            known: Any = await self._redis.zrangebyscore(texts_key(chat), after, before)
        unknown = sorted(set(range(after + 1, before)) - set(map(int, known)))
        words = MessageContent(self._texts("See below."))
        for message_id in unknown[:_MOST_TRIES] if after else ():
            try:
                if await self._messenger.edit(chat, Card(message_id=message_id), words):
                    log.info("a card that had been sent without an answer now says: see below")
            except BadRequest:
                continue  # no text, or not the bot's
            except TelegramError as error:
                log.warning("a card may be left behind: %s", type(error).__name__)
                return False
        return True

    async def _noted(self, chat: int, send: Callable[[], Awaitable[SentMessage]]) -> SentMessage:
        async with self._sending(chat):
            sent = await send()
            try:
                await self._note(chat, sent.message_id)
            except QueueUnavailable as error:
                log.warning("%s", error)  # it has arrived, and is not to be sent again
            return sent

    @asynccontextmanager
    async def _sending(self, chat: int) -> AsyncIterator[None]:
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        under_way = self._under_way[chat]
        under_way.add(end)
        try:
            yield
        finally:
            end.set_result(None)
            under_way.discard(end)
            if not under_way:
                self._under_way.pop(chat, None)

    async def _note(self, chat: int, message_id: int) -> None:
        """Note that a text arrived."""
        key = texts_key(chat)
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.zadd(key, {str(message_id): message_id})
                pipe.zremrangebyrank(key, 0, -_KNOWN_TEXTS - 1)
                pipe.expire(key, _KEPT_S)
                await pipe.execute()

    async def _forget(self, name: str, chat: int) -> None:
        with queue_errors(self._url):
            await self._redis.hdel(sending_key(chat), name)
