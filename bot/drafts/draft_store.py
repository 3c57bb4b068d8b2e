"""Drafts and conversations in Redis.

Nothing of a conversation is kept anywhere else, so that a restarted bot continues. A draft outlives
its stored files: they are fetched again by Telegram's file ids when needed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from pydantic import Field
from redis.asyncio import Redis

from bot.callback_data import short_id
from bot.drafts.draft import Draft
from bot.gateway.update_processor import release_if_allowed
from bot.gateway.updates import IncomingMessage, IncomingTap, MediaFile
from bot.record_store import BotRecord, RecordStore
from bot.services import Services
from jobs.connection import queue_errors
from jobs.orders import DraftId
from jobs.queues.keys import conversation_key, draft_key, drafts_key, shown_key
from jobs.service_errors import RecordError
from jobs.wish import Movement

DRAFT_KEPT_S = 30 * 86_400
_CONVERSATION_KEPT_S = 86_400

InChat = IncomingMessage | IncomingTap | Draft
"""What belongs to a conversation."""


class Conversation(BotRecord):
    """What a person is doing in a chat.

    Attributes:
        draft_id: of the last photo, or None.
        earlier_draft_id: of the photo before that, or None.
        photo_s: when the last photo was sent, unix time.
        wants_lead: the draft whose clip or recording was asked for, or None.
        lead: a clip or a recording that waits for a photo, or None.
        template: a movement that waits for a photo (from a link), or None.
        unagreed: drafts that wait until the person agrees to the terms.
        questions: the messages that ask for consent.
    """

    draft_id: DraftId | None = None
    earlier_draft_id: DraftId | None = None
    photo_s: float = 0.0
    wants_lead: DraftId | None = None
    lead: MediaFile | None = None
    template: str | None = Field(default=None, max_length=64)
    unagreed: tuple[DraftId, ...] = ()
    questions: tuple[int, ...] = ()


def draft_id_of(chat_id: int, message_id: int) -> str:
    """Return the id of the draft that a message begins."""
    return short_id(f"{chat_id}:{message_id}")


def new_draft(
    incoming: IncomingMessage,
    photo: MediaFile,
    lead: MediaFile | None = None,
    template: str | None = None,
) -> Draft:
    """Return the draft that a message begins."""
    return Draft(
        draft_id=draft_id_of(incoming.chat_id, incoming.message_id),
        chat_id=incoming.chat_id,
        person_id=incoming.person_id,
        message_id=incoming.message_id,
        thread_id=incoming.thread_id,
        photo=photo,
        lead=lead,
        movement=Movement(template=template) if template else None,
    )


class DraftStore:
    """Reads and changes drafts and conversations.

    Its methods raise QueueUnavailable if Redis does not answer.
    """

    def __init__(self, redis: Redis, url: str) -> None:
        self._redis = redis
        self._url = url
        self._drafts = RecordStore(redis, url, Draft.read, kept_s=DRAFT_KEPT_S)
        self._conversations = RecordStore(redis, url, _read_conversation, _CONVERSATION_KEPT_S)
        self._editing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, draft_id: str | None) -> Draft | None:
        """Return a draft, or None if it is not stored or the id is None.

        Raises:
            RecordError: it was written by another version of this program.
        """
        return await self._drafts.read(draft_key(draft_id)) if draft_id else None

    async def find(self, draft_id: str) -> Draft | None:
        """Return a draft, or None if it is not stored or cannot be read."""
        try:
            return await self.read(draft_id)
        except RecordError:
            return None

    async def begin(self, draft: Draft) -> Draft:
        """Store a new draft. Return the stored one if there is one already."""
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(draft_key(draft.draft_id), draft.to_json(), nx=True, ex=DRAFT_KEPT_S)
                pipe.sadd(drafts_key(draft.chat_id), draft.draft_id)
                pipe.expire(drafts_key(draft.chat_id), DRAFT_KEPT_S)
                await pipe.execute()
        return await self.read(draft.draft_id) or draft

    async def change(self, draft_id: str, change: Callable[[Draft], Draft]) -> Draft | None:
        """Change a draft and return it, or None if it is not stored; see `RecordStore.change`."""
        return await self._drafts.change(draft_key(draft_id), change)

    async def update(self, draft: Draft, **changes: object) -> Draft:
        """Change fields of a draft, which may have been deleted, and return it."""
        changed = await self.change(draft.draft_id, lambda now: now.model_copy(update=changes))
        return changed or draft.model_copy(update=changes)

    @asynccontextmanager
    async def editing_card(self, draft_id: str) -> AsyncIterator[None]:
        """Let nothing else edit a draft's card, or those of its orders, during the block.

        What they say is read inside, so that no edit undoes a newer one.
        """
        lock = self._editing.setdefault(draft_id, asyncio.Lock())
        if lock.locked():
            release_if_allowed()
        async with lock:
            yield

    async def of_chat(self, chat_id: int) -> list[str]:
        """Return the drafts that were begun in a chat; some may be deleted."""
        with queue_errors(self._url):
            return sorted(map(str, await self._redis.smembers(drafts_key(chat_id))))

    async def move(self, old: int, new: int) -> None:
        """Move a group's drafts to its new id, without their messages; it may be repeated."""
        for name in await self.of_chat(old):
            await self.change(name, lambda draft: _moved(draft, new))
            with queue_errors(self._url):
                await self._redis.smove(drafts_key(old), drafts_key(new), name)

    async def forget_chat(self, chat_id: int) -> None:
        """Delete the list of a chat's drafts."""
        with queue_errors(self._url):
            await self._redis.delete(drafts_key(chat_id))

    async def forget(self, draft_id: str) -> None:
        """Delete a draft, but not its files."""
        with queue_errors(self._url):
            await self._redis.delete(draft_key(draft_id))

    async def note_message(self, chat_id: int, message_id: int, draft_id: str) -> None:
        """Store which draft a message of the bot belongs to, for replies to it."""
        with queue_errors(self._url):
            await self._redis.set(shown_key(chat_id, message_id), draft_id, ex=DRAFT_KEPT_S)

    async def draft_of_message(self, chat_id: int, message_id: int | None) -> Draft | None:
        """Return the draft that a message belongs to: its photo, or one of the bot's; or None."""
        if message_id is None:
            return None
        with queue_errors(self._url):
            shown = await self._redis.get(shown_key(chat_id, message_id))
        return await self.read(str(shown or draft_id_of(chat_id, message_id)))

    async def conversation(self, owner: InChat) -> Conversation:
        """Return a person's conversation in a chat."""
        return await self._conversations.read(_conversation_key(owner)) or Conversation()

    async def update_conversation(self, owner: InChat, **changes: object) -> Conversation:
        """Change fields of a conversation and return it."""
        return await self.change_conversation(
            owner, lambda conversation: conversation.model_copy(update=changes)
        )

    async def detach_draft(self, draft: Draft) -> None:
        """Remove an unusable photo from its conversation; its lead waits for another one."""

        def without(conversation: Conversation) -> Conversation:
            changes: dict[str, object] = {"lead": conversation.lead or draft.lead}
            if conversation.draft_id == draft.draft_id:
                changes |= {
                    "draft_id": conversation.earlier_draft_id,
                    "earlier_draft_id": None,
                    "photo_s": 0.0,
                }
            elif conversation.earlier_draft_id == draft.draft_id:
                changes["earlier_draft_id"] = None
            return conversation.model_copy(update=changes)

        await self.change_conversation(draft, without)

    async def change_conversation(
        self, owner: InChat, change: Callable[[Conversation], Conversation]
    ) -> Conversation:
        """Change a conversation and return it; see `RecordStore.change`."""
        key = _conversation_key(owner)
        return await self._conversations.change_or_create(key, Conversation(), change)


async def forget_draft(services: Services, draft_id: str) -> None:
    """Delete a draft and its files.

    Raises:
        QueueUnavailable, StoreUnavailable: some of it may be deleted.
    """
    await services.drafts.forget(draft_id)
    with queue_errors(services.queues.url):
        await services.retention.forget(draft_id, services.clock())


def _moved(draft: Draft, new: int) -> Draft:
    """Return the draft with its group's new id; the ids of its orders stay."""
    changes = {"chat_id": new, "order_chat_id": draft.order_chat_id or draft.chat_id, "card": None}
    if draft.person_id == draft.chat_id:
        changes["person_id"] = new  # an anonymous admin of the group asked
    return draft.model_copy(update=changes)


def _conversation_key(owner: InChat) -> str:
    return conversation_key(owner.chat_id, owner.person_id)


def _read_conversation(text: str | bytes) -> Conversation:
    """Parse a conversation; return an empty one if another version of this program wrote it."""
    try:
        return Conversation.read(text)
    except RecordError:
        return Conversation()
