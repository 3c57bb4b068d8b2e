"""All that goes out to Telegram, in one place: sending, editing, answering, fetching files.

What can be dropped (progress) is dropped when a chat is in back-off; everything else waits. Errors
that mean nothing (an edit that changes nothing, a message that is gone) end here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
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
from telegram.error import BadRequest, ChatMigrated, Forbidden
from telegram.ext import ExtBot

from bot.callback_data import ButtonData
from bot.gateway.rate_limiter import ChatRateLimiter
from jobs.drafts import Card

DROPPABLE = {"droppable": True}
# Telegram's words for an edit that changes nothing, and for a message that cannot be edited.
_UNCHANGED = "not modified"
_GONE = ("message to edit not found", "message can't be edited", "message to delete not found")
_QUERY_OVER = ("query is too old", "query id is invalid")


@dataclass(frozen=True)
class ChatTarget:
    """Where a message goes.

    Attributes:
        chat: which chat.
        thread_id: the topic of a forum, or None.
        reply_to: the message that it answers, or None; it may be gone by then.
    """

    chat: int
    thread_id: int | None = None
    reply_to: int | None = None


@dataclass(frozen=True)
class Button:
    """A button under a message: a tap, or an address.

    Attributes:
        text: its label.
        does: what a tap says, or an address to open.
    """

    text: str
    does: ButtonData | str


Keyboard = tuple[tuple[Button, ...], ...]


def in_rows(buttons: Sequence[Button], width: int) -> list[tuple[Button, ...]]:
    """Buttons in rows of so many; the last row may be shorter."""
    return [tuple(buttons[start : start + width]) for start in range(0, len(buttons), width)]


@dataclass(frozen=True)
class MessageContent:
    """What a message says, and the buttons under it."""

    text: str
    keyboard: Keyboard = ()


@dataclass(frozen=True)
class OutgoingVideo:
    """A finished video to send.

    Attributes:
        media: the file, or Telegram's name of one that it has.
        width: px.
        height: px.
        duration_s: how long it plays, s.
        has_sound: whether it carries sound; without, it is sent as an animation and loops.
        file_name: what the person sees when saving it.
        thumbnail: a JPEG of at most 320 px and 200 kB, or None. Of videos over 10 MB, Telegram
            makes no preview itself.
    """

    media: Path | str
    width: int
    height: int
    duration_s: float
    has_sound: bool
    file_name: str
    thumbnail: Path | None = None


@dataclass(frozen=True)
class SentMessage:
    """A message that arrived.

    Attributes:
        message_id: in its chat.
        file_id: Telegram's name of its file, or None.
    """

    message_id: int
    file_id: str | None = None


SendText = Callable[[], Awaitable[SentMessage]]


class ChatBusy(Exception):
    """The chat has no room for a message right now; nothing was sent.

    Attributes:
        wait_s: how long it has none at least.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"no room for {wait_s:.0f} s")
        self.wait_s = wait_s


