"""The log of the bot's calls, and the stream of events."""

import asyncio
import itertools
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from sandbox.json_types import JsonObject
from sandbox.parameters import Parameters

CALLS_KEPT = 5_000
PLAIN_TEXTS = frozenset({"text", "caption", "description"})
EVENTS_AHEAD = 2_000  # a slower watcher is disconnected


@dataclass(frozen=True)
class Outcome:
    """The result of a call."""

    status: int
    response: JsonObject | None
    duration_ms: int


class CallLog:
    """The bot's last calls, except getUpdates, which is only counted."""

    def __init__(self) -> None:
        self._calls: deque[JsonObject] = deque(maxlen=CALLS_KEPT)
        self._numbers = itertools.count(1)
        self.polls = 0

    def add(self, at: float, method: str, call: Parameters, outcome: Outcome) -> JsonObject:
        """Add a call; `at` is when it came, as a Unix time."""
        entry: JsonObject = {
            "id": next(self._numbers),
            "at": at,
            "method": method,
            "parameters": {name: _readable(name, call.values[name]) for name in call},
            "files": [upload.as_json() for upload in call.uploads],
            "status": outcome.status,
            "response": outcome.response,
            "duration_ms": outcome.duration_ms,
        }
        self._calls.append(entry)
        return entry

    def since(self, number: int = 0, method: str | None = None) -> list[JsonObject]:
        """Return the calls after this number, oldest first."""
        wanted = method.lower() if method else None
        return [
            call
            for call in self._calls
            if call["id"] > number and (wanted is None or call["method"].lower() == wanted)
        ]


def _readable(name: str, value: object) -> object:
    """Parse a parameter that is a JSON object or array."""
    if isinstance(value, str) and value[:1] in {"{", "["} and name not in PLAIN_TEXTS:
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


class EventStream:
    """Passes every event to all watchers."""

    def __init__(self) -> None:
        self._watchers: set[asyncio.Queue[JsonObject | None]] = set()

    def emit(self, kind: str, /, **fields: object) -> None:
        """Pass an event to all watchers."""
        event = {"type": kind, **fields}
        for watcher in list(self._watchers):
            if watcher.qsize() >= EVENTS_AHEAD:
                self.leave(watcher)
                watcher.put_nowait(None)
            else:
                watcher.put_nowait(event)

    def watch(self) -> "asyncio.Queue[JsonObject | None]":
        """Return a queue of all events from now on; None ends it."""
        watcher: asyncio.Queue[JsonObject | None] = asyncio.Queue()
        self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: "asyncio.Queue[JsonObject | None]") -> None:
        """End a watch."""
        self._watchers.discard(watcher)

    def __len__(self) -> int:
        return len(self._watchers)

    def close(self) -> None:
        """End all watches."""
        for watcher in list(self._watchers):
            self.leave(watcher)
            watcher.put_nowait(None)
