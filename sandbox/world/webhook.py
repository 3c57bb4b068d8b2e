"""Pushes updates to a webhook."""

import asyncio
import ipaddress
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from sandbox.errors import bad_request
from sandbox.json_types import JsonObject
from sandbox.world.updates import UpdateQueue

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
ANSWER_TIMEOUT_S = 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 30.0


def is_loopback(host: str | None) -> bool:
    """Whether a host is `localhost` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class WebhookSettings:
    """The webhook's URL, and the secret that is sent along."""

    url: str
    secret_token: str | None = None
    max_connections: int = 40

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            is_address = parts.scheme in {"http", "https"} and parts.port != 0
        except ValueError:  # an invalid IPv6 address or port
            is_address = False
        if not is_address or not parts.hostname:
            raise bad_request("bad webhook: Failed to parse URL")
        if not is_loopback(parts.hostname):
            raise bad_request("bad webhook: this server reaches loopback addresses only")
        if self.secret_token and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", self.secret_token):
            raise bad_request("secret token contains unallowed characters or is too long")


@dataclass(eq=False)
class Webhook:
    """Pushes one update after the other; retries with backoff."""

    settings: WebhookSettings
    updates: UpdateQueue
    last_error: tuple[int, str] | None = None
    _task: "asyncio.Task[None] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Start pushing, or continue after `stop`."""
        self._task = asyncio.create_task(self._push_all(), name="webhook")

    async def stop(self) -> None:
        """Stop pushing; the current update stays pending."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def as_info(self) -> JsonObject:
        """Return the WebhookInfo."""
        info: JsonObject = {
            "url": self.settings.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self.updates),
            "max_connections": self.settings.max_connections,
            "ip_address": "127.0.0.1",
        }
        if self.last_error is not None:
            info |= {
                "last_error_date": self.last_error[0],
                "last_error_message": self.last_error[1],
            }
        return info

    async def _push_all(self) -> None:
        pause_s = FIRST_PAUSE_S
        headers = {SECRET_HEADER: self.settings.secret_token} if self.settings.secret_token else {}
        # `trust_env` stays off: no proxy is needed on this machine.
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
            while True:
                update = self.updates.first()
                if update is None:
                    await self.updates.changed()
                elif problem := await self._push(session, update):
                    self.last_error = (int(time.time()), problem)
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                else:
                    self.updates.forget_before(update["update_id"] + 1)
                    pause_s = FIRST_PAUSE_S

    async def _push(self, session: aiohttp.ClientSession, update: JsonObject) -> str | None:
        """Push one update; return what went wrong, or None."""
        try:
            async with session.post(
                self.settings.url, json=update, allow_redirects=False
            ) as response:
                await response.read()
        except TimeoutError:
            return "Read timeout expired"
        except aiohttp.ClientError as exc:
            return f"Connection failed: {exc}"
        if 200 <= response.status < 300:
            return None
        return f"Wrong response from the webhook: {response.status} {response.reason}"
