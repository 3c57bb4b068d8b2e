"""The bot's connection to Telegram: build the application, add handlers, `run` it."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis
from telegram.error import InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.ext import ApplicationBuilder
from telegram.request import HTTPXRequest

from bot.gateway.application import Backoff, BotApplication
from bot.gateway.inbox import Inbox
from bot.gateway.polling import STANDBY, STARTING, Polling, PollingBot, PollingHealth
from bot.gateway.rate_limiter import ChatRateLimiter
from bot.gateway.update_processor import InOrderPerChat
from bot.gateway.webhook import Webhook, WebhookServer
from jobs.errors import BadSettings
from jobs.service_errors import TelegramUnavailable
from jobs.settings import Settings
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

_BACKOFF = Backoff()
_READ_S, _MEDIA_WRITE_S, _POOL_S = 60.0, 120.0, 30.0
_CONNECTIONS = 512  # for 256 handlers, intake and delivery
# Their lines carry the token in addresses, or what people write.
_TALKATIVE = ("httpx", "httpcore", "telegram")
_NOT_SET = (
    "ANIMATO_BOT_TOKEN is not set: write /newbot to @BotFather on Telegram, and set it to the "
    "token that you get."
)
NOT_KNOWN = (
    "Telegram does not know this token, or not any more: set ANIMATO_BOT_TOKEN to the one that "
    "@BotFather shows for your bot."
)


def build_application(
    settings: Settings,
    redis: Redis,
    backoff: Backoff = _BACKOFF,
    polling_health: PollingHealth | None = None,
) -> BotApplication:
    """Build the bot's application, without handlers.

    Args:
        settings: token, servers, and how updates arrive.
        redis: a client (`jobs.connection.connect`); the caller closes it.
        backoff: pauses and time limits.
        polling_health: notes when updates were fetched.

    Raises:
        BadSettings: there is no token.
    """
    bot = bot_of(settings)
    inbox = Inbox(redis, int(bot.token.partition(":")[0]))
    processor = InOrderPerChat()
    parts: dict[str, object] = {
        "inbox": inbox,
        "slots": processor.slots,
        "webhook": _webhook(settings),
        "polling_health": polling_health or PollingHealth(),
        "backoff": backoff,
    }
    application = (
        ApplicationBuilder()
        .application_class(BotApplication, parts)
        .bot(bot)
        .updater(None)
        .update_queue(inbox)
        .concurrent_updates(processor)
        .job_queue(None)
        .build()
    )
    assert isinstance(application, BotApplication)  # noqa: S101 - the builder's type says less
    return application


class _WithoutContents(logging.Handler):
    """Removes from python-telegram-bot's log the updates and answers that it quotes.

    Only a record's first sentence is left. This handler runs before those of the root logger.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Strip a record."""
        record.msg, record.args = str(record.msg).partition(".")[0].replace("%", "%%"), None
        record.exc_info = record.exc_text = None


def bot_of(settings: Settings) -> PollingBot:
    """Build the bot's connection, and silence the loggers of its libraries.

    Raises:
        BadSettings: there is no token.
    """
    token = settings.bot_token.get_secret_value()
    if not token:
        raise BadSettings(reason=_NOT_SET)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    library = logging.getLogger("telegram")
    if not library.handlers:
        library.addHandler(_WithoutContents())
    url = settings.bot_api_url.rstrip("/")
    # A local server is reached without proxy and certificates.
    own: dict[str, Any] = {"trust_env": False, "verify": False} if url.startswith("http:") else {}
    return PollingBot(
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
        rate_limiter=ChatRateLimiter(messages_per_second=settings.messages_per_second),
        local_mode=settings.bot_api_local,
    )


def _webhook(settings: Settings) -> Webhook | None:
    if not settings.webhook_url:
        return None
    host, _, port = settings.webhook_listen.rpartition(":")
    secret = settings.webhook_secret.get_secret_value() or secrets.token_urlsafe(32)
    return Webhook(settings.webhook_url, host.strip("[]"), int(port), secret)


async def run(application: BotApplication, ending: asyncio.Event) -> None:
    """Run the application until `ending` is set, then stop it gracefully.

    Updates that an earlier process left are handled first. At the end, running handlers may finish
    within the grace period; the other updates stay in the inbox. `post_init` is awaited before the
    first update, `post_stop` after the last one, while messages can still be sent. Behind a
    webhook, this process first waits until no other one serves the bot.

    Raises:
        BadSettings: Telegram does not know the token, or the webhook's port cannot be used.
        LeaseLost: another process serves the bot, since this one was frozen or cut off.
        TelegramUnavailable: Telegram did not answer at the start.
    """
    receiver = _receiver(application)
    starting = asyncio.create_task(_start(application, receiver))
    ended = asyncio.create_task(ending.wait())
    try:
        await asyncio.wait([starting, ended], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            receiving: asyncio.Future[Any] = starting.result()
            await asyncio.wait([receiving, ended], return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                receiving.result()
    except InvalidToken:
        raise BadSettings(reason=NOT_KNOWN) from None  # its text holds the token
    finally:
        await end_tasks([starting, ended])
        await _stop(application, receiver)


def _receiver(application: BotApplication) -> Polling | WebhookServer:
    if application.webhook is not None:
        return WebhookServer(application.webhook, application.bot, application.inbox)
    return Polling(application.bot, application.inbox, application.polling_health)


async def _start(
    application: BotApplication, receiver: Polling | WebhookServer
) -> "asyncio.Future[None]":
    """Start everything. The returned future ends when receiving updates fails for good."""
    health = application.polling_health
    if application.webhook is not None:
        health.waiting = STANDBY
        await application.inbox.lease.acquire()
        health.waiting = STARTING
    try:
        await _with_retries(application, application.initialize)
        application.has_begun = True
        if application.post_init is not None:
            await application.post_init(application)
        left_behind = await application.inbox.restore(application.bot)
        if left_behind:
            log.info("%d updates were left by the last run", left_behind)
        await _with_retries(application, receiver.open)
    except InvalidToken:
        raise
    except TelegramError as exc:
        place = application.bot.base_url.partition("/bot")[0]
        raise TelegramUnavailable(place=place, reason=exc.message) from exc
    await application.start()
    receiving = receiver.start()
    health.waiting = ""
    log.info("@%s runs: its updates are %s", application.bot.username, receiver.how)
    return receiving


async def _with_retries(application: BotApplication, ask: Callable[[], Awaitable[None]]) -> None:
    """Call Telegram, several times if it does not answer."""
    for pause_s in application.backoff.start_pauses_s:
        try:
            await ask()
        except (NetworkError, RetryAfter) as exc:
            log.warning("Telegram does not answer (%s); trying again", exc)
            await asyncio.sleep(pause_s)
        else:
            return
    await ask()


async def _stop(application: BotApplication, receiver: Polling | WebhookServer) -> None:
    """Stop everything, in reverse order."""
    application.begin_no_more()
    await receiver.stop()
    if application.running:
        await application.stop()
    if application.has_begun and application.post_stop is not None:
        await application.post_stop(application)
    await application.inbox.lease.release()
    await application.shutdown()
    await application.bot.shutdown()  # even if it was never initialized
