"""Orders that wait in the queue of an engine's former name are found, made and delivered."""

import json
from collections.abc import AsyncIterator

import pytest
from bullmq.custom_errors import UnrecoverableError
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from jobs.engines import EngineInfo
from jobs.metrics.queue_metrics import QueueMetrics
from jobs.orders import Order, OrderState
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.keys import DELIVERED_QUEUES, KNOWN_ENGINES, JobRef, accepted_key, open_key
from jobs.queues.known_engines import KnownEngine, KnownEngines
from jobs.queues.outbox import Outbox
from jobs.queues.outcomes import CancelOutcome
from jobs.queues.queues import Queues
from jobs.queues.waiting import Estimates
from tests.integration.jobs.hand import Hand, make_order
from tests.integration.jobs.test_known_engines import MESH, offers, sign

pytestmark = pytest.mark.local_sockets

QUEUE = "animate-flow"


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey) as opened:
        yield opened


async def ordered_before(queues: Queues, person: int = 2) -> Order:
    """An order that the version before has submitted, as that is read today."""
    plain = json.loads(make_order(person).to_json()) | {"engine": "flow"}
    before = KnownEngine(info=EngineInfo(name="flow", button="Sharper", preference=10), seen_s=1.0)
    await queues.client.hset(KNOWN_ENGINES, "flow", before.to_json())
    order = Order.read(json.dumps(plain))
    await queues.submit(order)
    assert await queues.client.hexists(JobRef(QUEUE, order.order_id).key, "data")
    await queues.client.hset(order.ref.key, "data", json.dumps(plain))
    return order


async def test_order_is_found_and_cancelled(queues: Queues, redis: Redis) -> None:
    order = await ordered_before(queues)
    status = await queues.status(order.ref)
    assert status is not None
    assert (status.state, status.ahead) == (OrderState.WAITING, 0)
    assert (await Estimates(redis).backlog(order.ref)).own == 75
    assert await queues.cancel(order.ref) is CancelOutcome.REMOVED
    assert await redis.zcard(open_key(2)) == 0


async def test_failed_order_is_tried_again_where_it_was(queues: Queues, redis: Redis) -> None:
    order, hand = await ordered_before(queues), Hand(redis, QUEUE)
    await hand.fail(await hand.take(), UnrecoverableError("?"))
    (letter,) = await queues.dead_letters()
    assert letter.status.ref == order.ref
    await queues.retry(order.ref)
    assert await hand.work_through() == [order.order_id]


async def test_order_is_delivered(queues: Queues, redis: Redis) -> None:
    order = await ordered_before(queues)
    await Hand(redis, QUEUE).work_through()
    assert await Outbox(queues).sweep() == 1
    (delivery,) = await Hand(redis, "deliver").work_through()
    assert order.order_id in delivery


async def test_order_that_has_never_reached_its_queue_is_one_order(
    queues: Queues, redis: Redis
) -> None:
    order = await ordered_before(queues)
    await redis.delete(accepted_key(order.order_id))
    again = make_order(2, engine="mesh")
    assert again.ref.queue == "animate-mesh"
    assert not (await queues.submit(again)).is_new
    assert await queues.status(again.ref) is None


async def test_former_names_orders_count_against_the_limits(queues: Queues) -> None:
    await ordered_before(queues)
    assert QUEUE in await queues.known_engine_queues()


async def test_worker_takes_from_both_queues(valkey: str) -> None:
    async with Queues(valkey, ["still", "mesh"]) as workers:
        assert workers.engine_queues == ("animate-still", "animate-mesh", QUEUE)


async def test_queue_is_shown_only_while_it_has_jobs(queues: Queues, redis: Redis) -> None:
    await WorkerRegistry(redis).beat(sign("a", MESH), 1.0)
    assert list(await queues.all_statistics()) == [*DELIVERED_QUEUES, "animate-mesh"]
    order, registry = await ordered_before(queues), CollectorRegistry()
    assert (await queues.all_statistics())[QUEUE].unfinished == 1
    metrics = QueueMetrics(queues, registry)
    await metrics.refresh()
    depth = {"engine": "flow", "state": "prioritized"}
    assert registry.get_sample_value("animato_queue_depth", depth) == 1
    takers = {"engine": "flow", "state": "idle"}
    assert registry.get_sample_value("animato_workers", takers) == 1
    await queues.cancel(order.ref)
    await metrics.refresh()
    assert registry.get_sample_value("animato_queue_depth", depth) is None
    assert registry.get_sample_value("animato_queue_virtual_time", {"engine": "mesh"}) == 1
    assert list(await queues.all_statistics()) == [*DELIVERED_QUEUES, "animate-mesh"]


async def test_engine_is_known_by_its_name_alone(queues: Queues, redis: Redis) -> None:
    await ordered_before(queues)
    assert await KnownEngines(redis).names() == ("mesh",)
    (before,) = await KnownEngines(redis).all()
    assert (before.info.name, before.seen_s) == ("mesh", 1.0)
    await WorkerRegistry(redis).beat(sign("a", MESH.model_copy(update={"title": "new"})), 2.0)
    (now,) = await KnownEngines(redis).all()
    assert (now.info.title, now.seen_s) == ("new", 2.0)


async def test_worker_of_the_version_before_is_not_offered(queues: Queues, redis: Redis) -> None:
    """It does not take orders from today's queue."""
    await WorkerRegistry(redis).beat(sign("a", EngineInfo(name="flow", preference=10)), 1.0)
    offer = await offers(queues).now()
    assert offer.engines == ()
    assert offer.engine_or_default() == "mesh"  # the order waits for a worker of today
