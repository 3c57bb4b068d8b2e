"""Webhook: Telegram pushes updates, which are stored in the inbox.

A request without the secret is refused before its body is read. Its content is never logged.
"""

import asyncio
import hmac
import json
import logging
import re
import socket
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from telegram.error import BadRequest
from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from bot.gateway.inbox import Inbox, read_update
from bot.gateway.polling import ALLOWED_UPDATES, PollingBot
from jobs.errors import BadSettings

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1_000_000
_BODY_TIMEOUT_S = 30.0
_HEADERS_TIMEOUT_S = 60.0  # also how long a connection may wait for its next request
_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of a header


@dataclass(frozen=True)
class Webhook:
    """Where updates are pushed to.

    Attributes:
        url: the public address.
        host: the address to listen on.
        port: the port to listen on.
        secret: required in a header of each request.
    """

    url: str
    host: str
    port: int
    secret: str


class WebhookServer:
    """Stores pushed updates in the inbox; a request is answered after its update is stored."""

    how = "pushed"  # for the log line at the start

    def __init__(self, webhook: Webhook, bot: PollingBot, inbox: Inbox) -> None:
        self._webhook = webhook
        self._bot = bot
        self._inbox = inbox
        self._given = {"bot": bot, "inbox": inbox, "secret": webhook.secret}
        self._server: HTTPServer | None = None

    async def open(self) -> None:
        """Listen, and register the address with Telegram.

        Raises:
            BadSettings: the port cannot be used, or Telegram refuses the address.
            TelegramError: Telegram did not answer.
        """
        if self._server is None:
            self._server = self._listening()
        try:
            await self._bot.set_webhook(
                self._webhook.url,
                allowed_updates=ALLOWED_UPDATES,
                secret_token=self._webhook.secret,
            )
        except BadRequest as refused:
            # A NetworkError for the library, which would be tried again.
            reason = f"ANIMATO_WEBHOOK_URL cannot be used: Telegram refuses it ({refused.message})."
            raise BadSettings(reason=reason) from None

    def start(self) -> "asyncio.Future[None]":
        """Return a future that ends only with an error: requests are served from `open` on."""
        return self._inbox.lease.kept

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.stop()
            await self._server.close_all_connections()

    def _listening(self) -> HTTPServer:
        host, port = self._webhook.host, self._webhook.port
        path = urlsplit(self._webhook.url).path or "/"
        handlers = [(re.escape(path), _Push, self._given)]
        # A little more than the limit, so that `_Push` refuses before tornado hangs up.
        server = HTTPServer(
            Application(handlers, log_function=lambda _handler: None),
            max_body_size=MAX_BODY_BYTES + 2**18,
            chunk_size=2**16,
            body_timeout=_BODY_TIMEOUT_S,
            idle_connection_timeout=_HEADERS_TIMEOUT_S,
        )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listening = socket.create_server((host, port), family=family)
        except (OSError, OverflowError) as exc:
            reason = (
                f"cannot listen on {host}:{port} ({exc}): set ANIMATO_WEBHOOK_LISTEN to an address "
                "of this machine and a free port."
            )
            raise BadSettings(reason=reason) from exc
        listening.setblocking(False)
        server.add_socket(listening)
        return server


@stream_request_body
class _Push(RequestHandler):
    """One request. Its headers are checked before its body is read."""

    SUPPORTED_METHODS = ("POST",)

    def initialize(self, bot: PollingBot, inbox: Inbox, secret: str) -> None:
        """Take the arguments from tornado."""
        self._bot = bot
        self._inbox = inbox
        self._secret = secret
        self._body = bytearray()

    def prepare(self) -> None:
        """Refuse requests without the secret, or that are too large."""
        shown = self.request.headers.get(_SECRET_HEADER, "")
        if not hmac.compare_digest(shown.encode(), self._secret.encode()):
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        length = self.request.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) > MAX_BODY_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def data_received(self, chunk: bytes) -> None:
        """Collect the body, and refuse it if it grows too large."""
        self._body += chunk
        if len(self._body) > MAX_BODY_BYTES:
            self._body.clear()
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    async def post(self) -> None:
        """Store the update, then answer."""
        if self._finished:
            return
        text = _update_in(bytes(self._body))
        if text is None:
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        await self._inbox.put(read_update(text, self._bot))

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,  # noqa: ARG002 - by tornado's contract
    ) -> None:
        """Log an error without its text, which may be private."""
        if typ is not None and not isinstance(value, HTTPError):
            log.error("a pushed update was not taken: %s", typ.__name__)

    def _refuse(self, status: HTTPStatus) -> None:
        self.set_status(status)
        self.set_header("Connection", "close")
        self.finish()


def _update_in(body: bytes) -> str | None:
    """Return the update's JSON, or None if the body is not an update."""
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    is_update = isinstance(data, dict) and isinstance(data.get("update_id"), int)
    return json.dumps(data) if is_update else None
