"""How updates come: fetched, or pushed to an address of ours; and why none come."""

import asyncio
import logging
import socket
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from telegram import Update
from telegram.error import Conflict, InvalidToken, TelegramError
from telegram.ext import ExtBot, Updater

from jobs.errors import BadSettings

log = logging.getLogger(__name__)

# Without edits: an edited caption would begin a second animation.
ALLOWED_UPDATES = (
    "message",
    "callback_query",
    "inline_query",
    "chosen_inline_result",
    "my_chat_member",
    "pre_checkout_query",
)
_SAID_AGAIN_S = 300.0
_TWO_BOTS = (
    "another program fetches the updates of this bot: stop it, for one token serves one program "
    "(of workers there may be many)"
)
_FOREIGN_WEBHOOK = (
    "another program has set a webhook for this bot, which now hears nothing: stop that program "
    "and start this one again"
)


@dataclass(frozen=True)
class Webhook:
    """Where updates are pushed to.

    Attributes:
        url: the address that Telegram knows.
        host: the address of this machine, where they arrive.
        port: likewise.
        secret: what a push has to show in its header.
    """

    url: str
    host: str
    port: int
    secret: str


class ListeningBot(ExtBot[dict[str, Any]]):
    """A bot that says why it hears nothing."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._dismissed = asyncio.Event()
        self._said, self._said_at_s = "", 0.0

    def __repr__(self) -> str:
        """Its name; the library's own words are its token."""
        return type(self).__name__

    @property
    def dismissed(self) -> asyncio.Event:
        """Set when Telegram does not know the token any more."""
        return self._dismissed

    async def get_updates(self, *given: Any, **named: Any) -> tuple[Update, ...]:
        """The updates that wait at Telegram."""
        try:
            return await super().get_updates(*given, **named)
        except InvalidToken:
            self._dismissed.set()
            raise
        except TelegramError as exc:
            self._say(_why_deaf(exc))
            raise

    def _say(self, sentence: str) -> None:
        """Logs a sentence, unless it was said just now."""
        now_s = time.monotonic()
        if sentence != self._said or now_s - self._said_at_s > _SAID_AGAIN_S:
            log.error("%s", sentence)
            self._said, self._said_at_s = sentence, now_s


def _why_deaf(error: TelegramError) -> str:
    if not isinstance(error, Conflict):
        return f"Telegram does not answer ({error}): it is asked again and again"
    return _FOREIGN_WEBHOOK if "webhook" in error.message else _TWO_BOTS


async def listen(updater: Updater, webhook: Webhook | None, retries: int) -> None:
    """Begins to take updates; returns when the first one may come.

    Args:
        updater: initialised.
        webhook: where they are pushed to; None: they are fetched, and a webhook that was set before
            is removed.
        retries: so often Telegram is asked again if it does not answer.

    Raises:
        BadSettings: the webhook's port cannot be listened at.
        TelegramError: Telegram refused, or did not answer again and again.
    """
    if webhook is None:
        await updater.start_polling(
            bootstrap_retries=retries,
            allowed_updates=ALLOWED_UPDATES,
            error_callback=lambda _: None,  # the bot has said it
        )
        return
    _check_port(webhook)
    await updater.start_webhook(
        webhook.host,
        webhook.port,
        url_path=urlsplit(webhook.url).path,
        bootstrap_retries=retries,
        webhook_url=webhook.url,
        allowed_updates=ALLOWED_UPDATES,
        secret_token=webhook.secret,
    )


def _check_port(webhook: Webhook) -> None:
    """Nothing, if it can be listened at; the library tells Telegram of it before it tries."""
    family = socket.AF_INET6 if ":" in webhook.host else socket.AF_INET
    try:
        socket.create_server((webhook.host, webhook.port), family=family).close()
    except (OSError, OverflowError) as exc:
        reason = (
            f"{webhook.host}:{webhook.port} cannot be listened at ({exc}): let "
            "ANIMATO_WEBHOOK_LISTEN name an address of this machine and a free port."
        )
        raise BadSettings(reason=reason) from exc
