"""The HTTP side of the Bot API: tokens, faults, flood limits, calls and their log."""

import time

from aiohttp import web

from sandbox.bot_api.methods import METHODS, name_of
from sandbox.errors import ApiError, not_found, too_many_requests, unauthorized
from sandbox.faults import DOWNLOAD, Fault
from sandbox.json_types import JsonObject
from sandbox.parameters import Parameters, read_parameters
from sandbox.watching import Outcome
from sandbox.world.people import is_token
from sandbox.world.telegram import Telegram


def bot_api_routes(telegram: Telegram) -> list[web.RouteDef]:
    """Return the routes that a bot uses."""
    routes = _BotApi(telegram)
    return [
        web.get("/bot{token:[^/]*}/{method:.*}", routes.call, allow_head=False),
        web.post("/bot{token:[^/]*}/{method:.*}", routes.call),
        web.get("/file/bot{token:[^/]*}/{path:.+}", routes.download),
    ]


class _BotApi:
    """The request handlers."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Call a method."""
        if self._telegram.is_down:
            return _drop(request)
        came_at, started = time.time(), time.monotonic()
        given = request.match_info["method"]
        method = name_of(given) or given
        call = Parameters({})
        fault: Fault | None = None
        try:
            self._check_token(request)
            call = await read_parameters(request)
            fault = self._telegram.faults.met_by(method, call)
            result = await self._do(method, call, fault)
            status, body = 200, {"ok": True, "result": result}
        except ApiError as exc:
            status, body = exc.code, exc.as_json()
        duration_ms = round(1000 * (time.monotonic() - started))
        if method != "getUpdates":
            entry = self._telegram.calls.add(
                came_at, method, call, Outcome(status, body, duration_ms)
            )
            self._telegram.events.emit("call", call=entry)
        if await self._is_lost(fault):
            return _drop(request)
        return _answer(status, body)

    async def _is_lost(self, fault: Fault | None) -> bool:
        """Delay the answer if a fault says so; return whether to drop it."""
        if fault is not None:
            await self._telegram.hold(fault.hold_s)
        return self._telegram.is_down or (fault is not None and fault.drops)

    def _check_token(self, request: web.Request) -> None:
        token = request.match_info["token"]
        if not is_token(token):
            raise not_found()
        if token != self._telegram.token:
            raise unauthorized()

    async def _do(self, method: str, call: Parameters, fault: Fault | None) -> object:
        """Return the method's result, unless a fault or a flood limit comes first."""
        telegram = self._telegram
        if fault is not None and (error := fault.as_error()) is not None:
            raise error
        if method not in METHODS:
            raise ApiError(404, "Not Found: method not found")
        if telegram.settings.enforce_limits:
            chat_id = _chat_number(call)
            if wait_s := telegram.limits.wait_s(method, chat_id, time.monotonic()):
                raise too_many_requests(wait_s)
        return await METHODS[method](telegram, call)

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Return a file, by the path that getFile gave."""
        if self._telegram.is_down:
            return _drop(request)
        path = request.match_info["path"]
        fault: Fault | None = None
        try:
            self._check_token(request)
            fault = self._telegram.faults.met_by(DOWNLOAD, Parameters({"path": path}))
            if fault is not None and (error := fault.as_error()) is not None:
                raise error
            stored = self._telegram.files.at(path)
            if stored is None:
                raise not_found()
            answer = web.Response(body=stored.content, content_type="application/octet-stream")
        except ApiError as exc:
            answer = _answer(exc.code, exc.as_json())
        return _drop(request) if await self._is_lost(fault) else answer


def _answer(status: int, body: JsonObject) -> web.Response:
    return web.json_response(body, status=status)


def _drop(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)


def _chat_number(call: Parameters) -> int | None:
    try:
        return call.integer("chat_id")
    except ApiError:
        return None
