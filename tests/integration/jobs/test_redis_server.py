"""The embedded Valkey: it starts, survives kills, gives up with an error, and leaves no process."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from jobs.connection import check_server, connect
from jobs.redis_server.program import find_program
from jobs.redis_server.server import RedisServer, ServerTimeouts, queue_server
from jobs.service_errors import (
    FolderRefused,
    QueueFolderBusy,
    QueueServerFailed,
    QueueServerMissing,
    QueueUnavailable,
)
from tests.conftest import Require

pytestmark = [
    pytest.mark.local_sockets,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told from /proc"),
]

HASTY = ServerTimeouts(lock_s=0, start_s=60, stop_s=60, pause_s=0.01, deaths=3)
PATIENCE_S = 60.0
PARENT = """
import asyncio, sys
from pathlib import Path
from jobs.redis_server.server import RedisServer

async def main():
    async with RedisServer(Path(sys.argv[1])) as server:
        print(server.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def program(require: Require, tmp_path: Path) -> Path:
    try:
        return find_program(tmp_path)
    except QueueServerMissing:
        require(False, "there is no Valkey and no Redis")
        raise


@asynccontextmanager
async def talking(url: str) -> AsyncIterator[Redis]:
    client = connect(url, is_worker=False)
    try:
        yield client
    finally:
        await client.aclose()


async def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not is_so():
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.01)


async def gone(pid: int) -> None:
    """Waits until nothing of the server's group runs any more: the killed take a moment."""
    await until(lambda: is_gone(pid), f"{pid} still runs")


def is_gone(pid: int) -> bool:
    """Whether nothing of the server's group runs any more."""
    for stat_file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = stat_file.read_text("utf-8").rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it has just ended
        if int(group) == pid and state != "Z":
            return False
    return True


def script(folder: Path, *lines: str) -> Path:
    """A server program that does something of its own."""
    path = folder / "program"
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]), "utf-8")
    path.chmod(0o755)
    return path


def newest_log(folder: Path) -> Path:
    """The append-only file that is written to."""
    (found,) = (folder / "redis" / "appendonlydir").glob("*.incr.aof")
    return found


async def test_it_keeps_what_it_accepts_and_throws_nothing_away(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server, talking(server.url) as client:
        assert server.url.startswith("unix:///")
        for name, value in {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "save": "",
            "port": "0",
        }.items():
            assert await client.config_get(name) == {name: value}
        assert await check_server(server.url) >= (6, 2)


async def test_nobody_else_can_read_its_files(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server, talking(server.url) as client:
        await client.set("chat", "1")
        folder = tmp_path / "redis"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "redis.sock").stat().st_mode) == 0o700
        assert stat.S_IMODE(newest_log(tmp_path).stat().st_mode) == 0o600


