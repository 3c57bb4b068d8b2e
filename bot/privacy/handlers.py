"""Registers the handler of `/delete_me`."""

from telegram.ext import CommandHandler, filters

from bot.gateway.application import AnyApplication, on_command
from bot.privacy.deletion import Deletion


def add_privacy_handlers(application: AnyApplication, deletion: Deletion) -> None:
    """Register the handler of `/delete_me`; call this before `add_conversation_handlers`."""
    private = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE
    application.add_handler(CommandHandler("delete_me", on_command(deletion.ask), filters=private))
