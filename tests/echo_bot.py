"""A small bot that shows what the sandbox can do: a photo in, a choice of movements, a clip out.

    python -m sandbox --port 8081
    python -m tests.echo_bot --base-url http://127.0.0.1:8081/bot --token 4242:sandbox

It needs nothing of ours, keeps nothing, and moves the picture, not the face in it.
"""

import argparse
import asyncio
import logging
import math
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import numpy as np
from av.video.frame import VideoFrame
from PIL import Image, ImageOps
from telegram import (
    BotCommand,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultCachedMpeg4Gif,
    InlineQueryResultsButton,
    InputFile,
    Message,
    ReplyParameters,
    SwitchInlineQueryChosenChat,
    Update,
)
from telegram.constants import ChatAction, ParseMode
from telegram.error import BadRequest
from telegram.ext import (
    Application,
    ApplicationBuilder,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    InlineQueryHandler,
    MessageHandler,
    filters,
)
from telegram.request import HTTPXRequest

if TYPE_CHECKING:
    from sandbox.server import Sandbox

log = logging.getLogger(__name__)

Context: TypeAlias = ContextTypes.DEFAULT_TYPE
App: TypeAlias = Application[Any, Any, Any, Any, Any, Any]
View: TypeAlias = tuple[float, float, float]  # magnification, shift right and down in sides

LONGEST_SIDE_PX = 480
FRAMES, RATE_FPS = 36, 24
SHARED = 20
ALLOWED = ["message", "callback_query", "inline_query", "chosen_inline_result", "my_chat_member"]
COMMANDS = {
    "": {"start": "Begin", "animate": "Animate the photo you answer to", "help": "What I can do"},
    "de": {
        "start": "Los geht's",
        "animate": "Das Foto bewegen, auf das du antwortest",
        "help": "Was ich kann",
    },
}
ABOUT = {
    "": ("Send me a photo, and I set it in motion.", "Photos in motion"),
    "de": ("Schick mir ein Foto, und ich bewege es.", "Fotos in Bewegung"),
}
HELP = (
    "Send me a <b>photo</b> and choose a movement: it comes back as a small animation.\n"
    "Send me a <b>round video</b>, and I send it back.\n"
    "In a group, answer a photo with /animate.\n\n"
    "/start  begin\n/animate  animate the photo you answer to\n/help  this text"
)


def _wave(phase: float) -> float:
    """From 0 up to 1 and back, so that the clip loops without a jump."""
    return (1 - math.cos(math.tau * phase)) / 2


MOVEMENTS: dict[str, Callable[[float], View]] = {
    "Closer": lambda phase: (1 + 0.3 * _wave(phase), 0, 0),
    "Sway": lambda phase: (1.2, 0.07 * math.sin(math.tau * phase), 0),
    "Nod": lambda phase: (1.2, 0, 0.07 * math.sin(math.tau * phase)),
}


