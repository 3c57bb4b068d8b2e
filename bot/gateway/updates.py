"""Telegram's objects end here: what came in, as plain values."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from telegram import (
    Animation,
    CallbackQuery,
    Document,
    ExternalReplyInfo,
    LivePhoto,
    Message,
    Sticker,
    Video,
    VideoNote,
)

from bot.gateway.messenger import ChatTarget
from bot.gateway.rate_limiter import seconds
from jobs.drafts import MediaFile

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif")
_CLIPS = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".gif", ".3gp")

_MOVING_STICKER = (
    "Moving stickers cannot be brought to life: send a photo, a picture file or a sticker that "
    "does not move."
)
_STORY = "Bots cannot open stories: save the picture or the video and send it to me."
_PAID = "Bots cannot open paid media: send the picture itself."
_OTHER_FILE = (
    "{name} is neither a picture nor a video: send a photo (JPEG, PNG, WebP, HEIC ...), or a clip "
    "(MP4, MOV, WebM, GIF) whose movement it is to follow."
)
_NO_FILE = "Send me a photo with a face, and I bring it to life."

Moving = Animation | LivePhoto | Video | VideoNote


@dataclass(frozen=True)
class IncomingMessage:
    """Where a message came from.

    Attributes:
        chat: which chat; negative: a group.
        person: who wrote it; of an anonymous admin or a channel, the number of that chat.
        message_id: in the chat.
        thread_id: the topic of a forum, or None.
        reply_to: the message that it answers, or None.
        album: what the messages of an album have in common, or None.
        text: its text or caption.
    """

    chat: int
    person: int
    message_id: int
    thread_id: int | None = None
    reply_to: int | None = None
    album: str | None = None
    text: str = ""

    @property
    def target(self) -> ChatTarget:
        """Where an answer goes."""
        return ChatTarget(self.chat, self.thread_id, self.message_id)


@dataclass(frozen=True)
class SourcePhoto:
    """A picture to bring to life.

    Attributes:
        file: the picture.
        clip: what of it moves (a live photo): taken where a clip was asked for.
    """

    file: MediaFile
    clip: MediaFile | None = None


@dataclass(frozen=True)
class DrivingClip:
    """A clip to follow."""

    file: MediaFile


@dataclass(frozen=True)
class Unusable:
    """Something that cannot be used as a photo.

    Attributes:
        sentence: a msgid; it says what to do next.
        name: of the file, for the sentence.
        clip: what can serve as a clip (a video sticker): taken where one was asked for.
    """

    sentence: str
    name: str = ""
    clip: MediaFile | None = None


Media = SourcePhoto | DrivingClip | Unusable


@dataclass(frozen=True)
class IncomingTap:
    """A tap on a button.

    Attributes:
        chat: where the button is.
        person: who tapped.
        message_id: the button's message.
        thread_id: the topic of a forum, or None.
        data: what the button carries.
        query: Telegram's name of the tap, the same however often it comes.
    """

    chat: int
    person: int
    message_id: int
    thread_id: int | None
    data: str
    query: str


@dataclass(frozen=True)
class TapAnswer:
    """What the person who tapped is told at once, and what is done after that.

    Attributes:
        text: may be empty: then the button just stops waiting.
        is_alert: whether the text comes in a window that is to be closed, not in passing.
        then: all that takes its time, such as sending; None if nothing is left.
        only_shows: whether that changes nothing but what is seen: the next tap need not wait.
    """

    text: str = ""
    is_alert: bool = False
    then: Callable[[], Awaitable[object]] | None = None
    only_shows: bool = False


def incoming(message: Message) -> IncomingMessage:
    """Where a message came from."""
    sender = message.sender_chat or message.from_user
    reply = message.reply_to_message
    return IncomingMessage(
        chat=message.chat.id,
        person=sender.id if sender else message.chat.id,
        message_id=message.message_id,
        # Outside topics a reply carries the number of its thread's root, which cannot be sent to.
        thread_id=message.message_thread_id if message.is_topic_message else None,
        reply_to=reply.message_id if reply else None,
        album=message.media_group_id,
        text=message.text or message.caption or "",
    )


def tapped(query: CallbackQuery) -> IncomingTap | None:
    """A tap; None if its button is under no message of a chat, or carries nothing."""
    message = query.message
    if message is None or not query.data:
        return None
    # Of a message that the bot cannot see any more only chat and number are known.
    thread_id = None
    if isinstance(message, Message) and message.is_topic_message:
        thread_id = message.message_thread_id
    return IncomingTap(
        chat=message.chat.id,
        person=query.from_user.id,
        message_id=message.message_id,
        thread_id=thread_id,
        data=query.data,
        query=query.id,
    )


def media_of(message: Message | ExternalReplyInfo) -> Media | None:
    """What a message brings: a picture, a clip, or something that cannot be used.

    None: it brings nothing but text.

    Args:
        message: a message, or what one quotes from another chat.
    """
    if message.photo:
        largest = message.photo[-1]
        photo = MediaFile(file_id=largest.file_id, name="photo.jpg", size_bytes=largest.file_size)
        live = message.live_photo
        return SourcePhoto(photo, _moving(live, "live photo.mp4") if live else None)
    if message.sticker:
        return _of_sticker(message.sticker)
    # Of an animation `document` is set as well.
    clip = message.animation or message.video or message.video_note
    if clip:
        return DrivingClip(_moving(clip, getattr(clip, "file_name", None) or "clip.mp4"))
    if message.document:
        return _of_document(message.document)
    if message.story or message.paid_media:
        return Unusable(_STORY if message.story else _PAID)
    is_something = isinstance(message, Message) and message.effective_attachment
    return Unusable(_NO_FILE) if is_something else None


def quoted_media_of(message: Message) -> Media | None:
    """What the message brings that this one answers, here or in another chat; None: no media."""
    quoted = message.reply_to_message or message.external_reply
    return media_of(quoted) if quoted else None


def _moving(clip: Moving, name: str) -> MediaFile:
    return MediaFile(
        file_id=clip.file_id,
        name=name,
        size_bytes=clip.file_size,
        duration_s=seconds(clip.duration),
    )


def _of_sticker(sticker: Sticker) -> Media:
    if sticker.is_video:
        clip = MediaFile(file_id=sticker.file_id, name="sticker.webm", size_bytes=sticker.file_size)
        return Unusable(_MOVING_STICKER, clip=clip)
    if sticker.is_animated:
        return Unusable(_MOVING_STICKER)
    return SourcePhoto(
        MediaFile(file_id=sticker.file_id, name="sticker.webp", size_bytes=sticker.file_size)
    )


def _of_document(document: Document) -> Media:
    mime = (document.mime_type or "").lower()
    suffix = PurePosixPath(document.file_name or "").suffix.lower()
    file = MediaFile(
        file_id=document.file_id,
        name=document.file_name or ("clip" if mime.startswith("video/") else "picture"),
        size_bytes=document.file_size,
    )
    if mime == "image/gif" or mime.startswith("video/") or suffix in _CLIPS:
        return DrivingClip(file)
    if mime.startswith("image/") or suffix in _PICTURES:
        return SourcePhoto(file)
    return Unusable(_OTHER_FILE, file.name)
