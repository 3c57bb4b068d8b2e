"""What persons and tests look at: chats, files, calls, events."""

import asyncio
import json
from contextlib import suppress

from aiohttp import web

from sandbox.errors import ApiError, SimError
from sandbox.json_types import JsonObject
from sandbox.media.files import StoredFile
from sandbox.parameters import Parameters
from sandbox.person_side.finding import chat_of, person_of
from sandbox.person_side.transcript import transcript
from sandbox.world.telegram import Telegram

HEARTBEAT_S = 15.0
SHOWN_IN_PLACE = ("image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4", "video/webm")


class Watching:
    """The handlers that read and change nothing."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram

    async def chats(self, _: web.Request) -> web.Response:
        """Bot, persons, chats, settings."""
        return web.json_response(self._telegram.as_seen())

    async def chat(self, request: web.Request) -> web.Response:
        """The messages of a chat, as JSON or, with `format=text`, as a transcript."""
        call = Parameters({"chat_id": request.match_info["chat_id"]})
        chat = chat_of(self._telegram, call, None)
        if request.query.get("format") == "text":
            return web.Response(text=transcript(chat))
        messages = [message.as_seen() for message in chat.messages.values()]
        return web.json_response({"chat": chat.as_seen(), "messages": messages})

    async def commands(self, request: web.Request) -> web.Response:
        """The bot's commands as somebody sees them somewhere."""
        call = Parameters(dict(request.query))
        person = person_of(self._telegram, call)
        chat = chat_of(self._telegram, call, person)
        return web.json_response({"commands": self._telegram.commands_for(chat, person)})

    async def calls(self, request: web.Request) -> web.Response:
        """The bot's calls, all but getUpdates, of which `polls` is the number."""
        call = Parameters(dict(request.query))
        log = self._telegram.calls
        found = log.since(call.integer("since") or 0, call.text("method"))
        return web.json_response({"calls": found, "polls": log.polls})

    async def faults(self, _: web.Request) -> web.Response:
        """The outages on order."""
        return web.json_response({"faults": self._telegram.faults.as_json()})

    async def file(self, request: web.Request) -> web.Response:
        """The bytes of a file, or the part of them that is asked for."""
        try:
            stored = self._telegram.files.get(request.match_info["file_id"])
        except ApiError:
            raise SimError("There is no such file.") from None
        return _file_response(request, stored)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Everything as it happens, until the watcher goes: over a WebSocket, or server-sent."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._over_websocket(request)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        watcher = self._telegram.events.watch()
        try:
            await response.write(b"data: " + json.dumps(self._hello()).encode() + b"\n\n")
            while True:
                try:
                    event = await asyncio.wait_for(watcher.get(), HEARTBEAT_S)
                except TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                if event is None:
                    break
                await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        except ConnectionResetError:
            pass  # the watcher has gone
        finally:
            self._telegram.events.leave(watcher)
        with suppress(ConnectionResetError):
            await response.write_eof()
        return response

    async def _over_websocket(self, request: web.Request) -> web.StreamResponse:
        # Browsers open few connections of the other kind to one server.
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S)
        await socket.prepare(request)
        watcher = self._telegram.events.watch()
        leaving = asyncio.create_task(_end_with(socket, watcher))
        try:
            await socket.send_json(self._hello())
            while (event := await watcher.get()) is not None:
                await socket.send_json(event)
        except ConnectionResetError:
            pass  # the watcher has gone
        finally:
            self._telegram.events.leave(watcher)
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await leaving
        await socket.close()
        return socket

    def _hello(self) -> JsonObject:
        return {"type": "hello", "server": self._telegram.server_id}


async def _end_with(
    socket: web.WebSocketResponse, watcher: "asyncio.Queue[JsonObject | None]"
) -> None:
    """Reads what nobody says until the other side closes, and ends the watch then."""
    async for _ in socket:
        pass
    watcher.put_nowait(None)


def _file_response(request: web.Request, stored: StoredFile) -> web.Response:
    # What somebody uploaded must not run as a page of this server.
    is_shown = stored.content_type in SHOWN_IN_PLACE
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=86400, immutable",
        "Content-Disposition": "inline" if is_shown else "attachment",
        "Content-Type": stored.content_type if is_shown else "application/octet-stream",
    }
    size = len(stored.content)
    try:
        asked = request.http_range
    except ValueError:
        asked = slice(None)
    if asked.start is None:
        return web.Response(body=stored.content, headers=headers)
    start, stop, _ = asked.indices(size)
    if start >= stop:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return web.Response(status=206, body=stored.content[start:stop], headers=headers)
