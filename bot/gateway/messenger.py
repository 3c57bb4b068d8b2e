"""Sends, edits and deletes messages, answers taps, and downloads files.

Droppable calls fail if their chat has no room; all others wait. Harmless errors, such as an edit
that changes nothing or a message that is gone, are ignored.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from telegram import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    InputMediaAnimation,
    InputMediaPhoto,
    Message,
    ReplyParameters,
)
from telegram.constants import ChatMemberStatus
from telegram.error import BadRequest, ChatMigrated, TelegramError
from telegram.ext import ExtBot

from bot.callback_data import ButtonData
from bot.gateway.rate_limiter import ChatRateLimiter
from jobs.model import Value

DROPPABLE = {"droppable": True}
# Telegram's error texts.
_UNCHANGED = "not modified"
_GONE = ("message to edit not found", "message can't be edited", "message to delete not found")
_QUERY_OVER = ("query is too old", "query id is invalid")


@dataclass(frozen=True)
class ChatTarget:
    """Where a message goes.

    Attributes:
        chat_id: which chat.
        thread_id: the topic of a forum, or None.
        reply_to: the message that it replies to, or None.
    """

    chat_id: int
    thread_id: int | None = None
    reply_to: int | None = None


@dataclass(frozen=True)
class Button:
    """A button under a message."""

    text: str
    data: ButtonData


Keyboard = tuple[tuple[Button, ...], ...]


def in_rows(buttons: Sequence[Button], width: int) -> list[tuple[Button, ...]]:
    """Arrange buttons in rows of `width`; the last row may be shorter."""
    return [tuple(buttons[start : start + width]) for start in range(0, len(buttons), width)]


def even_width(count: int, most: int) -> int:
    """Return how many of `count` buttons to put in a row, at most `most`, so that rows are even."""
    rows = max(1, -(-count // most))
    return max(1, -(-count // rows))


@dataclass(frozen=True)
class MessageContent:
    """A message's text or caption, and its buttons."""

    text: str
    keyboard: Keyboard = ()


@dataclass(frozen=True)
class OutgoingVideo:
    """A video to send.

    Attributes:
        media: the file.
        width: px.
        height: px.
        duration_s: how long it plays, s.
        has_sound: a video without sound is sent as an animation, which loops.
        file_name: shown when the file is saved.
        thumbnail: a JPEG of at most 320 px and 200 kB, or None. Telegram makes none for videos
            over 10 MB.
    """

    media: Path
    width: int
    height: int
    duration_s: float
    has_sound: bool
    file_name: str
    thumbnail: Path | None = None


class CardMessage(Value):
    """A message of the bot that is edited in place.

    Attributes:
        message_id: its id in its chat.
        has_media: whether it has a picture or an animation, so its text is a caption.
    """

    message_id: int
    has_media: bool = False


SendText = Callable[[], Awaitable[int]]


