"""Whether a delivery was sent."""

import pytest

from jobs.queues.delivery_records import (
    MOST_TRIES,
    DeliveryRecord,
    DeliveryState,
    NextStep,
    next_step,
)

NOW_S = 1_800_000_000.0


def test_new_delivery_is_sent() -> None:
    assert next_step(DeliveryRecord(), NOW_S) == (NextStep.SEND, 0)


def test_delivery_that_arrived_is_finished_and_knows_its_message() -> None:
    mark = DeliveryRecord().begun(NOW_S).arrived(42)
    assert (mark.state, mark.message_id) == (DeliveryState.SENT, 42)
    assert next_step(mark, NOW_S + 1e6) == (NextStep.FINISH, 0)


def test_refused_delivery_is_sent_anew_and_not_counted() -> None:
    mark = DeliveryRecord().begun(NOW_S).refused()
    assert next_step(mark, NOW_S) == (NextStep.SEND, 0)
    assert mark.tries == 0


@pytest.mark.parametrize(
    ("later_s", "step", "wait_s"),
    [
        (0, NextStep.WAIT, 60),
        (59, NextStep.WAIT, 1),
        (60, NextStep.SEND_AGAIN, 0),
        (-7200, NextStep.WAIT, 60),  # the clock was set back
    ],
)
def test_uncertain_delivery_waits_a_minute_and_is_sent_once_more(
    later_s: float, step: NextStep, wait_s: float
) -> None:
    mark = DeliveryRecord().begun(NOW_S)
    assert next_step(mark, NOW_S + later_s) == (step, wait_s)


def test_delivery_that_is_never_answered_is_given_up() -> None:
    mark, sent = DeliveryRecord(), 0
    for now_s in range(0, 100_000, 100):
        step, _ = next_step(mark, now_s)
        if step is NextStep.GIVE_UP:
            break
        mark, sent = mark.begun(now_s), sent + 1
    assert sent == MOST_TRIES
