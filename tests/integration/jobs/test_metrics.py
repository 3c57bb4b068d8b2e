"""Metrics over HTTP, and what they tell of real queues."""

import asyncio
import re
import threading
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from bot.gateway.polling import PollingHealth
from jobs.connection import connect
from jobs.engines import EngineInfo
from jobs.errors import (
    AnimatoError,
    BadSettings,
    EngineFailed,
    NoFaceFound,
    OutputNotWritable,
    UnknownTemplate,
)
from jobs.metrics.order_metrics import OrderMetrics
from jobs.metrics.queue_metrics import QueueMetrics
from jobs.metrics.serving import serve_metrics
from jobs.metrics.worker_metrics import WorkerMetrics
from jobs.orders import Lane, OrderState, Progress
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry, WorkerState
from jobs.queues.keys import DELIVER, JobRef, fair_key, prefix_of
from jobs.queues.outbox import Outbox
from jobs.queues.outcomes import UNFINISHED
from jobs.queues.queue_worker import QueueWorker, WorkRules
from jobs.queues.queues import Queues
from jobs.service_errors import FileGone, QueueUnavailable, TooManyOpenOrders
from jobs.tasks import end_tasks
from tests.integration.jobs.bench import LIMIT_S, QUICK, Bench, until
from tests.integration.jobs.hand import ENGINE, QUEUE, Hand, admins_order, make_order
from tests.integration.jobs.test_work import raising

pytestmark = pytest.mark.local_sockets

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"
REF = make_order(2).ref
GONE = FileGone(key="photo.png")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def queues(valkey: str, registry: CollectorRegistry) -> AsyncIterator[Queues]:
    async with Queues(valkey, [ENGINE], metrics=OrderMetrics(registry)) as opened:
        yield opened


def sign(worker: str, state: WorkerState, *engines: str) -> Heartbeat:
    return Heartbeat(
        worker=worker,
        host="here",
        device="cpu",
        engines=tuple(EngineInfo(name=name) for name in engines),
        version="1",
        state=state,
    )


async def counted(registry: CollectorRegistry, name: str, **labels: str) -> None:
    """Returns as soon as this count is 1: a listener is called after the server has agreed."""
    async with asyncio.timeout(LIMIT_S):
        while registry.get_sample_value(name, labels) != 1:
            await asyncio.sleep(0.01)


# --- HTTP -----------------------------------------------------------------------------------------


def fetched(port: int | None) -> str:
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with without_proxy.open(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT_S) as answer:
        text: str = answer.read().decode()
    return text


def test_numbers_are_served_while_the_block_lasts_and_no_thread_stays(
    registry: CollectorRegistry,
) -> None:
    before = set(threading.enumerate())
    metrics = WorkerMetrics(registry)
    metrics.add_queue(QUEUE)
    with serve_metrics(registry, "127.0.0.1", 0) as port:
        metrics.count_retry(QUEUE)
        families = {one.name: one for one in text_string_to_metric_families(fetched(port))}
    assert set(threading.enumerate()) <= before
    (sample,) = families["animato_job_retries"].samples
    assert (sample.name, sample.labels, sample.value) == (
        "animato_job_retries_total",
        {"engine": ENGINE},
        1,
    )
    assert all(re.fullmatch(r"animato_\w+(?<!_created)", name) for name in families)
    with pytest.raises(OSError, match="refused"):
        fetched(port)


def test_without_a_port_nothing_is_served(registry: CollectorRegistry) -> None:
    before = threading.active_count()
    with serve_metrics(registry, "127.0.0.1", None) as port:
        assert (port, threading.active_count()) == (None, before)


@pytest.mark.parametrize("host", ["127.0.0.1", "203.0.113.1"])
def test_place_that_cannot_be_had_is_one_sentence_with_its_settings(
    registry: CollectorRegistry, host: str
) -> None:
    with (
        serve_metrics(registry, "127.0.0.1", 0) as port,
        pytest.raises(BadSettings, match=rf"at {host}:{port} \(.+\): set ANIMATO_METRICS_PORT"),
        serve_metrics(CollectorRegistry(), host, port),
    ):
        pass


# --- how the queues stand -------------------------------------------------------------------------


