"""The queues' rules that need no server."""

import re
from pathlib import Path

import pytest

import jobs
from jobs.errors import AnimatoError, Cancelled, NoFaceFound, UserError
from jobs.queues import keys
from jobs.queues.failures import CANCELLED, STALLED, error_of, reason_of
from jobs.service_errors import OrderFailed, OrderStalled, QueueFull

ROOT = Path(jobs.__file__).parents[1]


def test_one_file_alone_imports_bullmq() -> None:
    rooms = ("animato", "inference", "jobs", "sandbox")
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    pattern = re.compile(r"^\s*(from|import) bullmq\b", re.MULTILINE)
    found = [path.name for path in files if pattern.search(path.read_text("utf-8"))]
    assert found == ["bullmq_types.py"]


def test_names_of_keys_are_all_different() -> None:
    one_part = (
        "open_key",
        "day_key",
        "accepted_key",
        "accepting_key",
        "cancel_key",
        "sent_key",
        "photos_key",
    )
    made = [getattr(keys, name)("x") for name in (*one_part, "worker_key", "fair_key")]
    made += [keys.speed_key("x", "y"), keys.CANCEL_CHANNEL, keys.WORKERS, keys.KNOWN_ENGINES]
    assert len(set(made)) == len(made)
    assert all(name.startswith("animato:") for name in made)


# --- why a job failed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [NoFaceFound(name="ä.png"), QueueFull(waiting=500), OrderFailed(order="c5-7-1")]
)
def test_reason_of_a_failure_reads_as_the_same_error(error: AnimatoError) -> None:
    again = error_of(reason_of(error), "c5-7-1")
    assert (type(again), again.fields) == (type(error), error.fields)


def test_cancelled_order_reads_as_cancelled() -> None:
    assert reason_of(Cancelled()) == CANCELLED == "cancelled"
    assert isinstance(error_of("cancelled", "c5-7-1"), Cancelled)


def test_order_whose_workers_died_reads_as_stalled() -> None:
    error = error_of(STALLED, "c5-7-1")
    assert isinstance(error, OrderStalled)
    assert "c5-7-1" in str(error)


@pytest.mark.parametrize(
    "reason", ["", "Lock mismatch for job 7", "[]", "{}", '{"error": "Nobody", "fields": {}}', "7"]
)
def test_anything_else_reads_as_a_failure_with_the_orders_id(reason: str) -> None:
    error = error_of(reason, "c5-7-1")
    assert isinstance(error, OrderFailed)
    assert not isinstance(error, UserError)
    assert "c5-7-1" in str(error)