def animation(photo: bytes, movement: str) -> bytes:
    """The photo as an mp4 of one and a half seconds."""
    with Image.open(BytesIO(photo)) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    image.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX))
    # yuv420p knows even sides only.
    width, height = (max(2, side // 2 * 2) for side in image.size)
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE_FPS, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(FRAMES):
            box = _box(image, MOVEMENTS[movement](number / FRAMES))
            shown = image.resize((width, height), Image.Resampling.BICUBIC, box)
            frame = VideoFrame.from_ndarray(np.asarray(shown), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _box(image: Image.Image, view: View) -> tuple[float, float, float, float]:
    """The part of the image that a view shows."""
    magnification, right, down = view
    width, height = image.width / magnification, image.height / magnification
    left = (image.width - width) / 2 + right * image.width
    upper = (image.height - height) / 2 + down * image.height
    return (left, upper, left + width, upper + height)


class EchoBot:
    """The bot.

    Args:
        pause_s: how long it pretends to work between two steps.
    """

    def __init__(self, pause_s: float = 0.0) -> None:
        self.failures: list[Exception] = []
        self._pause_s = pause_s
        self._made: defaultdict[int, deque[str]] = defaultdict(lambda: deque(maxlen=SHARED))
        self._liked: defaultdict[str, set[int]] = defaultdict(set)

    def application(self, base_url: str, base_file_url: str, token: str) -> App:
        """The bot, bound to a server, not running yet."""
        builder = ApplicationBuilder().token(token).base_url(base_url).base_file_url(base_file_url)
        if base_url.startswith("http:"):
            # Reading the machine's certificates takes its time, and nobody will show one.
            builder = builder.request(HTTPXRequest(256, httpx_kwargs={"verify": False}))
            polling = HTTPXRequest(1, httpx_kwargs={"verify": False})
            builder = builder.get_updates_request(polling)
        app = builder.concurrent_updates(True).job_queue(None).post_init(introduce).build()
        private, picture = filters.ChatType.PRIVATE, filters.PHOTO | filters.Document.IMAGE
        app.add_handlers(
            [
                CommandHandler("start", self._start),
                CommandHandler("animate", self._animate),
                MessageHandler(private & picture & ~filters.UpdateType.EDITED, self._offer_own),
                MessageHandler(private & filters.VIDEO_NOTE, self._send_back),
                CommandHandler("help", self._help),
                MessageHandler(private & filters.TEXT & ~filters.UpdateType.EDITED, self._help),
                CallbackQueryHandler(self._move, r"move\|"),
                CallbackQueryHandler(self._again, "again"),
                CallbackQueryHandler(self._like, "like"),
                InlineQueryHandler(self._share),
            ]
        )
        app.add_error_handler(self._fail)
        return app

    # --- messages ---------------------------------------------------------------------------------

    async def _start(self, update: Update, context: Context) -> None:
        message = _message(update)
        name = message.from_user.first_name if message.from_user else "you"
        came_with = f" You came with “{context.args[0]}”." if context.args else ""
        await message.reply_text(f"Hello {name}!{came_with} Send me a photo.")

    async def _help(self, update: Update, _: Context) -> None:
        await _message(update).reply_text(HELP, parse_mode=ParseMode.HTML)

    async def _send_back(self, update: Update, _: Context) -> None:
        message = _message(update)
        if message.video_note is not None:
            await message.reply_video_note(message.video_note.file_id, do_quote=True)

    async def _animate(self, update: Update, _: Context) -> None:
        message = _message(update)
        photo = message.reply_to_message
        if photo is None or _picture_of(photo) is None:
            await message.reply_text("Answer a photo with this command.", do_quote=True)
        else:
            await self._offer(photo)

    async def _offer_own(self, update: Update, _: Context) -> None:
        await self._offer(_message(update))

    async def _offer(self, photo: Message) -> None:
        await photo.set_reaction("👀")
        row = [InlineKeyboardButton(name, callback_data=f"move|{name}") for name in MOVEMENTS]
        await photo.reply_text(
            "Which movement?", reply_markup=InlineKeyboardMarkup([row]), do_quote=True
        )

    # --- taps -------------------------------------------------------------------------------------

    async def _move(self, update: Update, context: Context) -> None:
        query, card = _tapped(update)
        photo = None if card is None else card.reply_to_message
        picture = None if photo is None else _picture_of(photo)
        if card is None or photo is None or picture is None:
            await query.answer("The photo is gone. Send it again.", show_alert=True)
            return
        movement = (query.data or "").partition("|")[2]
        await query.answer(f"{movement} it is!")
        await card.edit_text("Animating 40 %")
        source = await context.bot.get_file(picture)
        content = await asyncio.to_thread(
            animation, bytes(await source.download_as_bytearray()), movement
        )
        await asyncio.sleep(self._pause_s)
        await card.edit_text("Animating 80 %")
        await card.reply_chat_action(ChatAction.UPLOAD_VIDEO)
        await asyncio.sleep(self._pause_s)
        sent = await card.reply_animation(
            InputFile(content, "animation.mp4"),
            caption=movement,
            reply_markup=_below_a_result(),
            reply_parameters=ReplyParameters(photo.message_id, allow_sending_without_reply=True),
        )
        if sent.animation is not None:
            self._made[query.from_user.id].appendleft(sent.animation.file_id)
        await card.edit_text("Done")

    async def _again(self, update: Update, _: Context) -> None:
        query, result = _tapped(update)
        await query.answer()
        if result is not None and result.reply_to_message is not None:
            await self._offer(result.reply_to_message)

    async def _like(self, update: Update, _: Context) -> None:
        query, _card = _tapped(update)
        likers = self._liked[query.inline_message_id or ""]
        if query.from_user.id in likers:
            await query.answer("You like it already.")
            return
        likers.add(query.from_user.id)
        await query.answer("Thank you!")
        await query.edit_message_reply_markup(_like_button(len(likers)))

    # --- inline -----------------------------------------------------------------------------------

    async def _share(self, update: Update, _: Context) -> None:
        query = update.inline_query
        assert query is not None
        results = [
            InlineQueryResultCachedMpeg4Gif(
                str(number), file_id, title=f"Animation {number}", reply_markup=_like_button(0)
            )
            for number, file_id in enumerate(self._made[query.from_user.id], 1)
        ]
        button = InlineQueryResultsButton("Animate a photo", start_parameter="inline")
        try:
            await query.answer(results, cache_time=0, is_personal=True, button=button)
        except BadRequest:  # the sandbox was reset, and the animations went with it
            self._made[query.from_user.id].clear()
            await query.answer([], cache_time=0, is_personal=True, button=button)

    async def _fail(self, _: object, context: Context) -> None:
        log.error("a handler failed", exc_info=context.error)
        if context.error is not None:
            self.failures.append(context.error)


def _message(update: Update) -> Message:
    message = update.effective_message
    assert message is not None
    return message


def _tapped(update: Update) -> tuple[CallbackQuery, Message | None]:
    """The tap, and the message under which the button was, where that can still be read."""
    query = update.callback_query
    assert query is not None
    return query, query.message if isinstance(query.message, Message) else None


def _picture_of(message: Message) -> str | None:
    """The file id of the picture that a message shows."""
    if message.photo:
        return message.photo[-1].file_id
    document = message.document
    is_picture = document is not None and (document.mime_type or "").startswith("image/")
    return document.file_id if document is not None and is_picture else None


def _below_a_result() -> InlineKeyboardMarkup:
    to = SwitchInlineQueryChosenChat(allow_user_chats=True, allow_group_chats=True)
    share = InlineKeyboardButton("Share", switch_inline_query_chosen_chat=to)
    again = InlineKeyboardButton("Another movement", callback_data="again")
    return InlineKeyboardMarkup([[again, share]])


def _like_button(count: int) -> InlineKeyboardMarkup:
    label = f"❤ {count}" if count else "❤"
    return InlineKeyboardMarkup([[InlineKeyboardButton(label, callback_data="like")]])


async def introduce(app: App) -> None:
    """Tells the server what the bot can do, in two languages."""
    for language, commands in COMMANDS.items():
        found = [BotCommand(name, description) for name, description in commands.items()]
        await app.bot.set_my_commands(found, language_code=language)
    for language, (long, short) in ABOUT.items():
        await app.bot.set_my_description(long, language_code=language)
        await app.bot.set_my_short_description(short, language_code=language)


@asynccontextmanager
async def echo_bot(sandbox: "Sandbox", pause_s: float = 0.0) -> AsyncIterator[EchoBot]:
    """The bot, polling that server until the end of the block.

    Raises:
        ExceptionGroup: at the end, if a handler failed.
    """
    bot = EchoBot(pause_s)
    app = bot.application(sandbox.base_url, sandbox.base_file_url, sandbox.token)
    assert app.updater is not None
    async with app:
        await introduce(app)
        await app.updater.start_polling(allowed_updates=ALLOWED)
        await app.start()
        try:
            yield bot
        finally:
            await app.updater.stop()
            await app.stop()
    if bot.failures:
        message = "the echo bot failed"
        raise ExceptionGroup(message, bot.failures)


def main(arguments: Sequence[str] | None = None) -> None:
    """The bot, until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.echo_bot", description="The echo bot.")
    parser.add_argument("--base-url", required=True, help="what comes before the token: .../bot")
    parser.add_argument("--token", required=True, help="the bot's token, as the sandbox prints it")
    parser.add_argument("--pause", type=float, default=0.7, help="s of work (%(default)s)")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines carry the token
    base_file_url = given.base_url.removesuffix("/bot") + "/file/bot"
    app = EchoBot(given.pause).application(given.base_url, base_file_url, given.token)
    app.run_polling(allowed_updates=ALLOWED)


if __name__ == "__main__":
    main()
