"""What a worker tells of its work, and what it keeps to itself."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from jobs.metrics.worker_metrics import WorkerMetrics
from jobs.orders import OrderState
from jobs.queues.queues import Queues
from tests.integration.jobs.servers import free_port
from tests.integration.jobs.test_health_over_http import answered
from tests.integration.jobs.test_metrics import fetched
from tests.integration.worker.conftest import LIMIT_S, ordered, seen, until, working
from tests.integration.worker.test_processes import command
from worker.plan import WorkerPlan

pytestmark = pytest.mark.local_sockets


def numbers_in(text: str) -> dict[tuple[str, ...], float]:
    """The numbers of a text for Prometheus, by name and values of labels in the labels' order."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_command_tells_over_http_what_it_did_and_for_nobody_whom(
    queues: Queues, plan: WorkerPlan
) -> None:
    port = free_port()
    place = {"ANIMATO_METRICS_PORT": str(port), "ANIMATO_LOG_FORMAT": "json"}
    order = await ordered(queues, 4_000_000_002)
    async with command(plan, "--engines", "still", "--device", "cpu", **place) as worker:
        await until(queues, order.ref, OrderState.DONE)
        finished = ("animato_jobs_finished_total", "still", "completed")

        async def is_counted() -> bool:
            return numbers_in(await asyncio.to_thread(fetched, port))[finished] == 1

        await seen(is_counted)
        text = await asyncio.to_thread(fetched, port)
        ready = await answered(port, "/readyz")
        alive = await answered(port, "/healthz")
        async with command(plan, "--once", **place) as second:
            _, said = await asyncio.wait_for(second.communicate(), LIMIT_S)
        worker.terminate()
        _, words = await asyncio.wait_for(worker.communicate(), LIMIT_S)
    told = numbers_in(text)
    assert told["animato_wait_seconds_count", "cpu", "still"] == 1
    assert told["animato_run_seconds_count", "cpu", "still"] == 1
    assert 0 < told["animato_run_seconds_sum", "cpu", "still"] < LIMIT_S
    assert told["animato_frames_per_second", "cpu"] > 0
    assert told["animato_store_free_bytes",] > 0
    assert told["animato_jobs_finished_total", "look", "completed"] == 0
    assert told["animato_engine_restarts_total", "died"] == 0
    assert (told["animato_redis_up",], told["animato_redis_reconnects_total",]) == (1, 0)
    assert not re.search(rf"{order.order_id}|{order.person}|{order.draft}_|{plan.place}", text)
    assert ready == (200, {"redis": "ok", "store": "ok", "engine": "ok", "disk": "ok"})
    assert alive == (200, {"loop": "ok", "heartbeat": "ok"})
    assert worker.returncode == 0, words.decode()
    assert second.returncode == 3
    assert f"cannot be served at 127.0.0.1:{port}" in said.decode().splitlines()[-1]
    assert "Traceback" not in said.decode()
    logged = [json.loads(line) for line in (words + said).decode().splitlines()]
    assert {one["job"] for one in logged if "job" in one} == {order.order_id}


async def test_engine_process_that_dies_is_counted(queues: Queues, plan: WorkerPlan) -> None:
    registry = CollectorRegistry()
    order = await ordered(queues, 2, "crashing")
    async with working(replace(plan, metrics=WorkerMetrics(registry)), "crashing"):
        await until(queues, order.ref, OrderState.RETRYING)

        async def is_counted() -> bool:
            return (
                registry.get_sample_value("animato_job_retries_total", {"engine": "crashing"}) == 1
            )

        await seen(is_counted)
    restarts = {
        sample.labels["reason"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "animato_engine_restarts_total"
    }
    assert restarts == {"died": 1, "hung": 0, "cancelled": 0, "failed": 0}


async def test_engines_that_take_turns_are_no_outage(
    queues: Queues, plan: WorkerPlan, word: Path
) -> None:
    word.touch()
    registry = CollectorRegistry()
    orders = [
        await ordered(queues, 2 + number, engine)
        for number, engine in enumerate(("still", "waiting", "still", "waiting"))
    ]
    async with working(replace(plan, metrics=WorkerMetrics(registry)), "still", "waiting"):
        for order in orders:
            await until(queues, order.ref, OrderState.DONE)
        assert registry.get_sample_value("animato_redis_up") == 1
    assert registry.get_sample_value("animato_redis_reconnects_total") == 0
