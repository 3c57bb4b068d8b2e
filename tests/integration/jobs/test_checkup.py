"""What `animato doctor` says of queues, files, workers and metrics."""

from importlib.metadata import version
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter
from redis.asyncio import Redis

from jobs.check_results import State
from jobs.checks import check_metrics, check_queues, check_store, check_workers, queues_address
from jobs.connection import check_server, connect
from jobs.metrics.serving import serve_metrics
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry, WorkerState
from jobs.redis_server.server import RedisServer
from jobs.service_errors import QueueUnavailable
from tests.integration.jobs.servers import free_port

pytestmark = pytest.mark.local_sockets


def sign(**others: object) -> Heartbeat:
    facts: dict[str, object] = {
        "worker": "w1",
        "host": "desk",
        "device": "cpu",
        "engines": ({"name": "mesh"},),
        "version": version("animato"),
        "state": WorkerState.IDLE,
    }
    return Heartbeat.model_validate(facts | others)


@pytest.mark.usefixtures("valkey")
async def test_server_of_our_own_writes_everything_down_and_is_gone_afterwards(
    tmp_path: Path,
) -> None:
    async with queues_address("", tmp_path) as url:
        findings = await check_queues(url)
    assert [one.state for one in findings] == [State.OK] * 3
    with pytest.raises(QueueUnavailable):
        await check_server(url, wait_s=0)


@pytest.mark.usefixtures("valkey")
async def test_server_of_our_own_that_runs_already_is_used(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server:
        pid = server.pid
        async with queues_address("", tmp_path) as url:
            assert url == server.url
        assert server.pid == pid


async def test_server_that_may_lose_orders_is_told_with_what_to_type(
    valkey: str, redis: Redis
) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        queues, disk, memory = await check_queues(valkey)
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")
    assert queues.state is State.OK
    assert disk.state is memory.state is State.WRONG
    assert "--appendonly yes" in disk.says
    assert "--maxmemory-policy noeviction" in memory.says
    assert not disk.is_in_the_way
    assert not memory.is_in_the_way


async def test_workers_are_none_then_one_then_of_another_version_then_all_paused(
    valkey: str,
) -> None:
    client = connect(valkey, is_worker=False)
    workers = WorkerRegistry(client)
    found = [await check_workers(valkey)]
    for one in (
        sign(),
        sign(version="0.0.1"),
        sign(state=WorkerState.PAUSED),
    ):
        await workers.beat(one, 0.0)
        found.append(await check_workers(valkey))
    await client.aclose()
    states = [one.state for one in found]
    assert states == [State.MISSING, State.OK, State.WRONG, State.WRONG]
    assert "animato worker" in found[0].says
    assert found[1].says == f"desk (cpu: mesh; version {version('animato')}) is idle"
    assert "version 0.0.1" in found[2].says
    assert not any(one.is_in_the_way for one in found)


async def test_file_store_is_tried_and_left_empty(tmp_path: Path) -> None:
    finding = await check_store(str(tmp_path), 0)
    assert finding.state is State.OK
    assert "GB free" in finding.says
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_file_store_without_room_is_in_the_way(tmp_path: Path) -> None:
    finding = await check_store(str(tmp_path), 10**18)
    assert finding.is_in_the_way
    assert "free some space" in finding.says


async def test_file_store_in_the_place_of_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert (await check_store(str(tmp_path / "file" / "store"), 0)).is_in_the_way


def test_port_of_the_metrics_is_free_or_ours_or_somebody_else_s() -> None:
    port = free_port()
    assert check_metrics("127.0.0.1", None).state is State.OK
    assert "is free" in check_metrics("127.0.0.1", port).says
    registry = CollectorRegistry()
    with serve_metrics(registry, "127.0.0.1", port):
        assert check_metrics("127.0.0.1", port).is_in_the_way
        Counter("animato_test", "Something of ours.", registry=registry)
        assert "right now" in check_metrics("127.0.0.1", port).says
    assert check_metrics("192.0.2.1", port).is_in_the_way
