"""Checks for `animato doctor`: Redis, file store, workers, metrics."""

import errno
import socket
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jobs.check_results import CheckResult, State
from jobs.connection import check_server, connect, public_address, queue_errors
from jobs.errors import BadSettings, os_reason
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry, WorkerState
from jobs.redis_server.server import queue_server
from jobs.service_errors import QueueUnavailable, StoreError
from jobs.store.address import StoreTimeouts
from jobs.store.files import FileStore

# Short: somebody is waiting for the answer.
_TIMEOUTS = StoreTimeouts(connect_s=5, read_s=10, retries=1)
_GB = 1_000_000_000
_MB = 1_000_000
_ANSWER_S = 3.0
_LOSES_ORDERS = "orders may be lost at a restart: start it with --appendonly yes"
_EVICTS_ORDERS = (
    "orders may be evicted when its memory is full: start it with --maxmemory-policy noeviction"
)


# --- the queues -----------------------------------------------------------------------------------


@asynccontextmanager
async def queues_address(redis_url: str, data_dir: Path) -> AsyncIterator[str]:
    """Yield the address of a Redis server that runs while the block lasts.

    Args:
        redis_url: see `connect`; empty: the embedded one, which is started unless it is running.
        data_dir: where the embedded one keeps its files.

    Raises:
        BadSettings, QueueError, FolderRefused: it cannot be used or started.
    """
    path = data_dir.absolute() / "redis" / "redis.sock"
    running = f"unix://{quote(str(path))}"
    if not redis_url and path.exists() and await _answers(running):
        yield running
        return
    async with queue_server(redis_url, data_dir) as server:
        yield server.url


async def _answers(url: str) -> bool:
    try:
        await check_server(url, wait_s=0)
    except QueueUnavailable:
        return False
    return True


async def check_queues(url: str) -> list[CheckResult]:
    """Check Redis, its persistence and its memory policy.

    Raises:
        QueueUnavailable: it does not answer.
    """
    async with connect(url, is_worker=False) as client:
        with queue_errors(client):
            facts = await client.info()
    return [
        CheckResult("queues", State.OK, f"{_name(facts)} at {public_address(url)}", is_needed=True),
        _disk(facts),
        _memory(facts),
    ]


def _name(facts: dict[str, Any]) -> str:
    if "valkey_version" in facts:
        return f"Valkey {facts['valkey_version']}"
    return f"Redis {facts['redis_version']}"


def _disk(facts: dict[str, Any]) -> CheckResult:
    about = "queues' disk"
    if not facts.get("aof_enabled"):
        return CheckResult(about, State.WRONG, f"orders are not saved at once: {_LOSES_ORDERS}")
    if facts.get("aof_last_write_status", "ok") != "ok":
        says = "the server could not write to it: free some space there"
        return CheckResult(about, State.WRONG, says, is_needed=True)
    return CheckResult(about, State.OK, "every order is written to it (appendonly yes)")


def _memory(facts: dict[str, Any]) -> CheckResult:
    about, policy = "queues' memory", facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return CheckResult(about, State.WRONG, f"maxmemory-policy is {policy}: {_EVICTS_ORDERS}")
    limit_bytes = int(facts.get("maxmemory", 0))
    limit = f"of {limit_bytes / _MB:.0f} MB" if limit_bytes else "without a limit"
    return CheckResult(about, State.OK, f"{facts['used_memory'] / _MB:.0f} MB {limit}, {policy}")


async def check_workers(url: str) -> CheckResult:
    """Check which workers are online, and whether their version is this one.

    Raises:
        QueueUnavailable: Redis does not answer.
    """
    async with connect(url, is_worker=False) as client:
        living = await WorkerRegistry(client).living()
    about, ours = "workers", version("animato")
    if not living:
        says = "none is online: run `animato worker`, or `animato up`, which starts one"
        return CheckResult(about, State.MISSING, says)
    says = "; ".join(_worker(one) for one in living)
    if any(one.version != ours for one in living):
        return CheckResult(about, State.WRONG, f"{says}. Run this version everywhere: {ours}")
    if all(one.state is WorkerState.PAUSED for one in living):
        return CheckResult(about, State.WRONG, f"{says}. Their logs say why they take no orders")
    return CheckResult(about, State.OK, says)


def _worker(beat: Heartbeat) -> str:
    engines = ", ".join(beat.engine_names)
    return f"{beat.host} ({beat.device}: {engines}; version {beat.version}) is {beat.state}"


# --- the files ------------------------------------------------------------------------------------


async def check_store(url: str, min_free_bytes: int) -> CheckResult:
    """Check that the file store can write, read and delete a file, and report its free space.

    Args:
        url: see `FileStore.open`.
        min_free_bytes: with less free space than this, nothing is put into a folder.
    """
    about = "file store"
    try:
        store = FileStore.open(url, min_free_bytes=min_free_bytes, timeouts=_TIMEOUTS)
        await store.check()
        free_bytes = store.free_bytes()
    except (BadSettings, StoreError) as error:
        return CheckResult.of(about, error)
    room = "" if free_bytes is None else f", {free_bytes / _GB:.1f} GB free"
    says = f"{store.place} stores, returns and deletes files{room}"
    return CheckResult(about, State.OK, says, is_needed=True)


# --- the metrics ----------------------------------------------------------------------------------


def check_metrics(host: str, port: int | None) -> CheckResult:
    """Check that metrics can be served, or are being served.

    Args:
        host: the address of this machine to listen at.
        port: None: metrics are off.
    """
    about = "metrics"
    if port is None:
        return CheckResult(about, State.OK, "not served; set ANIMATO_METRICS_PORT to serve them")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE and _serves_ours(host, port):
            return CheckResult(about, State.OK, f"served at {host}:{port} right now")
        says = (
            f"{host}:{port} cannot be used ({os_reason(error)}): set ANIMATO_METRICS_PORT to a "
            "free port, and ANIMATO_METRICS_HOST to an address of this machine"
        )
        return CheckResult(about, State.WRONG, says, is_needed=True)
    return CheckResult(about, State.OK, f"{host}:{port} is free")


def _serves_ours(host: str, port: int) -> bool:
    """Return whether a program of ours serves metrics there."""
    name = f"[{host}]" if ":" in host else host
    asked = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with asked.open(f"http://{name}:{port}/metrics", timeout=_ANSWER_S) as answer:
            return b"animato_" in answer.read(_MB)
    except (OSError, ValueError):
        return False
