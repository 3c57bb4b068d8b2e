"""Sends files to a chat and fetches them back, to see what Telegram makes of them."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telegram import InputFile
from telegram.ext import ExtBot
from telegram.helpers import effective_message_type

from bot.gateway.messenger import Messenger
from bot.gateway.outgoing import OutgoingVideo
from bot.gateway.rate_limiter import seconds

ANIMATION, VIDEO, DOCUMENT = "animation", "video", "document"
_TOLERANCE_S = 1.0


@dataclass(frozen=True)
class Trip:
    """The result of sending one file.

    Attributes:
        sent: the kind of message that was sent.
        came_back: the kind that arrived in the chat.
        is_same: whether its bytes are unchanged.
        sent_s: how long it plays, s.
        came_back_s: how long it plays according to Telegram, s; None for a document.
        took_s: from sending to the last byte fetched, s.
    """

    sent: str
    came_back: str
    is_same: bool
    sent_s: float
    came_back_s: float | None
    took_s: float

    @property
    def problem(self) -> str:
        """What is wrong; empty if all is well. Only documents must keep their bytes."""
        if self.came_back != self.sent:
            return f"what was sent as {self.sent} came back as {self.came_back}"
        if self.sent == DOCUMENT and not self.is_same:
            return "the document came back with other bytes"
        if self.came_back_s is not None and abs(self.came_back_s - self.sent_s) > _TOLERANCE_S:
            return f"the {self.sent} of {self.sent_s:g} s came back with {self.came_back_s:g} s"
        return ""


async def round_trips(
    bot: "ExtBot[Any]", chat_id: int, silent: OutgoingVideo, with_sound: OutgoingVideo
) -> list[Trip]:
    """Send three messages, as results are sent, and fetch their files.

    Args:
        bot: the connection.
        chat_id: where they are sent.
        silent: a file without sound, sent as an animation.
        with_sound: a file with sound, sent as a video and as a document.

    Raises:
        TelegramError: one could not be sent or fetched.
        OSError: a file cannot be read.
    """
    wanted = ((ANIMATION, silent), (VIDEO, with_sound), (DOCUMENT, with_sound))
    return [await _round_trip(bot, chat_id, kind, video) for kind, video in wanted]


async def _round_trip(bot: "ExtBot[Any]", chat_id: int, kind: str, video: OutgoingVideo) -> Trip:
    content = await asyncio.to_thread(Path(video.media).read_bytes)
    what: dict[str, Any] = {kind: InputFile(content, filename=video.file_name)}
    if kind == DOCUMENT:
        what["disable_content_type_detection"] = True
    else:
        facts = {"width": video.width, "height": video.height}
        what |= facts | {"duration": round(video.duration_s)}
    begun_s = time.monotonic()
    send = getattr(bot, f"send_{kind}")
    message = await send(chat_id, caption=f"animato doctor: {kind}", **what)
    file: Any = message.effective_attachment
    fetched = await Messenger(bot).download(file.file_id)
    plays = getattr(file, "duration", None)
    return Trip(
        sent=kind,
        came_back=str(effective_message_type(message)),
        is_same=fetched == content,
        sent_s=video.duration_s,
        came_back_s=None if plays is None else seconds(plays),
        took_s=time.monotonic() - begun_s,
    )
