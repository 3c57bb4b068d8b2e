"""One device, several queues: never two orders at once, and nobody waits for ever."""

import pytest

from worker.device_schedule import DeviceSchedule

QUEUES = ("a", "b", "c")


@pytest.fixture
def schedule() -> DeviceSchedule:
    """One that nobody waits at yet."""
    made = DeviceSchedule(QUEUES)
    made.give_turn([])
    return made


def open_ones(schedule: DeviceSchedule) -> str:
    return "".join(queue for queue in QUEUES if schedule.may_take(queue))


def test_free_device_takes_from_all(schedule: DeviceSchedule) -> None:
    assert open_ones(schedule) == "abc"
    assert not schedule.is_undecided


def test_busy_device_refuses_others(schedule: DeviceSchedule) -> None:
    assert schedule.acquire("b")
    assert open_ones(schedule) == "b"
    assert not schedule.acquire("a")
    assert not schedule.acquire("b")


def test_first_one_is_decided_too() -> None:
    schedule = DeviceSchedule(QUEUES)
    assert schedule.is_undecided
    assert open_ones(schedule) == ""
    assert schedule.give_turn("bc") == "b"


def test_nobody_takes_anything_until_it_is_known_who_waits(schedule: DeviceSchedule) -> None:
    schedule.acquire("b")
    schedule.release()
    assert schedule.is_undecided
    assert open_ones(schedule) == ""
    assert schedule.give_turn([]) is None
    assert open_ones(schedule) == "abc"


@pytest.mark.parametrize(
    ("waiting", "turn"), [("a", "a"), ("b", "b"), ("ab", "a"), ("bc", "c"), ("abc", "c")]
)
def test_turn_goes_round_after_the_last_one(
    schedule: DeviceSchedule, waiting: str, turn: str
) -> None:
    schedule.acquire("b")
    schedule.release()
    assert schedule.give_turn(waiting) == turn
    assert open_ones(schedule) == turn


def test_every_queue_has_its_turn_while_all_of_them_are_full(schedule: DeviceSchedule) -> None:
    turns = ""
    turn: str | None = "a"
    for _ in range(6):
        assert turn is not None
        assert schedule.acquire(turn)
        turns += turn
        schedule.release()
        turn = schedule.give_turn(QUEUES)
    assert turns == "abcabc"


def test_turn_of_which_nothing_came_ends_and_another_one_does_not(schedule: DeviceSchedule) -> None:
    schedule.give_turn("b")
    schedule.end_turn("c")
    assert open_ones(schedule) == "b"
    schedule.end_turn("b")
    assert open_ones(schedule) == "abc"


def test_order_that_was_on_its_way_is_taken_though_it_is_not_its_turn(
    schedule: DeviceSchedule,
) -> None:
    schedule.acquire("a")
    schedule.release()
    assert schedule.acquire("c")
    assert open_ones(schedule) == "c"
    assert not schedule.is_undecided


def test_one_queue_alone_never_waits() -> None:
    schedule = DeviceSchedule(["a"])
    schedule.acquire("a")
    schedule.release()
    assert not schedule.is_undecided
    assert schedule.may_take("a")
