"""Registers the handlers of `/history` and of inline mode."""

from telegram import Message, Update
from telegram.ext import (
    ChosenInlineResultHandler,
    CommandHandler,
    InlineQueryHandler,
    filters,
)

from bot.gateway.application import AnyApplication, Context, on_message
from bot.gateway.updates import incoming_message
from bot.history.inline import InlineResults
from bot.history.pages import HistoryPages


def add_history_handlers(
    application: AnyApplication, pages: HistoryPages, inline: InlineResults
) -> None:
    """Register them, before `add_conversation_handlers`; for the buttons see `add_tap_handlers`."""
    private = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE

    async def history(message: Message) -> None:
        await pages.show(incoming_message(message))

    async def query(update: Update, _context: Context) -> None:
        if update.inline_query is not None:
            await inline.answer(update.inline_query)

    async def chosen(_update: Update, _context: Context) -> None:
        inline.count_chosen()

    application.add_handler(CommandHandler("history", on_message(history), filters=private))
    application.add_handler(InlineQueryHandler(query))
    application.add_handler(ChosenInlineResultHandler(chosen))
