"""The private conversation's handlers: from Telegram's updates to plain values, and no further."""

from collections.abc import Awaitable, Callable

from telegram import Update
from telegram.ext import CallbackQueryHandler, CommandHandler, MessageHandler, filters

from bot.callback_data import VERSION, ButtonAction
from bot.conversation.albums import Albums
from bot.conversation.commands import Commands
from bot.conversation.media_handler import MediaHandler
from bot.conversation.taps import Taps
from bot.gateway.application import AnyApplication, Context
from bot.gateway.messenger import Messenger
from bot.gateway.update_processor import lend_turn
from bot.gateway.updates import IncomingTap, TapAnswer, incoming, media_of, tapped


def add_conversation_handlers(
    application: AnyApplication, reception: MediaHandler, albums: Albums, commands: Commands
) -> None:
    """What people write and send in private.

    Args:
        application: gets the handlers.
        reception: takes photos and clips.
        albums: takes several at once.
        commands: answers commands.
    """
    private = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE

    async def command(update: Update, _context: Context) -> None:
        message = update.effective_message
        if message is not None and message.text:
            name = message.text.split()[0].removeprefix("/").partition("@")[0].lower()
            await commands.by_name[name](incoming(message))

    async def anything(update: Update, _context: Context) -> None:
        message = update.effective_message
        if message is None:
            return
        quoted = message.external_reply
        media = media_of(message) or (media_of(quoted) if quoted else None)
        if media is None:
            await commands.text(incoming(message))
        elif message.media_group_id:
            await albums.add(incoming(message), media)
        else:
            await reception.take(incoming(message), media)

    application.add_handler(CommandHandler(list(commands.by_name), command, filters=private))
    application.add_handler(MessageHandler(private & ~filters.StatusUpdate.ALL, anything))


def add_tap_handlers(
    application: AnyApplication, taps: Taps, albums: Albums, messenger: Messenger
) -> None:
    """The buttons, in private chats and in groups.

    Args:
        application: gets the handlers.
        taps: does what most of them say.
        albums: does what those of an album say.
        messenger: answers.
    """

    def handler(
        tap: Callable[[IncomingTap], Awaitable[TapAnswer]], verb: ButtonAction | None = None
    ) -> CallbackQueryHandler[Context, None]:
        async def handle(update: Update, _context: Context) -> None:
            query = update.callback_query
            came_in = tapped(query) if query else None
            if query is None or came_in is None:
                return
            answer = await tap(came_in)
            await messenger.answer(query.id, answer.text, is_alert=answer.is_alert)
            if answer.only_shows:
                lend_turn()
            if answer.then is not None:
                await answer.then()

        pattern = rf"^{VERSION}\|{verb}\|" if verb else None
        return CallbackQueryHandler(handle, pattern)

    application.add_handler(handler(albums.tap, ButtonAction.ALBUM))
    application.add_handler(handler(taps.tap))