class ChatBusy(Exception):
    """The rate limit leaves no room for a message; nothing was sent.

    Attributes:
        wait_s: the least time until there is room.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"no room for {wait_s:.0f} s")
        self.wait_s = wait_s


class Messenger:
    """Sends and edits messages. Telegram's errors are passed on unless a method says otherwise.

    Args:
        bot: the connection, with our rate limiter.
        migrated: called with the old and the new id of a group that migrated.

    Attributes:
        around_text: wraps the sending of every text; gets the chat and the call that sends.
    """

    def __init__(
        self,
        bot: "ExtBot[Any]",
        migrated: Callable[[int, int], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self.bot = bot
        self._migrated = migrated
        self.around_text: Callable[[int, SendText], Awaitable[int]] | None = None

    async def send(
        self, target: ChatTarget, content: MessageContent, *, droppable: bool = False
    ) -> int:
        """Send a text message and return its id.

        Args:
            target: where.
            content: what.
            droppable: fail instead of waiting for the rate limit.

        Raises:
            ChatBusy: the rate limit leaves no room now (only if `droppable`).
        """
        send = partial(self.send_text, target, content, droppable=droppable)
        return await (self.around_text(target.chat_id, send) if self.around_text else send())

    async def send_text(
        self, target: ChatTarget, content: MessageContent, *, droppable: bool = False
    ) -> int:
        """Same as `send`, without `around_text`."""
        message = await self._send(
            target,
            self.bot.send_message,
            droppable=droppable,
            text=content.text,
            reply_markup=markup(content.keyboard),
        )
        return message.message_id

    async def send_video(
        self, target: ChatTarget, video: OutgoingVideo, content: MessageContent
    ) -> int:
        """Send a video that plays in the chat; return the message's id.

        Raises:
            ChatBusy: the rate limit leaves no room now.
        """
        facts: dict[str, Any] = {
            "width": video.width,
            "height": video.height,
            "duration": round(video.duration_s),
            "caption": content.text,
            "reply_markup": markup(content.keyboard),
        }
        media = await _media(video)
        if video.thumbnail is not None:
            facts["thumbnail"] = await asyncio.to_thread(video.thumbnail.read_bytes)
        if video.has_sound:
            facts["supports_streaming"] = True
            send = partial(self.bot.send_video, video=media)
        else:
            send = partial(self.bot.send_animation, animation=media)
        return (await self._send(target, send, droppable=True, **facts)).message_id

    async def send_file(
        self, target: ChatTarget, video: OutgoingVideo, content: MessageContent
    ) -> int:
        """Send a video as a file, which Telegram leaves unchanged; see `send_video`."""
        message = await self._send(
            target,
            self.bot.send_document,
            droppable=True,
            document=await _media(video),
            caption=content.text,
            disable_content_type_detection=True,
            reply_markup=markup(content.keyboard),
        )
        return message.message_id

    async def edit(
        self, chat_id: int, card: CardMessage, content: MessageContent, *, droppable: bool = False
    ) -> bool:
        """Change a message's text and buttons. Return False if it is gone. Errors: see `send`."""
        which: dict[str, Any] = {
            "chat_id": chat_id,
            "message_id": card.message_id,
            "reply_markup": markup(content.keyboard),
            "rate_limit_args": DROPPABLE if droppable else None,
        }
        if card.has_media:
            change = self.bot.edit_message_caption(caption=content.text, **which)
        else:
            change = self.bot.edit_message_text(text=content.text, **which)
        return await _harmless(self._edit(chat_id, change))

    async def edit_media(
        self,
        chat_id: int,
        card: CardMessage,
        media: bytes,
        content: MessageContent,
        *,
        is_animation: bool = False,
    ) -> CardMessage | None:
        """Put a picture or an animation into a message. Return None if the message is gone."""
        kind = InputMediaAnimation if is_animation else InputMediaPhoto
        change = self.bot.edit_message_media(
            kind(media, caption=content.text),
            chat_id=chat_id,
            message_id=card.message_id,
            reply_markup=markup(content.keyboard),
        )
        return card.model_copy(update={"has_media": True}) if await _harmless(change) else None

    async def delete(self, chat_id: int, message_id: int) -> bool:
        """Delete a message. Return False if it is gone already."""
        return await _harmless(self.bot.delete_message(chat_id, message_id))

    async def answer(self, query_id: str, text: str = "", *, is_alert: bool = False) -> None:
        """Answer a tap; ignore that it is too old."""
        try:
            await self.bot.answer_callback_query(query_id, text or None, show_alert=is_alert)
        except BadRequest as error:
            if not any(phrase in str(error).lower() for phrase in _QUERY_OVER):
                raise

    async def show_uploading(self, target: ChatTarget) -> None:
        """Show for five seconds that a video is being uploaded, if that is possible now."""
        with suppress(TelegramError):
            await self.bot.send_chat_action(
                target.chat_id,
                "upload_video",
                message_thread_id=target.thread_id,
                rate_limit_args=DROPPABLE,
            )

    def closed_s(self, chat_id: int) -> float:
        """Return the least time that a message to a chat must wait now, s."""
        limiter = self.bot.rate_limiter
        return limiter.closed_s(chat_id) if isinstance(limiter, ChatRateLimiter) else 0.0

    async def ask_for_answer(self) -> None:
        """Raise TelegramError unless Telegram answers."""
        await self.bot.get_me()

    async def download(self, file_id: str) -> bytes:
        """Return a file's content."""
        file, content = await self.bot.get_file(file_id), _Whole()
        await file.download_to_memory(content)
        return content.content

    async def profile_photo(self, person_id: int) -> str | None:
        """Return the file id of a person's profile picture, or None."""
        found = await self.bot.get_user_profile_photos(person_id, limit=1)
        return found.photos[0][-1].file_id if found.photos else None

    async def is_chat_admin(self, chat_id: int, person_id: int) -> bool:
        """Whether a person is an admin of a group."""
        try:
            member = await self.bot.get_chat_member(chat_id, person_id)
        except BadRequest:
            return False  # unknown to the bot in that group
        return member.status in (ChatMemberStatus.OWNER, ChatMemberStatus.ADMINISTRATOR)

    async def _send(
        self,
        target: ChatTarget,
        send: Callable[..., Coroutine[Any, Any, Message | bool]],
        *,
        droppable: bool,
        **what: Any,
    ) -> Message:
        """Send a message; if the group has migrated, send it to the new one."""
        if droppable:
            # Our rate limiter returns True for a call that it dropped.
            what["rate_limit_args"] = DROPPABLE
        if target.thread_id is not None:
            what["message_thread_id"] = target.thread_id
        if target.reply_to is not None:
            what["reply_parameters"] = ReplyParameters(
                target.reply_to, allow_sending_without_reply=True
            )
        try:
            message = await send(chat_id=target.chat_id, **what)
        except ChatMigrated as error:
            if self._migrated is not None:
                await self._migrated(target.chat_id, error.new_chat_id)
            message = await send(chat_id=error.new_chat_id, **what)
        if isinstance(message, bool):
            raise ChatBusy(self.closed_s(target.chat_id))
        return message

    async def _edit(self, chat_id: int, change: Coroutine[Any, Any, Message | bool]) -> None:
        if isinstance(await change, bool):
            raise ChatBusy(self.closed_s(chat_id))


class _Whole(BytesIO):
    """Keeps the one large block that is written to it, without copying it."""

    content = b""

    def write(self, content: Any) -> int:
        self.content = bytes(content)  # bytes already: nothing is copied
        return len(content)


def markup(keyboard: Keyboard) -> InlineKeyboardMarkup | None:
    """Return the keyboard as Telegram's object; None for one without buttons."""
    rows = [
        [InlineKeyboardButton(one.text, callback_data=one.data.encode()) for one in row]
        for row in keyboard
        if row
    ]
    return InlineKeyboardMarkup(rows) if rows else None


async def _harmless(call: Coroutine[Any, Any, Any]) -> bool:
    """Make a call. Return False if Telegram refused it harmlessly."""
    try:
        await call
    except BadRequest as error:
        text = str(error).lower()
        if _UNCHANGED in text:
            return True
        if any(phrase in text for phrase in _GONE):
            return False
        raise
    return True


async def _media(video: OutgoingVideo) -> InputFile:
    content = await asyncio.to_thread(video.media.read_bytes)
    return InputFile(content, filename=video.file_name)
