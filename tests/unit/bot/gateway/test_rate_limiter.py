"""The counting of calls, with times that the test gives."""

from datetime import timedelta

import pytest

from bot.gateway.rate_limiter import ChatRateLimiter, Window, seconds


def test_window_has_room_until_it_is_full_and_again_when_the_first_call_is_old() -> None:
    window = Window(3, 10.0)
    for now in (0.0, 1.0, 2.0):
        assert window.wait_s(now) == 0
        window.take(now)
    wait_s = window.wait_s(4.0)
    assert 6 <= wait_s < 6.5
    assert window.wait_s(4.0 + wait_s) == 0


@pytest.mark.parametrize(("limit", "window_s"), [(3, 3.0), (20, 60.0), (30, 1.0)])
def test_no_stretch_of_time_has_more_calls_than_allowed(limit: int, window_s: float) -> None:
    window, now = Window(limit, window_s), 0.0
    times = []
    for _ in range(5 * limit):
        now += window.wait_s(now)
        window.take(now)
        times.append(now)
    for first, beyond in zip(times, times[limit:], strict=False):
        assert beyond - first > window_s


def test_window_is_idle_when_its_last_call_is_old() -> None:
    window = Window(3, 10.0)
    assert window.is_idle(0.0)
    window.take(0.0)
    window.take(5.0)
    assert not window.is_idle(12.0)
    assert window.is_idle(16.0)


@pytest.mark.parametrize("duration", [5, 5.0, timedelta(seconds=5)])
def test_duration_is_read_in_both_of_the_librarys_ways(duration: float | timedelta) -> None:
    assert seconds(duration) == 5


@pytest.mark.parametrize(("limit", "windows"), [(30, 3), (50, 1), (100, 0)])
async def test_all_chats_together_get_as_many_messages_as_is_set(limit: int, windows: int) -> None:
    now = 0.0

    async def sleep(wait_s: float) -> None:
        nonlocal now
        now += wait_s

    async def send() -> None: ...

    limiter = ChatRateLimiter(lambda: now, sleep, limit)
    for chat in range(1, 101):
        await limiter.process_request(send, (), {}, "sendMessage", {"chat_id": chat}, None)
    assert windows <= now < windows + 0.5
