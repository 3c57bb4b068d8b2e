"""Turns uploads into the media objects that messages show."""

import asyncio
import mimetypes
from dataclasses import dataclass
from pathlib import PurePath

from sandbox.errors import bad_request
from sandbox.json_types import JsonObject
from sandbox.media.clips import Clip, as_ogg, read_clip, sound_duration_s
from sandbox.media.files import Attachment, FileStore, Kind, StoredFile
from sandbox.media.pictures import Picture, photo_sizes, picture_type, thumbnail
from sandbox.parameters import Upload

# Telegram makes no preview of a larger video of a bot.
_PREVIEW_LIMIT_BYTES = 10_000_000
# As documented for what bots send.
STICKER_LIMIT_BYTES, STICKER_LIMIT_S, STICKER_LIMIT_FPS, STICKER_SIDE_PX = 256 * 1024, 3.0, 30, 512
NOTE_LIMIT_S, NOTE_LIMIT_PX = 60.0, 640
_GZIP = b"\x1f\x8b"
_EBML = b"\x1a\x45\xdf\xa3"
_TYPES = mimetypes.MimeTypes()  # Python's own table, the same on every machine


@dataclass(frozen=True)
class MediaOptions:
    """What the sender says about the media; what is not given is measured.

    Attributes:
        width: px.
        height: px.
        duration: s.
        thumbnail: a JPEG.
        in_album: in albums a silent video is not turned into an animation.
        is_from_person: people may send videos that are not MPEG-4.
    """

    width: int | None = None
    height: int | None = None
    duration: int | None = None
    thumbnail: bytes | None = None
    in_album: bool = False
    is_from_person: bool = False


async def attach(store: FileStore, kind: Kind, upload: Upload, options: MediaOptions) -> Attachment:
    """Store an upload, and what is made from it, as media of this kind.

    Raises:
        ApiError: 400 if the bytes cannot be sent as this kind.
    """
    if not upload.content:
        raise bad_request("file must be non-empty")
    return await asyncio.to_thread(_attach, store, kind, upload, options)


def _attach(store: FileStore, kind: Kind, upload: Upload, options: MediaOptions) -> Attachment:
    if kind == "photo":
        return _photo(store, upload)
    if kind == "sticker":
        return _sticker(store, upload, is_checked=not options.is_from_person)
    if kind in {"voice", "audio"}:
        return _sound(store, kind, upload)
    if kind == "document":
        return _document(store, upload, options.thumbnail)
    return _moving(store, kind, upload, options)


def _photo(store: FileStore, upload: Upload) -> Attachment:
    sizes = [
        (store.add(picture.content, "photo", ".jpg", "image/jpeg"), picture)
        for picture in photo_sizes(upload.content)
    ]
    shown = [
        stored.as_json() | {"width": picture.width, "height": picture.height}
        for stored, picture in sizes
    ]
    return store.attach(Attachment("photo", {"photo": shown}), *(stored for stored, _ in sizes))


def _sticker(store: FileStore, upload: Upload, *, is_checked: bool) -> Attachment:
    """Stickers are told apart by their first bytes: drawings (.tgs), videos (.webm), pictures.

    Those of bots must keep to the documented limits.
    """
    content, suffix = upload.content, ".webp"
    is_animated, is_video = content.startswith(_GZIP), content.startswith(_EBML)
    if is_animated:
        width, height, content_type, suffix = 512, 512, "application/x-tgsticker", ".tgs"
    elif is_video:
        clip = read_clip(content)
        if clip is None:
            raise bad_request("STICKER_VIDEO_NOWEBM")
        if is_checked:
            _check_video_sticker(clip, len(content))
        width, height, content_type, suffix = clip.width, clip.height, "video/webm", ".webm"
    else:
        width, height, content_type = picture_type(content)
    stored = store.add(content, "sticker", suffix, content_type)
    shown = stored.as_json() | {
        "type": "regular",
        "width": width,
        "height": height,
        "is_animated": is_animated,
        "is_video": is_video,
    }
    return store.attach(Attachment("sticker", {"sticker": shown}), stored)


def _check_video_sticker(clip: Clip, size_bytes: int) -> None:
    """Raise ApiError 400 unless a video can be a sticker."""
    if size_bytes > STICKER_LIMIT_BYTES:
        raise bad_request("STICKER_VIDEO_BIG")
    problems = {
        "it must be VP9": clip.codec not in ("vp9", "libvpx-vp9"),
        "it must be silent": clip.has_sound,
        "it must last 3 seconds at most": clip.exact_s > STICKER_LIMIT_S,
        "it must have 30 frames per second at most": clip.rate_fps > STICKER_LIMIT_FPS,
        "one side must be 512 px, the other 512 px or less": max(clip.width, clip.height)
        != STICKER_SIDE_PX,
    }
    for problem, is_true in problems.items():
        if is_true:
            raise bad_request(f"can't use the file as a video sticker: {problem}")


