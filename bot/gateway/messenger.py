"""Sends, edits and deletes messages, answers taps, and downloads files.

Droppable calls fail if their chat has no room; all others wait. Harmless errors, such as an edit
that changes nothing, or a message that is gone or too old, are ignored.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any

from telegram import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaAnimation,
    InputMediaPhoto,
    Message,
    ReplyParameters,
    SwitchInlineQueryChosenChat,
)
from telegram.constants import ChatMemberStatus
from telegram.error import BadRequest, ChatMigrated, Forbidden, TelegramError
from telegram.ext import ExtBot

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.outgoing import OutgoingVideo, SentVideo, sent_video, video_call
from bot.gateway.rate_limiter import ChatRateLimiter
from bot.gateway.sent_messages import SentMessages
from bot.provenance.signing import Signing
from jobs.model import Value

_ANSWER_CHARACTERS = 200  # what Telegram allows
DROPPABLE = {"droppable": True}
SEEN_EMOJI, DONE_EMOJI = "👀", "👍"
"""Reactions."""
_MOST_DELETED = 100  # by one call
# Telegram's error texts.
_UNCHANGED = "not modified"
_UNCHANGEABLE = ("to edit not found", "can't be edited", "to delete not found", "can't be deleted")
_NO_TEXT = "there is no text in the message"
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


_NO_DATA = ButtonData(ButtonAction.MORE)


@dataclass(frozen=True)
class Button:
    """A button under a message.

    Attributes:
        text: its label.
        data: what a tap sends, unless it does one of the following.
        share: chooses a chat, and begins this inline query there; None: it does not.
        url: opens this address; empty: it does not.
    """

    text: str
    data: ButtonData = _NO_DATA
    share: str | None = None
    url: str = ""


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
        sent_messages: notes each message, or None.
        signing: signs each video, or None.
    """

    def __init__(
        self,
        bot: "ExtBot[Any]",
        migrated: Callable[[int, int], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self.bot = bot
        self._migrated = migrated
        self.around_text: Callable[[int, SendText], Awaitable[int]] | None = None
        self.sent_messages: SentMessages | None = None
        self.signing: Signing | None = None

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
    ) -> SentVideo:
        """Send a video in its form, signed; return the ids of message and file.

        Raises:
            ChatBusy: the rate limit leaves no room now.
            NotSigned, Unsignable: it may not be sent unsigned; see `Signing.sign`.
        """
        call = await video_call(self.bot, video, content.text, self.signing)
        keyboard = markup(content.keyboard)
        return sent_video(await self._send(target, call, droppable=True, reply_markup=keyboard))

    async def edit(
        self,
        chat_id: int,
        card: CardMessage,
        content: MessageContent,
        *,
        droppable: bool = False,
        only_text: bool = False,
    ) -> bool:
        """Change a message's text and buttons. Return False if it is gone. Errors: see `send`.

        If the message has media though `card` does not say so, since the answer to `edit_media` was
        lost, its caption is changed; with `only_text`, it is left alone.
        """
        which: dict[str, Any] = {
            "chat_id": chat_id,
            "message_id": card.message_id,
            "reply_markup": markup(content.keyboard),
            "rate_limit_args": DROPPABLE if droppable else None,
        }
        if not card.has_media:
            change = self.bot.edit_message_text(text=content.text, **which)
            try:
                return await _harmless(self._edit(chat_id, change))
            except BadRequest as error:
                if only_text or _NO_TEXT not in str(error).lower():
                    raise
        change = self.bot.edit_message_caption(caption=content.text, **which)
        return await _harmless(self._edit(chat_id, change))

    async def edit_keyboard(self, chat_id: int, message_id: int, keyboard: Keyboard) -> None:
        """Change only the buttons of a message, unless it is gone."""
        change = self.bot.edit_message_reply_markup(
            chat_id=chat_id, message_id=message_id, reply_markup=markup(keyboard)
        )
        await _harmless(change)

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

    async def delete(self, chat_id: int, message_id: int) -> None:
        """Delete a message, unless it is gone already, or too old to be deleted."""
        await _harmless(self.bot.delete_message(chat_id, message_id))

    async def delete_all(self, chat_id: int, message_ids: Sequence[int]) -> None:
        """Delete messages; those that are gone or too old are left out."""
        for start in range(0, len(message_ids), _MOST_DELETED):
            batch = message_ids[start : start + _MOST_DELETED]
            with suppress(BadRequest, Forbidden, ChatMigrated):
                await self.bot.delete_messages(chat_id, batch)

    async def answer(self, query_id: str, text: str = "", *, is_alert: bool = False) -> bool:
        """Answer a tap. Return False if it is too old, or answered already.

        A text that is too long is cut off.
        """
        text = text[:_ANSWER_CHARACTERS]
        try:
            await self.bot.answer_callback_query(query_id, text or None, show_alert=is_alert)
        except BadRequest as error:
            if not any(phrase in str(error).lower() for phrase in _QUERY_OVER):
                raise
            return False
        return True

    async def show_uploading(self, target: ChatTarget) -> None:
        """Show for five seconds that a video is being uploaded, if that is possible now."""
        with suppress(TelegramError):
            await self.bot.send_chat_action(
                target.chat_id,
                "upload_video",
                message_thread_id=target.thread_id,
                rate_limit_args=DROPPABLE,
            )

    async def react(self, chat_id: int, message_id: int, emoji: str) -> None:
        """React to a message, if there is room and the chat allows it: a receipt without a text."""
        with suppress(TelegramError):
            await self.bot.set_message_reaction(
                chat_id, message_id, emoji, rate_limit_args=DROPPABLE
            )

    def closed_s(self, chat_id: int) -> float:
        """Return the least time that a message to a chat must wait now, s."""
        limiter = self.bot.rate_limiter
        return limiter.closed_s(chat_id) if isinstance(limiter, ChatRateLimiter) else 0.0

    @property
    def is_inline(self) -> bool:
        """Whether the bot is in inline mode, which its owner turns on at @BotFather."""
        return bool(self.bot.supports_inline_queries)

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
        if self.sent_messages is not None:
            await self.sent_messages.note(message.chat.id, message.message_id)
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
    rows = [[_as_telegram(button) for button in row] for row in keyboard if row]
    return InlineKeyboardMarkup(rows) if rows else None


def _as_telegram(button: Button) -> InlineKeyboardButton:
    if button.url:
        return InlineKeyboardButton(button.text, url=button.url)
    if button.share is not None:
        anywhere = SwitchInlineQueryChosenChat(
            button.share,
            allow_user_chats=True,
            allow_group_chats=True,
            allow_channel_chats=True,
        )
        return InlineKeyboardButton(button.text, switch_inline_query_chosen_chat=anywhere)
    return InlineKeyboardButton(button.text, callback_data=button.data.encode())


async def _harmless(call: Coroutine[Any, Any, Any]) -> bool:
    """Make a call. Return False if Telegram refused it harmlessly."""
    try:
        await call
    except ChatMigrated:
        return False  # messages of the former group cannot be changed
    except BadRequest as error:
        text = str(error).lower()
        if _UNCHANGED in text:
            return True
        if any(phrase in text for phrase in _UNCHANGEABLE):
            return False
        raise
    return True
