"""Registers the guard, and the handlers of what admins write and tap."""

import re
from functools import partial

from telegram import Message, MessageOriginUser, Update
from telegram.constants import ChatMemberStatus
from telegram.ext import (
    ApplicationHandlerStop,
    CallbackQueryHandler,
    ChatMemberHandler,
    CommandHandler,
    MessageHandler,
    TypeHandler,
    filters,
)

from bot.callback_data import VERSION, ButtonAction
from bot.gateway.application import AnyApplication, Context, Turn, on_command, on_message
from bot.gateway.messenger import ChatTarget
from bot.gateway.updates import incoming_message, incoming_tap, media_of, quoted_media_of
from bot.owner.access import CommandAttempt, Guard
from bot.owner.admin_commands import AdminCommands
from bot.owner.claim import CLAIM_LINK
from bot.owner.own_templates import OwnTemplates
from bot.services import Services


def add_guard(application: AnyApplication, guard: Guard) -> None:
    """Register the guard, which checks every update before the other handlers."""

    async def check(update: Update, context: Context) -> None:
        attempt = attempt_of(update, context.bot.username)
        if attempt is not None and not await guard.admits(attempt):
            raise ApplicationHandlerStop

    application.add_handler(TypeHandler(Update, check), group=Turn.GUARD)


def add_owner_handlers(application: AnyApplication, commands: AdminCommands) -> None:
    """Register the admins' handlers; call this before `add_conversation_handlers`."""
    private = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE

    async def change_access(name: str, message: Message) -> None:
        await commands.change_access(name, incoming_message(message), persons_of(message))

    async def tap(update: Update, _context: Context) -> None:
        found = incoming_tap(update.callback_query) if update.callback_query else None
        if found is not None:
            await commands.tap(found)

    of_claim = filters.Regex(rf"^/start {CLAIM_LINK}")
    application.add_handler(MessageHandler(private & of_claim, on_command(commands.claim)))
    _add_template_handlers(application, commands.private_commands.own_templates)
    for name, do in commands.in_private.items():
        application.add_handler(CommandHandler(name, on_command(do), filters=private))
    for name in ("allow", "ban", "unban"):
        change = on_message(partial(change_access, name))
        application.add_handler(CommandHandler(name, change, filters=filters.UpdateType.MESSAGE))
    pattern = rf"^{VERSION}\|{ButtonAction.OWNER}\|"
    application.add_handler(CallbackQueryHandler(tap, pattern=pattern))


def _add_template_handlers(application: AnyApplication, own_templates: OwnTemplates) -> None:
    """Register what begins a movement: a command, a caption, and a clip that was asked for."""
    private = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE

    async def add_template(message: Message) -> None:
        found = media_of(message) or quoted_media_of(message)
        await own_templates.add(incoming_message(message), found)

    async def take_asked(update: Update, _context: Context) -> None:
        message = update.message
        if message is not None and await own_templates.take_asked(
            incoming_message(message), media_of(message)
        ):
            raise ApplicationHandlerStop

    caption = private & filters.CaptionRegex(r"^/add_template(@\w+)?(\s|$)")
    asked = private & filters.ATTACHMENT & ~filters.CaptionRegex("^/")
    add = on_message(add_template)
    application.add_handler(CommandHandler("add_template", add, filters=private))
    application.add_handler(MessageHandler(caption, add))
    application.add_handler(MessageHandler(asked, take_asked), group=Turn.ASKED_CLIPS)


def add_news_handlers(application: AnyApplication, services: Services) -> None:
    """Register the handlers for people who switch off the owner's messages, or block the bot."""

    async def switch(update: Update, _context: Context) -> None:
        query = update.callback_query
        if query is None:
            return
        _, people = services.texts, services.people
        wants_news = not (await people.person(query.from_user.id)).wants_news
        await people.change(query.from_user.id, wants_news=wants_news)
        text = _("You will get no more of these messages. Tap again to get them.")
        if wants_news:
            text = _("You will get these messages again.")
        await services.messenger.answer(query.id, text, is_alert=True)

    async def note_block(update: Update, _context: Context) -> None:
        change = update.my_chat_member
        if change is not None and change.chat.type == change.chat.PRIVATE:
            has_blocked = change.new_chat_member.status == ChatMemberStatus.BANNED
            await services.people.change_known(change.chat.id, has_blocked=has_blocked)

    pattern = rf"^{VERSION}\|{ButtonAction.NEWS}\|"
    application.add_handler(CallbackQueryHandler(switch, pattern=pattern))
    # A handler group of its own, so that other handlers see these updates too.
    blocks = ChatMemberHandler(note_block, ChatMemberHandler.MY_CHAT_MEMBER)
    application.add_handler(blocks, group=Turn.AFTERWARDS)


def attempt_of(update: Update, bot: str) -> CommandAttempt | None:
    """Return who wants something; None for updates such as a new member.

    Args:
        update: the update.
        bot: the bot's username.
    """
    query, message = update.callback_query, update.message
    if query is not None:
        chat_id = query.message.chat.id if query.message else query.from_user.id
        return CommandAttempt(
            ChatTarget(chat_id), query.from_user.id, query_id=query.id, data=query.data or ""
        )
    if message is None or filters.StatusUpdate.ALL.check_update(update):
        return None
    sent = incoming_message(message)
    has_file = message.effective_attachment is not None
    return CommandAttempt(sent.target, sent.person_id, sent.text, bot=bot, has_file=has_file)


def persons_of(message: Message) -> list[int]:
    """Return the user ids that a command names; without any, the author it replies to.

    Of a forwarded message that is the original author, if Telegram reveals it.
    """
    words = (message.text or "").split()[1:]
    numbers = [int(word) for word in words if re.fullmatch(r"-?\d+", word)]
    reply = message.reply_to_message
    if numbers or words or reply is None:
        return numbers
    if isinstance(reply.forward_origin, MessageOriginUser):
        return [reply.forward_origin.sender_user.id]
    if reply.from_user is not None and reply.from_user.is_bot and reply.sender_chat is None:
        return []
    return [incoming_message(reply).person_id]
