"""Albums in Redis: single messages with a common id, and without a marked end.

Each message is stored by itself, so that none is lost in whatever order they arrive.
"""

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from bot.callback_data import short_id
from bot.gateway.messenger import CardMessage
from bot.gateway.updates import IncomingMessage, LeadMedia, Media, MediaFile, PhotoMedia
from bot.record_store import BotRecord
from jobs.connection import queue_errors
from jobs.model import Value
from jobs.queues.keys import DUE_ALBUMS, album_key

_KEPT_S = 86_400
_CARD = "card"
_BEGUN = "begun:"


class AlbumPart(BotRecord):
    """One message of an album.

    Attributes:
        chat_id: where it was sent.
        person_id: who sent it.
        message_id: its id in the chat.
        thread_id: the forum topic, or None.
        photo: its picture, or None.
        lead: its clip or recording, or None.
        refusal: why it is neither, a msgid.
        name: the file's name, for that sentence.
    """

    chat_id: int
    person_id: int
    message_id: int
    thread_id: int | None = None
    photo: MediaFile | None = None
    lead: MediaFile | None = None
    refusal: str = ""
    name: str = ""


class Album(Value):
    """The messages of an album that have arrived.

    Attributes:
        album_id: its id.
        parts: its messages, in the chat's order; at least one.
        card: the message that asks which photo to animate, or None.
        begun: the messages whose drafts have been begun.
    """

    album_id: str
    parts: tuple[AlbumPart, ...]
    card: CardMessage | None = None
    begun: frozenset[int] = frozenset()

    @property
    def photos(self) -> tuple[AlbumPart, ...]:
        """The messages with pictures."""
        return tuple(part for part in self.parts if part.photo)

    @property
    def not_begun(self) -> tuple[AlbumPart, ...]:
        """The messages with pictures that have not been begun."""
        return tuple(part for part in self.photos if part.message_id not in self.begun)

    @property
    def lead(self) -> MediaFile | None:
        """The first clip or recording among the messages, or None."""
        return next((part.lead for part in self.parts if part.lead), None)


def album_id_of(chat_id: int, group: str) -> str:
    """Return an album's id."""
    return short_id(f"{chat_id}:album:{group}")


def part_of(incoming: IncomingMessage, media: Media) -> AlbumPart:
    """Return a message of an album as it is stored."""
    part = AlbumPart(
        chat_id=incoming.chat_id,
        person_id=incoming.person_id,
        message_id=incoming.message_id,
        thread_id=incoming.thread_id,
    )
    match media:
        case PhotoMedia(file):
            return part.model_copy(update={"photo": file})
        case LeadMedia(file):
            return part.model_copy(update={"lead": file})
    return part.model_copy(update={"refusal": media.sentence, "name": media.name})


class AlbumStore:
    """Albums. All its methods raise QueueUnavailable if the server does not answer."""

    def __init__(self, redis: Redis, url: str) -> None:
        self._redis = redis
        self._url = url

    async def add(self, album_id: str, part: AlbumPart, due_s: float) -> None:
        """Store a message of an album, and when the album counts as complete, unix time."""
        key = album_key(album_id)
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hset(key, str(part.message_id), part.to_json())
                pipe.expire(key, _KEPT_S)
                pipe.zadd(DUE_ALBUMS, {album_id: due_s})
                await pipe.execute()

    async def read(self, album_id: str) -> Album | None:
        """Return an album, or None if it is not stored.

        Raises:
            RecordError: it was written by another version of this program.
        """
        with queue_errors(self._url):
            fields: Any = await self._redis.hgetall(album_key(album_id))
        card = fields.pop(_CARD, None)
        begun = [name for name in fields if name.startswith(_BEGUN)]
        texts = [text for name, text in fields.items() if name not in begun]
        if not texts:
            return None
        parts = sorted(map(AlbumPart.read, texts), key=lambda part: part.message_id)
        return Album(
            album_id=album_id,
            parts=tuple(parts),
            card=CardMessage(message_id=int(card)) if card else None,
            begun=frozenset(int(name.removeprefix(_BEGUN)) for name in begun),
        )

    async def note_card(self, album_id: str, card: CardMessage) -> None:
        """Store the message that asks which photo to animate."""
        await self._note(album_id, _CARD, str(card.message_id))

    async def note_begun(self, album_id: str, message_id: int) -> None:
        """Record that the draft of one of its photos was begun."""
        await self._note(album_id, f"{_BEGUN}{message_id}", "")

    async def forget(self, album_id: str) -> None:
        """Delete an album."""
        with queue_errors(self._url):
            await self._redis.delete(album_key(album_id))

    async def waiting(self) -> dict[str, float]:
        """Return the albums to be handled, and when they count as complete."""
        with queue_errors(self._url):
            found: Any = await self._redis.zrange(DUE_ALBUMS, 0, -1, withscores=True)
        return dict(found)

    async def settle(self, album_id: str, due_s: float) -> None:
        """Record that an album was handled, unless more messages have arrived since."""

        async def attempt(pipe: Pipeline) -> None:
            is_settled = await pipe.zscore(DUE_ALBUMS, album_id) == due_s
            pipe.multi()  # type: ignore[no-untyped-call]  # redis-py
            if is_settled:
                pipe.zrem(DUE_ALBUMS, album_id)

        with queue_errors(self._url):
            await self._redis.transaction(attempt, DUE_ALBUMS)

    async def _note(self, album_id: str, name: str, value: str) -> None:
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hset(album_key(album_id), name, value)
                pipe.expire(album_key(album_id), _KEPT_S)
                await pipe.execute()

    async def postpone(self, album_id: str, due_s: float) -> None:
        """Handle an album later."""
        with queue_errors(self._url):
            await self._redis.zadd(DUE_ALBUMS, {album_id: due_s}, xx=True)
