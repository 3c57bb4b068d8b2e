"""The owner's handlers: from Telegram's updates to plain values, and no further."""

import re
from collections.abc import Callable, Coroutine
from typing import Any

from telegram import Message, MessageOriginUser, Update
from telegram.ext import (
    ApplicationHandlerStop,
    CallbackQueryHandler,
    CommandHandler,
    MessageHandler,
    TypeHandler,
    filters,
)

from bot.callback_data import VERSION, ButtonAction, ButtonData
from bot.gateway.application import AnyApplication, Context
from bot.gateway.messenger import ChatTarget
from bot.gateway.updates import incoming
from bot.owner.access import CommandAttempt, Guard
from bot.owner.claim import CLAIM_LINK
from bot.owner.commands import OwnerCommands, OwnersTap

_BEFORE_ALL_OTHERS = -1


def add_guard(application: AnyApplication, guard: Guard) -> None:
    """Has the guard look at everything first.

    Args:
        application: gets the handler.
        guard: lets people in.
    """

    async def look(update: Update, context: Context) -> None:
        knock = knock_of(update, context.bot.username)
        if knock is not None and not await guard.admits(knock):
            raise ApplicationHandlerStop

    application.add_handler(TypeHandler(Update, look), group=_BEFORE_ALL_OTHERS)


def add_owner_handlers(application: AnyApplication, commands: OwnerCommands) -> None:
    """What admins write and tap; to be added before the conversation's handlers.

    Args:
        application: gets the handlers.
        commands: does what they want.
    """
    private = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE
    anywhere = filters.UpdateType.MESSAGE

    def hear(name: str, do: Callable[[Message], Coroutine[Any, Any, None]], where: Any) -> None:
        async def command(update: Update, _context: Context) -> None:
            if update.message is not None:
                await do(update.message)

        application.add_handler(CommandHandler(name, command, filters=where))

    def hear_names(
        name: str, admit: Callable[[ChatTarget, list[int]], Coroutine[Any, Any, None]]
    ) -> None:
        hear(name, lambda message: admit(_place(message), persons_of(message)), anywhere)

    async def claim(update: Update, _context: Context) -> None:
        if update.message is not None:
            heard = incoming(update.message)
            await commands.claim(_place(update.message), heard.person, heard.text)

    async def tap(update: Update, _context: Context) -> None:
        query = update.callback_query
        found = ButtonData.decoded(query.data or "") if query else None
        if query is None or query.message is None or found is None:
            return
        await commands.tapped(
            OwnersTap(
                query.message.chat.id,
                query.from_user.id,
                query.message.message_id,
                query.id,
                found,
            )
        )

    of_claim = filters.Regex(rf"^/start {CLAIM_LINK}")
    application.add_handler(MessageHandler(private & of_claim, claim))
    hear("status", lambda message: commands.status(_place(message)), private)
    hear("jobs", lambda message: commands.jobs(_place(message)), private)
    hear("pause", lambda message: commands.pause(_place(message), is_paused=True), private)
    hear("resume", lambda message: commands.pause(_place(message), is_paused=False), private)
    hear_names("allow", commands.allow)
    hear_names("ban", commands.ban)
    hear_names("unban", commands.unban)
    application.add_handler(
        CallbackQueryHandler(tap, pattern=rf"^{VERSION}\|{ButtonAction.OWNER}\|")
    )


def knock_of(update: Update, bot: str) -> CommandAttempt | None:
    """Who wants something; None for what nobody wants, such as a new member.

    Args:
        update: what came.
        bot: the bot's own name on Telegram.
    """
    query, message = update.callback_query, update.message
    if query is not None:
        chat = query.message.chat.id if query.message else query.from_user.id
        return CommandAttempt(
            ChatTarget(chat), query.from_user.id, query=query.id, data=query.data or ""
        )
    if message is None or filters.StatusUpdate.ALL.check_update(update):
        return None
    heard = incoming(message)
    has_file = message.effective_attachment is not None
    return CommandAttempt(_place(message), heard.person, heard.text, bot=bot, has_file=has_file)


def persons_of(message: Message) -> list[int]:
    """The numbers that a command names; without any, whose message it answers.

    Of a forwarded message that is the person who wrote it first, if Telegram tells.
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
    return [incoming(reply).person]


def _place(message: Message) -> ChatTarget:
    """Where an answer to a message goes."""
    heard = incoming(message)
    return ChatTarget(heard.chat, heard.thread_id, heard.message_id)