async def test_queues_are_told_as_they_stand(
    queues: Queues, registry: CollectorRegistry, redis: Redis
) -> None:
    for person in range(2, 6):
        await queues.submit(make_order(person, estimated_cost_s=30.0))
    await queues.submit(admins_order())
    hand = Hand(redis)
    done, active, delayed = admins_order().ref, *(make_order(person).ref for person in (2, 3))
    assert [await hand.take() for _ in range(3)] == [done.job_id, active.job_id, delayed.job_id]
    await hand.finish(done.job_id)
    await hand.fail(delayed.job_id, RuntimeError("a slip"))
    await redis.hset(active.key, "timestamp", "1000000")
    assert await Outbox(queues, queues.engine_queues).sweep() == 1
    (delivery,) = await redis.lrange(f"{prefix_of(DELIVER)}wait", 0, -1)
    await redis.hset(JobRef(DELIVER, str(delivery)).key, "timestamp", "1090000")
    workers = WorkerRegistry(redis)
    for number, state in enumerate((WorkerState.IDLE, WorkerState.IDLE, WorkerState.PAUSED)):
        await workers.beat(sign(f"w{number}", state, ENGINE, "mesh"), 0)
    metrics = QueueMetrics(queues, registry, lambda: 1100.0)
    await metrics.refresh()
    told = numbers(registry)
    assert told["animato_queue_depth", ENGINE, "active"] == 1
    assert told["animato_queue_depth", ENGINE, "wait"] == 0
    assert told["animato_queue_depth", ENGINE, "prioritized"] == 2
    assert told["animato_queue_depth", ENGINE, "delayed"] == 1
    assert told["animato_queue_depth", "look", "active"] == 0
    assert told["animato_queue_oldest_seconds", ENGINE] == 100
    assert told["animato_queue_oldest_seconds", "look"] == 0
    assert told["animato_queue_virtual_time", ENGINE] > 1
    assert told["animato_workers", ENGINE, "idle"] == 2
    assert told["animato_workers", ENGINE, "paused"] == 1
    assert told["animato_workers", ENGINE, "working"] == 0
    assert told["animato_deliver_backlog",] == 1
    assert told["animato_deliver_oldest_seconds",] == 10


async def served_by_all(queues: Queues, bot: CollectorRegistry) -> list[CollectorRegistry]:
    """The metrics of a worker and of the bot, each with at least one number."""
    worker = CollectorRegistry()
    metrics = WorkerMetrics(worker)
    metrics.set_device("cpu", ["died"])
    metrics.record_start(QUEUE, 1)
    metrics.record_completion(QUEUE, 1)
    metrics.count_retry(QUEUE)
    metrics.count_stall(QUEUE)
    metrics.record_speed(1)
    await queues.submit(make_order(2))
    await QueueMetrics(queues, bot).refresh()
    PollingHealth().measure(bot)
    return [worker, bot]


