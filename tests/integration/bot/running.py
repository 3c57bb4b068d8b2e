"""The bot's application between a sandbox and a real Valkey."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr
from redis.asyncio import Redis
from telegram import Update
from telegram.ext import TypeHandler

from bot.gateway.application import Backoff, BotApplication, Context
from bot.gateway.connection import build_application, run
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry
from jobs.queues.keys import inbox_key, worker_key
from jobs.settings import Settings
from sandbox.server import Sandbox

PATIENCE_S = 60.0
BOT = 4242
FAST_BACKOFF = Backoff(first_pause_s=0.01, start_pauses_s=())

Handle = Callable[[Update, Context], Coroutine[Any, Any, None]]


def settings_for(server: Sandbox, **others: Any) -> Settings:
    facts: dict[str, Any] = {
        "bot_token": SecretStr(server.token),
        "bot_api_url": server.url,
        **others,
    }
    return Settings(**facts)


def built(server: Sandbox, client: Redis, handle: Handle, **others: Any) -> BotApplication:
    """An application with one handler for everything, and short pauses unless told otherwise."""
    backoff = others.pop("backoff", FAST_BACKOFF)
    application = build_application(settings_for(server, **others), client, backoff)
    application.add_handler(TypeHandler(Update, handle))
    return application


@asynccontextmanager
async def running(application: BotApplication) -> AsyncIterator[asyncio.Event]:
    """The application at work until the end of the block; the event ends it earlier."""
    ending = asyncio.Event()
    work = asyncio.create_task(run(application, ending))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not application.running and not work.done():
                await asyncio.sleep(0.01)
        yield ending
    finally:
        ending.set()
        await work


async def until(holds: Callable[[], Any]) -> None:
    """Returns when it holds, which may be told by a coroutine."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = holds()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.01)


async def beat_for_good(client: Redis, heartbeat: Heartbeat) -> None:
    """A worker is online until it leaves, however long a test takes on a busy machine."""
    await WorkerRegistry(client).beat(heartbeat, time.time())
    await client.persist(worker_key(heartbeat.worker))


async def left_in_inbox(client: Redis) -> int:
    """How many updates are not handled yet."""
    count: int = await client.xlen(inbox_key(BOT))
    return count


class Heard:
    """A handler that notes what it is told, and does what the test says before it returns."""

    def __init__(self, *before: Handle) -> None:
        self.texts: list[str] = []
        self._before = before

    async def __call__(self, update: Update, context: Context) -> None:
        for act in self._before:
            await act(update, context)
        self.texts.append(text_of(update))


def text_of(update: Update) -> str:
    """What a message says, or what a tap carries."""
    if update.callback_query is not None:
        return str(update.callback_query.data)
    return str(update.message and update.message.text)
