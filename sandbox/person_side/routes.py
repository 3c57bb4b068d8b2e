"""The routes under `/sim`."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from sandbox.json_types import JsonObject
from sandbox.parameters import Parameters, read_parameters
from sandbox.person_side import messages, places, queries
from sandbox.person_side.watching import Watching
from sandbox.world.telegram import Telegram

Act: TypeAlias = Callable[[Telegram, Parameters], Awaitable[JsonObject]]

ACTS: dict[str, Act] = {
    "message": messages.send,
    "delete": messages.delete,
    "tap": queries.tap,
    "inline": queries.inline,
    "chosen": queries.choose,
    "persons": places.set_person,
    "groups": places.add_group,
    "topics": places.add_topic,
    "members": places.change_member,
    "upgrade": places.upgrade,
    "block": places.blocking(blocks=True),
    "unblock": places.blocking(blocks=False),
    "settings": places.change_settings,
    "fault": places.order_fault,
    "outage": places.go_down,
    "reset": places.reset,
}


def person_side_routes(telegram: Telegram) -> list[web.RouteDef]:
    """Return the routes that people and tests use."""
    watching = Watching(telegram)
    return [
        *(web.post(f"/sim/{name}", _handler(telegram, act)) for name, act in ACTS.items()),
        web.delete("/sim/fault", _handler(telegram, places.clear_faults)),
        web.get("/sim/fault", watching.faults),
        web.get("/sim/chats", watching.chats),
        web.get("/sim/chat/{chat_id}", watching.chat),
        web.get("/sim/commands", watching.commands),
        web.get("/sim/calls", watching.calls),
        web.get("/sim/file/{file_id}", watching.file),
        web.get("/sim/events", watching.events),
    ]


def _handler(telegram: Telegram, act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response(await act(telegram, await read_parameters(request)))

    return handle
