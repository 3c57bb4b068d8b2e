"""Small jobs beside the videos: a worker makes something, and its receiver gets it once."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from bot.gateway.messenger import ChatTarget, MessageContent
from bot.orders.media_delivery import MediaOutcome
from bot.orders.media_requests import NobodyServes, request_media
from bot.orders.offers import Offers
from bot.orders.sending import DeliverySender, OutgoingMessage
from jobs.engines import MEDIA_TASKS
from jobs.errors import EncoderFailed, MediaDamaged
from jobs.media_jobs import MediaJob
from jobs.media_tasks import DrawSheet
from jobs.queues.assignment import Later
from jobs.queues.delivery_records import NextStep
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.keys import DELIVER, MEDIA
from jobs.queues.known_engines import KnownEngines
from jobs.queues.outbox import Outbox
from jobs.service_errors import FileGone, TooManyMediaJobs
from jobs.store.files import FileStore
from tests.integration.bot.parts import (
    ENGINE_INFOS,
    BotParts,
    Maker,
    delivering,
    heartbeat,
    hurry,
    working,
)
from tests.integration.bot.running import until
from tests.integration.bot.test_delivery import settled
from tests.integration.sandbox.desk import ALICE, BOB, Desk

pytestmark = pytest.mark.local_sockets


def sheet_job(name: str = "m-1", person: int = ALICE) -> MediaJob:
    return MediaJob(job_id=name, person=person, chat=person, task=DrawSheet(pictures=(None,)))


class Receiver:
    """Writes to the chat what it got; may be told to fail first."""

    def __init__(self, parts: BotParts, *errors: Exception) -> None:
        self.outcomes: list[MediaOutcome] = []
        self._sender = DeliverySender(parts.services)
        self._errors = list(errors)

    async def __call__(self, outcome: MediaOutcome) -> None:
        self.outcomes.append(outcome)
        if self._errors:
            raise self._errors.pop(0)
        step, record = await self._sender.begin(outcome.delivery_id)
        if step is NextStep.FINISH:
            return
        text = f"a sheet: {outcome.error or (outcome.result and outcome.result.key)}"
        message = OutgoingMessage(MessageContent(text))
        target = ChatTarget(outcome.job.chat)
        await self._sender.send(outcome.delivery_id, record, target, message)


Receive = Callable[[MediaOutcome], Awaitable[None]]


async def test_what_a_worker_made_reaches_the_receiver_of_its_kind_and_is_deleted(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    parts.receivers["sheet"] = receiver = Receiver(parts)
    await desk.say("/start")
    async with delivering(parts), working(parts, maker):
        assert await request_media(parts.services, sheet_job())
        assert not await request_media(parts.services, sheet_job())
        await desk.sees("a sheet: media/m-1/sheet.jpg")
        await settled(parts)
    assert len(receiver.outcomes) == 1
    assert receiver.outcomes[0].job == sheet_job()
    assert [file.key async for file in store.listing("media")] == []
    assert parts.admins.notes == []


async def test_receiver_is_called_again_after_an_error_and_a_sweep_adds_nothing(
    parts: BotParts, maker: Maker, desk: Desk, redis: Redis, store: FileStore
) -> None:
    parts.receivers["sheet"] = receiver = Receiver(parts, Later(0), OSError("it died"))
    await desk.say("/start")
    async with delivering(parts), working(parts, maker):
        await request_media(parts.services, sheet_job())
        while len(receiver.outcomes) < 3:
            await hurry(redis, DELIVER)
        await settled(parts)
        assert await Outbox(parts.services.queues).sweep() == 0
    assert (await desk.transcript()).count("a sheet:") == 1
    assert [file.key async for file in store.listing("media")] == []


async def test_delivery_that_comes_again_after_its_files_were_deleted_has_an_end(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    parts.receivers["sheet"] = receiver = Receiver(parts, FileGone(key="media/m-1/sheet.jpg"))
    await desk.say("/start")
    async with delivering(parts), working(parts, maker):
        await request_media(parts.services, sheet_job())
        await until(lambda: _is_over(receiver, store))
    assert len(receiver.outcomes) == 1


async def _is_over(receiver: Receiver, store: FileStore) -> bool:
    return bool(receiver.outcomes) and not [file.key async for file in store.listing("media")]


@pytest.mark.parametrize(
    "error", [MediaDamaged(name="video.mp4"), EncoderFailed(reason="no encoder")]
)
async def test_failure_reaches_the_receiver_and_only_ours_the_admins(
    parts: BotParts, maker: Maker, desk: Desk, redis: Redis, error: Exception
) -> None:
    parts.receivers["sheet"] = Receiver(parts)
    maker.errors = [error for _ in range(3)]
    await desk.say("/start")
    async with delivering(parts), working(parts, maker):
        await request_media(parts.services, sheet_job())
        while not await parts.services.queues.finished_since(0, [MEDIA]):
            await hurry(redis, MEDIA)
        await desk.sees(f"a sheet: {error}")
        await settled(parts)
    assert len(parts.admins.notes) == isinstance(error, EncoderFailed)


async def test_without_a_worker_nobody_makes_it(parts: BotParts, maker: Maker) -> None:
    with pytest.raises(NobodyServes):
        await request_media(parts.services, sheet_job())
    async with working(parts, maker):
        assert await request_media(parts.services, sheet_job())


async def test_person_has_few_of_these_jobs_at_a_time_and_they_are_no_photos(
    parts: BotParts, maker: Maker
) -> None:
    maker.errors = [Later(3600) for _ in range(6)]
    async with working(parts, maker):
        for number in range(5):
            await request_media(parts.services, sheet_job(f"m-{number}"))
        with pytest.raises(TooManyMediaJobs, match="5 of your requests"):
            await request_media(parts.services, sheet_job("m-5"))
        assert await request_media(parts.services, sheet_job("m-6", BOB))
    assert not await parts.services.queues.client.exists(f"animato:photos:{ALICE}")


async def test_task_is_asked_for_only_if_all_workers_of_the_queue_know_it(parts: BotParts) -> None:
    workers = WorkerRegistry(parts.services.queues.client)

    async def online(name: str, *options: str) -> None:
        engine = ENGINE_INFOS["mesh"].model_copy(update={"options": options})
        beat = heartbeat("mesh").model_copy(update={"worker": name, "engines": (engine,)})
        await workers.beat(beat, parts.clock())

    async def is_taken(name: str) -> bool:
        offers = Offers(workers, KnownEngines(parts.services.queues.client), "auto")
        services = replace(parts.services, offers=offers)
        try:
            return await request_media(services, sheet_job(name))
        except NobodyServes:
            return False

    await online("of an older version", "strength")
    assert not await is_taken("m-1")
    await online("new", *MEDIA_TASKS)
    assert await is_taken("m-1")
    await online("in between", MEDIA_TASKS[0])
    assert not await is_taken("m-2")
