"""Ids of updates."""

from typing import Any

from sandbox.world.updates import UpdateQueue

NOW_S = 1_795_000_000.0


def first_id(now_s: float) -> int:
    update: dict[str, Any] | None = UpdateQueue(now_s).add("message", {})
    assert update is not None
    found: int = update["update_id"]
    return found


def test_ids_of_a_later_server_are_higher() -> None:
    assert 0 < first_id(NOW_S) < first_id(NOW_S + 0.5) < first_id(NOW_S + 60) < 2**31
