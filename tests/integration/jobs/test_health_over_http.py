"""`/healthz` and `/readyz`: a word per check, and 503 unless all are well."""

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError

import pytest
from prometheus_client import CollectorRegistry

from jobs.metrics.health import Health, worker_words
from jobs.metrics.serving import serve_metrics
from jobs.queues.heartbeats import DEAD_AFTER_S, WorkerState
from jobs.store.files import FileStore
from tests.integration.jobs.bench import LIMIT_S
from tests.integration.jobs.conftest import HASTY
from tests.integration.jobs.servers import free_port, s3_url
from tests.integration.jobs.test_metrics import sign

pytestmark = pytest.mark.local_sockets

Answer = tuple[int, dict[str, str]]


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@contextmanager
def served(health: Health) -> Iterator[int]:
    with serve_metrics(CollectorRegistry(), "127.0.0.1", 0, health) as port:
        assert port is not None
        yield port


def asked(port: int | None, path: str, method: str = "GET") -> tuple[int, Message, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with without_proxy.open(request, timeout=LIMIT_S) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


async def answered(port: int | None, path: str) -> Answer:
    status, _, body = await asyncio.to_thread(asked, port, path)
    return status, json.loads(body)


def nowhere(tmp_path: Path) -> str:
    return f"unix://{tmp_path}/nowhere"


async def test_program_that_is_well_lives_and_is_ready(valkey: str, local_store: FileStore) -> None:
    health = Health(valkey, local_store, lambda _: {"telegram": "ok"})
    with served(health) as port:
        assert await answered(port, "/healthz") == (200, {"loop": "ok", "heartbeat": "ok"})
        ready = {"redis": "ok", "store": "ok", "telegram": "ok"}
        assert await answered(port, "/readyz") == (200, ready)
        _, headers, _ = await asyncio.to_thread(asked, port, "/readyz")
        status, head, body = await asyncio.to_thread(asked, port, "/readyz", "HEAD")
        assert (status, body) == (200, b"")
        assert head["Content-Type"] == "application/json"
        assert head["Content-Length"] == headers["Content-Length"]


async def test_program_without_its_servers_lives_but_is_not_ready(tmp_path: Path) -> None:
    store = FileStore.open(s3_url(f"http://127.0.0.1:{free_port()}", "none"), timeouts=HASTY)
    health = Health(nowhere(tmp_path), store, lambda _: {})
    with served(health) as port:
        assert await answered(port, "/readyz") == (503, {"redis": "down", "store": "down"})
        assert (await answered(port, "/healthz"))[0] == 200


async def test_bad_word_of_the_programs_own_makes_it_unready(
    valkey: str, local_store: FileStore
) -> None:
    health = Health(valkey, local_store, lambda _: {"telegram": "silent"})
    with served(health) as port:
        status, words = await answered(port, "/readyz")
        assert (status, words["telegram"]) == (503, "silent")
        assert (await answered(port, "/healthz"))[0] == 200


async def test_late_heartbeat_is_a_fault_only_while_redis_answers(
    valkey: str, local_store: FileStore, tmp_path: Path
) -> None:
    clock = Clock()
    connected = Health(valkey, local_store, lambda _: {}, clock)
    cut_off = Health(nowhere(tmp_path), local_store, lambda _: {}, clock)
    clock.now_s = DEAD_AFTER_S + 1
    with served(connected) as port, served(cut_off) as other:
        assert await answered(port, "/healthz") == (503, {"loop": "ok", "heartbeat": "late"})
        assert await answered(other, "/healthz") == (200, {"loop": "ok", "heartbeat": "waiting"})
        connected.note_heartbeat()
        assert await answered(port, "/healthz") == (200, {"loop": "ok", "heartbeat": "ok"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_event_loop_that_hangs_is_told_within_seconds(
    valkey: str, local_store: FileStore, path: str
) -> None:
    with served(Health(valkey, local_store, lambda _: {})) as port:
        # This call itself blocks the loop.
        status, _, body = asked(port, path)
    assert (status, json.loads(body)) == (503, {"loop": "stuck"})


async def test_worker_is_ready_while_it_takes_orders(valkey: str, local_store: FileStore) -> None:
    health = Health(valkey, local_store, worker_words)
    with served(health) as port:
        for state, engine, disk in (
            (None, "loading", "ok"),
            (WorkerState.IDLE, "ok", "ok"),
            (WorkerState.WORKING, "ok", "ok"),
            (WorkerState.PAUSED, "ok", "full"),
            (WorkerState.DRAINING, "draining", "ok"),
        ):
            health.note_heartbeat(None if state is None else sign("w", state, "still"))
            status, words = await answered(port, "/readyz")
            assert (words["engine"], words["disk"]) == (engine, disk)
            assert (status == 200) == (state in (WorkerState.IDLE, WorkerState.WORKING))
