"""The handlers of groups, and of what becomes of chats: from updates to plain values."""

from collections.abc import Callable, Coroutine
from typing import Any

from telegram import ChatMember, ChatMemberRestricted, ChatMemberUpdated, Message, Update
from telegram.constants import ChatMemberStatus
from telegram.ext import (
    ChatMemberHandler,
    CommandHandler,
    MessageHandler,
    filters,
)

from bot.gateway.application import AnyApplication, Context
from bot.gateway.updates import incoming, media_of, quoted_media_of
from bot.groups.chats import ChatDepartures, ChatMigrations
from bot.groups.groups import ANIMATE, Groups

_IN_GROUPS = filters.ChatType.GROUPS & filters.UpdateType.MESSAGE
# `CommandHandler` does not look at captions.
_CAPTION = filters.CaptionRegex(rf"(?i)^/{ANIMATE}(@\w+)?(\s|$)")


def add_group_handlers(application: AnyApplication, groups: Groups) -> None:
    """What people write in groups.

    Args:
        application: gets the handlers.
        groups: serves them.
    """

    async def animate(message: Message) -> None:
        await groups.animate(incoming(message), quoted_media_of(message))

    async def animate_this(message: Message) -> None:
        if is_for(message.caption or "", message.get_bot().username):
            await groups.animate(incoming(message), media_of(message))

    async def show_help(message: Message) -> None:
        await groups.help(incoming(message))

    async def cancel(message: Message) -> None:
        await groups.cancel(incoming(message))

    async def answer(message: Message) -> None:
        await groups.answer(incoming(message), media_of(message))

    is_answer = filters.REPLY & ~filters.COMMAND
    for handler in (
        CommandHandler(ANIMATE, _of_message(animate), filters=_IN_GROUPS),
        MessageHandler(_IN_GROUPS & _CAPTION, _of_message(animate_this)),
        CommandHandler(("help", "start"), _of_message(show_help), filters=_IN_GROUPS),
        CommandHandler("cancel", _of_message(cancel), filters=_IN_GROUPS),
        MessageHandler(_IN_GROUPS & is_answer, _of_message(answer)),
    ):
        application.add_handler(handler)


def add_chat_handlers(
    application: AnyApplication, moves: ChatMigrations, departures: ChatDepartures, groups: Groups
) -> None:
    """What becomes of chats.

    Args:
        application: gets the handlers.
        moves: follows groups.
        departures: ends what belongs to chats that are closed to the bot.
        groups: greets new ones.
    """

    async def move(message: Message) -> None:
        if message.migrate_to_chat_id is not None:
            await moves.moved(message.chat.id, message.migrate_to_chat_id)
        elif message.migrate_from_chat_id is not None:
            await moves.moved(message.migrate_from_chat_id, message.chat.id)

    async def member(update: Update, _context: Context) -> None:
        change = update.my_chat_member
        if change is None:
            return
        was_in, is_in = is_member(change.old_chat_member), is_member(change.new_chat_member)
        if was_in and not is_in:
            await departures.left(change.chat.id)
        elif is_in and not was_in and _is_group(change):
            await groups.greet(change.chat.id)

    application.add_handler(MessageHandler(filters.StatusUpdate.MIGRATE, _of_message(move)))
    application.add_handler(ChatMemberHandler(member, ChatMemberHandler.MY_CHAT_MEMBER))


def _of_message(
    do: Callable[[Message], Coroutine[Any, Any, None]],
) -> Callable[[Update, Context], Coroutine[Any, Any, None]]:
    """A handler of new messages."""

    async def handle(update: Update, _context: Context) -> None:
        if update.message is not None:
            await do(update.message)

    return handle


def is_for(text: str, bot_name: str) -> bool:
    """Whether a command is meant for this bot: it names this one, or none."""
    named = text.split(maxsplit=1)[0].partition("@")[2]
    return not named or named.casefold() == bot_name.casefold()


def is_member(member: ChatMember) -> bool:
    """Whether somebody is in a chat; the bot in a private one, if it is not blocked."""
    if isinstance(member, ChatMemberRestricted):
        return member.is_member
    return member.status not in (ChatMemberStatus.LEFT, ChatMemberStatus.BANNED)


def _is_group(change: ChatMemberUpdated) -> bool:
    return change.chat.type in ("group", "supergroup")
