"""The file store when things go wrong: kills, full disks, refusals, servers that are gone."""

import asyncio
import gc
import os
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jobs.errors import DiskFull
from jobs.service_errors import FileGone, StoreFull, StoreUnavailable
from jobs.store.files import FileStore
from tests.integration.file_server import Answer, FileServer, Handler, status
from tests.integration.jobs.conftest import HASTY
from tests.integration.jobs.servers import free_port, s3_url

pytestmark = pytest.mark.local_sockets

ROOT = Path(__file__).parents[3]
CONTENT = b"0123456789" * 300_000
PATIENCE_S = 60.0
HUGE_BYTES = 1 << 60

# Puts a file into a store; what happens before is the test's own.
PUT = """
import asyncio, os, resource, sys
from pathlib import Path
from jobs.store.files import FileStore

store = FileStore.open(sys.argv[1], min_free_bytes=0)
{before}
try:
    asyncio.run(store.put("inputs/1/photo", Path(sys.argv[2])))
except Exception as error:
    print(type(error).__name__, error)
"""


def child(url: str, source: Path, before: str = "") -> "subprocess.Popen[str]":
    """A process that puts a file into a store; its one line says what became of it."""
    return subprocess.Popen(
        [sys.executable, "-c", PUT.format(before=before), url, str(source)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )


async def keys(store: FileStore) -> list[str]:
    return sorted([file.key async for file in store.listing()])


def bytes_under(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# --- a folder -------------------------------------------------------------------------------------


async def test_put_that_is_killed_leaves_nothing_to_be_seen_and_is_cleared_later(
    local_store: FileStore, tmp_path: Path
) -> None:
    source, folder = tmp_path / "source", tmp_path / "store"
    os.mkfifo(source)
    await local_store.put("inputs/1/photo", b"old")
    with child(str(folder), source) as process, source.open("wb") as feed:
        feed.write(CONTENT)
        feed.flush()
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while bytes_under(folder) < 1_000_000:
            assert asyncio.get_running_loop().time() < deadline, "nothing arrives"
            await asyncio.sleep(0.01)
        process.kill()
    assert await keys(local_store) == ["inputs/1/photo"]
    assert await local_store.get("inputs/1/photo") == b"old"
    left = bytes_under(folder)
    assert left > 1_000_000
    assert await local_store.clear_unfinished(0) == 0
    assert bytes_under(folder) == left
    assert await local_store.clear_unfinished(4e9) == 1
    assert bytes_under(folder) == len(b"old")


async def test_full_disk_is_told_and_leaves_no_part(local_store: FileStore, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(CONTENT)
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))"
    with child(str(tmp_path / "store"), tmp_path / "source", limit) as process:
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert said.startswith(f"StoreFull The file store {tmp_path}/store has ")
    assert await keys(local_store) == []
    assert bytes_under(tmp_path / "store") == 0


async def test_fetch_to_a_full_disk_is_told_and_leaves_no_part(
    local_store: FileStore, tmp_path: Path
) -> None:
    await local_store.put("inputs/1/photo", CONTENT)
    (tmp_path / "work").mkdir()
    limit = (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "store.put = lambda key, path: store.fetch(key, path)"
    )
    with child(str(tmp_path / "store"), tmp_path / "work" / "photo", limit) as process:
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert said.startswith(DiskFull.__name__)
    assert list((tmp_path / "work").iterdir()) == []


async def test_fetch_that_is_cancelled_at_any_moment_leaves_no_part_and_no_open_file(
    local_store: FileStore, tmp_path: Path
) -> None:
    await local_store.put("inputs/1/photo", CONTENT)
    folder = tmp_path / "work"
    folder.mkdir()
    for number in range(150):
        fetching = asyncio.ensure_future(local_store.fetch("inputs/1/photo", folder / "photo"))
        await asyncio.sleep(number * 2e-5)
        fetching.cancel()
        with suppress(asyncio.CancelledError):
            await fetching
            (folder / "photo").unlink()
    await asyncio.sleep(0.1)  # what a thread opens late would be seen now
    assert list(folder.iterdir()) == []
    gc.collect()


async def test_folder_that_refuses_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    FileStore.open(str(folder))
    (tmp_path / "source").write_bytes(b"photo")
    folder.chmod(0o555)
    # Nothing is refused to root; what nobody may not import is imported before.
    as_nobody = "asyncio.run(asyncio.to_thread(int))\nif os.geteuid() == 0: os.seteuid(65534)"
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    with child(str(folder), tmp_path / "source", as_nobody) as process:
        said, _ = process.communicate(timeout=PATIENCE_S)
    folder.chmod(0o755)
    assert said.startswith(f"StoreUnavailable The file store {folder} cannot be used (permission")


async def test_folder_that_is_gone_is_not_taken_for_a_file_that_is_gone(
    local_store: FileStore, tmp_path: Path
) -> None:
    await local_store.put("a", b"")
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    for use in (
        local_store.get("a"),
        local_store.exists("a"),
        local_store.put("b", b""),
        local_store.fetch("a", tmp_path / "a"),
    ):
        with pytest.raises(StoreUnavailable, match="its folder is gone"):
            await use
    with pytest.raises(StoreUnavailable):
        local_store.is_full()


async def test_put_to_the_place_of_a_folder_is_refused(local_store: FileStore) -> None:
    await local_store.put("a/b", b"")
    with pytest.raises(StoreUnavailable, match="is a directory"):
        await local_store.put("a", b"")
    with pytest.raises(StoreUnavailable, match=r"file exists|not a directory"):
        await local_store.put("a/b/c", b"")
    assert await keys(local_store) == ["a/b"]


async def test_files_of_others_are_not_listed(local_store: FileStore, tmp_path: Path) -> None:
    (tmp_path / "store" / ".DS_Store").touch()
    (tmp_path / "store" / "my file").touch()
    await local_store.put("a", b"")
    assert await keys(local_store) == ["a"]


async def test_put_survives_that_its_folder_is_emptied_meanwhile(local_store: FileStore) -> None:
    async def put_and_delete(name: str) -> None:
        for _ in range(30):
            await local_store.put(f"inputs/1/{name}", b"")
            assert await local_store.exists(f"inputs/1/{name}")
            await local_store.delete([f"inputs/1/{name}"])

    await asyncio.gather(*(put_and_delete(name) for name in "abcd"))
    assert await keys(local_store) == []


async def test_below_the_limit_nothing_is_put(tmp_path: Path) -> None:
    FileStore.open(str(tmp_path), min_free_bytes=0)
    store = FileStore.open(str(tmp_path), min_free_bytes=HUGE_BYTES)
    assert store.is_full()
    with pytest.raises(StoreFull, match="MB left: free some space"):
        await store.put("a", b"")
    assert await keys(store) == []


async def test_file_that_would_go_below_the_limit_is_not_put(tmp_path: Path) -> None:
    free = FileStore.open(str(tmp_path)).free_bytes()
    assert free is not None
    store = FileStore.open(str(tmp_path), min_free_bytes=max(0, free - 1_000_000_000))
    assert not store.is_full()
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 2_000_000_000)
    with pytest.raises(StoreFull):
        await store.put("a", tmp_path / "large")
    await store.put("a", b"small")


