"""What Redis knows of engines: what workers advertise, and what orders were taken for."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from bot.orders.offers import Offers
from jobs.engines import EngineInfo
from jobs.errors import UnknownEngine
from jobs.queues.heartbeats import DEAD_AFTER_S, Heartbeat, WorkerRegistry, WorkerState
from jobs.queues.keys import KNOWN_ENGINES
from jobs.queues.known_engines import KnownEngines
from jobs.queues.outbox import Outbox
from jobs.queues.queues import Queues
from tests.integration.jobs.hand import make_order

pytestmark = pytest.mark.local_sockets

MESH = EngineInfo(name="mesh", button="Sharper", preference=10)
BLUE = EngineInfo(name="blue", title="One colour", preference=30, options=("shade",))
STILL = EngineInfo(name="still", preference=0)


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey) as opened:
        yield opened


@pytest.fixture
def workers(queues: Queues) -> WorkerRegistry:
    return WorkerRegistry(queues.client)


def sign(worker: str, *engines: EngineInfo) -> Heartbeat:
    return Heartbeat(
        worker=worker,
        host="here",
        device="cpu",
        engines=engines,
        version="1",
        state=WorkerState.IDLE,
    )


def offers(queues: Queues, default: str = "auto") -> Offers:
    return Offers(WorkerRegistry(queues.client), KnownEngines(queues.client), default)


async def test_engine_that_nobody_has_advertised_is_refused(
    queues: Queues, workers: WorkerRegistry
) -> None:
    await workers.beat(sign("a", MESH), 1.0)
    with pytest.raises(UnknownEngine, match="no engine called blue: choose one of mesh"):
        await queues.submit(make_order(1, engine="blue"))


async def test_order_for_an_advertised_engine_is_taken_counted_and_swept(
    queues: Queues, workers: WorkerRegistry
) -> None:
    await workers.beat(sign("a", MESH, BLUE), 1.0)
    assert (await queues.submit(make_order(1, engine="blue"))).is_new
    assert await queues.known_engine_queues() == ("animate-blue", "animate-mesh", "animate-flow")
    assert await Outbox(queues).sweep() == 0


async def test_engine_stays_known_when_its_last_worker_leaves(
    queues: Queues, workers: WorkerRegistry
) -> None:
    await workers.beat(sign("a", BLUE), 1.0)
    await workers.leave("a")
    assert (await queues.submit(make_order(1, engine="blue"))).is_new


async def test_engine_of_the_settings_is_known_before_any_worker_is_there(valkey: str) -> None:
    async with Queues(valkey, ["blue"]) as first:
        await first.submit(make_order(1, engine="blue"))
    # Though the settings name another one later.
    async with Queues(valkey) as second:
        assert await second.known_engine_queues() == ("animate-blue",)


async def test_engines_are_offered_as_they_are_advertised_the_preferred_one_first(
    queues: Queues, workers: WorkerRegistry
) -> None:
    await workers.beat(sign("a", MESH, BLUE, STILL), 1.0)
    await workers.beat(sign("b", BLUE.model_copy(update={"options": ()})), 2.0)
    offer = await offers(queues).now()
    assert offer.engines == ("blue", "mesh")
    assert offer.known["mesh"] == MESH
    assert offer.options("blue") == frozenset()
    assert (await offers(queues, "still").now()).engines == ("blue", "mesh", "still")


async def test_machine_that_prefers_an_engine_most_decides_whichever_beats_last(
    queues: Queues, workers: WorkerRegistry
) -> None:
    await workers.beat(sign("gpu", MESH, BLUE), 1.0)
    await workers.beat(sign("cpu", MESH, BLUE.model_copy(update={"preference": 4})), 2.0)
    assert (await offers(queues).now()).engines == ("blue", "mesh")
    await workers.leave("gpu")
    assert (await offers(queues).now()).engines == ("mesh", "blue")


async def test_without_workers_orders_go_to_what_the_last_ones_had(
    queues: Queues, workers: WorkerRegistry
) -> None:
    await workers.beat(sign("a", BLUE), 1.0)
    await workers.beat(sign("b", MESH, STILL), 2.0 + DEAD_AFTER_S)
    await workers.leave("a")
    await workers.leave("b")
    offer = await offers(queues).now()
    assert offer.is_empty
    assert offer.engine_or_default() == "mesh"


async def test_first_worker_s_engines_are_offered_at_once(
    queues: Queues, workers: WorkerRegistry
) -> None:
    offered = offers(queues)
    assert (await offered.now()).is_empty
    await workers.beat(sign("a", MESH), 1.0)
    assert (await offered.now()).engines == ("mesh",)


async def test_what_a_newer_program_has_written_of_an_engine_is_left_out(
    queues: Queues, workers: WorkerRegistry, redis: Redis
) -> None:
    await workers.beat(sign("a", MESH), 1.0)
    await redis.hset(KNOWN_ENGINES, "blue", '{"schema_version": 2}')
    (found,) = await KnownEngines(queues.client).all()
    assert found.info == MESH
    # Its orders are delivered all the same.
    assert "animate-blue" in await queues.known_engine_queues()
