"""A step that works ahead changes nothing but the time, and ends with its consumer."""

import threading
from collections.abc import Iterator
from itertools import count

import pytest

from inference.overlap import ahead

PATIENCE_S = 60.0


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_items_come_in_their_order() -> None:
    assert list(ahead(iter(range(200)), size=3)) == list(range(200))
    assert not workers()


def test_no_items_are_no_items() -> None:
    assert list(ahead(iter(()), size=3)) == []


def test_an_item_may_be_none() -> None:
    assert list(ahead(iter([None, None]), size=1)) == [None, None]


def test_items_are_made_in_another_thread() -> None:
    names = list(ahead((threading.current_thread().name for _ in range(2)), size=2))
    assert names == ["ahead", "ahead"]


def test_an_exception_comes_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        message = "no third"
        raise LookupError(message)

    items = ahead(failing(), size=5)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(LookupError, match="no third"):
        next(items)
    assert not workers()


def test_an_interrupt_in_the_thread_reaches_the_consumer() -> None:
    def interrupted() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(ahead(interrupted(), size=2))


def test_a_consumer_that_stops_early_ends_the_thread() -> None:
    items = ahead(count(), size=4)
    assert [next(items), next(items)] == [0, 1]
    assert len(workers()) == 1
    items.close()
    assert not workers()


def test_a_consumer_that_fails_ends_the_thread() -> None:
    def take() -> None:
        for item in ahead(count(), size=4):
            if item == 3:
                message = "enough"
                raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="enough"):
        take()
    assert not workers()


def test_it_works_ahead_by_its_size_and_no_further() -> None:
    size = 3
    made: list[int] = []
    reached, too_far = threading.Event(), threading.Event()

    def watched() -> Iterator[int]:
        for number in count():
            made.append(number)
            if len(made) == size + 2:
                reached.set()
            if len(made) > size + 2:
                too_far.set()
            yield number

    items = ahead(watched(), size=size)
    assert next(items) == 0
    # One was taken, `size` wait, and one more is in the thread's hand.
    assert reached.wait(PATIENCE_S)
    assert not too_far.wait(0.3)
    items.close()


def test_nothing_is_made_before_it_is_wanted() -> None:
    made: list[int] = []

    def watched() -> Iterator[int]:
        for number in range(3):
            made.append(number)
            yield number

    items = ahead(watched(), size=2)
    assert made == []
    assert not workers()
    assert list(items) == made == [0, 1, 2]