# --- a bucket -------------------------------------------------------------------------------------


@asynccontextmanager
async def line_that_goes_dead(
    port: int, after_bytes: int
) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A port that leads to another, until so many bytes went there; and an event of that."""
    is_dead = asyncio.Event()
    sent_bytes = 0

    async def pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_up: bool
    ) -> None:
        nonlocal sent_bytes
        try:
            while said := await reader.read(65536):
                sent_bytes += len(said) if is_up else 0
                if sent_bytes > after_bytes:
                    is_dead.set()
                    await asyncio.Event().wait()
                writer.write(said)
                await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()

    pumps: list[asyncio.Task[None]] = []

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        pumps.append(asyncio.create_task(pump(reader, back, is_up=True)))
        pumps.append(asyncio.create_task(pump(there, writer, is_up=False)))

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], is_dead
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def test_upload_that_is_killed_leaves_nothing_to_be_seen(
    bucket: str, s3_for_all: str, tmp_path: Path
) -> None:
    (tmp_path / "source").write_bytes(CONTENT * 5)
    store = FileStore.open(bucket, timeouts=HASTY)
    port = urlsplit(s3_for_all).port
    assert port is not None
    async with line_that_goes_dead(port, after_bytes=8_000_000) as (dying, is_dead):
        url = bucket.replace(f":{port}", f":{dying}")
        with child(url, tmp_path / "source") as process:
            await asyncio.wait_for(is_dead.wait(), PATIENCE_S)
            process.kill()
    assert await keys(store) == []
    with pytest.raises(FileGone):
        await store.get("inputs/1/photo")


async def test_store_that_is_gone_is_told_without_its_keys(tmp_path: Path) -> None:
    store = FileStore.open(s3_url(f"http://127.0.0.1:{free_port()}", "mine"), timeouts=HASTY)
    (tmp_path / "photo").write_bytes(b"old")
    for use in (
        store.put("a", b""),
        store.get("a"),
        store.exists("a"),
        store.delete(["a"]),
        store.fetch("a", tmp_path / "photo"),
        keys(store),
        store.check(),
    ):
        with pytest.raises(StoreUnavailable) as caught:
            await use
        assert "s3://mine/some/prefix cannot be used (it does not answer)" in str(caught.value)
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert (tmp_path / "photo").read_bytes() == b"old"
    assert store.free_bytes() is None
    assert not store.is_full()
    assert await store.clear_unfinished(4e9) == 0


async def test_bucket_that_is_not_there_is_not_taken_for_a_file_that_is_not(
    s3_for_all: str,
) -> None:
    store = FileStore.open(s3_url(s3_for_all, "nobodys"), timeouts=HASTY)
    for use in (store.put("a", b""), store.get("a"), keys(store), store.check()):
        with pytest.raises(StoreUnavailable, match="there is no such bucket"):
            await use


async def test_keys_and_endpoint_may_come_from_the_environment(
    bucket: str, s3_for_all: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await FileStore.open(bucket).put("a", b"content")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_for_all)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert await FileStore.open(bucket.partition("?")[0]).get("a") == b"content"


def dated(handler: Handler) -> None:
    """The file, as S3 stores answer."""
    content = handler.ours.content
    when = formatdate(0, usegmt=True)
    handler.head(200, len(content), ETag=handler.ours.etag, Last_Modified=when)
    handler.wfile.write(content)


def breaks_off_dated(sent_bytes: int) -> Answer:
    def answer(handler: Handler) -> None:
        when = formatdate(0, usegmt=True)
        handler.head(200, len(handler.ours.content), ETag=handler.ours.etag, Last_Modified=when)
        handler.wfile.write(handler.ours.content[:sent_bytes])

    return answer


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([status(403)], "it refuses the keys"),
        ([status(401)], "it refuses the keys"),
        ([status(500), status(503), status(503)], "it answers with status 503"),
        ([breaks_off_dated(1_500_000), *[status(500)] * 5], ""),
    ],
)
async def test_answers_that_are_no_file_are_told_and_leave_none(
    tmp_path: Path, answers: list[Answer], reason: str
) -> None:
    with FileServer(CONTENT) as server:
        server.plan("/mine/some/prefix/a", *answers)
        store = FileStore.open(s3_url(server.url(""), "mine"), timeouts=HASTY)
        with pytest.raises(StoreUnavailable) as caught:
            await store.fetch("a", tmp_path / "photo")
    assert reason in str(caught.value)
    assert list(tmp_path.iterdir()) == []


async def test_whole_answer_is_a_file(tmp_path: Path) -> None:
    with FileServer(CONTENT) as server:
        server.plan("/mine/some/prefix/a", dated)
        store = FileStore.open(s3_url(server.url(""), "mine"), timeouts=HASTY)
        await store.fetch("a", tmp_path / "photo")
    assert (tmp_path / "photo").read_bytes() == CONTENT


def test_fetching_a_large_file_needs_little_memory(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    with (tmp_path / "store" / "large").open("wb") as large:
        large.truncate(150_000_000)
    program = """
import asyncio, os, resource, sys
from pathlib import Path
from jobs.store.files import FileStore

store = FileStore.open(sys.argv[1], min_free_bytes=0)
asyncio.run(store.check())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
asyncio.run(store.fetch("large", Path(sys.argv[2])))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, flush=True)
# Threads of the store's library may still run, and rarely abort the interpreter while it ends.
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "store"), str(tmp_path / "back")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 60_000_000
    assert (tmp_path / "back").stat().st_size == 150_000_000