def _check_video_note(clip: Clip, options: MediaOptions) -> None:
    """Raise ApiError 400 unless a video of a bot can be a video note."""
    length = options.width
    if clip.width != clip.height or (length is not None and length != clip.width):
        raise bad_request("wrong video note length: the video must be a square")
    if clip.width > NOTE_LIMIT_PX:
        raise bad_request("wrong video note length")
    if clip.exact_s > NOTE_LIMIT_S:
        raise bad_request("can't use the file as a video note: it is longer than a minute")


def _sound(store: FileStore, kind: Kind, upload: Upload) -> Attachment:
    """A voice message or an audio file; as audio, a file without sound becomes a document."""
    content = as_ogg(upload.content) if kind == "voice" else upload.content
    duration = sound_duration_s(content)
    if duration is None:
        if kind == "audio":
            return _document(store, upload)
        raise bad_request("can't use the file as a voice message: it has no sound")
    types = (_content_type(upload), upload.content_type) if content is upload.content else ()
    content_type = next((one for one in types if one.startswith("audio/")), "audio/ogg")
    suffix = ".oga" if kind == "voice" else PurePath(upload.file_name).suffix[:16]
    stored = store.add(content, kind, suffix, content_type)
    shown = stored.as_json() | {"duration": duration, "mime_type": content_type}
    if kind == "audio":
        shown["file_name"] = upload.file_name
    return store.attach(Attachment(kind, {str(kind): shown}), stored)


def _document(store: FileStore, upload: Upload, thumbnail: bytes | None = None) -> Attachment:
    suffix = PurePath(upload.file_name).suffix[:16]
    stored = store.add(upload.content, "document", suffix, _content_type(upload))
    shown = _file_fields(stored, upload.file_name) | _thumbnail_fields(store, None, thumbnail)
    return store.attach(Attachment("document", {"document": shown}), stored)


def _moving(store: FileStore, kind: Kind, upload: Upload, options: MediaOptions) -> Attachment:
    """A video, an animation or a round video; anything else becomes a document."""
    clip = read_clip(upload.content)
    if clip is None or not (clip.is_mp4 or options.is_from_person):
        if kind == "video_note":
            raise bad_request("can't use the file as a video note: it is not an MPEG-4 video")
        return _document(store, upload)
    if kind == "video_note" and not options.is_from_person:
        _check_video_note(clip, options)
    if kind == "video" and not clip.has_sound and not options.in_album:
        kind = "animation"  # as Telegram does with silent videos
    content_type = "video/mp4" if clip.is_mp4 else _content_type(upload)
    stored = store.add(upload.content, kind, PurePath(upload.file_name).suffix[:16], content_type)
    makes_preview = options.is_from_person or len(upload.content) <= _PREVIEW_LIMIT_BYTES
    extra = _thumbnail_fields(store, clip if makes_preview else None, options.thumbnail)
    fields = stored.as_json() | _measures(kind, clip, options) | extra
    if kind != "video_note":
        fields |= {"file_name": upload.file_name, "mime_type": content_type}
    shown: JsonObject = {str(kind): fields}
    if kind == "animation":
        shown["document"] = _file_fields(stored, upload.file_name) | extra
    return store.attach(Attachment(kind, shown), stored)


def _measures(kind: Kind, clip: Clip, options: MediaOptions) -> JsonObject:
    duration = clip.duration_s if options.duration is None else options.duration
    width, height = options.width or clip.width, options.height or clip.height
    if kind == "video_note":
        return {"length": min(width, height), "duration": duration}
    return {"width": width, "height": height, "duration": duration}


def _thumbnail_fields(store: FileStore, clip: Clip | None, given: bytes | None) -> JsonObject:
    """The sender's thumbnail if Telegram would take it, else the clip's first frame, if any."""
    picture: Picture | None = thumbnail(given) if given else None
    picture = picture or (clip.thumbnail if clip else None)
    if picture is None:
        return {}
    stored = store.add(picture.content, "thumbnail", ".jpg", "image/jpeg")
    return {"thumbnail": stored.as_json() | {"width": picture.width, "height": picture.height}}


def _content_type(upload: Upload) -> str:
    guessed = _TYPES.guess_type(upload.file_name)[0]
    return guessed or upload.content_type or "application/octet-stream"


def _file_fields(stored: StoredFile, file_name: str) -> JsonObject:
    return stored.as_json() | {"file_name": file_name, "mime_type": stored.content_type}
