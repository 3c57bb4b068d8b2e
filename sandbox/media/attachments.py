"""From the bytes that somebody sends to the media object that a message shows."""

import asyncio
import mimetypes
from dataclasses import dataclass
from pathlib import PurePath

from sandbox.errors import bad_request
from sandbox.json_types import JsonObject
from sandbox.media.files import Attachment, FileStore, Kind, StoredFile
from sandbox.media.pictures import phone_photo, photo_sizes, thumbnail
from sandbox.media.stickers import sticker
from sandbox.media.video import (
    VideoFacts,
    gif_as_mp4,
    phone_video,
    square_video,
    video_facts,
    video_thumbnail,
)
from sandbox.parameters import Upload

MP4 = "video/mp4"
GIF_MAGIC = b"GIF8"

# Of larger videos of bots, Telegram shows no preview unless the bot sends a thumbnail.
_MOST_BYTES_WITH_PREVIEW = 10_000_000

_TYPES = mimetypes.MimeTypes()  # those that Python knows, whatever this machine adds


@dataclass(frozen=True)
class MediaWishes:
    """What a sender says of the media, in px and s; what is not said is measured.

    `silent_video_is_animation` is the server's own habit; albums are exempt from it. What persons
    send is made fit first, as their phones' apps do: large photos are reduced, clips become mp4,
    round videos square. Bots have to do that themselves.
    """

    width: int | None = None
    height: int | None = None
    duration: int | None = None
    thumbnail: bytes | None = None
    silent_video_is_animation: bool = True
    is_from_person: bool = False


async def attach(store: FileStore, kind: Kind, upload: Upload, wishes: MediaWishes) -> Attachment:
    """Keeps an upload and whatever is made from it.

    Raises:
        ApiError: 400 if the bytes cannot be sent as this kind.
    """
    if not upload.content:
        raise bad_request("file must be non-empty")
    if kind == "photo":
        return await _photo(store, upload, wishes)
    if kind == "sticker":
        return await _sticker(store, upload)
    if kind == "document":
        return _document(store, upload)
    return await _moving(store, kind, upload, wishes)


async def _photo(store: FileStore, upload: Upload, wishes: MediaWishes) -> Attachment:
    sizes = []
    content = upload.content
    if wishes.is_from_person:
        content = await asyncio.to_thread(phone_photo, content)
    for picture in await asyncio.to_thread(photo_sizes, content):
        stored = store.add(picture.content, "photo", ".jpg", "image/jpeg")
        sizes.append((stored, {"width": picture.width, "height": picture.height}))
    shown = [stored.as_json() | size for stored, size in sizes]
    return store.attach(Attachment("photo", {"photo": shown}), *(stored for stored, _ in sizes))


async def _sticker(store: FileStore, upload: Upload) -> Attachment:
    made = await asyncio.to_thread(sticker, upload.content)
    suffix = ".tgs" if made.is_animated else ".webm" if made.is_video else ".webp"
    stored = store.add(made.content, "sticker", suffix, made.mime)
    shown = stored.as_json() | {
        "type": "regular",
        "width": made.width,
        "height": made.height,
        "is_animated": made.is_animated,
        "is_video": made.is_video,
    }
    return store.attach(Attachment("sticker", {"sticker": shown}), stored)


def _document(store: FileStore, upload: Upload) -> Attachment:
    guessed = _TYPES.guess_type(upload.file_name)[0]
    content_type = guessed or upload.content_type or "application/octet-stream"
    suffix = PurePath(upload.file_name).suffix[:16]
    stored = store.add(upload.content, "document", suffix, content_type)
    return store.attach(
        Attachment("document", {"document": _file_fields(stored, upload.file_name)}), stored
    )


async def _moving(store: FileStore, kind: Kind, upload: Upload, wishes: MediaWishes) -> Attachment:
    """A video, an animation or a round video; what does not move is sent as a file."""
    content, file_name = upload.content, upload.file_name
    if kind == "animation" and content.startswith(GIF_MAGIC):
        content = await asyncio.to_thread(gif_as_mp4, content)
        file_name = f"{PurePath(file_name).stem}.mp4"
    if kind == "video_note" and wishes.is_from_person:
        content = await asyncio.to_thread(square_video, content)
    facts = await asyncio.to_thread(video_facts, content)
    if facts is not None and not facts.is_mp4 and wishes.is_from_person:
        content = await asyncio.to_thread(phone_video, content)
        file_name = f"{PurePath(file_name).stem}.mp4"
        facts = await asyncio.to_thread(video_facts, content)
    if facts is None or not facts.is_mp4:
        if kind == "video_note":
            raise bad_request("can't use the file as a video note: it is not an MPEG-4 video")
        return _document(store, upload)
    if kind == "video" and not facts.has_sound and wishes.silent_video_is_animation:
        kind = "animation"
    stored = store.add(content, kind, ".mp4", MP4)
    extra = await _thumbnail(store, content, wishes)
    fields = stored.as_json() | _measures(kind, facts, wishes) | extra
    if kind != "video_note":
        fields |= {"file_name": file_name, "mime_type": MP4}
    shown: JsonObject = {str(kind): fields}
    if kind == "animation":
        shown["document"] = _file_fields(stored, file_name) | extra
    return store.attach(Attachment(kind, shown), stored)


def _measures(kind: Kind, facts: VideoFacts, wishes: MediaWishes) -> JsonObject:
    duration = facts.duration_s if wishes.duration is None else wishes.duration
    width, height = wishes.width or facts.width, wishes.height or facts.height
    if kind == "video_note":
        return {"length": width, "duration": duration}
    return {"width": width, "height": height, "duration": duration}


async def _thumbnail(store: FileStore, content: bytes, wishes: MediaWishes) -> JsonObject:
    """The sender's thumbnail if it is good enough, else the first frame of a small enough video."""
    picture = None
    if wishes.thumbnail is not None:
        picture = await asyncio.to_thread(thumbnail, wishes.thumbnail)
    makes_own = wishes.is_from_person or len(content) <= _MOST_BYTES_WITH_PREVIEW
    if picture is None and makes_own:
        picture = await asyncio.to_thread(video_thumbnail, content)
    if picture is None:
        return {}
    stored = store.add(picture.content, "thumbnail", ".jpg", "image/jpeg")
    size = {"width": picture.width, "height": picture.height}
    return {"thumbnail": stored.as_json() | size}


def _file_fields(stored: StoredFile, file_name: str) -> JsonObject:
    return stored.as_json() | {"file_name": file_name, "mime_type": stored.content_type}
