"""Registers the handlers of private chats, and those of all buttons."""

from telegram import Message
from telegram.ext import CommandHandler, MessageHandler, filters

from bot.callback_data import ButtonAction
from bot.conversation.albums import Albums
from bot.conversation.commands import Commands
from bot.conversation.media_handler import MediaHandler
from bot.conversation.taps import Taps
from bot.gateway.application import AnyApplication, on_message
from bot.gateway.messenger import Messenger
from bot.gateway.tap_handler import tap_handler
from bot.gateway.updates import incoming_message, media_of


def add_conversation_handlers(
    application: AnyApplication, media_handler: MediaHandler, albums: Albums, commands: Commands
) -> None:
    """Register the handlers of what people write and send in private."""
    private = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE

    async def command(message: Message) -> None:
        name = (message.text or "").split()[0].removeprefix("/").partition("@")[0].lower()
        await commands.by_name[name](incoming_message(message))

    async def anything(message: Message) -> None:
        quoted = message.external_reply
        media = media_of(message) or (media_of(quoted) if quoted else None)
        if media is None:
            await commands.text(incoming_message(message))
        elif message.media_group_id:
            await albums.add(incoming_message(message), media)
        else:
            await media_handler.take(incoming_message(message), media)

    names = list(commands.by_name)
    application.add_handler(CommandHandler(names, on_message(command), filters=private))
    other = private & ~filters.StatusUpdate.ALL
    application.add_handler(MessageHandler(other, on_message(anything)))


def add_tap_handlers(
    application: AnyApplication, taps: Taps, albums: Albums, messenger: Messenger
) -> None:
    """Register the handlers of buttons, in private chats and in groups; those of others first."""
    application.add_handler(tap_handler(albums.tap, messenger, ButtonAction.ALBUM))
    application.add_handler(tap_handler(taps.tap, messenger))
