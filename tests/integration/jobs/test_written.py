"""What was answered outlives the server's death, also while its disk is busy."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs.orders import OrderState
from jobs.queues.delivery_records import DeliveryRecord, read_record, write_record
from jobs.queues.durability import wait_until_durable
from jobs.queues.keys import LOOK, JobRef
from jobs.queues.queues import Queues
from jobs.redis_server.server import RedisServer
from jobs.service_errors import QueueUnavailable
from tests.integration.jobs.hand import ENGINE, Hand, make_order

pytestmark = pytest.mark.local_sockets

BUSY = {"aof_buffer_length": 120, "aof_last_write_status": "ok"}
WRITTEN = {"aof_buffer_length": 0, "aof_last_write_status": "ok"}
FULL = {"aof_buffer_length": 120, "aof_last_write_status": "err"}


class Telling(Redis):
    """A client of a server that tells what a test says; then it has nothing more to tell."""

    answers: list[dict[str, Any]]

    async def info(self, *_: object, **__: object) -> dict[str, Any]:
        return self.answers.pop(0)


class Forgetful(Redis):
    """A client whose server dies with all that it has not written when it is first asked for that.

    Attributes:
        deaths: how many are still to come.
    """

    deaths = 1

    async def info(self, *_: object, **__: object) -> dict[str, Any]:
        if self.deaths:
            self.deaths -= 1
            await self.flushall()
        return WRITTEN


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey, [ENGINE]) as opened:
        honest = opened.client
        opened.client = Forgetful.from_url(valkey, decode_responses=True)
        yield opened
        await honest.aclose()


def telling(*answers: dict[str, Any]) -> Telling:
    client = Telling()
    client.answers = list(answers)
    return client


async def test_server_that_still_has_something_in_its_memory_is_waited_for() -> None:
    client = telling(BUSY, BUSY, WRITTEN)
    await wait_until_durable(client)
    assert client.answers == []


async def test_server_that_cannot_write_is_told_and_not_waited_for() -> None:
    client = telling(BUSY, FULL)
    with pytest.raises(QueueUnavailable, match=r"localhost:6379 .* cannot write to its disk"):
        await wait_until_durable(client)
    assert client.answers == []


async def test_server_that_keeps_nothing_is_not_waited_for(redis: Redis) -> None:
    await wait_until_durable(redis)


async def test_our_own_server_tells_what_it_has_not_written(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server, Queues(server.url, [ENGINE]) as queues:
        facts = await queues.client.info("persistence")
        assert {name: facts.get(name) for name in WRITTEN} == WRITTEN
        await queues.submit(make_order(2))


async def test_order_that_the_server_has_forgotten_is_put_there_again(
    queues: Queues, redis: Redis
) -> None:
    submitted = await queues.submit(make_order(2))
    assert (submitted.is_new, submitted.status.state) == (True, OrderState.WAITING)
    assert not (await queues.submit(make_order(2))).is_new
    assert await Hand(redis).work_through() == ["c2-7-1"]


async def test_photo_that_the_server_has_forgotten_is_put_there_again(
    queues: Queues, redis: Redis
) -> None:
    assert await queues.send(JobRef(LOOK, "look-1"), make_order(2), 2)
    assert await Hand(redis, LOOK).work_through() == ["look-1"]


async def test_mark_that_the_server_has_forgotten_is_written_again(queues: Queues) -> None:
    mark = DeliveryRecord().begun(100.0)
    await write_record(queues, "d-1", mark)
    assert await read_record(queues, "d-1") == mark
