"""Registers the handler of `/delete_me`."""

from telegram import Message
from telegram.ext import CommandHandler, filters

from bot.gateway.application import AnyApplication, on_message
from bot.gateway.updates import incoming_message
from bot.privacy.deletion import Deletion


def add_privacy_handlers(application: AnyApplication, deletion: Deletion) -> None:
    """Register the handler of `/delete_me`; call this before `add_conversation_handlers`."""

    async def delete_me(message: Message) -> None:
        await deletion.ask(incoming_message(message))

    private = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE
    application.add_handler(CommandHandler("delete_me", on_message(delete_me), filters=private))
