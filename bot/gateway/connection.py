"""The bot's connection to Telegram: built from the settings, and run until it is told to end.

build_application -> others add handlers -> run
"""

import asyncio
import logging
import secrets
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from telegram.error import InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.ext import ApplicationBuilder
from telegram.request import HTTPXRequest

from bot.gateway.application import BotApplication, Patience
from bot.gateway.inbox import Inbox
from bot.gateway.listening import ListeningBot, Webhook, listen
from bot.gateway.rate_limiter import ChatRateLimiter
from bot.gateway.update_processor import InOrderPerChat
from jobs.errors import BadSettings
from jobs.service_errors import TelegramUnavailable
from jobs.settings import Settings

log = logging.getLogger(__name__)

_PATIENCE = Patience()
_READ_S, _MEDIA_WRITE_S, _POOL_S = 60.0, 120.0, 30.0
_CONNECTIONS = 512  # of 256 handlers, intake and delivery
_CONFIRM_S = 5.0
# Their lines carry the token in addresses, or what people write.
_TALKATIVE = ("httpx", "httpcore", "telegram")
# What these say of outages at length, the bot says in a sentence.
_REPEATING = ("telegram.ext", "telegram.ext.Updater")
_NOT_SET = (
    "ANIMATO_BOT_TOKEN is not set: write /newbot to @BotFather on Telegram, and set it to the "
    "token that you get."
)
NOT_KNOWN = (
    "Telegram does not know this token, or not any more: set ANIMATO_BOT_TOKEN to the one that "
    "@BotFather shows for your bot."
)


def build_application(
    settings: Settings, redis: Redis, patience: Patience = _PATIENCE
) -> BotApplication:
    """The bot's application without any handler, not running yet.

    Args:
        settings: token, servers, and how updates come.
        redis: a client of the queues' server (`jobs.connection.connect`); the caller closes it.
        patience: how long what is waited for.

    Raises:
        BadSettings: there is no token.
    """
    bot = bot_of(settings)
    for name in _REPEATING:
        logging.getLogger(name).addFilter(_is_news)
    inbox = Inbox(redis, int(bot.token.partition(":")[0]))
    processor = InOrderPerChat()
    parts: dict[str, object] = {
        "inbox": inbox,
        "slots": processor.slots,
        "webhook": _webhook(settings),
        "patience": patience,
    }
    application = (
        ApplicationBuilder()
        .application_class(BotApplication, parts)
        .bot(bot)
        .update_queue(inbox)
        .concurrent_updates(processor)
        .job_queue(None)
        .build()
    )
    assert isinstance(application, BotApplication)  # noqa: S101 - the builder's type says less
    return application


def _is_news(record: logging.LogRecord) -> bool:
    """Lets pass what only the library can tell, without what it quotes."""
    record.msg = str(record.msg).partition(".")[0]
    record.args, record.exc_info = (), None
    return record.levelno >= logging.CRITICAL


def bot_of(settings: Settings) -> ListeningBot:
    """The connection itself, which has asked nothing yet; its libraries are told to be silent.

    Raises:
        BadSettings: there is no token.
    """
    token = settings.bot_token.get_secret_value()
    if not token:
        raise BadSettings(reason=_NOT_SET)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    url = settings.bot_api_url.rstrip("/")
    # A server of one's own is asked directly: by no proxy, and reading no certificates.
    own: dict[str, Any] = {"trust_env": False, "verify": False} if url.startswith("http:") else {}
    return ListeningBot(
        token,
        f"{url}/bot",
        f"{url}/file/bot",
        request=HTTPXRequest(
            _CONNECTIONS,
            read_timeout=_READ_S,
            pool_timeout=_POOL_S,
            media_write_timeout=_MEDIA_WRITE_S,
            httpx_kwargs=own,
        ),
        get_updates_request=HTTPXRequest(1, httpx_kwargs=own),
        rate_limiter=ChatRateLimiter(),
        local_mode=settings.bot_api_local,
    )


def _webhook(settings: Settings) -> Webhook | None:
    if not settings.webhook_url:
        return None
    host, _, port = settings.webhook_listen.rpartition(":")
    secret = settings.webhook_secret.get_secret_value() or secrets.token_urlsafe(32)
    return Webhook(settings.webhook_url, host.strip("[]"), int(port), secret)


async def run(application: BotApplication, ending: asyncio.Event) -> None:
    """Works until `ending` is set, and returns when everything has come to rest.

    What an earlier process left behind is handled before anything new. At the end nothing more is
    taken, what runs may finish within the grace, and the rest stays in the inbox. The application's
    `post_init` is awaited before the first update, `post_stop` after the last one, while messages
    can still be sent, and `post_shutdown` at the very end.

    Raises:
        BadSettings: Telegram does not know the token, or not any more; or the webhook cannot be.
        TelegramUnavailable: it did not answer at the start.
    """
    dismissed = application.bot.dismissed
    starting = asyncio.create_task(_start(application))
    ends = [asyncio.create_task(event.wait()) for event in (ending, dismissed)]
    try:
        await asyncio.wait([starting, *ends], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (starting, *ends):
            task.cancel()
        await asyncio.gather(starting, *ends, return_exceptions=True)
        await _stop(application)
    if dismissed.is_set():
        raise BadSettings(reason=NOT_KNOWN)


async def _start(application: BotApplication) -> None:
    try:
        await _meet(application)
        application.has_begun = True
        if application.post_init is not None:
            await application.post_init(application)
        left_behind = await application.inbox.restore(application.bot)
        if left_behind:
            log.info("%d updates were left from last time", left_behind)
        retries = len(application.patience.start_pauses_s)
        await listen(application.hearing, application.webhook, retries)
    except InvalidToken:
        raise BadSettings(reason=NOT_KNOWN) from None  # its text holds the token
    except TelegramError as exc:
        place = application.bot.base_url.partition("/bot")[0]
        raise TelegramUnavailable(place=place, reason=exc.message) from exc
    await application.start()
    way = "fetched" if application.webhook is None else "pushed"
    log.info("@%s listens: its updates are %s", application.bot.username, way)


async def _meet(application: BotApplication) -> None:
    """Asks Telegram who we are, several times if it does not answer."""
    for pause_s in application.patience.start_pauses_s:
        try:
            await application.initialize()
        except (NetworkError, RetryAfter) as exc:
            log.warning("Telegram does not answer (%s): it is asked again", exc)
            await asyncio.sleep(pause_s)
        else:
            return
    await application.initialize()


async def _stop(application: BotApplication) -> None:
    """Stops what was started, in the opposite order."""
    application.begin_no_more()
    if application.hearing.running:
        # Telegram is told what has come. If it does not listen, it sends that again.
        with suppress(TimeoutError, TelegramError):
            async with asyncio.timeout(_CONFIRM_S):
                await application.hearing.stop()
    if application.running:
        await application.stop()
    if application.has_begun and application.post_stop is not None:
        await application.post_stop(application)
    await application.shutdown()
    await application.bot.shutdown()  # also when it never got to know itself
    if application.has_begun and application.post_shutdown is not None:
        await application.post_shutdown(application)
