"""What people and tests can read: chats, files, calls, events."""

import asyncio
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
INLINE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4", "video/webm")


class Watching:
    """The request handlers that change nothing."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram

    async def chats(self, _: web.Request) -> web.Response:
        """Return bot, people, chats and settings."""
        return web.json_response(self._telegram.as_seen())

    async def chat(self, request: web.Request) -> web.Response:
        """Return the messages of a chat, as JSON or, with `format=text`, as a transcript."""
        call = Parameters({"chat_id": request.match_info["chat_id"]})
        chat = chat_of(self._telegram, call, None)
        if request.query.get("format") == "text":
            return web.Response(text=transcript(chat))
        messages = [message.as_seen() for message in chat.messages.values()]
        return web.json_response({"chat": chat.as_seen(), "messages": messages})

    async def commands(self, request: web.Request) -> web.Response:
        """Return the bot's commands as a person sees them in a chat."""
        call = Parameters(dict(request.query))
        person = person_of(self._telegram, call)
        chat = chat_of(self._telegram, call, person)
        return web.json_response({"commands": self._telegram.commands_for(chat, person)})

    async def calls(self, request: web.Request) -> web.Response:
        """Return the bot's calls except getUpdates, whose number is `polls`."""
        call = Parameters(dict(request.query))
        log = self._telegram.calls
        found = log.since(call.integer("since") or 0, call.text("method"))
        return web.json_response({"calls": found, "polls": log.polls})

    async def faults(self, _: web.Request) -> web.Response:
        """Return the active faults."""
        return web.json_response({"faults": self._telegram.faults.as_json()})

    async def file(self, request: web.Request) -> web.Response:
        """Return a file, or the requested range."""
        try:
            stored = self._telegram.files.get(request.match_info["file_id"])
        except ApiError:
            raise SimError("There is no such file.") from None
        return _file_response(request, stored)

    async def events(self, request: web.Request) -> web.WebSocketResponse:
        """Send every event over a WebSocket until the client leaves."""
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S)
        if not socket.can_prepare(request):
            raise SimError("/sim/events is a WebSocket.")
        await socket.prepare(request)
        watcher = self._telegram.events.watch()
        leaving = asyncio.create_task(_end_with(socket, watcher))
        try:
            await socket.send_json({"type": "hello", "server": self._telegram.server_id})
            while (event := await watcher.get()) is not None:
                await socket.send_json(event)
        except ConnectionResetError:
            pass  # the client has left
        finally:
            self._telegram.events.leave(watcher)
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await leaving
        await socket.close()
        return socket


async def _end_with(
    socket: web.WebSocketResponse, watcher: "asyncio.Queue[JsonObject | None]"
) -> None:
    """Wait until the client closes the socket, and end its watch."""
    async for _ in socket:
        pass
    watcher.put_nowait(None)


def _file_response(request: web.Request, stored: StoredFile) -> web.Response:
    # Other types are downloads: an uploaded page must not run as a page of this server.
    is_inline = stored.content_type in INLINE_TYPES or stored.content_type.startswith("audio/")
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=86400, immutable",
        "Content-Disposition": "inline" if is_inline else "attachment",
        "Content-Type": stored.content_type if is_inline else "application/octet-stream",
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
