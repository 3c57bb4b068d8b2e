"""Photos and clips come in: fetched, looked at, shown; or why not."""

import asyncio

import pytest
from redis.asyncio import Redis

from bot.drafts.draft import draft_of_job
from bot.gateway.updates import MediaFile
from jobs.errors import MediaDamaged, MediaTooLarge
from jobs.queues.assignment import Assignment
from jobs.queues.keys import DELIVER, INTAKE, LOOK
from jobs.service_errors import error_from_dict
from jobs.store.files import FileStore
from tests.integration.bot.parts import (
    FACE,
    RULES,
    BotParts,
    Maker,
    hurry,
    looked_at,
    photo_sent,
    working,
)
from tests.integration.bot.running import until
from tests.integration.sandbox.desk import ALICE, BOB, Desk

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("at_work")]


# --- photos come in -------------------------------------------------------------------------------


async def test_photo_is_fetched_looked_at_and_shown(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
    assert draft.findings is not None
    assert draft.face_boxes == (FACE.box,)
    (look,) = maker.looks
    assert look.photo_key == f"inputs/{draft.draft_id}/photo-1.jpg"
    (shown,) = [one for one in await desk.messages() if one.get("photo")]
    assert await store.get(look.photo_key) == await desk.file(shown["photo"][-1]["file_id"])


async def test_looks_of_a_busy_chat_leave_places_to_those_of_others(
    parts: BotParts, maker: Maker, desk: Desk, redis: Redis
) -> None:
    # On a busy machine a job may lose its lock and begin again: sets, and who waits right now.
    waiting: list[str] = []
    most_waiting = 0
    has_room = asyncio.Event()

    async def wait_for_alice(name: str) -> None:
        nonlocal most_waiting
        if (await parts.draft(name)).chat_id == ALICE:
            waiting.append(name)
            most_waiting = max(most_waiting, len(waiting))
            try:
                await has_room.wait()
            finally:
                waiting.remove(name)

    parts.shown.before = wait_for_alice
    async with working(parts, maker):
        # As many as there are places of deliveries, and more.
        hers = [(await photo_sent(parts, desk)).draft_id for _ in range(2 * RULES.max_concurrent)]
        await until(lambda: {look.draft for look in maker.looks} == set(hers))
        await until(lambda: most_waiting == 2)
        his = (await photo_sent(parts, desk, BOB)).draft_id
        await until(lambda: his in parts.shown.drafts)
        assert set(parts.shown.drafts) == {his}
        assert most_waiting == 2
        has_room.set()

        async def all_are_shown() -> bool:
            await hurry(redis, DELIVER)
            return set(parts.shown.drafts) == {*hers, his}

        await until(all_are_shown)


async def test_clip_that_is_too_large_is_told_by_its_own_name(parts: BotParts, desk: Desk) -> None:
    clip = MediaFile(file_id="x", name="holiday.mov", size_bytes=21_000_000)
    draft = await looked_at(parts, await photo_sent(parts, desk, lead=clip))
    assert draft.problem is not None
    assert draft.problem.is_lead
    error = error_from_dict(draft.problem.error)
    assert isinstance(error, MediaTooLarge)
    assert error.fields == {"name": "holiday.mov", "size_mb": 21.0, "limit_mb": 20}


@pytest.mark.parametrize(
    ("reason", "error"), [("file is too big", "MediaTooLarge"), ("wrong file_id", "FileLost")]
)
async def test_what_telegram_does_not_hand_out_is_told(
    parts: BotParts, desk: Desk, reason: str, error: str
) -> None:
    await desk.fault(method="getFile", code=400, description=f"Bad Request: {reason}")
    draft = await looked_at(parts, await photo_sent(parts, desk))
    assert draft.problem is not None
    assert draft.problem.error["error"] == error
    assert not draft.problem.is_lead


async def test_photo_waits_while_telegram_is_away(
    parts: BotParts, maker: Maker, desk: Desk, redis: Redis
) -> None:
    await desk.fault(method="getFile", code=502, times=5)
    async with working(parts, maker):
        draft = await photo_sent(parts, desk)
        while draft.draft_id not in parts.shown.drafts:
            await hurry(redis, INTAKE)
            await asyncio.sleep(0.02)
    assert (await parts.draft(draft.draft_id)).findings is not None
    assert len(await desk.calls("getFile")) == 6


async def test_what_the_gate_refuses_is_told_with_the_persons_own_name(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    maker.errors = [MediaDamaged(name="photo-1.jpg")]
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
    assert draft.problem is not None
    assert draft.problem.error["fields"] == {"name": "IMG 1.jpg"}


async def test_look_at_an_older_photo_changes_nothing(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    old = asyncio.Event()

    async def wait(assignment: Assignment) -> None:
        if draft_of_job(assignment.ref.job_id)[1] == 1:
            await old.wait()

    maker.before_look = wait
    async with working(parts, maker):
        draft = await photo_sent(parts, desk)
        await until(lambda: maker.looks)
        newer = await parts.drafts.change(draft.draft_id, lambda found: found.renewed())
        assert newer is not None
        await parts.intake.begin(newer)
        seen = await looked_at(parts, draft)
        old.set()
        await until(lambda: count(parts, LOOK, "completed", 2))
        await until(lambda: count(parts, DELIVER, "completed", 4))
    assert seen == await parts.draft(draft.draft_id)
    assert seen.findings is not None
    assert "-2-" in seen.findings.photo.file
    assert parts.shown.drafts == [draft.draft_id]


async def count(parts: BotParts, queue: str, state: str, wanted: int) -> bool:
    return (await parts.services.queues.statistics(queue)).counts[state] == wanted
