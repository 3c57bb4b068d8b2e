"""Metrics: what is counted, under which names, and that the document tells the same."""

import math
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bot.gateway.polling import PollingHealth
from inference.process.engine_process import RESTART_REASONS
from jobs.errors import BadSettings, OperatorError, UnknownEngine
from jobs.metrics.order_metrics import DeliveryOutcome, OrderMetrics
from jobs.metrics.queue_metrics import QueueMetrics
from jobs.metrics.worker_metrics import Outcome, WorkerMetrics
from jobs.orders import Lane
from jobs.queues.heartbeats import WorkerState
from jobs.queues.outcomes import UNFINISHED
from jobs.queues.queues import Queues
from jobs.service_errors import (
    QueueFull,
    QueueUnavailable,
    StoreFull,
    TooManyOpenOrders,
    TooManyOrdersToday,
)
from jobs.settings import Settings

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"
STILL = "animate-still"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def lines_of(registry: CollectorRegistry) -> list[str]:
    """The numbers that are told, without what they mean and when they began."""
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if not line.startswith("#") and "_created" not in line]


def shown_kinds(registry: CollectorRegistry) -> dict[str, tuple[str, str]]:
    """Kind and meaning of each metric, by its name."""
    text = generate_latest(registry).decode()
    found = {}
    for family in text_string_to_metric_families(text):
        if not family.name.endswith("_created"):
            name = family.name + ("_total" if family.type == "counter" else "")
            found[name] = (family.type, family.documentation)
    return found


# --- the document ---------------------------------------------------------------------------------


def test_document_has_every_metric_with_its_kind_and_meaning() -> None:
    worker, bot = CollectorRegistry(), CollectorRegistry()
    WorkerMetrics(worker)
    OrderMetrics(bot)
    QueueMetrics(Queues("redis://localhost", ["still"]), bot)
    PollingHealth().measure(bot)
    parts = {"worker": shown_kinds(worker), "bot": shown_kinds(bot)}
    pattern = r"^\| `(\w+)` \| (\w+) \| [\w, ]*\| (\w+) \| (.*) \|$"
    rows = re.findall(pattern, DOCUMENT.read_text("utf-8"), re.MULTILINE)
    told = {
        part: {name: (kind, text) for name, kind, who, text in rows if who in (part, "both")}
        for part in parts
    }
    assert told == parts
    assert len({name for name, *_ in rows}) == len(rows)


def test_document_has_every_value_of_a_label(registry: CollectorRegistry) -> None:
    text = DOCUMENT.read_text("utf-8")
    OrderMetrics(registry)
    told = {value for line in lines_of(registry) for value in re.findall(r'="(\w+)"', line)}
    assert told >= {*DeliveryOutcome, "dup", "storage"}
    for value in (*told, *RESTART_REASONS, *Outcome, *Lane, *UNFINISHED, *WorkerState):
        assert f"`{value}`" in text, value


# --- the worker's ---------------------------------------------------------------------------------


def test_worker_that_has_done_nothing_tells_zeros(registry: CollectorRegistry) -> None:
    metrics = WorkerMetrics(registry)
    metrics.set_device("cpu", ("died", "hung"))
    metrics.add_queue(STILL)
    lines = lines_of(registry)
    for line in (
        'animato_jobs_finished_total{engine="still",outcome="completed"} 0.0',
        'animato_job_stalls_total{engine="still"} 0.0',
        'animato_job_retries_total{engine="still"} 0.0',
        'animato_engine_restarts_total{reason="hung"} 0.0',
        "animato_lock_lost_total 0.0",
        "animato_store_free_bytes NaN",
    ):
        assert line in lines


def test_worker_tells_what_it_did(registry: CollectorRegistry) -> None:
    metrics = WorkerMetrics(registry)
    metrics.set_device("cuda:0", ())
    metrics.record_start(STILL, 3.0)
    metrics.record_completion(STILL, 45.0)
    metrics.count_end("look", Outcome.POISON)
    metrics.count_retry(STILL)
    metrics.count_stall("look")
    metrics.count_lost_lock()
    metrics.count_restart("died")
    metrics.record_speed(30.5)
    metrics.set_free_bytes(7_000_000_000)
    lines = lines_of(registry)
    for line in (
        'animato_jobs_finished_total{engine="still",outcome="completed"} 1.0',
        'animato_jobs_finished_total{engine="look",outcome="poison"} 1.0',
        'animato_job_retries_total{engine="still"} 1.0',
        'animato_job_stalls_total{engine="look"} 1.0',
        "animato_lock_lost_total 1.0",
        'animato_wait_seconds_bucket{device="cuda:0",engine="still",le="2.0"} 0.0',
        'animato_wait_seconds_bucket{device="cuda:0",engine="still",le="5.0"} 1.0',
        'animato_run_seconds_sum{device="cuda:0",engine="still"} 45.0',
        'animato_frames_per_second{device="cuda:0"} 30.5',
        'animato_engine_restarts_total{reason="died"} 1.0',
        "animato_store_free_bytes 7e+09",
    ):
        assert line in lines


