"""What a person who waits is told."""

import pytest

from jobs.queues.waiting import Backlog, ShownPlace, time_range


def places(*ahead: int | None) -> list[tuple[int | None, bool]]:
    shown, seen = ShownPlace(), []
    for one in ahead:
        shown = shown.updated(one)
        seen.append((shown.place, shown.others_passed))
    return seen


def test_place_counts_down_to_one() -> None:
    assert places(2, 1, 0) == [(3, False), (2, False), (1, False)]


def test_place_that_grows_is_not_shown_and_said_in_words() -> None:
    assert places(2, 4, 3, 2, 1) == [(3, False), (3, True), (3, True), (3, False), (2, False)]


def test_second_try_begins_anew() -> None:
    assert places(0, None, 4, 3) == [(1, False), (None, False), (5, False), (4, False)]


def test_no_worker_or_no_history_gives_no_time() -> None:
    backlog = Backlog(ahead=100, running=0, own=75)
    assert time_range(backlog, []) is None
    assert time_range(backlog, [None, None]) is None


def test_time_is_that_of_all_workers_for_the_others_and_of_one_for_the_own() -> None:
    told = time_range(Backlog(ahead=100, running=50, own=30), [0.1, 0.1])
    assert told is not None
    truth_s = 150 * 0.1 / 2 + 30 * 0.1
    assert told.low_s < truth_s < told.high_s
    assert told.high_s / told.low_s < 3


def test_worker_without_history_counts_like_the_others() -> None:
    backlog = Backlog(ahead=100, running=0, own=0)
    assert time_range(backlog, [0.1, None]) == time_range(backlog, [0.1, 0.1])


def test_fast_and_slow_workers_widen_the_range_of_the_own_order() -> None:
    own = Backlog(ahead=0, running=0, own=100)
    told, alike = time_range(own, [0.01, 1.0]), time_range(own, [0.5, 0.5])
    assert told is not None
    assert alike is not None
    assert told.low_s == pytest.approx(0.7)
    assert told.high_s == pytest.approx(160)
    assert told.high_s - told.low_s > alike.high_s - alike.low_s
