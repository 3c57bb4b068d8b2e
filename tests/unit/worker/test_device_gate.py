"""One device, several queues: never two orders at once, and nobody waits for ever."""

import pytest

from worker.device_gate import DeviceGate

QUEUES = ("a", "b", "c")


@pytest.fixture
def gate() -> DeviceGate:
    """One that nobody waits at yet."""
    made = DeviceGate(QUEUES)
    made.give_turn([])
    return made


def open_ones(gate: DeviceGate) -> str:
    return "".join(queue for queue in QUEUES if gate.may_take(queue))


def test_free_device_takes_from_all(gate: DeviceGate) -> None:
    assert open_ones(gate) == "abc"
    assert not gate.is_undecided


def test_busy_device_refuses_others(gate: DeviceGate) -> None:
    assert gate.enter("b")
    assert open_ones(gate) == "b"
    assert not gate.enter("a")
    assert not gate.enter("b")


def test_first_one_is_decided_too() -> None:
    gate = DeviceGate(QUEUES)
    assert gate.is_undecided
    assert open_ones(gate) == ""
    assert gate.give_turn("bc") == "b"


def test_nobody_takes_anything_until_it_is_known_who_waits(gate: DeviceGate) -> None:
    gate.enter("b")
    gate.leave()
    assert gate.is_undecided
    assert open_ones(gate) == ""
    assert gate.give_turn([]) is None
    assert open_ones(gate) == "abc"


@pytest.mark.parametrize(
    ("waiting", "turn"), [("a", "a"), ("b", "b"), ("ab", "a"), ("bc", "c"), ("abc", "c")]
)
def test_turn_goes_round_after_the_last_one(gate: DeviceGate, waiting: str, turn: str) -> None:
    gate.enter("b")
    gate.leave()
    assert gate.give_turn(waiting) == turn
    assert open_ones(gate) == turn


def test_every_queue_has_its_turn_while_all_of_them_are_full(gate: DeviceGate) -> None:
    turns = ""
    turn: str | None = "a"
    for _ in range(6):
        assert turn is not None
        assert gate.enter(turn)
        turns += turn
        gate.leave()
        turn = gate.give_turn(QUEUES)
    assert turns == "abcabc"


def test_turn_of_which_nothing_came_ends_and_another_one_does_not(gate: DeviceGate) -> None:
    gate.give_turn("b")
    gate.end_turn("c")
    assert open_ones(gate) == "b"
    gate.end_turn("b")
    assert open_ones(gate) == "abc"


def test_order_that_was_on_its_way_is_taken_though_it_is_not_its_turn(gate: DeviceGate) -> None:
    gate.enter("a")
    gate.leave()
    assert gate.enter("c")
    assert open_ones(gate) == "c"
    assert not gate.is_undecided


def test_one_queue_alone_never_waits() -> None:
    gate = DeviceGate(["a"])
    gate.enter("a")
    gate.leave()
    assert not gate.is_undecided
    assert gate.may_take("a")
