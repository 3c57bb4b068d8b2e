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
from bot.gateway.update_processor import allow_early_release
from bot.gateway.updates import IncomingTap, TapAnswer, incoming_message, incoming_tap, media_of


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
    """Register the handlers of buttons, in private chats and in groups."""

    def pattern_of(action: ButtonAction) -> str:
        return rf"^{VERSION}\|{action}\|"

    application.add_handler(tap_handler(albums.tap, messenger, pattern_of(ButtonAction.ALBUM)))
    application.add_handler(tap_handler(taps.tap, messenger))


def tap_handler(
    tap: Callable[[IncomingTap], Awaitable[TapAnswer]],
    messenger: Messenger,
    pattern: str | None = None,
) -> CallbackQueryHandler[Context, None]:
    """Return the handler of some buttons.

    Args:
        tap: handles a tap.
        messenger: answers it.
        pattern: of the buttons' data; None: of all.
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

    return CallbackQueryHandler(handle, pattern)
