"""Drafts in Redis, and what a chat has in hand: its last photo, a clip that waits for one.

Nothing of a conversation is kept anywhere else: the bot may die at any moment and goes on where it
was. A draft outlives its files: with Telegram's names of them they are fetched again when wanted.
"""

import hashlib
from base64 import b32encode
from collections.abc import Callable

from pydantic import Field
from redis.asyncio import Redis
from redis.exceptions import WatchError

from jobs.connection import queue_errors
from jobs.drafts import Draft, MediaFile
from jobs.orders import DraftId, Record
from jobs.queues.keys import desk_key, draft_key, drafts_key, shown_key
from jobs.service_errors import RecordError

_DRAFT_KEPT_S = 30 * 86_400
_DESK_KEPT_S = 86_400


class Conversation(Record):
    """What a person has in hand in a chat.

    Attributes:
        draft: of the last photo, or None.
        earlier: of the photo before that, or None.
        photo_s: when that photo came, unix time.
        wants_clip: the draft whose own clip was asked for, or None.
        clip: a clip that came before its photo, or None.
        template: a movement that was chosen before the photo came (a link's), or None.
        unagreed: drafts that go on as soon as the person agrees to the terms.
        questions: the messages that ask for that.
    """

    draft: DraftId | None = None
    earlier: DraftId | None = None
    photo_s: float = 0.0
    wants_clip: DraftId | None = None
    clip: MediaFile | None = None
    template: str | None = Field(default=None, max_length=64)
    unagreed: tuple[DraftId, ...] = ()
    questions: tuple[int, ...] = ()


def draft_id(chat: int, message_id: int) -> str:
    """The id of the draft that a message begins: the same however often its update comes.

    Ten letters and digits of a hash: they fit into a button.
    """
    digest = hashlib.blake2s(f"{chat}:{message_id}".encode()).digest()
    return b32encode(digest)[:10].decode().lower()


class DraftStore:
    """Drafts and desks. All its methods raise QueueUnavailable if the server does not answer.

    Args:
        redis: the server of the queues.
        url: its address.
    """

    def __init__(self, redis: Redis, url: str) -> None:
        self._redis = redis
        self._url = url

    async def read(self, draft: str) -> Draft | None:
        """A draft, or None if it is not known (any more).

        Raises:
            RecordError: it was written by another version of this program.
        """
        with queue_errors(self._url):
            text = await self._redis.get(draft_key(draft))
        return None if text is None else Draft.read(text)

    async def begin(self, draft: Draft) -> Draft:
        """Writes a new draft; of one that is there already, what is there."""
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(draft_key(draft.draft), draft.to_json(), nx=True, ex=_DRAFT_KEPT_S)
                pipe.sadd(drafts_key(draft.chat), draft.draft)
                pipe.expire(drafts_key(draft.chat), _DRAFT_KEPT_S)
                await pipe.execute()
        return await self.read(draft.draft) or draft

    async def change(self, draft: str, change: Callable[[Draft], Draft]) -> Draft | None:
        """The draft after a change, which may be made more than once; None if it is not known.

        Nobody else's change is lost: the card may be sent while a look comes in.
        """
        key = draft_key(draft)
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                while True:
                    await pipe.watch(key)
                    text = await pipe.get(key)
                    if text is None:
                        return None
                    changed = change(Draft.read(text))
                    pipe.multi()  # type: ignore[no-untyped-call]  # redis-py
                    pipe.set(key, changed.to_json(), ex=_DRAFT_KEPT_S)
                    try:
                        await pipe.execute()
                    except WatchError:
                        continue
                    return changed

    async def of_chat(self, chat: int) -> list[str]:
        """The drafts that were begun in a chat; some may be forgotten."""
        with queue_errors(self._url):
            return sorted(map(str, await self._redis.smembers(drafts_key(chat))))

    async def move(self, old: int, new: int) -> None:
        """A group has a new number: its drafts follow, without their messages, which stay behind.

        It may be done more than once.
        """
        for name in await self.of_chat(old):
            await self.change(name, lambda draft: _moved(draft, new))
            with queue_errors(self._url):
                await self._redis.smove(drafts_key(old), drafts_key(new), name)

    async def forget_chat(self, chat: int) -> None:
        """Deletes the list of a chat's drafts, when all of them are forgotten."""
        with queue_errors(self._url):
            await self._redis.delete(drafts_key(chat))

    async def forget(self, draft: str) -> None:
        """Deletes a draft; its files are the file store's."""
        with queue_errors(self._url):
            await self._redis.delete(draft_key(draft))

    async def note_card(self, chat: int, message_id: int, draft: str) -> None:
        """Notes whose card a message is, for those who answer to it."""
        with queue_errors(self._url):
            await self._redis.set(shown_key(chat, message_id), draft, ex=_DRAFT_KEPT_S)

    async def answered(self, chat: int, message_id: int) -> Draft | None:
        """The draft whose photo or card a message is, or None."""
        with queue_errors(self._url):
            shown = await self._redis.get(shown_key(chat, message_id))
        return await self.read(str(shown or draft_id(chat, message_id)))

    async def desk(self, chat: int, person: int) -> Conversation:
        """What a person has in hand in a chat."""
        with queue_errors(self._url):
            text = await self._redis.get(desk_key(chat, person))
        return _desk_of(text)

    async def update_conversation(self, chat: int, person: int, **changes: object) -> Conversation:
        """Changes it; nobody else's change is lost."""
        return await self.change_conversation(
            chat, person, lambda desk: desk.model_copy(update=changes)
        )

    async def detach_draft(self, draft: Draft) -> None:
        """A photo cannot be used: the one before is the last again, its clip waits for another."""

        def without(desk: Conversation) -> Conversation:
            changes: dict[str, object] = {"clip": desk.clip or draft.clip}
            if desk.draft == draft.draft:
                changes |= {"draft": desk.earlier, "earlier": None, "photo_s": 0.0}
            elif desk.earlier == draft.draft:
                changes["earlier"] = None
            return desk.model_copy(update=changes)

        await self.change_conversation(draft.chat, draft.person, without)

    async def change_conversation(
        self, chat: int, person: int, change: Callable[[Conversation], Conversation]
    ) -> Conversation:
        """It after a change, which may be made more than once; nobody else's is lost."""
        key = desk_key(chat, person)
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                while True:
                    await pipe.watch(key)
                    desk = change(_desk_of(await pipe.get(key)))
                    pipe.multi()  # type: ignore[no-untyped-call]  # redis-py
                    pipe.set(key, desk.to_json(), ex=_DESK_KEPT_S)
                    try:
                        await pipe.execute()
                    except WatchError:
                        continue
                    return desk


def _moved(draft: Draft, new: int) -> Draft:
    """The draft in a group that has a new number; the ids of its orders stay as they are."""
    changes = {"chat": new, "chat_of_ids": draft.chat_of_ids or draft.chat, "card": None}
    return draft.model_copy(update=changes)


def _desk_of(text: str | bytes | None) -> Conversation:
    """What is written there; nothing, if another version of this program wrote it."""
    try:
        return Conversation.read(text) if text else Conversation()
    except RecordError:
        return Conversation()
