"""Registers the handlers of private chats, and those of all buttons."""

from collections.abc import Awaitable, Callable

from telegram import Message, Update
from telegram.ext import CallbackQueryHandler, CommandHandler, MessageHandler, filters

from bot.callback_data import VERSION, ButtonAction
from bot.conversation.albums import Albums
from bot.conversation.commands import Commands
from bot.conversation.media_handler import MediaHandler
from bot.conversation.taps import Taps
from bot.gateway.application import AnyApplication, Context, on_message
from bot.gateway.messenger import Messenger
from bot.gateway.update_processor import lend_turn
from bot.gateway.updates import IncomingTap, TapAnswer, incoming, media_of, tapped


def add_conversation_handlers(
    application: AnyApplication, media_handler: MediaHandler, albums: Albums, commands: Commands
) -> None:
    """Register the handlers of what people write and send in private."""
    private = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE

    async def command(message: Message) -> None:
        name = (message.text or "").split()[0].removeprefix("/").partition("@")[0].lower()
        await commands.by_name[name](incoming(message))

    async def anything(message: Message) -> None:
        quoted = message.external_reply
        media = media_of(message) or (media_of(quoted) if quoted else None)
        if media is None:
            await commands.text(incoming(message))
        elif message.media_group_id:
            await albums.add(incoming(message), media)
        else:
            await media_handler.take(incoming(message), media)

    names = list(commands.by_name)
    application.add_handler(CommandHandler(names, on_message(command), filters=private))
    other = private & ~filters.StatusUpdate.ALL
    application.add_handler(MessageHandler(other, on_message(anything)))


def add_tap_handlers(
    application: AnyApplication, taps: Taps, albums: Albums, messenger: Messenger
) -> None:
    """Register the handlers of buttons, in private chats and in groups."""

    def handler(
        tap: Callable[[IncomingTap], Awaitable[TapAnswer]], action: ButtonAction | None = None
    ) -> CallbackQueryHandler[Context, None]:
        async def handle(update: Update, _context: Context) -> None:
            query = update.callback_query
            incoming_tap = tapped(query) if query else None
            if query is None or incoming_tap is None:
                return
            answer = await tap(incoming_tap)
            await messenger.answer(query.id, answer.text, is_alert=answer.is_alert)
            if answer.only_shows:
                lend_turn()
            if answer.then is not None:
                await answer.then()

        pattern = rf"^{VERSION}\|{action}\|" if action else None
        return CallbackQueryHandler(handle, pattern)

    application.add_handler(handler(albums.tap, ButtonAction.ALBUM))
    application.add_handler(handler(taps.tap))