class Messenger:
    """Sends and edits. Unless said otherwise, Telegram's errors are passed on as they are.

    Args:
        bot: the connection, with our rate limiter.
        migrated: told that a group has a new number: old, new.

    Attributes:
        around_text: sends a text to that chat by calling what it is given, or None.
    """

    def __init__(
        self,
        bot: "ExtBot[Any]",
        migrated: Callable[[int, int], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self.bot = bot
        self._migrated = migrated
        self.around_text: Callable[[int, SendText], Awaitable[SentMessage]] | None = None

    async def send(
        self, target: ChatTarget, content: MessageContent, *, at_once: bool = False
    ) -> SentMessage:
        """A new message of text.

        Args:
            target: where.
            content: what.
            at_once: do not wait until the chat has room for it.

        Raises:
            ChatBusy: it has none, and was to be sent at once.
        """
        send = partial(self.send_text, target, content, at_once=at_once)
        return await (self.around_text(target.chat, send) if self.around_text else send())

    async def send_text(
        self, target: ChatTarget, content: MessageContent, *, at_once: bool = False
    ) -> SentMessage:
        """Same as `send`, without `around_text`."""
        message = await self._sent(
            target,
            self.bot.send_message,
            at_once,
            text=content.text,
            reply_markup=markup(content.keyboard),
        )
        return SentMessage(message.message_id)

    async def send_video(
        self,
        target: ChatTarget,
        video: OutgoingVideo,
        content: MessageContent,
        *,
        at_once: bool = False,
    ) -> SentMessage:
        """A video as something to look at: one without sound loops by itself.

        Args and errors: as of `send`.
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
            message = await self._sent(target, self.bot.send_video, at_once, video=media, **facts)
        else:
            send = self.bot.send_animation
            message = await self._sent(target, send, at_once, animation=media, **facts)
        return SentMessage(message.message_id, _file_id(message))

    async def send_file(
        self,
        target: ChatTarget,
        video: OutgoingVideo,
        content: MessageContent,
        *,
        at_once: bool = False,
    ) -> SentMessage:
        """A video as a file, whose bytes nobody touches.

        Args and errors: as of `send`.
        """
        message = await self._sent(
            target,
            self.bot.send_document,
            at_once,
            document=await _media(video),
            caption=content.text,
            disable_content_type_detection=True,
            reply_markup=markup(content.keyboard),
        )
        return SentMessage(message.message_id, _file_id(message))

    async def edit(
        self, chat: int, card: Card, content: MessageContent, *, at_once: bool = False
    ) -> bool:
        """Changes a card's words and buttons; False if it is gone.

        Raises:
            ChatBusy: as of `send`.
        """
        which: dict[str, Any] = {
            "chat_id": chat,
            "message_id": card.message_id,
            "reply_markup": markup(content.keyboard),
            "rate_limit_args": DROPPABLE if at_once else None,
        }
        if card.has_media:
            change = self.bot.edit_message_caption(caption=content.text, **which)
        else:
            change = self.bot.edit_message_text(text=content.text, **which)
        return await _harmless(self._tried(chat, change))

    async def edit_media(
        self, chat: int, card: Card, media: bytes | OutgoingVideo, content: MessageContent
    ) -> Card | None:
        """Puts a picture or an animation into a card; None if the card is gone."""
        what: InputMediaPhoto | InputMediaAnimation
        if isinstance(media, OutgoingVideo):
            what = InputMediaAnimation(
                await _media(media),
                caption=content.text,
                width=media.width,
                height=media.height,
                duration=round(media.duration_s),
            )
        else:
            what = InputMediaPhoto(media, caption=content.text)
        change = self.bot.edit_message_media(
            what,
            chat_id=chat,
            message_id=card.message_id,
            reply_markup=markup(content.keyboard),
        )
        return card.model_copy(update={"has_media": True}) if await _harmless(change) else None

    async def delete(self, chat: int, message_id: int) -> bool:
        """Deletes a message; False if it is gone already."""
        return await _harmless(self.bot.delete_message(chat, message_id))

    async def answer(self, query: str, text: str = "", *, is_alert: bool = False) -> None:
        """Ends a button's waiting; a query that is too old is nobody's fault."""
        try:
            await self.bot.answer_callback_query(query, text or None, show_alert=is_alert)
        except BadRequest as error:
            if not any(phrase in str(error).lower() for phrase in _QUERY_OVER):
                raise

    async def react(self, chat: int, message_id: int, emoji: str) -> None:
        """Puts a reaction under a message, if that is possible there."""
        await _harmless(self.bot.set_message_reaction(chat, message_id, emoji), any_refusal=True)

    async def show_action(self, target: ChatTarget, action: str) -> None:
        """Shows for five seconds what the bot is doing; droppable."""
        await _harmless(
            self.bot.send_chat_action(
                target.chat,
                action,
                message_thread_id=target.thread_id,
                rate_limit_args=DROPPABLE,
            ),
            any_refusal=True,
        )

    def closed_s(self, chat: int) -> float:
        """How long at least a message to a chat would have to wait now, s."""
        limiter = self.bot.rate_limiter
        return limiter.closed_s(chat) if isinstance(limiter, ChatRateLimiter) else 0.0

    async def ask_for_answer(self) -> None:
        """Returns if Telegram answers; its errors say that it does not."""
        await self.bot.get_me()

    async def download(self, file_id: str) -> bytes:
        """A file's content."""
        file, content = await self.bot.get_file(file_id), _Whole()
        await file.download_to_memory(content)
        return content.content

    async def profile_photo(self, person: int) -> str | None:
        """Telegram's name of a person's profile picture, or None."""
        found = await self.bot.get_user_profile_photos(person, limit=1)
        return found.photos[0][-1].file_id if found.photos else None

    async def is_chat_admin(self, chat: int, person: int) -> bool:
        """Whether a person watches over a group."""
        try:
            member = await self.bot.get_chat_member(chat, person)
        except BadRequest:
            return False  # whom the bot does not know there
        return member.status in (ChatMemberStatus.OWNER, ChatMemberStatus.ADMINISTRATOR)

    async def _sent(
        self,
        target: ChatTarget,
        send: Callable[..., Coroutine[Any, Any, Message | bool]],
        at_once: bool = False,
        **what: Any,
    ) -> Message:
        """The message that was sent; a group that has a new number is followed there."""
        if at_once:
            # Our limiter gives True for what it did not even try.
            what["rate_limit_args"] = DROPPABLE
        if target.thread_id is not None:
            what["message_thread_id"] = target.thread_id
        if target.reply_to is not None:
            what["reply_parameters"] = ReplyParameters(
                target.reply_to, allow_sending_without_reply=True
            )
        try:
            message = await send(chat_id=target.chat, **what)
        except ChatMigrated as error:
            if self._migrated is not None:
                await self._migrated(target.chat, error.new_chat_id)
            message = await send(chat_id=error.new_chat_id, **what)
        if isinstance(message, bool):
            raise ChatBusy(self.closed_s(target.chat))
        return message

    async def _tried(self, chat: int, change: Coroutine[Any, Any, Message | bool]) -> None:
        if isinstance(await change, bool):
            raise ChatBusy(self.closed_s(chat))


class _Whole(BytesIO):
    """Keeps what is written to it at once, which may be large, without copying it."""

    content = b""

    def write(self, content: Any) -> int:
        self.content = bytes(content)  # bytes already: nothing is copied
        return len(content)


def markup(keyboard: Keyboard) -> InlineKeyboardMarkup | None:
    """The keyboard as Telegram takes it; None for one without buttons."""
    rows = [
        [
            InlineKeyboardButton(button.text, callback_data=button.does.encoded())
            if isinstance(button.does, ButtonData)
            else InlineKeyboardButton(button.text, url=button.does)
            for button in row
        ]
        for row in keyboard
        if row
    ]
    return InlineKeyboardMarkup(rows) if rows else None


async def _harmless(call: Coroutine[Any, Any, Any], *, any_refusal: bool = False) -> bool:
    """Whether a call had an effect; refusals that do no harm are none."""
    try:
        await call
    except Forbidden:
        if not any_refusal:
            raise
        return False
    except BadRequest as error:
        text = str(error).lower()
        if _UNCHANGED in text:
            return True
        if any_refusal or any(phrase in text for phrase in _GONE):
            return False
        raise
    return True


async def _media(video: OutgoingVideo) -> InputFile | str:
    """The file as python-telegram-bot takes it; read beside the event loop."""
    if isinstance(video.media, str):
        return video.media
    content = await asyncio.to_thread(video.media.read_bytes)
    return InputFile(content, filename=video.file_name)


def _file_id(message: Message) -> str | None:
    """Of whatever kind Telegram made of the file: a silent video may come back as an animation."""
    file = message.effective_attachment
    return getattr(file, "file_id", None)
