"""Real servers for the tests: a Valkey and an S3 store, one of each for a session."""

import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from jobs import child_guard
from jobs.redis_server.program import find_program

START_S = 60.0
# Below the ports of outgoing connections, which begin at 32,768 on Linux and at 49,152 elsewhere.
_PORTS = (15_000, 32_000)
_random = random.SystemRandom()
S3_KEYS = "region=us-east-1&access_key_id=test&secret_access_key=hunter2"


@contextmanager
def running(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A program while the block lasts, and never longer than we run."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", child_guard.__file__, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def valkey_server(folder: Path) -> Iterator[str]:
    """The address of a server that keeps nothing.

    Raises:
        QueueServerMissing: there is no program to start.
    """
    path = folder / "redis.sock"
    options = {"port": "0", "unixsocket": str(path), "save": "", "maxmemory-policy": "noeviction"}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    url = f"unix://{path}"
    with running([str(find_program(folder)), *words]), Redis.from_url(url) as client:
        deadline = time.monotonic() + START_S
        while True:
            try:
                client.ping()
            except RedisError:
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.01)
            else:
                break
        yield url


@contextmanager
def s3_server() -> Iterator[str]:
    """The endpoint of an S3 store without any bucket."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command):
        deadline = time.monotonic() + START_S
        while True:
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"


def make_bucket(endpoint: str, name: str) -> None:
    request = urllib.request.Request(f"{endpoint}/{name}", method="PUT")  # noqa: S310 - loopback
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    without_proxy.open(request).close()


def s3_url(endpoint: str, bucket: str) -> str:
    return f"s3://{bucket}/some/prefix?endpoint={endpoint}&{S3_KEYS}"


def free_port() -> int:
    """A port that nobody uses, and that the system gives to no outgoing connection."""
    while True:
        port = _random.randrange(*_PORTS)
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
