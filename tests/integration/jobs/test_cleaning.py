"""The regular cleaning over days, by a clock that the tests turn; with a real server and store."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from jobs.cleaning import Cleaning
from jobs.media_jobs import MediaJob
from jobs.media_tasks import DrawSheet
from jobs.orders import LookJob
from jobs.queues.keys import DELIVER, KNOWN_ENGINES, LOOK, MEDIA, open_key
from jobs.queues.outbox import Outbox
from jobs.queues.queues import Queues
from jobs.service_errors import QueueUnavailable
from jobs.store.files import FileStore
from jobs.store.keys import input_key, media_key, result_key
from jobs.store.retention import EXPIRY_KEY, Retention, Swept
from tests.integration.jobs.hand import ENGINE, Hand, make_order

pytestmark = pytest.mark.local_sockets

HOUR_S = 3600.0
NOTHING = (0, Swept(), Swept())


class Service:
    """What the bot has: queues, outbox, retention and cleaning, all by one clock."""

    def __init__(self, queues: Queues, store: FileStore) -> None:
        self.start = time.time()
        self.now = self.start
        self.outbox = Outbox(queues, [*queues.engine_queues, LOOK], clock=lambda: self.now)
        self.retention = Retention(queues.client, store, input_s=24 * HOUR_S, result_s=24 * HOUR_S)
        self.cleaning = Cleaning(queues, self.outbox, self.retention)

    async def clean_at(self, hours: float) -> tuple[int, Swept, Swept]:
        """What is cleaned so long after the start."""
        self.now = self.start + hours * HOUR_S
        return await self.cleaning.sweep(self.now)


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey, [ENGINE, "mesh"]) as opened:
        yield opened


@pytest.fixture
def service(queues: Queues, local_store: FileStore) -> Service:
    return Service(queues, local_store)


async def keys(store: FileStore) -> list[str]:
    return sorted([file.key async for file in store.listing()])


async def test_all_of_an_order_goes_in_its_time_and_nothing_is_left(
    service: Service, queues: Queues, redis: Redis, local_store: FileStore
) -> None:
    photo = await service.retention.put_input("7", "photo", b"photo", service.now)
    order = make_order(2, photo_key=photo)
    await queues.submit(order)
    await Hand(redis).work_through()
    loser, video = result_key(order.order_id, 1), result_key(order.order_id, 2)
    for key in (loser, video):
        await local_store.put(key, b"video")
    assert await service.outbox.sweep() == 1
    assert await service.clean_at(0) == NOTHING
    await service.retention.record_delivery(order.order_id, service.now, video)
    await Hand(redis, DELIVER).work_through()
    assert await keys(local_store) == [photo, video]
    assert await service.clean_at(23) == NOTHING
    assert await service.clean_at(25) == (0, Swept(folders=3, files=2), Swept())
    assert await keys(local_store) == []
    assert await service.clean_at(49) == (1, Swept(), Swept())
    assert await service.outbox.sweep() == 0
    assert await service.clean_at(73) == (1, Swept(), Swept())
    assert await redis.zcard(EXPIRY_KEY) == 0
    # What is left goes by itself: our own keys have a time to live, BullMQ's belong to no order.
    left = [key async for key in redis.scan_iter("animato:*") if await redis.ttl(key) < 0]
    assert sorted(left) == [KNOWN_ENGINES, f"animato:fair:{order.ref.queue}"]
    assert [key async for key in redis.scan_iter("bull:*") if order.order_id in key] == []


async def test_files_of_an_open_order_or_look_live_however_long_it_waits(
    service: Service, queues: Queues, redis: Redis, local_store: FileStore
) -> None:
    for draft in ("7", "8", "9", "10", "11"):
        await service.retention.put_input(draft, "photo", b"", service.now)
    hand = Hand(redis)
    await queues.submit(make_order(2, draft="8"))
    assert await hand.take()
    await queues.submit(make_order(3, draft="9"))
    await hand.fail(await hand.take(), RuntimeError("again"))
    await queues.submit(make_order(4, draft="7"))
    look = LookJob(look_id="look-1", person=5, draft="10", photo_key="inputs/10/photo")
    await queues.send(look.ref, look, look.person)
    assert (await service.clean_at(25))[1].files == 1
    assert (await service.clean_at(100))[1].files == 0
    assert await keys(local_store) == [input_key(d, "photo") for d in ("10", "7", "8", "9")]
    assert (await queues.cancel(make_order(4, draft="7").ref)).value == "removed"
    assert (await service.clean_at(100.02))[1].files == 0
    assert (await service.clean_at(100.05))[1].files == 1
    # After a night in which nobody cleaned, too.
    assert (await service.clean_at(200))[1].files == 0


async def test_files_of_a_media_job_live_until_its_delivery(
    service: Service, queues: Queues, redis: Redis, local_store: FileStore
) -> None:
    job = MediaJob(job_id="m-1", person=5, chat=5, task=DrawSheet(pictures=(None,)))
    for name in ("m-1", "m-2", "m-3"):
        await local_store.put(media_key(name, "sheet.jpg"), b"sheet")
        await service.retention.touch_media(name, service.now)
    await queues.send(job.ref, job, job.person)
    await service.retention.forget_media("m-2", service.now)
    assert await keys(local_store) == [media_key("m-1", "sheet.jpg"), media_key("m-3", "sheet.jpg")]
    for hours in (23, 25, 46):
        await service.clean_at(hours)
    assert await keys(local_store) == [media_key("m-1", "sheet.jpg")]
    await Hand(redis, MEDIA).work_through()
    await service.clean_at(71)
    assert await keys(local_store) == []
    # A file without a deadline, such as one that was stored after the delivery.
    await local_store.put(media_key("m-1", "late.jpg"), b"late")
    assert (await service.clean_at(100))[2].files == 1


async def test_what_was_not_delivered_stays(
    service: Service, queues: Queues, redis: Redis, local_store: FileStore
) -> None:
    order = make_order(2)
    await queues.submit(order)
    await Hand(redis).work_through()
    await local_store.put(result_key(order.order_id, 1), b"video")
    await service.outbox.sweep()
    assert await service.clean_at(1000) == NOTHING
    assert await keys(local_store) == [result_key(order.order_id, 1)]
    status = await queues.status(order.ref)
    assert status is not None
    assert status.video().key == result_key(order.order_id, 1)


async def test_uploads_of_an_order_that_is_gone_are_found(
    service: Service, queues: Queues, redis: Redis, local_store: FileStore
) -> None:
    order, hand = make_order(2), Hand(redis)
    await queues.submit(order)
    await local_store.put(result_key(await hand.take(), 1), b"video")
    await hand.fail(order.order_id, RuntimeError("the server was gone for long"))
    await queues.cancel(order.ref)
    assert await service.clean_at(48 - 0.1) == NOTHING
    # They are looked for now and then, not each time.
    assert await service.clean_at(48.1) == NOTHING
    assert await service.clean_at(54) == (0, Swept(), Swept(folders=1, files=1))
    assert await keys(local_store) == []


async def test_open_orders_of_a_person_are_forgotten_by_themselves(
    queues: Queues, redis: Redis
) -> None:
    await queues.submit(make_order(2))
    await Hand(redis).work_through()
    assert 0 < await redis.ttl(open_key(2)) <= 48 * HOUR_S
    assert await redis.zcard(open_key(2)) == 1
    await queues.submit(make_order(2, 2))
    assert await redis.zrange(open_key(2), 0, -1) == [make_order(2, 2).ref.key]


async def test_server_that_is_gone_is_told(local_store: FileStore, tmp_path: Path) -> None:
    async with Queues(f"unix://{tmp_path}/no.sock", [ENGINE]) as queues:
        queues.client.set_retry(Retry(NoBackoff(), 0))
        with pytest.raises(QueueUnavailable):
            await Service(queues, local_store).clean_at(0)
