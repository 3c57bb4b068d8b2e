"""A whole bot on aiogram: its dispatcher polls, or is called by a webhook."""

import asyncio
from collections.abc import AsyncIterator

import aiogram
import pytest
from aiogram import F
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import CommandStart
from aiogram.types import (
    BufferedInputFile,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
)
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web

from sandbox.server import Sandbox
from tests.integration.sandbox import media
from tests.integration.sandbox.clients import PlainSession
from tests.integration.sandbox.desk import Desk, Part

pytestmark = pytest.mark.local_sockets


def dispatcher() -> aiogram.Dispatcher:
    """Greets, and gives a clip for a photo."""
    found = aiogram.Dispatcher()
    button = InlineKeyboardButton(text="Wink", callback_data="wink")

    @found.message(CommandStart())
    async def greet(message: Message) -> None:
        await message.answer("Hello!")

    @found.message(F.photo)
    async def ask(message: Message) -> None:
        keyboard = InlineKeyboardMarkup(inline_keyboard=[[button]])
        await message.reply("Which movement?", reply_markup=keyboard)

    @found.callback_query(F.data == "wink")
    async def give(query: CallbackQuery) -> None:
        await query.answer("Winking")
        assert isinstance(query.message, Message)
        await query.message.edit_text("Done")
        await query.message.answer_video(BufferedInputFile(media.clip(), "wink.mp4"))

    return found


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[aiogram.Bot]:
    address = sandbox.base_url.removesuffix("/bot")
    session = PlainSession(api=TelegramAPIServer.from_base(address))
    yield aiogram.Bot(sandbox.token, session)
    await session.close()


async def whole_way(desk: Desk) -> None:
    await desk.say("/start")
    await desk.sees("Bot: Hello!")
    await desk.send(Part("photo", media.photo(), "me.jpg"))
    await desk.sees("[Wink]")
    assert (await desk.tap("Wink"))["answer"]["text"] == "Winking"
    assert "Bot (answers '<photo 160x120>', edited): Done\n" in await desk.sees("<animation 96x64>")


async def test_bot_that_polls_takes_a_photo_and_gives_a_clip(
    sandbox: Sandbox, desk: Desk, bot: aiogram.Bot
) -> None:
    found = dispatcher()
    polling = asyncio.create_task(
        found.start_polling(bot, handle_signals=False, close_bot_session=False)
    )
    await whole_way(desk)
    await found.stop_polling()
    await polling
    assert len(sandbox.telegram.updates) == 0


async def test_bot_that_is_called_takes_a_photo_and_gives_a_clip(
    sandbox: Sandbox, desk: Desk, bot: aiogram.Bot
) -> None:
    app, secret = web.Application(), "between-the-two"
    SimpleRequestHandler(dispatcher(), bot, secret_token=secret).register(app, "/hook")
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    await bot.set_webhook(url, secret_token="another")  # noqa: S106
    await desk.say("/start unheard")
    while not (info := await bot.get_webhook_info()).last_error_message:
        await asyncio.sleep(0.01)
    assert "401" in info.last_error_message
    await bot.set_webhook(url, secret_token=secret, drop_pending_updates=True)
    await whole_way(desk)
    assert sandbox.telegram.calls.polls == 0
    await bot.delete_webhook()
    await runner.cleanup()
