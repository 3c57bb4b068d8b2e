"""The queues when their server dies, comes back, refuses or is not there."""

import asyncio
import resource
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from jobs.connection import connect
from jobs.orders import OrderState
from jobs.queues.admission import NO_LIMITS
from jobs.queues.outcomes import CancelOutcome
from jobs.queues.queue_worker import QueueWorker, WorkRules
from jobs.queues.queues import Queues
from jobs.redis_server.program import find_program
from jobs.service_errors import QueueServerMissing, QueueUnavailable
from tests.conftest import Require
from tests.integration.jobs.bench import LIMIT_S, Bench, until
from tests.integration.jobs.hand import ENGINE, QUEUE, Hand, make_order

pytestmark = pytest.mark.local_sockets

REF = make_order(2).ref


class Server:
    """A server that is killed and started again; its files stay."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"unix://{folder}/redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, fsync: str = "always") -> None:
        """Starts it; with `everysec`, what it answers while its disk is busy may die with it."""
        options = {
            "port": "0",
            "unixsocket": f"{self._folder}/redis.sock",
            "dir": str(self._folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": fsync,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [str(find_program(self._folder)), *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Python ignores SIGXFSZ, and so does the server then: a full file is an error to it.
            restore_signals=False,
        )

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    async def is_up(self) -> None:
        client = connect(self.url, is_worker=True)
        await client.ping()
        await client.aclose()

    def limit_files(self, most_bytes: int) -> None:
        assert self._process is not None
        hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (most_bytes, hard))

    def written_bytes(self) -> int:
        files = (self._folder / "appendonlydir").glob("*.incr.aof")
        return max(path.stat().st_size for path in files)


@pytest.fixture
async def server(tmp_path: Path, require: Require) -> AsyncIterator[Server]:
    try:
        find_program(tmp_path)
    except QueueServerMissing:
        require(False, "there is no Valkey and no Redis")
    own = Server(tmp_path)
    own.start()
    await own.is_up()
    yield own
    own.kill()


async def test_orders_that_come_while_the_server_restarts_are_all_there_once(
    server: Server,
) -> None:
    async with Queues(server.url, [ENGINE], NO_LIMITS) as queues:
        await queues.submit(make_order(1000))

        async def order(person: int) -> bool:
            await asyncio.sleep(0.002 * person)
            return (await queues.submit(make_order(person))).is_new

        async def restart() -> None:
            await asyncio.sleep(0.03)
            server.kill()
            await asyncio.sleep(0.2)
            server.start()

        *news, _ = await asyncio.gather(*map(order, range(2, 52)), restart())
        assert len(news) == 50
        client = connect(server.url, is_worker=False)
        starts = await Hand(client).work_through()
        await client.aclose()
        assert sorted(starts) == sorted(f"c{person}-7-1" for person in [*range(2, 52), 1000])


@pytest.mark.parametrize("starts", [1, 2])
async def test_outage_costs_a_second_start_only_if_it_is_longer_than_the_lock(
    server: Server, starts: int
) -> None:
    bench = Bench()
    rules = WorkRules(stalled_check_s=0.2, beat_s=0.1, stop_s=0.5)
    async with Queues(server.url, [ENGINE]) as queues:
        await queues.submit(make_order(2))
        async with QueueWorker(server.url, QUEUE, bench, rules):
            await bench.has_begun()
            server.kill()
            await asyncio.sleep(0.5)
            server.start()
            await server.is_up()
            if starts == 2:
                await queues.client.delete(REF.lock_key)  # as if half a minute had passed
            await bench.has_begun(starts)
            await asyncio.sleep(0.3)
            bench.word.set()
            status = await until(queues, REF, OrderState.DONE)
    assert status.starts == starts
    assert len(bench.begun) == starts


async def test_order_that_is_done_during_the_outage_is_not_computed_again(
    server: Server,
) -> None:
    bench = Bench()
    async with Queues(server.url, [ENGINE]) as queues:
        await queues.submit(make_order(2))
        async with QueueWorker(server.url, QUEUE, bench, WorkRules(beat_s=0.1)):
            await bench.has_begun()
            server.kill()
            bench.word.set()
            await asyncio.sleep(0.3)
            server.start()
            status = await until(queues, REF, OrderState.DONE)
    assert (status.starts, len(bench.begun)) == (1, 1)


async def test_idle_station_ends_in_an_outage(server: Server) -> None:
    async with asyncio.timeout(LIMIT_S):
        async with QueueWorker(server.url, QUEUE, Bench(), WorkRules(stop_s=0.5)):
            await asyncio.sleep(0.1)
            server.kill()
            await asyncio.sleep(0.1)
    server.start()


async def test_station_with_an_order_in_hand_ends_in_an_outage(server: Server) -> None:
    bench = Bench()
    async with Queues(server.url, [ENGINE]) as queues:
        await queues.submit(make_order(2))
        async with asyncio.timeout(LIMIT_S):
            async with QueueWorker(server.url, QUEUE, bench, WorkRules(stop_s=0.3)) as station:
                await bench.has_begun()
                server.kill()
                await station.drain(grace_s=0)
        server.start()
        assert (await until(queues, REF, OrderState.RUNNING)).starts == 1  # until its lock ends


async def test_server_with_a_full_disk_refuses_politely_and_recovers(server: Server) -> None:
    # As it is launched; with `always` it would give up.
    server.kill()
    server.start("everysec")
    async with Queues(server.url, [ENGINE], NO_LIMITS) as queues:
        await queues.submit(make_order(2))
        server.limit_files(server.written_bytes() + 2000)
        refused = None
        for person in range(3, 200):
            try:
                await queues.submit(make_order(person))
            except QueueUnavailable as error:
                refused = error
                break
        assert "it cannot write to its disk" in str(refused)
        # What is there can still be looked at.
        await until(queues, REF, OrderState.WAITING)
        server.limit_files(resource.RLIM_INFINITY)
        async with asyncio.timeout(LIMIT_S):
            while True:
                try:
                    assert (await queues.submit(make_order(500))).status.ahead is not None
                    break
                except QueueUnavailable:
                    await asyncio.sleep(0.2)


async def test_server_that_is_not_there_is_told_without_secrets(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/nobody.sock?password=hunter2"
    async with Queues(url, [ENGINE]) as queues:
        queues.client.set_retry(Retry(NoBackoff(), 1))
        with pytest.raises(QueueUnavailable, match=r"nobody\.sock cannot be used") as caught:
            await queues.submit(make_order(2))
        assert "hunter2" not in str(caught.value)
        with pytest.raises(QueueUnavailable):
            await queues.status(REF)
        with pytest.raises(QueueUnavailable):
            await queues.cancel(REF)


async def test_counts_say_what_is_where(valkey: str, redis: Redis) -> None:
    hand = Hand(redis)
    async with Queues(valkey, [ENGINE]) as queues:
        for person in range(2, 6):
            await queues.submit(make_order(person))
        await hand.finish(await hand.take())
        await hand.take()
        assert await queues.cancel(make_order(5).ref) is CancelOutcome.REMOVED
        assert (await queues.statistics(QUEUE)).counts == {
            "active": 1,
            "wait": 0,
            "prioritized": 1,
            "delayed": 0,
            "completed": 1,
            "failed": 0,
        }