async def test_nothing_is_left_of_it_when_the_block_ends(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server:
        pid = server.pid
        assert os.getpgid(pid) == pid != os.getpgid(0)
    await gone(pid)


async def test_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / 'Ali\'s "data" %41 #1 ü'
    async with RedisServer(folder) as server, talking(server.url) as client:
        await client.set("a", "1")
    assert newest_log(folder).stat().st_size > 0


async def test_what_it_has_accepted_is_there_the_next_time(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server, talking(server.url) as client:
        await client.set("order", "accepted")
    async with RedisServer(tmp_path) as server, talking(server.url) as client:
        assert await client.get("order") == "accepted"


async def test_killed_it_is_back_with_all_that_it_had(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server, talking(server.url) as client:
        before, url = server.pid, server.url
        await client.set("order", "accepted")
        os.kill(before, signal.SIGKILL)
        # The client waits for it by itself.
        assert await client.get("order") == "accepted"
        assert server.pid != before
        assert server.url == url
        await gone(before)


async def test_cut_tail_of_its_file_costs_only_the_tail(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server, talking(server.url) as client:
        await client.set("first", "1")
        await client.set("second", "2")
    log = newest_log(tmp_path)
    os.truncate(log, log.stat().st_size - 3)
    async with RedisServer(tmp_path) as server, talking(server.url) as client:
        assert await client.get("first") == "1"
        assert await client.get("second") is None


async def test_file_that_is_broken_inside_is_one_sentence(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server, talking(server.url) as client:
        for number in range(50):
            await client.set(f"key{number}", "value")
    log = newest_log(tmp_path)
    content = log.read_bytes()
    log.write_bytes(content.replace(b"$5\r\nkey25", b"?5\r\nkey25"))
    with pytest.raises(QueueServerFailed, match=r"did not start: Bad file format.*Its files are"):
        await RedisServer(tmp_path, timeouts=HASTY).__aenter__()


async def test_second_server_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as first, talking(first.url) as client:
        with pytest.raises(QueueFolderBusy, match="in use by another animato"):
            await RedisServer(tmp_path, timeouts=HASTY).__aenter__()
        assert await client.ping()
    async with RedisServer(tmp_path, timeouts=HASTY) as second, talking(second.url) as client:
        assert await client.ping()


async def test_second_server_waits_for_one_that_is_just_ending(tmp_path: Path) -> None:
    async with RedisServer(tmp_path):
        second = asyncio.create_task(RedisServer(tmp_path).__aenter__())
        await asyncio.sleep(0.2)
        assert not second.done()
    server = await second
    async with talking(server.url) as client:
        assert await client.ping()
    await server.__aexit__(None, None, None)


async def test_where_no_socket_fits_it_listens_on_loopback_with_a_password(
    tmp_path: Path, program: Path
) -> None:
    folder = tmp_path / ("long" * 30)
    # The server itself shows something else in the list of processes, but only once it runs.
    shown = script(tmp_path, f'echo "$@" > {tmp_path}/shown', f'exec {program} "$@"')
    async with RedisServer(folder, program=shown) as server, talking(server.url) as client:
        assert await client.config_get("bind") == {"bind": "127.0.0.1"}
        head, _, place = server.url.partition("@")
        password = head.removeprefix("redis://:")
        assert len(password) == 64
        file = folder / "redis" / "password.conf"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert password in file.read_text("utf-8")
        arguments = (tmp_path / "shown").read_text("utf-8")
        assert "--bind 127.0.0.1" in arguments
        assert password not in arguments
        for wrong in (f"redis://{place}", f"redis://:{'0' * 64}@{place}"):
            with pytest.raises(QueueUnavailable, match="its password is wrong or missing"):
                await check_server(wrong)


async def killed_parent(folder: Path, *, is_stopped: bool) -> int:
    """The process id of a server whose parent has been killed; a stopped one cannot end yet."""
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(folder)),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    async with talking(f"unix://{folder}/redis/redis.sock") as client:
        await client.set("order", "accepted")
    if is_stopped:
        os.kill(pid, signal.SIGSTOP)
    parent.kill()
    await parent.wait()
    return pid


async def test_it_ends_when_its_parent_is_killed_and_the_next_one_can_start(
    tmp_path: Path,
) -> None:
    pid = await killed_parent(tmp_path, is_stopped=False)
    async with RedisServer(tmp_path) as server, talking(server.url) as client:
        await gone(pid)
        assert await client.get("order") == "accepted"


async def test_folder_is_not_free_while_an_orphan_is_still_ending(tmp_path: Path) -> None:
    pid = await killed_parent(tmp_path, is_stopped=True)
    with pytest.raises(QueueFolderBusy):
        await RedisServer(tmp_path, timeouts=HASTY).__aenter__()
    os.kill(pid, signal.SIGCONT)
    async with RedisServer(tmp_path) as server, talking(server.url) as client:
        assert await client.get("order") == "accepted"


async def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    async with RedisServer(tmp_path, timeouts=ServerTimeouts(stop_s=0.1)) as server:
        pid = server.pid
        os.kill(pid, signal.SIGSTOP)
    await gone(pid)


async def test_one_that_dies_again_and_again_is_given_up_loudly(
    tmp_path: Path, program: Path, caplog: pytest.LogCaptureFixture
) -> None:
    once = f'if mkdir {tmp_path}/once 2>/dev/null; then exec {program} "$@"; fi'
    bad = script(tmp_path, once, "echo the disk has a hole", "exit 3")
    async with RedisServer(tmp_path, program=bad, timeouts=HASTY) as server:
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(QueueServerFailed, match=r"died too often.*: the disk has a hole"):
            await asyncio.wait_for(server.watch(), PATIENCE_S)
        with pytest.raises(LookupError):
            _ = server.pid
    assert "it was killed by signal 9." in caplog.text
    assert [record.levelname for record in caplog.records].count("CRITICAL") == 1


async def test_deaths_that_lie_far_apart_are_not_counted_together(tmp_path: Path) -> None:
    timeouts = ServerTimeouts(pause_s=0.01, deaths=2, window_s=0.0)
    async with RedisServer(tmp_path, timeouts=timeouts) as server, talking(server.url) as client:
        for _ in range(3):
            before = server.pid
            os.kill(before, signal.SIGKILL)
            assert await client.ping()
            assert server.pid != before


async def test_one_that_dies_at_once_is_one_sentence_and_frees_the_folder(tmp_path: Path) -> None:
    bad = script(tmp_path, "echo the disk has a hole.", "exit 3")
    with pytest.raises(QueueServerFailed, match=r"did not start: the disk has a hole\. Its files"):
        await RedisServer(tmp_path, program=bad, timeouts=HASTY).__aenter__()
    async with RedisServer(tmp_path, timeouts=HASTY):
        pass


async def test_program_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    bad = script(tmp_path)
    bad.chmod(0o644)
    with pytest.raises(QueueServerFailed, match=r"did not start: .*Permission denied"):
        await RedisServer(tmp_path, program=bad, timeouts=HASTY).__aenter__()


async def test_one_that_never_answers_is_one_sentence_and_killed(tmp_path: Path) -> None:
    bad = script(tmp_path, f"echo $$ > {tmp_path}/pid", "exec sleep 60")
    timeouts = ServerTimeouts(start_s=1)
    with pytest.raises(QueueServerFailed, match="does not answer"):
        await RedisServer(tmp_path, program=bad, timeouts=timeouts).__aenter__()
    await gone(int((tmp_path / "pid").read_text("utf-8")))


async def test_one_that_is_still_loading_is_waited_for(tmp_path: Path, program: Path) -> None:
    async with RedisServer(tmp_path) as server, talking(server.url) as client:
        await client.mset({f"key{number}": "value" * 100 for number in range(400)})
        await client.bgrewriteaof()
        base = tmp_path / "redis" / "appendonlydir"
        await until(lambda: any(base.glob("*.2.base.rdb")), "the file was not written anew")
    delay = "--key-load-delay 4000 --loading-process-events-interval-bytes 1024"
    slow = script(tmp_path, f'exec {program} "$@" {delay}')
    timeouts = ServerTimeouts(start_s=1)
    loading = RedisServer(tmp_path, program=slow, timeouts=timeouts)
    async with loading as server, talking(server.url) as client:
        assert await client.dbsize() == 400


async def test_endless_line_in_its_log_does_not_stop_it(tmp_path: Path, program: Path) -> None:
    line = "head -c 3000000 /dev/zero; echo"
    chatty = script(tmp_path, line, line, f'exec {program} "$@"')
    async with RedisServer(tmp_path, program=chatty) as server, talking(server.url) as client:
        assert await client.ping()


async def test_cancelled_start_leaves_nothing(tmp_path: Path) -> None:
    slow = script(tmp_path, f"echo $$ > {tmp_path}/pid", "exec sleep 60")
    starting = asyncio.create_task(RedisServer(tmp_path, program=slow).__aenter__())
    await until((tmp_path / "pid").exists, "it was not started")
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    pid = (tmp_path / "pid").read_text("utf-8").strip()
    if pid:
        await gone(int(pid))
    async with RedisServer(tmp_path, timeouts=HASTY):
        pass


async def test_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderRefused, match=r"cannot be written \(not a directory\)"):
        await RedisServer(tmp_path / "file").__aenter__()


async def test_given_server_comes_before_our_own(tmp_path: Path, valkey: str) -> None:
    async with queue_server(valkey, tmp_path) as server:
        assert server.url == valkey
        watching = asyncio.ensure_future(server.watch())
        await asyncio.sleep(0.05)
        assert not watching.done()
        watching.cancel()
    assert list(tmp_path.glob("redis")) == []


async def test_given_server_that_is_gone_is_not_replaced_by_our_own(tmp_path: Path) -> None:
    with pytest.raises(QueueUnavailable, match="does not answer"):
        async with queue_server(f"unix://{tmp_path}/none.sock", tmp_path, wait_s=0.3):
            pass
    assert list(tmp_path.glob("redis")) == []


async def test_without_an_address_our_own_is_started(tmp_path: Path) -> None:
    async with queue_server("", tmp_path) as server, talking(server.url) as client:
        assert await client.ping()
