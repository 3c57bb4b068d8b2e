"""A Valkey and an S3 store for the session; each test finds them empty."""

import itertools
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from redis.asyncio import Redis

from jobs.connection import connect
from jobs.redis_server.program import find_program
from jobs.service_errors import QueueServerMissing
from jobs.store.address import StoreTimeouts
from jobs.store.files import FileStore
from tests.conftest import Require
from tests.integration.jobs.servers import make_bucket, s3_server, s3_url, valkey_server

HASTY = StoreTimeouts(connect_s=60, read_s=60, retries=1, pause_s=0.01)
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def machine_has_no_proxy_and_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the machine's would be asked for loopback addresses too."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "ENDPOINT_URL", "ENDPOINT", "REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)


@pytest.fixture(scope="session")
def valkey_for_all(tmp_path_factory: pytest.TempPathFactory, require: Require) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("valkey")
    try:
        find_program(folder)
    except QueueServerMissing:
        require(False, "there is no Valkey and no Redis")
    with valkey_server(folder) as url:
        yield url


@pytest.fixture
async def redis(valkey_for_all: str) -> AsyncIterator[Redis]:
    """A client of an empty server."""
    client = connect(valkey_for_all, is_worker=False)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def valkey(valkey_for_all: str, redis: Redis) -> str:
    """The address of an empty server."""
    assert await redis.dbsize() == 0
    return valkey_for_all


@pytest.fixture(scope="session")
def s3_for_all(require: Require) -> Iterator[str]:
    require(find_spec("moto") and find_spec("flask_cors"), "moto's server is not installed")
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(s3_for_all: str) -> str:
    """The address of a place in an empty bucket."""
    name = f"test-{next(_numbers)}"
    make_bucket(s3_for_all, name)
    return s3_url(s3_for_all, name)


@pytest.fixture
def local_store(tmp_path: Path) -> FileStore:
    return FileStore.open(str(tmp_path / "store"), min_free_bytes=0)


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest) -> FileStore:
    """Either kind of store in turn, empty."""
    if request.param == "folder":
        local: FileStore = request.getfixturevalue("local_store")
        return local
    return FileStore.open(request.getfixturevalue("bucket"), timeouts=HASTY)
