"""Converts Telegram's objects to plain values."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

from pydantic import Field
from telegram import (
    Animation,
    Audio,
    CallbackQuery,
    Document,
    ExternalReplyInfo,
    LivePhoto,
    Message,
    Sticker,
    Video,
    VideoNote,
    Voice,
)

from bot.gateway.messenger import ChatTarget
from bot.gateway.rate_limiter import seconds
from jobs.model import Value
from jobs.wish import Seconds

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif")
_CLIPS = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".gif", ".3gp")
_SOUNDS = (
    ".mp3",
    ".m4a",
    ".aac",
    ".ogg",
    ".oga",
    ".opus",
    ".wav",
    ".flac",
    ".aif",
    ".aiff",
    ".wma",
)

_DEFAULT_NAMES = {"video": "clip", "audio": "recording"}

_MOVING_STICKER = (
    "Animated stickers cannot be used: send a photo, a picture file or a sticker that does not "
    "move."
)
_STORY = "Bots cannot open stories: save the picture or the video and send it to me."
_PAID = "Bots cannot open paid media: send the picture itself."
_OTHER_FILE = (
    "{name} is neither a picture nor a video nor a sound: send a photo (JPEG, PNG, WebP, HEIC "
    "...), a clip (MP4, MOV, WebM, GIF) for it to follow, or a sound (OGG, MP3, M4A, WAV) to say."
)
_NO_FILE = "Send me a photo with a face, and I bring it to life."


class MediaFile(Value):
    """A file at Telegram, with everything needed to fetch it again.

    Attributes:
        file_id: Telegram's id of it for this bot.
        name: file name with a suffix, for error messages.
        size_bytes: its size; None if unknown.
        duration_s: duration of a clip or a recording, s; None if unknown.
        is_voice: whether it is a recording for the face to say, not a clip to follow.
    """

    file_id: str
    name: str
    size_bytes: int | None = Field(default=None, ge=0)
    duration_s: Seconds | None = None
    # Not written if False, since the version before does not know it.
    is_voice: bool = Field(default=False, exclude_if=lambda is_voice: not is_voice)


Timed = Animation | Audio | LivePhoto | Video | VideoNote | Voice


@dataclass(frozen=True)
class IncomingMessage:
    """A message without its media.

    Attributes:
        chat_id: the chat's id; negative for groups.
        person_id: the sender's id; for anonymous admins and channels, that chat's id.
        message_id: its id in the chat.
        thread_id: the forum topic, or None.
        reply_to: the message that it replies to, or None.
        album_id: the id shared by the messages of an album, or None.
        text: its text or caption.
    """

    chat_id: int
    person_id: int
    message_id: int
    thread_id: int | None = None
    reply_to: int | None = None
    album_id: str | None = None
    text: str = ""

    @property
    def target(self) -> ChatTarget:
        """Where a reply goes."""
        return ChatTarget(self.chat_id, self.thread_id, self.message_id)


@dataclass(frozen=True)
class PhotoMedia:
    """A picture to animate.

    Attributes:
        file: the picture.
        clip: the video of a live photo, used where a clip was asked for; or None.
    """

    file: MediaFile
    clip: MediaFile | None = None


@dataclass(frozen=True)
class LeadMedia:
    """What can lead the face: a clip to follow, or a recording to say."""

    file: MediaFile


@dataclass(frozen=True)
class UnusableMedia:
    """Media that cannot be used as a photo.

    Attributes:
        sentence: why, and what to do next; a msgid.
        name: the file's name, for the sentence.
        clip: a video sticker, used where a clip was asked for; or None.
    """

    sentence: str
    name: str = ""
    clip: MediaFile | None = None


Media = PhotoMedia | LeadMedia | UnusableMedia


@dataclass(frozen=True)
class IncomingTap:
    """A tap on a button.

    Attributes:
        chat_id: where the button is.
        person_id: who tapped.
        message_id: the button's message.
        thread_id: the forum topic, or None.
        data: the button's data.
        query_id: the callback query's id, the same if the update is repeated.
        chat_title: the group's title; empty in private.
    """

    chat_id: int
    person_id: int
    message_id: int
    thread_id: int | None
    data: str
    query_id: str
    chat_title: str = ""


@dataclass(frozen=True)
class TapAnswer:
    """The immediate answer to a tap, and the work that follows.

    Attributes:
        text: shown to the person; may be empty.
        is_alert: whether the text is shown as an alert, not as a notification.
        then: slow work such as sending; None if nothing is left.
        only_shows: whether that work only shows something, so that the next tap need not wait.
    """

    text: str = ""
    is_alert: bool = False
    then: Callable[[], Awaitable[object]] | None = None
    only_shows: bool = False


Command: TypeAlias = Callable[[IncomingMessage], Awaitable[None]]
TapHandler: TypeAlias = Callable[[IncomingTap], Awaitable[TapAnswer]]


def incoming_message(message: Message) -> IncomingMessage:
    """Convert a message."""
    sender = message.sender_chat or message.from_user
    reply = message.reply_to_message
    return IncomingMessage(
        chat_id=message.chat.id,
        person_id=sender.id if sender else message.chat.id,
        message_id=message.message_id,
        # Outside topics a reply carries its thread's root, which cannot be sent to.
        thread_id=message.message_thread_id if message.is_topic_message else None,
        reply_to=reply.message_id if reply else None,
        album_id=message.media_group_id,
        text=message.text or message.caption or "",
    )


def incoming_tap(query: CallbackQuery) -> IncomingTap | None:
    """Convert a tap; None if its button is not under a chat's message, or has no data."""
    message = query.message
    if message is None or not query.data:
        return None
    # Of an inaccessible message only chat and id are known.
    thread_id = None
    if isinstance(message, Message) and message.is_topic_message:
        thread_id = message.message_thread_id
    return IncomingTap(
        chat_id=message.chat.id,
        person_id=query.from_user.id,
        message_id=message.message_id,
        thread_id=thread_id,
        data=query.data,
        query_id=query.id,
        chat_title=message.chat.title or "",
    )


