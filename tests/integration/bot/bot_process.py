"""A bot in a process of its own, which tests kill: it begins with an update and never ends.

python -m tests.integration.bot.bot_process REDIS_URL BOT_API_URL TOKEN
"""

import asyncio
import sys

from pydantic import SecretStr
from telegram import Update
from telegram.ext import TypeHandler

from bot.gateway.connection import build_application, run
from jobs.connection import connect
from jobs.settings import Settings


async def hang(*_: object) -> None:
    print("began", flush=True)  # noqa: T201 - the test waits for it
    await asyncio.Event().wait()


async def main(redis_url: str, bot_api_url: str, token: str) -> None:
    settings = Settings(bot_token=SecretStr(token), bot_api_url=bot_api_url)
    application = build_application(settings, connect(redis_url, is_worker=False))
    application.add_handler(TypeHandler(Update, hang))
    await run(application, asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
