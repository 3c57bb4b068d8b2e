"""The server: Bot API, person side and chat page on one loopback port."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.bot_api.routes import bot_api_routes
from sandbox.errors import ApiError, SimError
from sandbox.limits import TOTAL_LIMIT
from sandbox.parameters import BODY_LIMIT_BYTES
from sandbox.person_side.routes import person_side_routes
from sandbox.world.people import DEFAULT_TOKEN, DEFAULT_USERNAME, Bot, is_token, is_username
from sandbox.world.telegram import Settings, Telegram
from sandbox.world.webhook import is_loopback

PAGE = Path(__file__).parent / "page"
SHUTDOWN_S = 2.0
# The page loads nothing from elsewhere.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

# What people read instead of an error code.
SENTENCES = {
    "IMAGE_PROCESS_FAILED": "This is not a picture: send it as a file.",
    "PHOTO_INVALID_DIMENSIONS": "This picture is too large or too narrow: send it as a file.",
    "STICKER_INVALID": "This is not a sticker: send it as a file.",
    "STICKER_VIDEO_NOWEBM": "This is not a sticker: send it as a file.",
    "file must be non-empty": "This file is empty.",
    "Request Entity Too Large": "This file is too large: the limit is 50 MB.",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class SandboxOptions:
    """Where the server listens, and for which bot. Port 0 takes a free one.

    `messages_per_second` is the flood limit of all chats together.
    """

    host: str = "127.0.0.1"
    port: int = 0
    token: str = DEFAULT_TOKEN
    username: str = DEFAULT_USERNAME
    settings: Settings = field(default_factory=Settings)
    messages_per_second: int = TOTAL_LIMIT

    def __post_init__(self) -> None:
        if not is_token(self.token):
            message = (
                f"{self.token!r} is not a token: it needs at least four digits, a colon, and "
                f"letters or digits, as in {DEFAULT_TOKEN}."
            )
            raise ValueError(message)
        if not is_username(self.username):
            message = (
                f"{self.username!r} is not a bot's username: it needs 4 to 31 letters, digits and "
                "underscores, and starts with a letter."
            )
            raise ValueError(message)
        if self.messages_per_second < 1:
            message = f"{self.messages_per_second} messages per second: at least 1 is needed."
            raise ValueError(message)
        if not is_loopback(self.host):
            message = (
                f"{self.host} is not a loopback address: the sandbox has no passwords and listens "
                "on this machine only; use 127.0.0.1, and ssh -L from elsewhere."
            )
            raise ValueError(message)


class Sandbox:
    """A running server, `async with Sandbox() as sandbox: ...`.

    Raises:
        OSError: on entering, when the port is taken.
    """

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = options or SandboxOptions()
        # As on Telegram, a token begins with the bot's id.
        bot = Bot(int(self.options.token.partition(":")[0]), self.options.username)
        self.telegram = Telegram(
            self.options.token, bot, self.options.settings, self.options.messages_per_second
        )
        self._runner: web.AppRunner | None = None
        self._port = self.options.port
        self._listeners: set[asyncio.Task[object]] = set()

    @property
    def token(self) -> str:
        """The bot's token."""
        return self.options.token

    @property
    def url(self) -> str:
        """The chat page's URL, without a trailing slash."""
        host = f"[{self.options.host}]" if ":" in self.options.host else self.options.host
        return f"http://{host}:{self._port}"

    @property
    def base_url(self) -> str:
        """What precedes the token in the URL of a call, as client libraries want it."""
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        """What precedes the token in the URL of a download."""
        return f"{self.url}/file/bot"

    async def start(self) -> None:
        """Start listening; after `stop`, on the same port and with the same state.

        Raises:
            OSError: the port is taken.
            RuntimeError: it is already listening.
        """
        if self._runner is not None:
            message = "this sandbox is already listening"
            raise RuntimeError(message)
        self.telegram.open()
        app = web.Application(
            client_max_size=BODY_LIMIT_BYTES,
            middlewares=[_guard, self._track_socket, _with_sentences],
        )
        app.add_routes(bot_api_routes(self.telegram))
        app.add_routes(person_side_routes(self.telegram))
        app.add_routes([web.get("/", _page), web.static("/page", PAGE)])
        app.on_shutdown.append(self._end_waiting)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        # `localhost` may stand for two addresses, with two free ports.
        host = "127.0.0.1" if self.options.host == "localhost" else self.options.host
        site = web.TCPSite(runner, host, self._port)
        try:
            await site.start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop all waiting and close all connections."""
        if self._runner is None:
            return
        for site in list(self._runner.sites):
            await site.stop()
        await self.telegram.close()
        # During cleanup aiohttp no longer reads, and would wait for close frames in vain.
        if self._listeners:
            _, silent = await asyncio.wait(self._listeners, timeout=SHUTDOWN_S)
            for listener in silent:
                listener.cancel()
        await self._runner.cleanup()
        self._runner = None

    @web.middleware
    async def _track_socket(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Remember open WebSockets, which have to be closed from both ends."""
        task = asyncio.current_task()
        if task is None or request.headers.get("Upgrade", "").lower() != "websocket":
            return await handler(request)
        self._listeners.add(task)
        try:
            return await handler(request)
        finally:
            self._listeners.discard(task)

    async def _end_waiting(self, _: web.Application) -> None:
        await self.telegram.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


async def _page(_: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE / "index.html")


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests that another web site makes a browser on this machine send.

    Another site can send requests to loopback (seen from Origin or Sec-Fetch-Site), or resolve its
    own name to this machine (seen from Host). It may link to the chat page.
    """
    try:
        host = urlsplit(f"//{request.host}").hostname
        origin = request.headers.get("Origin", f"http://{request.host}")
        is_foreign = not is_loopback(host) or urlsplit(origin).netloc != request.host
    except ValueError:
        is_foreign = True
    is_of_other_site = request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}
    is_link = request.path == "/" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    if is_foreign or (is_of_other_site and not is_link):
        raise web.HTTPForbidden(text="The sandbox answers only its own page and this machine.\n")
    response = await handler(request)
    if not response.prepared:
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-cache")
    return response


@web.middleware
async def _with_sentences(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors of the person side into one sentence."""
    try:
        return await handler(request)
    except SimError as exc:
        return web.json_response({"error": exc.sentence}, status=400)
    except ApiError as exc:
        return web.json_response({"error": _sentence_of(exc)}, status=400)
    except web.HTTPClientError as exc:
        if not request.path.startswith("/sim/"):
            raise
        sentence = f"{request.method} {request.path}: {exc.reason}. See docs/sandbox.md."
        return web.json_response({"error": sentence}, status=exc.status)


def _sentence_of(error: ApiError) -> str:
    text = error.description.removeprefix("Bad Request: ")
    return SENTENCES.get(text, text[:1].upper() + text[1:])
