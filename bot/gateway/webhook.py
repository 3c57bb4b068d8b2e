"""Updates that Telegram pushes to an address of ours.

A push is refused before its body is read unless it shows the secret. Nothing of it is logged.
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

from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from bot.gateway.inbox import Inbox, read_update
from bot.gateway.polling import ALLOWED_UPDATES, PollingBot
from jobs.errors import BadSettings

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1_000_000
_BODY_TIMEOUT_S = 30.0
_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of a header


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


class WebhookServer:
    """Takes pushed updates into the inbox.

    Args:
        webhook: where.
        bot: the connection.
        inbox: a push is answered after its update was stored there.
    """

    way = "pushed"

    def __init__(self, webhook: Webhook, bot: PollingBot, inbox: Inbox) -> None:
        self._webhook = webhook
        self._bot = bot
        self._given = {"bot": bot, "inbox": inbox, "secret": webhook.secret}
        self._server: HTTPServer | None = None

    async def open(self) -> None:
        """Listen, and tell Telegram the address.

        Raises:
            BadSettings: the port cannot be listened at.
            TelegramError: Telegram refused, or did not answer.
        """
        if self._server is None:
            self._server = self._listening()
        await self._bot.set_webhook(
            self._webhook.url,
            allowed_updates=ALLOWED_UPDATES,
            secret_token=self._webhook.secret,
        )

    def start(self) -> "asyncio.Future[None]":
        """A future that never ends: pushes are taken from `open` on."""
        return asyncio.get_running_loop().create_future()

    async def stop(self) -> None:
        """Take no more pushes."""
        if self._server is not None:
            self._server.stop()
            await self._server.close_all_connections()

    def _listening(self) -> HTTPServer:
        host, port = self._webhook.host, self._webhook.port
        path = urlsplit(self._webhook.url).path or "/"
        handlers = [(re.escape(path), _Push, self._given)]
        # A little more than a push may have, so that `_Push` can refuse it before tornado hangs up.
        server = HTTPServer(
            Application(handlers, log_function=lambda _handler: None),
            max_body_size=MAX_BODY_BYTES + 2**18,
            chunk_size=2**16,
            body_timeout=_BODY_TIMEOUT_S,
        )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listening = socket.create_server((host, port), family=family)
        except (OSError, OverflowError) as exc:
            reason = (
                f"{host}:{port} cannot be listened at ({exc}): let ANIMATO_WEBHOOK_LISTEN name an "
                "address of this machine and a free port."
            )
            raise BadSettings(reason=reason) from exc
        listening.setblocking(False)
        server.add_socket(listening)
        return server


@stream_request_body
class _Push(RequestHandler):
    """One push. Its headers are checked before its body is read."""

    SUPPORTED_METHODS = ("POST",)

    def initialize(self, bot: PollingBot, inbox: Inbox, secret: str) -> None:
        """Tornado's way to hand in arguments."""
        self._bot = bot
        self._inbox = inbox
        self._secret = secret
        self._body = bytearray()

    def prepare(self) -> None:
        """Refuse whoever does not know the secret, and what is too large."""
        shown = self.request.headers.get(_SECRET_HEADER, "")
        if not hmac.compare_digest(shown.encode(), self._secret.encode()):
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        length = self.request.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) > MAX_BODY_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def data_received(self, chunk: bytes) -> None:
        """Collect the body; one without a length may grow too large only now."""
        self._body += chunk
        if len(self._body) > MAX_BODY_BYTES:
            self._body.clear()
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    async def post(self) -> None:
        """Store the update; only then is the push answered."""
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
        """Log an error of ours without its words, which may be private."""
        if typ is not None and not isinstance(value, HTTPError):
            log.error("a pushed update was not taken: %s", typ.__name__)

    def _refuse(self, status: HTTPStatus) -> None:
        self.set_status(status)
        self.set_header("Connection", "close")
        self.finish()


def _update_in(body: bytes) -> str | None:
    """The JSON of the update in a push; None if it is none."""
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    is_update = isinstance(data, dict) and isinstance(data.get("update_id"), int)
    return json.dumps(data) if is_update else None