def test_room_that_nobody_can_tell_is_no_number(registry: CollectorRegistry) -> None:
    metrics = WorkerMetrics(registry)
    metrics.set_free_bytes(5)
    metrics.set_free_bytes(None)
    value = registry.get_sample_value("animato_store_free_bytes")
    assert value is not None
    assert math.isnan(value)


def test_clocks_that_differ_make_no_negative_time(registry: CollectorRegistry) -> None:
    metrics = WorkerMetrics(registry)
    metrics.record_start(STILL, -2.0)
    metrics.record_completion(STILL, -2.0)
    lines = lines_of(registry)
    assert 'animato_wait_seconds_sum{device="unknown",engine="still"} 0.0' in lines
    assert 'animato_run_seconds_sum{device="unknown",engine="still"} 0.0' in lines


def test_parts_of_a_process_do_not_share_their_numbers() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    WorkerMetrics(ours).count_lost_lock()
    WorkerMetrics(theirs)
    WorkerMetrics().count_lost_lock()
    assert ours.get_sample_value("animato_lock_lost_total") == 1
    assert theirs.get_sample_value("animato_lock_lost_total") == 0


# --- the Redis server -----------------------------------------------------------------------------


def test_outage_counts_once_however_many_calls_it_failed(registry: CollectorRegistry) -> None:
    connection = WorkerMetrics(registry).connection
    seen = []
    for event in (
        connection.on_answer,
        connection.on_no_answer,
        connection.on_no_answer,
        connection.on_answer,
        connection.on_answer,
    ):
        event()
        names = ("animato_redis_up", "animato_redis_reconnects_total")
        seen.append(tuple(map(registry.get_sample_value, names)))
    assert seen == [(1, 0), (0, 0), (0, 0), (1, 1), (1, 1)]


# --- orders and deliveries ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TooManyOpenOrders(count=3, limit=3), "user_limit"),
        (TooManyOrdersToday(limit=30, hours=1, minutes=2), "day_limit"),
        (QueueFull(waiting=500), "full"),
        (QueueUnavailable(place="here", reason="it does not answer"), "server"),
        (StoreFull(place="there", free_mb=3), "storage"),
    ],
)
def test_refused_order_is_counted_by_its_reason_and_still_refused(
    registry: CollectorRegistry, error: Exception, reason: str
) -> None:
    with pytest.raises(type(error)), OrderMetrics(registry).refusals():
        raise error
    counted = [line for line in lines_of(registry) if line.endswith(" 1.0")]
    assert counted == [f'animato_jobs_refused_total{{reason="{reason}"}} 1.0']
    assert f"`{reason}`" in DOCUMENT.read_text("utf-8")


@pytest.mark.parametrize("error", [UnknownEngine(name="x", known="y"), OperatorError()])
def test_what_is_no_refusal_is_not_counted(registry: CollectorRegistry, error: Exception) -> None:
    with pytest.raises(type(error)), OrderMetrics(registry).refusals():
        raise error
    assert not [line for line in lines_of(registry) if line.endswith(" 1.0")]


def test_orders_and_deliveries_are_counted(registry: CollectorRegistry) -> None:
    metrics = OrderMetrics(registry)
    metrics.count_submission(STILL, Lane.EXPRESS, is_new=True)
    metrics.count_submission(STILL, Lane.FAIR, is_new=False)
    metrics.count_delivery(DeliveryOutcome.GONE)
    assert [line for line in lines_of(registry) if line.endswith(" 1.0")] == [
        'animato_jobs_submitted_total{engine="still",lane="express"} 1.0',
        'animato_jobs_refused_total{reason="dup"} 1.0',
        'animato_deliver_total{outcome="gone"} 1.0',
    ]


# --- the settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("port", ["0", "65536", "many"])
def test_port_that_there_cannot_be_is_told_with_its_setting(
    monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    monkeypatch.setenv("ANIMATO_METRICS_PORT", port)
    with pytest.raises(BadSettings, match=f"ANIMATO_METRICS_PORT is '{port}'"):
        Settings.load()


def test_metrics_are_off_unless_a_port_is_set_and_then_for_this_machine_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ANIMATO_METRICS_PORT", "ANIMATO_METRICS_HOST"):
        monkeypatch.delenv(name, raising=False)
    assert Settings.load().metrics_port is None
    monkeypatch.setenv("ANIMATO_METRICS_PORT", "9101")
    settings = Settings.load()
    assert (settings.metrics_port, settings.metrics_host) == (9101, "127.0.0.1")