async def test_labels_of_every_metric_are_those_of_the_document(
    queues: Queues, registry: CollectorRegistry
) -> None:
    found = {
        name: labels
        for one in await served_by_all(queues, registry)
        for name, labels in labels_of(one)
    }
    pattern = r"^\| `(\w+)` \| \w+ \| ([\w, ]*?) ?\| \w+ \| .* \|$"
    rows = re.findall(pattern, DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert found == {name: set(labels.split(", ")) - {""} for name, labels in rows}


def labels_of(registry: CollectorRegistry) -> Iterator[tuple[str, set[str]]]:
    """Each metric's name and labels, from its first number."""
    for family in registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        yield name, set(family.samples[0].labels) - {"le"}


def numbers(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """The numbers that are told, by name and values of labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


async def test_work_of_a_queue_is_told_in_seconds_of_one_worker(
    queues: Queues, registry: CollectorRegistry, redis: Redis
) -> None:
    workers, metrics = WorkerRegistry(redis), QueueMetrics(queues, registry)
    await metrics.refresh()
    assert numbers(registry)["animato_queue_seconds", ENGINE] == 0
    for person in range(2, 6):
        await queues.submit(make_order(person))
    for _ in range(2):
        await workers.beat(sign("w", WorkerState.IDLE, ENGINE), 0)
    await workers.record_speed("cpu", ENGINE, 0.5)
    hand = Hand(redis)
    await hand.fail(await hand.take(), RuntimeError("a slip"))
    halfway = Progress(frames_done=1, frames_total=2)
    await redis.hset(JobRef(QUEUE, await hand.take()).key, "progress", halfway.to_json())
    await metrics.refresh()
    # One is delayed, one half done, two wait; the number of workers does not matter.
    frames = make_order(2).wish.cost_frames
    assert numbers(registry)["animato_queue_seconds", ENGINE] == 3.5 * frames * 0.5


async def test_oldest_job_is_found_in_whichever_state_it_is(
    queues: Queues, registry: CollectorRegistry, redis: Redis
) -> None:
    hand = Hand(redis)
    await queues.submit(make_order(2))
    await hand.fail(await hand.take(), RuntimeError("a slip"))
    await queues.submit(make_order(3))
    await hand.take()
    await queues.submit(make_order(4))
    await queues.submit(make_order(5, lane=Lane.EXPRESS))
    keys = [make_order(person).ref.key for person in (2, 3, 4, 5)]
    for key in keys:
        await redis.hset(key, "timestamp", "90000")
    metrics = QueueMetrics(queues, registry, lambda: 100.0)
    for key in keys:
        await redis.hset(key, "timestamp", "40000")
        await metrics.refresh()
        assert numbers(registry)["animato_queue_oldest_seconds", ENGINE] == 60
        await redis.hset(key, "timestamp", "90000")
    depths = [numbers(registry)["animato_queue_depth", ENGINE, state] for state in UNFINISHED]
    assert depths == [1, 1, 1, 1]


async def test_server_may_forget_its_scripts_at_any_time(queues: Queues, redis: Redis) -> None:
    """As it does when it is restarted."""

    async def forget() -> None:
        while True:
            await redis.script_flush()

    forgetting = asyncio.create_task(forget())
    try:
        for _ in range(100):
            assert (await queues.statistics(QUEUE)).unfinished == 0
    finally:
        await end_tasks([forgetting])


async def test_emptied_queue_has_the_first_tag_again(
    queues: Queues, registry: CollectorRegistry, redis: Redis
) -> None:
    await queues.submit(make_order(2, estimated_cost_s=30.0))
    metrics = QueueMetrics(queues, registry)
    await metrics.refresh()
    assert numbers(registry)["animato_queue_virtual_time", ENGINE] > 1
    await Hand(redis).work_through()
    assert await redis.exists(fair_key(QUEUE))
    await metrics.refresh()
    assert numbers(registry)["animato_queue_virtual_time", ENGINE] == 1
    assert numbers(registry)["animato_queue_oldest_seconds", ENGINE] == 0


async def test_nothing_is_told_of_queues_that_do_not_answer(
    queues: Queues, registry: CollectorRegistry, redis: Redis
) -> None:
    metrics = QueueMetrics(queues, registry)
    assert ("animato_deliver_backlog",) not in numbers(registry)
    await metrics.refresh()
    assert ("animato_deliver_backlog",) in numbers(registry)
    await redis.set(f"{prefix_of(DELIVER)}wait", "no list")
    with pytest.raises(QueueUnavailable):
        await metrics.refresh()
    assert not [key for key in numbers(registry) if key[0].startswith("animato_queue_")]


# --- what is counted ------------------------------------------------------------------------------


async def test_orders_are_counted_as_they_are_taken_and_refused(
    queues: Queues, registry: CollectorRegistry
) -> None:
    await queues.submit(admins_order())
    for number in (1, 1, 2, 3):
        await queues.submit(make_order(2, number))
    with pytest.raises(TooManyOpenOrders):
        await queues.submit(make_order(2, 4))
    told = numbers(registry)
    assert told["animato_jobs_submitted_total", ENGINE, "fair"] == 3
    assert told["animato_jobs_submitted_total", ENGINE, "express"] == 1
    assert told["animato_jobs_refused_total", "dup"] == 1
    assert told["animato_jobs_refused_total", "user_limit"] == 1


Change = Callable[[Queues, Redis, Bench], Awaitable[object]]


async def let_it_be_done(_queues: Queues, _redis: Redis, bench: Bench) -> None:
    bench.word.set()


async def cancel(queues: Queues, _redis: Redis, _bench: Bench) -> None:
    await queues.cancel(REF)


async def take_the_lock(_queues: Queues, redis: Redis, _bench: Bench) -> None:
    await redis.set(REF.lock_key, "another worker's")


async def take_the_lock_and_be_done(_queues: Queues, redis: Redis, bench: Bench) -> None:
    await redis.set(REF.lock_key, "another worker's")
    bench.is_stubborn = True
    bench.word.set()


FINISHED = "animato_jobs_finished_total"


@pytest.mark.parametrize(
    ("change", "name", "labels"),
    [
        (let_it_be_done, FINISHED, {"engine": ENGINE, "outcome": "completed"}),
        (cancel, FINISHED, {"engine": ENGINE, "outcome": "cancelled"}),
        (take_the_lock, "animato_lock_lost_total", {}),
        (take_the_lock_and_be_done, "animato_lock_lost_total", {}),
    ],
)
async def test_station_counts_how_work_ended(
    queues: Queues, valkey: str, redis: Redis, change: Change, name: str, labels: dict[str, str]
) -> None:
    registry, bench = CollectorRegistry(), Bench()
    await queues.submit(make_order(2))
    async with QueueWorker(valkey, QUEUE, bench, QUICK, WorkerMetrics(registry)):
        await bench.has_begun()
        assert registry.get_sample_value(name, labels) == 0
        await change(queues, redis, bench)
        await counted(registry, name, **labels)
    finished = {key[2]: value for key, value in numbers(registry).items() if key[0] == FINISHED}
    assert sum(finished.values()) == (name == FINISHED)
    where = {"engine": ENGINE, "device": "unknown"}
    assert registry.get_sample_value("animato_wait_seconds_count", where) == 1
    has_result = labels.get("outcome") == "completed"
    assert (registry.get_sample_value("animato_run_seconds_count", where) == 1) is has_result


async def test_station_counts_second_tries_and_times_the_first_wait_only(
    queues: Queues, valkey: str, redis: Redis
) -> None:
    registry = CollectorRegistry()
    await queues.submit(make_order(2))
    await redis.hincrby(REF.key, "timestamp", -7000)
    errors = EngineFailed(name="still", reason="no memory"), NoFaceFound(name="a.png")
    async with QueueWorker(valkey, QUEUE, raising(*errors), QUICK, WorkerMetrics(registry)):
        await counted(registry, "animato_job_retries_total", engine=ENGINE)
        await redis.zadd(f"{prefix_of(QUEUE)}delayed", {REF.job_id: 0}, xx=True)
        await redis.zadd(f"{prefix_of(QUEUE)}marker", {"0": 0})
        await counted(registry, FINISHED, engine=ENGINE, outcome="unusable")
    where = {"engine": ENGINE, "device": "unknown"}
    assert registry.get_sample_value("animato_wait_seconds_count", where) == 1
    waited_s = registry.get_sample_value("animato_wait_seconds_sum", where)
    assert waited_s is not None
    assert 7 <= waited_s < 7 + LIMIT_S


@pytest.mark.parametrize(
    "error",
    [
        GONE,
        OutputNotWritable(path="x", reason="a read-only disk"),
        UnknownTemplate(name="x", known="y"),
    ],
)
async def test_only_what_is_no_fault_of_the_input_counts_as_failed(
    queues: Queues, valkey: str, error: AnimatoError
) -> None:
    registry = CollectorRegistry()
    async with QueueWorker(valkey, QUEUE, raising(error), QUICK, WorkerMetrics(registry)):
        await queues.submit(make_order(2))
        await counted(registry, FINISHED, engine=ENGINE, outcome="failed")
    assert numbers(registry)[FINISHED, ENGINE, "unusable"] == 0


async def test_station_counts_orders_of_the_dead_and_those_that_kill(
    queues: Queues, valkey: str, redis: Redis
) -> None:
    registry = CollectorRegistry()
    rules = WorkRules(stalled_check_s=0.1, most_stalls=0, beat_s=0.05, idle_s=0.1)
    await queues.submit(make_order(2))
    hand = Hand(redis)
    await hand.drop(await hand.take())
    async with QueueWorker(valkey, QUEUE, raising(), rules, WorkerMetrics(registry)):
        await until(queues, REF, OrderState.FAILED)
        await counted(registry, FINISHED, engine=ENGINE, outcome="poison")
        await counted(registry, "animato_job_stalls_total", engine=ENGINE)


async def test_outage_is_seen_while_it_lasts_and_counted_when_it_is_over(
    valkey: str, redis: Redis, registry: CollectorRegistry
) -> None:
    client = connect(valkey, is_worker=True, watch=WorkerMetrics(registry).connection)
    names = ("animato_redis_up", "animato_redis_reconnects_total")
    try:
        await client.ping()
        assert tuple(map(registry.get_sample_value, names)) == (1, 0)
        waiting: asyncio.Future[object]
        waiting = asyncio.ensure_future(client.blpop(["nothing"], timeout=10))
        async with asyncio.timeout(LIMIT_S):
            while not (await redis.info("clients"))["blocked_clients"]:
                await asyncio.sleep(0.01)
        await redis.client_kill_filter(skipme=True)
        await redis.rpush("nothing", "something")
        async with asyncio.timeout(LIMIT_S):
            await waiting
        assert tuple(map(registry.get_sample_value, names)) == (1, 1)
    finally:
        await client.aclose()
