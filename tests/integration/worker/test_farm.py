"""Two workers that have nothing in common but a guarded Redis server and an S3 store.

They are started as their owner starts them, each in a folder of its own, as if on two machines.
"""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import skimage.data
from PIL import Image

from inference.media.video import ClipReader
from jobs.connection import check_server
from jobs.orders import LookResult, OrderState
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.keys import prefix_of
from jobs.queues.order_logs import LINES_KEPT, OrderLogs
from jobs.queues.queues import Queues
from jobs.store.files import FileStore
from tests.conftest import Require
from tests.integration.jobs import conftest as servers
from tests.integration.jobs.servers import START_S, free_port, running
from tests.integration.jobs.test_connection_tls import certificate
from tests.integration.worker.conftest import (
    PHOTO,
    engine_processes,
    look_ordered,
    ordered,
    seen,
    until,
)

pytestmark = [
    pytest.mark.local_sockets,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told from /proc"),
]

bucket = servers.bucket
s3_for_all = servers.s3_for_all

ROOT = Path(__file__).parents[3]
USER, PASSWORD = "farm", "p/a#s%s:w@rd"
SECRETS = (PASSWORD, quote(PASSWORD, safe=""), "hunter2")
ASTRONAUT = np.ascontiguousarray(skimage.data.astronaut()[0:256, 96:352])


@dataclass(frozen=True)
class Farm:
    """What the workers have in common, and the folder of what they do not."""

    url: str
    store_url: str
    folder: Path


@dataclass(frozen=True)
class FarmWorker:
    """A worker's process and its own folder."""

    process: asyncio.subprocess.Process
    folder: Path

    def engines(self) -> list[int]:
        return engine_processes(self.process.pid)

    def is_encoding(self) -> bool:
        return any(self.folder.glob("data/work/*/job-*/**/*.mp4"))

    def said(self) -> str:
        return (self.folder / "log").read_text("utf-8")


def tls_program(folder: Path, require: Require) -> Path:
    """A server program that knows TLS, which ours does not."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    # Debian's package of the server is a link to this program, and starts a service besides.
    found = shutil.which("valkey-check-rdb") or shutil.which("redis-check-rdb")
    require(found, "there is no Redis server with TLS (Debian: redis-tools)")
    link = folder / "redis-server"
    link.symlink_to(found or "")
    return link


@pytest.fixture
async def farm(bucket: str, tmp_path: Path, require: Require) -> AsyncIterator[Farm]:
    """A server with a password and TLS; that of `animato up` has a password alone."""
    port = free_port()
    place = f"{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}"
    require(find_spec("cryptography"), "the library cryptography is not installed")
    program = tls_program(tmp_path, require)
    pem = certificate(tmp_path)
    url = f"rediss://{place}?ssl_ca_certs={pem}"
    options: dict[str, object] = {"port": 0, "tls-port": port, "tls-auth-clients": "no"}
    options |= dict.fromkeys(("tls-cert-file", "tls-key-file", "tls-ca-cert-file"), pem)
    options |= {"bind": "127.0.0.1", "dir": tmp_path, "save": "", "rdbcompression": "no"}
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    users = ["--user", "default", "off"]
    users += ["--user", USER, "on", f">{PASSWORD}", "~*", "&*", "+@all"]
    with running([str(program), *words, *users]):
        await check_server(url, wait_s=START_S)
        yield Farm(url, bucket, tmp_path)


@asynccontextmanager
async def farm_worker(farm: Farm, name: str) -> AsyncIterator[FarmWorker]:
    """A worker while the block lasts; at the end of it, it is told to end and does."""
    folder = farm.folder / name
    folder.mkdir()
    settings = {
        "ANIMATO_REDIS_URL": farm.url,
        "ANIMATO_STORE_URL": farm.store_url,
        "ANIMATO_MIN_FREE_GB": "0",
        "TMPDIR": str(folder),  # one that is killed leaves something there
    }
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "animato", "worker", "--verbose", "--engines", "mesh"),
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **settings},
            stdout=log,
            stderr=log,
        )
    try:
        yield FarmWorker(process, folder)
        if process.returncode is None:
            process.terminate()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def frames_of(store: FileStore, key: str, folder: Path) -> np.ndarray:
    path = folder / key.replace("/", "-")
    await store.fetch(key, path)
    with ClipReader(path) as frames:
        return np.stack(list(frames))


async def test_one_does_the_work_of_the_other_that_is_killed_and_no_secret_is_told(
    farm: Farm, tmp_path: Path
) -> None:
    store = FileStore.open(farm.store_url)
    Image.fromarray(ASTRONAUT).save(tmp_path / "photo.png")
    await store.put(PHOTO, tmp_path / "photo.png")
    async with (
        Queues(farm.url, ["mesh"]) as queues,
        farm_worker(farm, "one") as one,
        farm_worker(farm, "two") as two,
    ):
        workers = WorkerRegistry(queues.client)

        async def both_live() -> bool:
            return len(await workers.living()) == 2

        await seen(both_live)
        look = await look_ordered(queues)
        found = LookResult.read((await until(queues, look.ref, OrderState.DONE)).result or "")
        facts = {"photo_key": found.photo.file, "face_box": found.faces[0].box}

        broken_off = await ordered(queues, 2, "mesh", **facts)

        async def somebody_is_in_the_middle() -> bool:
            return one.is_encoding() or two.is_encoding()

        await seen(somebody_is_in_the_middle)
        killed, other = (one, two) if one.is_encoding() else (two, one)
        # It shall not be quicker than we are.
        os.kill(killed.engines()[0], signal.SIGSTOP)
        undisturbed = await ordered(queues, 3, "mesh", **facts)
        first = (await until(queues, undisturbed.ref, OrderState.DONE)).video()
        signs = await workers.living()
        killed.process.kill()
        await killed.process.wait()
        # As if its half minute were over, and it were missed already.
        await queues.client.delete(broken_off.ref.lock_key)
        await queues.client.sadd(f"{prefix_of(broken_off.ref.queue)}stalled", broken_off.order_id)
        status = await until(queues, broken_off.ref, OrderState.DONE)
        second = status.video()
        assert (status.starts, first.attempt, second.attempt) == (2, 1, 2)

        lines = await OrderLogs(queues.client).last(broken_off.order_id, LINES_KEPT)
        begun = [line for line in lines if " start " in line]
        pids = [killed.process.pid, other.process.pid]
        assert [f"-{pid}-" in line for pid, line in zip(pids, begun, strict=True)] == [True, True]
        await queues.client.save()

    smooth = await frames_of(store, first.key, tmp_path)
    again = await frames_of(store, second.key, tmp_path)
    assert smooth.shape == again.shape == (75, *ASTRONAUT.shape)
    assert np.array_equal(smooth, again)
    assert np.abs(smooth[0].astype(float) - ASTRONAUT).mean() < 4
    assert sorted(path.name for path in other.folder.iterdir()) == ["data", "log"]
    assert [path.name for path in other.folder.glob("data/**/*") if path.is_file()] == []

    kept = (tmp_path / "dump.rdb").read_bytes()
    assert broken_off.order_id.encode() in kept
    assert "begun, start 1" in killed.said()
    assert "begun, start 2" in other.said()
    told = [one.said(), two.said(), *map(str, signs), repr(kept)]
    assert [secret for secret in SECRETS if any(secret in text for text in told)] == []
