"""Videos to send, in each of their forms: the method of the Bot API and its parameters."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from telegram import Document, InputFile, Message
from telegram.ext import ExtBot

from bot.provenance.signing import UNKNOWN, Origin, Signing
from jobs.media_tasks import Form

NO_CAPTION = (Form.ROUND, Form.STICKER)
"""The forms that Telegram shows without a caption."""


@dataclass(frozen=True)
class OutgoingVideo:
    """A video to send.

    Attributes:
        media: the file, or Telegram's id of one that was sent before.
        width: px.
        height: px.
        duration_s: how long it plays, s.
        has_sound: a video without sound is sent as an animation, which loops.
        file_name: shown when the file is saved.
        thumbnail: a JPEG of at most 320 px and 200 kB, or None. Telegram makes none for videos
            over 10 MB.
        form: how it is sent.
        origin: how it was made.
    """

    media: Path | str
    width: int
    height: int
    duration_s: float
    has_sound: bool
    file_name: str
    thumbnail: Path | None = None
    form: Form = Form.LOOP
    origin: Origin = UNKNOWN


@dataclass(frozen=True)
class SentVideo:
    """A message that was sent.

    Attributes:
        message_id: its id.
        file_id: Telegram's id of its video, or None.
        is_document: whether the video arrived as a file.
    """

    message_id: int
    file_id: str | None = None
    is_document: bool = False


Send = Callable[..., Coroutine[Any, Any, Message | bool]]


async def video_call(
    bot: "ExtBot[Any]", video: OutgoingVideo, caption: str, signing: Signing | None
) -> Send:
    """Return the call that sends a video in its form; chat and keyboard are still missing.

    Args:
        bot: the connection.
        video: the video.
        caption: its caption.
        signing: signs it; None: it is sent unsigned.

    Raises:
        NotSigned, Unsignable: see `Signing.sign`.
    """
    media = await _input(video, signing)
    facts: dict[str, Any] = {}
    if video.thumbnail is not None:
        facts["thumbnail"] = await asyncio.to_thread(video.thumbnail.read_bytes)
    match video.form:
        case Form.ROUND:
            facts |= {"duration": round(video.duration_s), "length": video.width}
            return partial(bot.send_video_note, video_note=media, **facts)
        case Form.STICKER:
            return partial(bot.send_sticker, sticker=media)
        case Form.GIF | Form.FILE:
            return partial(
                bot.send_document,
                document=media,
                caption=caption,
                disable_content_type_detection=True,
                **facts,
            )
    facts |= {"duration": round(video.duration_s), "caption": caption}
    facts |= {"width": video.width, "height": video.height}
    if video.has_sound or video.form is Form.VIDEO:
        return partial(bot.send_video, video=media, supports_streaming=True, **facts)
    return partial(bot.send_animation, animation=media, **facts)


def sent_video(message: Message) -> SentVideo:
    """Return the ids of a message and its video; a silent video may have become an animation."""
    media = message.effective_attachment
    file_id = getattr(media, "file_id", None)
    return SentVideo(
        message.message_id,
        file_id if isinstance(file_id, str) else None,
        is_document=isinstance(media, Document),
    )


async def _input(video: OutgoingVideo, signing: Signing | None) -> InputFile | str:
    if isinstance(video.media, str):
        return video.media  # Telegram's copy, as it is
    if signing is None:
        content = await asyncio.to_thread(video.media.read_bytes)
    else:
        content = await signing.sign(video.media, video.origin, video.file_name)
    return InputFile(content, filename=video.file_name)
