"""`animato bot`: run the Telegram bot."""

import asyncio
from functools import partial
from pathlib import Path

from animato.default_engine import check_default_engine
from animato.logs import is_json_log, set_up_log, tell
from animato.movements import check_movements
from animato.signals import until_signal
from bot.app import serve
from jobs.connection import check_server, connect
from jobs.errors import BadSettings
from jobs.queues.known_engines import KnownEngines
from jobs.settings import Settings
from jobs.store.files import FileStore

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def run_bot() -> None:
    """Run the bot until a signal; after Ctrl-C, raise KeyboardInterrupt when it has ended.

    Raises:
        BadSettings: a setting is invalid, or the token or Redis is not set.
        QueueUnavailable, StoreError, TelegramUnavailable: a server does not answer at the start.
    """
    settings = Settings.load(Path(".env"))
    if not settings.redis_url.get_secret_value():
        reason = (
            "The bot needs the same Redis as the workers: set ANIMATO_REDIS_URL, or run "
            "`animato up`, which starts one."
        )
        raise BadSettings(reason=reason)
    set_up_log(settings.log_format, _FORMAT, ("bot", "jobs"))
    check_movements(settings.templates_dir)
    ended = asyncio.Event()
    until_signal(_check_and_serve(settings, ended), ended.set)


async def _check_and_serve(settings: Settings, ended: asyncio.Event) -> None:
    url = settings.redis_url.get_secret_value()
    await check_server(url)
    async with connect(url, is_worker=False) as client:
        check_default_engine(settings, await KnownEngines(client).names())
    store = FileStore.open(settings.store_address, min_free_bytes=settings.min_free_bytes)
    if is_json_log():
        await serve(settings, store, ended, partial(tell, "bot"))
    else:
        await serve(settings, store, ended)
