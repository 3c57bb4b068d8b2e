"""Events and calls, as they are kept for whoever watches."""

import asyncio
from typing import Any

import pytest

from sandbox import watching
from sandbox.parameters import Parameters
from sandbox.watching import CallLog, EventStream, Outcome


def taken(watcher: "asyncio.Queue[Any]") -> list[Any]:
    return [watcher.get_nowait() for _ in range(watcher.qsize())]


def test_every_watcher_gets_every_event_until_it_leaves() -> None:
    stream = EventStream()
    one, two = stream.watch(), stream.watch()
    stream.emit("message", chat_id=7)
    stream.leave(one)
    stream.emit("state")
    assert taken(one) == [{"type": "message", "chat_id": 7}]
    assert [event["type"] for event in taken(two)] == ["message", "state"]


def test_watcher_that_falls_behind_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "EVENTS_AHEAD", 3)
    stream = EventStream()
    slow = stream.watch()
    for _ in range(5):
        stream.emit("state")
    assert len(stream) == 0
    assert [event and event["type"] for event in taken(slow)] == ["state", "state", "state", None]


def test_all_watchers_are_sent_away_at_the_end() -> None:
    stream = EventStream()
    watchers = [stream.watch(), stream.watch()]
    stream.close()
    stream.emit("state")
    assert len(stream) == 0
    assert [taken(watcher) for watcher in watchers] == [[None], [None]]


def test_calls_are_found_by_number_and_method() -> None:
    log = CallLog()
    done = Outcome(200, {"ok": True}, 1)
    for method in ("sendMessage", "getMe", "sendMessage"):
        log.add(0.0, method, Parameters({"media": '[{"type": "photo"}]', "text": "[1]"}), done)
    assert [call["id"] for call in log.since(1)] == [2, 3]
    assert [call["id"] for call in log.since(method="SENDMESSAGE")] == [1, 3]
    assert log.since(2)[0]["parameters"] == {"media": [{"type": "photo"}], "text": "[1]"}
