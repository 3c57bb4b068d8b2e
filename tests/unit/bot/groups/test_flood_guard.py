"""How many wishes of a person a group's bot handles."""

from bot.groups.flood_guard import FloodGuard

ALICE, BOB = (-1001, 7), (-1001, 8)


def test_more_than_twelve_within_a_minute_are_dropped_and_others_are_not() -> None:
    now_s = 100.0
    guard = FloodGuard(lambda: now_s)
    admitted = [guard.admits(ALICE, number) for number in range(300)]
    assert admitted == [True] * 12 + [False] * 288
    assert guard.admits(BOB, 300)
    now_s += 61
    assert guard.admits(ALICE, 301)


def test_update_that_is_tried_again_counts_once() -> None:
    guard = FloodGuard(lambda: 100.0)
    assert all(guard.admits(ALICE, 1) for _ in range(50))
    assert guard.admits(ALICE, 2)


def test_groups_that_are_quiet_are_forgotten() -> None:
    now_s = 0.0
    guard = FloodGuard(lambda: now_s)
    for number in range(1500):
        now_s += 1
        guard.admits((-number, 7), number)
    assert len(guard._admitted) <= 1001  # noqa: SLF001 - nothing else shows it