def media_of(message: Message | ExternalReplyInfo) -> Media | None:
    """Return a message's picture, clip, recording or unusable media; None if it has only text.

    Args:
        message: a message, or the one that it quotes from another chat.
    """
    if message.photo:
        largest = message.photo[-1]
        photo = MediaFile(file_id=largest.file_id, name="photo.jpg", size_bytes=largest.file_size)
        live = message.live_photo
        return PhotoMedia(photo, _timed(live, "live photo.mp4") if live else None)
    if message.sticker:
        return _of_sticker(message.sticker)
    # An animation has `document` set as well.
    if clip := message.animation or message.video or message.video_note:
        return LeadMedia(_timed(clip, getattr(clip, "file_name", None) or "clip.mp4"))
    if voice := message.voice or message.audio:
        name = getattr(voice, "file_name", None) or "recording"
        return LeadMedia(_timed(voice, name, is_voice=True))
    if message.document:
        return _of_document(message.document)
    return _unusable(message)


def quoted_media_of(message: Message) -> Media | None:
    """Return the media of the message that this one replies to, in any chat; or None."""
    quoted = message.reply_to_message or message.external_reply
    return media_of(quoted) if quoted else None


def quoted_author_of(message: Message) -> int | None:
    """Return who wrote the message that this one replies to, in the same chat; None for a bot."""
    quoted = message.reply_to_message
    if (
        quoted is None
        or (sender := quoted.from_user) is None
        or quoted.sender_chat
        or sender.is_bot
    ):
        return None
    return sender.id


def _unusable(message: Message | ExternalReplyInfo) -> UnusableMedia | None:
    if message.story or message.paid_media:
        return UnusableMedia(_STORY if message.story else _PAID)
    is_something = isinstance(message, Message) and message.effective_attachment
    return UnusableMedia(_NO_FILE) if is_something else None


def _timed(media: Timed, name: str, *, is_voice: bool = False) -> MediaFile:
    return MediaFile(
        file_id=media.file_id,
        name=name,
        size_bytes=media.file_size,
        duration_s=seconds(media.duration),
        is_voice=is_voice,
    )


def _of_sticker(sticker: Sticker) -> Media:
    if sticker.is_video:
        clip = MediaFile(file_id=sticker.file_id, name="sticker.webm", size_bytes=sticker.file_size)
        return UnusableMedia(_MOVING_STICKER, clip=clip)
    if sticker.is_animated:
        return UnusableMedia(_MOVING_STICKER)
    return PhotoMedia(
        MediaFile(file_id=sticker.file_id, name="sticker.webp", size_bytes=sticker.file_size)
    )


def _of_document(document: Document) -> Media:
    mime = (document.mime_type or "").lower()
    suffix = PurePosixPath(document.file_name or "").suffix.lower()
    default_name = _DEFAULT_NAMES.get(mime.partition("/")[0], "picture")
    file = MediaFile(
        file_id=document.file_id,
        name=document.file_name or default_name,
        size_bytes=document.file_size,
    )
    if mime == "image/gif" or mime.startswith("video/") or suffix in _CLIPS:
        return LeadMedia(file)
    if mime.startswith("image/") or suffix in _PICTURES:
        return PhotoMedia(file)
    if mime.startswith("audio/") or suffix in _SOUNDS:
        return LeadMedia(file.model_copy(update={"is_voice": True}))
    return UnusableMedia(_OTHER_FILE, file.name)
