"""Registers the handlers of private chats, and those of all buttons."""

from collections.abc import Mapping

from telegram import Message, Update
from telegram.ext import CallbackQueryHandler, CommandHandler, MessageHandler, filters

from bot.callback_data import VERSION, ButtonAction
from bot.conversation.albums import Albums
from bot.conversation.commands import Commands
from bot.conversation.media_handler import MediaHandler
from bot.conversation.settings import SettingsCommands
from bot.conversation.taps import Taps
from bot.gateway.application import AnyApplication, Context, on_command, on_message
from bot.gateway.messenger import Messenger
from bot.gateway.update_processor import allow_early_release
from bot.gateway.updates import TapHandler, incoming_message, incoming_tap, media_of

# Telegram's apps add the bot's name to a command that is tapped.
NAMES_BOT = filters.Regex(r"^/\w+@")


def add_conversation_handlers(
    application: AnyApplication, media_handler: MediaHandler, albums: Albums, commands: Commands
) -> None:
    """Register the handlers of what people write and send in private, and of some commands."""
    private = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE

    async def anything(message: Message) -> None:
        quoted = message.external_reply
        media = media_of(message) or (media_of(quoted) if quoted else None)
        if media is None:
            await commands.text(incoming_message(message))
        elif message.media_group_id:
            await albums.add(incoming_message(message), media)
        else:
            await media_handler.take(incoming_message(message), media)

    # The terms name /privacy, in groups too.
    named = filters.ChatType.GROUPS & filters.UpdateType.MESSAGE & NAMES_BOT
    for name, answer in commands.by_name.items():
        chats = private | named if name in ("privacy", "about") else private
        application.add_handler(CommandHandler(name, on_command(answer), filters=chats))
    other = private & ~filters.StatusUpdate.ALL
    application.add_handler(MessageHandler(other, on_message(anything)))


def add_settings_commands(application: AnyApplication, settings: SettingsCommands) -> None:
    """Register `/settings` and `/language`, in private chats and in groups."""
    for name, answer in settings.by_name.items():
        handler = CommandHandler(name, on_command(answer), filters=filters.UpdateType.MESSAGE)
        application.add_handler(handler)


def add_tap_handlers(
    application: AnyApplication,
    messenger: Messenger,
    taps: Taps,
    by_action: Mapping[ButtonAction, TapHandler],
) -> None:
    """Register the handlers of buttons, in private chats and in groups.

    Args:
        application: the application.
        messenger: answers the taps.
        taps: handles the buttons of drafts and orders.
        by_action: handles other buttons.
    """

    def handler(
        tap: TapHandler, action: ButtonAction | None = None
    ) -> CallbackQueryHandler[Context, None]:
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

        pattern = rf"^{VERSION}\|{action}\|" if action else None
        return CallbackQueryHandler(handle, pattern)

    for action, tap in by_action.items():
        application.add_handler(handler(tap, action))
    application.add_handler(handler(taps.tap))
