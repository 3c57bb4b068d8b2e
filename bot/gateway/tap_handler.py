"""Turns a function that handles taps into a handler of updates."""

from collections.abc import Awaitable, Callable

from telegram import Update
from telegram.ext import CallbackQueryHandler

from bot.callback_data import VERSION, ButtonAction
from bot.gateway.application import Context
from bot.gateway.messenger import Messenger
from bot.gateway.update_processor import allow_early_release
from bot.gateway.updates import IncomingTap, TapAnswer, incoming_tap


def tap_handler(
    tap: Callable[[IncomingTap], Awaitable[TapAnswer]],
    messenger: Messenger,
    action: ButtonAction | None = None,
) -> CallbackQueryHandler[Context, None]:
    """Return the handler of the taps with an action.

    Each tap is answered at once; then the work that is left is done.

    Args:
        tap: handles a tap.
        messenger: answers it.
        action: which taps; None: all.
    """

    async def handle(update: Update, _context: Context) -> None:
        query = update.callback_query
        found = incoming_tap(query) if query else None
        if query is None or found is None:
            return
        answer = await tap(found)
        await messenger.answer(query.id, answer.text, is_alert=answer.is_alert)
        if answer.only_shows:
            allow_early_release()
        if answer.then is not None:
            await answer.then()

    return CallbackQueryHandler(handle, rf"^{VERSION}\|{action}\|" if action else None)
