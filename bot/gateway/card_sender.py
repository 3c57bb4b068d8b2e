"""Sends cards without leaving duplicates when the reply to a send is lost.

Telegram has no idempotency key for messages. So a card is sent in these steps:

    store in Redis that it is being sent, and the highest message id known in the chat
    send it
    store whose card it is              (done by the caller)
    store that it arrived

A card that may not have arrived is sent again. If the first one did arrive, its id lies between the
stored one and that of the new card: these messages are edited to "See below.". Telegram refuses
that for messages that are not the bot's or have no text; known texts of the bot are left out.
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

from bot.gateway.messenger import CardMessage, ChatTarget, MessageContent, Messenger, SendText
from bot.texts import ENGLISH, Texts
from jobs.connection import queue_errors
from jobs.queues.keys import sending_key, texts_key
from jobs.service_errors import QueueUnavailable

log = logging.getLogger(__name__)

_KEPT_S = 30 * 86_400  # as long as drafts
_KNOWN_TEXTS = 100
# A lost card comes right after the stored id; each attempt counts as a message.
_MOST_TRIES = 8
# These errors mean that nothing was sent.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_REFUSED = (BadRequest, Forbidden, RetryAfter)


def was_never_sent(error: NetworkError) -> bool:
    """Whether an error proves that Telegram did not get the message."""
    return isinstance(error.__cause__, _NEVER_SENT)


class CardSender:
    """Sends cards, and records which texts of the bot have arrived.

    Args:
        messenger: sends; its `around_text` must be `record`.
        texts: what the bot says.
    """

    def __init__(
        self, redis: Redis, url: str, messenger: Messenger, texts: Texts = ENGLISH
    ) -> None:
        self._redis = redis
        self._url = url
        self._messenger = messenger
        self._texts = texts
        # What is being sent and not recorded yet, by chat.
        self._under_way: defaultdict[int, set[asyncio.Future[None]]] = defaultdict(set)

    async def send(
        self,
        name: str,
        target: ChatTarget,
        content: MessageContent,
        note: Callable[[CardMessage], Awaitable[object]],
    ) -> CardMessage:
        """Send a card; edit one that an earlier attempt may have sent to "See below.".

        Args:
            name: the same for every attempt to send this card.
            target: where.
            content: what it says.
            note: stores whose card it is; may be called again for another message.

        Raises:
            TelegramError: it was not sent, or that is not known.
            QueueUnavailable: Redis does not answer.
        """
        async with self._sending(target.chat_id):
            with queue_errors(self._url):
                after, is_repeated = await self._intend(name, target)
            try:
                sent = await self._messenger.send_text(target, content)
            except TelegramError as error:
                is_certain = isinstance(error, NetworkError) and was_never_sent(error)
                if not is_repeated and (is_certain or isinstance(error, _REFUSED)):
                    await self._forget(name, target.chat_id)
                raise
            card = CardMessage(message_id=sent)
            await note(card)
            await self._note(target.chat_id, sent)
        if not is_repeated or await self._edit_lost(target.chat_id, after, sent):
            await self._forget(name, target.chat_id)
        return card

    # --- inside -----------------------------------------------------------------------------------

    async def _intend(self, name: str, target: ChatTarget) -> tuple[int, bool]:
        """Store that a card is about to be sent.

        Returns:
            The highest message id known before the first attempt, and whether there was an earlier
            attempt.
        """
        key = sending_key(target.chat_id)
        earlier = await self._redis.hget(key, name)
        if earlier is not None:
            return int(earlier), True
        newest: Any = await self._redis.zrange(texts_key(target.chat_id), -1, -1)
        after = max(target.reply_to or 0, *map(int, newest), 0)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(key, name, str(after))
            pipe.expire(key, _KEPT_S)
            await pipe.execute()
        return after, False

    async def _edit_lost(self, chat_id: int, after: int, before: int) -> bool:
        """Edit what may be a lost card. Return False if Telegram did not answer."""
        others = set(self._under_way.get(chat_id, ()))
        if others:
            await asyncio.wait(others)
        with queue_errors(self._url):
            known: Any = await self._redis.zrangebyscore(texts_key(chat_id), after, before)
        unknown = sorted(set(range(after + 1, before)) - set(map(int, known)))
        content = MessageContent(self._texts("See below."))
        for message_id in unknown[:_MOST_TRIES] if after else ():
            try:
                card = CardMessage(message_id=message_id)
                if await self._messenger.edit(chat_id, card, content, only_text=True):
                    log.info("edited a card whose sending had got no answer")
            except BadRequest:
                continue  # no text, or not the bot's
            except TelegramError as error:
                log.warning("a card may be left behind: %s", type(error).__name__)
                return False
        return True

    async def record(self, chat_id: int, send: SendText) -> int:
        """Send a text, record that it has arrived, and return its id."""
        async with self._sending(chat_id):
            sent = await send()
            try:
                await self._note(chat_id, sent)
            except QueueUnavailable as error:
                log.warning("%s", error)  # it has arrived: do not send it again
            return sent

    @asynccontextmanager
    async def _sending(self, chat_id: int) -> AsyncIterator[None]:
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        under_way = self._under_way[chat_id]
        under_way.add(end)
        try:
            yield
        finally:
            end.set_result(None)
            under_way.discard(end)
            if not under_way:
                self._under_way.pop(chat_id, None)

    async def _note(self, chat_id: int, message_id: int) -> None:
        """Store that a text arrived."""
        key = texts_key(chat_id)
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.zadd(key, {str(message_id): message_id})
                pipe.zremrangebyrank(key, 0, -_KNOWN_TEXTS - 1)
                pipe.expire(key, _KEPT_S)
                await pipe.execute()

    async def _forget(self, name: str, chat_id: int) -> None:
        with queue_errors(self._url):
            await self._redis.hdel(sending_key(chat_id), name)
