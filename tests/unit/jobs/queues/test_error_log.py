"""The log of BullMQ's errors."""

import pytest

from jobs.queues import error_log
from jobs.queues.error_log import ErrorLog


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now_s = 10.0

    def monotonic(self) -> float:
        return self.now_s


def test_same_error_is_logged_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_log, "time", clock := Clock())
    errors = ErrorLog()
    for now_s in (10.0, 10.1, 69.9, 70.0, 70.1):
        clock.now_s = now_s
        errors.add(ValueError("the disk is full"), "animate-mesh")
        errors.add(ValueError("another one"))
    full, other = "the queue: ValueError: the disk is full", "the queue: ValueError: another one"
    assert caplog.messages == [full, other, full, other]
