"""Registers the handlers of groups, and of changes to the bot's chats."""

from collections.abc import Awaitable, Callable

from telegram import ChatMember, ChatMemberRestricted, Message, Update
from telegram.constants import ChatMemberStatus
from telegram.ext import (
    ApplicationHandlerStop,
    ChatMemberHandler,
    CommandHandler,
    MessageHandler,
    TypeHandler,
    filters,
)

from bot.conversation.handlers import NAMES_BOT
from bot.gateway.application import AnyApplication, Context, Turn, on_command, on_message
from bot.gateway.updates import incoming_message, media_of, quoted_author_of, quoted_media_of
from bot.groups.flood_guard import FloodGuard
from bot.groups.groups import ANIMATE, Groups
from bot.services import Services

_GROUPS = ("group", "supergroup")
_IN_GROUPS = filters.ChatType.GROUPS & filters.UpdateType.MESSAGE
_IN_PRIVATE = ("delete_me", "history", "queue", "templates")
# `CommandHandler` ignores captions.
_CAPTION = filters.CaptionRegex(rf"(?i)^/{ANIMATE}(@\w+)?(\s|$)")


def add_flood_guard(application: AnyApplication, services: Services) -> None:
    """Register the handler that drops the updates of people who flood a group."""
    guard = FloodGuard()

    async def check(update: Update, context: Context) -> None:
        chat, sender = update.effective_chat, update.effective_sender
        if chat is None or sender is None or chat.type not in _GROUPS:
            return
        query = update.callback_query
        if query is None and not is_request(update.message, context.bot.id):
            return
        if guard.admits((chat.id, sender.id), update.update_id):
            return
        if query is not None:
            text = services.texts("One moment, please: too many taps within a minute.")
            await services.messenger.answer(query.id, text)
        raise ApplicationHandlerStop

    application.add_handler(TypeHandler(Update, check), group=Turn.FLOOD_GUARD)


def is_request(message: Message | None, bot_id: int) -> bool:
    """Whether a message in a group is a command, or replies to the bot."""
    if message is None:
        return False
    if (message.text or message.caption or "").startswith("/"):
        return True
    quoted = message.reply_to_message
    return quoted is not None and quoted.from_user is not None and quoted.from_user.id == bot_id


def add_group_handlers(application: AnyApplication, groups: Groups) -> None:
    """Register the handlers of what people write in groups."""

    async def animate(message: Message) -> None:
        author_id = quoted_author_of(message)
        await groups.animate(incoming_message(message), quoted_media_of(message), author_id)

    async def animate_this(message: Message) -> None:
        if is_for(message.caption or "", message.get_bot().username):
            await groups.animate(incoming_message(message), media_of(message))

    async def answer(message: Message) -> None:
        await groups.answer(incoming_message(message), media_of(message))

    is_answer = filters.REPLY & ~filters.COMMAND
    for handler in (
        CommandHandler(ANIMATE, on_message(animate), filters=_IN_GROUPS),
        MessageHandler(_IN_GROUPS & _CAPTION, on_message(animate_this)),
        CommandHandler(("help", "start"), on_command(groups.help), filters=_IN_GROUPS),
        CommandHandler("cancel", on_command(groups.cancel), filters=_IN_GROUPS),
        CommandHandler(
            _IN_PRIVATE, on_command(groups.point_to_private), filters=_IN_GROUPS & NAMES_BOT
        ),
        MessageHandler(_IN_GROUPS & is_answer, on_message(answer)),
    ):
        application.add_handler(handler)


def add_chat_handlers(
    application: AnyApplication,
    move: Callable[[int, int], Awaitable[None]],
    leave: Callable[[int], Awaitable[None]],
    groups: Groups,
) -> None:
    """Register the handlers of groups that migrate, and of chats that the bot enters or leaves.

    Args:
        application: the application.
        move: called with the old and the new id of a group that migrated.
        leave: called with the id of a chat that the bot cannot write to any more.
        groups: greets in a new group.
    """

    async def migrate(message: Message) -> None:
        if message.migrate_to_chat_id is not None:
            await move(message.chat.id, message.migrate_to_chat_id)
        elif message.migrate_from_chat_id is not None:
            await move(message.migrate_from_chat_id, message.chat.id)

    async def member(update: Update, _context: Context) -> None:
        change = update.my_chat_member
        if change is None:
            return
        was_in, is_in = is_member(change.old_chat_member), is_member(change.new_chat_member)
        if was_in and not is_in:
            await leave(change.chat.id)
        elif is_in and not was_in and change.chat.type in _GROUPS:
            await groups.greet(change.chat.id)

    application.add_handler(MessageHandler(filters.StatusUpdate.MIGRATE, on_message(migrate)))
    application.add_handler(ChatMemberHandler(member, ChatMemberHandler.MY_CHAT_MEMBER))


def is_for(text: str, bot_name: str) -> bool:
    """Whether a command is meant for this bot: it names this bot, or none."""
    named = text.split(maxsplit=1)[0].partition("@")[2]
    return not named or named.casefold() == bot_name.casefold()


def is_member(member: ChatMember) -> bool:
    """Whether a member is in the chat; in a private chat, whether the bot is not blocked."""
    if isinstance(member, ChatMemberRestricted):
        return member.is_member
    return member.status not in (ChatMemberStatus.LEFT, ChatMemberStatus.BANNED)
