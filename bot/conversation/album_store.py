"""Albums in Redis: they come as single messages with a mark in common, and without an end.

Each message is noted for itself, so that none is lost however they arrive; an album is complete as
soon as nothing more has come for a moment.
"""

import hashlib
from base64 import b32encode
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import WatchError

from bot.gateway.updates import DrivingClip, IncomingMessage, Media, SourcePhoto
from jobs.connection import queue_errors
from jobs.drafts import Card, MediaFile
from jobs.orders import Record
from jobs.queues.keys import DUE_ALBUMS, album_key

_KEPT_S = 86_400
_CARD = "card"
_BEGUN = "begun:"


class AlbumPart(Record):
    """One message of an album.

    Attributes:
        chat: where it came.
        person: whose it is.
        message_id: the message.
        thread_id: the topic of a forum, or None.
        photo: its picture, or None.
        clip: its clip, or None.
        refusal: why it is neither, a msgid.
        name: of its file, for that sentence.
    """

    chat: int
    person: int
    message_id: int
    thread_id: int | None = None
    photo: MediaFile | None = None
    clip: MediaFile | None = None
    refusal: str = ""
    name: str = ""


class Album(Record):
    """An album as far as it has come.

    Attributes:
        album: its id.
        parts: its messages as they stand in the chat; one at least.
        card: the message that asks which of its photos is meant, or None.
        begun: the messages that are on their way, to the end of what beginning takes.
    """

    album: str
    parts: tuple[AlbumPart, ...]
    card: Card | None = None
    begun: frozenset[int] = frozenset()

    @property
    def photos(self) -> tuple[AlbumPart, ...]:
        """The messages that are pictures."""
        return tuple(part for part in self.parts if part.photo)

    @property
    def not_begun(self) -> tuple[AlbumPart, ...]:
        """The pictures that are not on their way yet."""
        return tuple(part for part in self.photos if part.message_id not in self.begun)

    @property
    def clip(self) -> MediaFile | None:
        """The clip that came with the pictures, or None."""
        return next((part.clip for part in self.parts if part.clip), None)


def album_id(chat: int, mark: str) -> str:
    """The id of an album, short enough for a button."""
    digest = hashlib.blake2s(f"{chat}:album:{mark}".encode()).digest()
    return b32encode(digest)[:10].decode().lower()


def part_of(incoming: IncomingMessage, media: Media) -> AlbumPart:
    """One message of an album."""
    part = AlbumPart(
        chat=incoming.chat,
        person=incoming.person,
        message_id=incoming.message_id,
        thread_id=incoming.thread_id,
    )
    match media:
        case SourcePhoto(file):
            return part.model_copy(update={"photo": file})
        case DrivingClip(file):
            return part.model_copy(update={"clip": file})
    return part.model_copy(update={"refusal": media.sentence, "name": media.name})


class AlbumStore:
    """Albums. All its methods raise QueueUnavailable if the server does not answer.

    Args:
        redis: the server of the queues.
        url: its address.
    """

    def __init__(self, redis: Redis, url: str) -> None:
        self._redis = redis
        self._url = url

    async def add(self, album: str, part: AlbumPart, due_s: float) -> None:
        """Notes a message of an album, and when the album counts as complete, unix time."""
        key = album_key(album)
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hset(key, str(part.message_id), part.to_json())
                pipe.expire(key, _KEPT_S)
                pipe.zadd(DUE_ALBUMS, {album: due_s})
                await pipe.execute()

    async def read(self, album: str) -> Album | None:
        """An album; None if it is not known (any more).

        Raises:
            RecordError: it was written by another version of this program.
        """
        with queue_errors(self._url):
            fields: Any = await self._redis.hgetall(album_key(album))
        card = fields.pop(_CARD, None)
        begun = [name for name in fields if name.startswith(_BEGUN)]
        texts = [text for name, text in fields.items() if name not in begun]
        if not texts:
            return None
        parts = sorted(map(AlbumPart.read, texts), key=lambda part: part.message_id)
        return Album(
            album=album,
            parts=tuple(parts),
            card=Card(message_id=int(card)) if card else None,
            begun=frozenset(int(name.removeprefix(_BEGUN)) for name in begun),
        )

    async def note_card(self, album: str, card: Card) -> None:
        """Notes the message that asks which photo is meant."""
        await self._note(album, _CARD, str(card.message_id))

    async def note_begun(self, album: str, message_id: int) -> None:
        """Notes that one of its photos is on its way: it need not be begun again."""
        await self._note(album, f"{_BEGUN}{message_id}", "")

    async def forget(self, album: str) -> None:
        """Deletes an album."""
        with queue_errors(self._url):
            await self._redis.delete(album_key(album))

    async def waiting(self) -> dict[str, float]:
        """The albums that nobody was asked about yet, and when they count as complete."""
        with queue_errors(self._url):
            found: Any = await self._redis.zrange(DUE_ALBUMS, 0, -1, withscores=True)
        return dict(found)

    async def settle(self, album: str, due_s: float) -> None:
        """Notes that an album was dealt with, unless more of it has come since."""
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                await pipe.watch(DUE_ALBUMS)
                if await pipe.zscore(DUE_ALBUMS, album) != due_s:
                    return
                pipe.multi()  # type: ignore[no-untyped-call]  # redis-py
                pipe.zrem(DUE_ALBUMS, album)
                try:
                    await pipe.execute()
                except WatchError:
                    return  # it is dealt with once more, which changes nothing

    async def _note(self, album: str, name: str, value: str) -> None:
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hset(album_key(album), name, value)
                pipe.expire(album_key(album), _KEPT_S)
                await pipe.execute()

    async def postpone(self, album: str, due_s: float) -> None:
        """Lets an album wait until then."""
        with queue_errors(self._url):
            await self._redis.zadd(DUE_ALBUMS, {album: due_s}, xx=True)
