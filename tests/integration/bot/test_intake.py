"""Photos and clips come in: fetched, looked at, shown; or why not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.drafts.draft import draft_of_job
from bot.gateway.updates import MediaFile
from jobs.errors import MediaDamaged, MediaTooLarge
from jobs.queues.admission import OrderLimits
from jobs.queues.assignment import Assignment
from jobs.queues.keys import DELIVER, INTAKE, LOOK
from jobs.store.files import FileStore
from jobs.stored_errors import error_from_dict
from sandbox.server import Sandbox
from tests.integration.bot.conftest import until
from tests.integration.bot.staff import (
    FACE,
    RULES,
    Maker,
    Staff,
    delivering,
    hurry,
    local_store,
    looked_at,
    photo_sent,
    staff_of,
    working,
)
from tests.integration.sandbox.desk import ALICE, BOB, Desk

pytestmark = pytest.mark.local_sockets


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return local_store(tmp_path)


@pytest.fixture
async def staff(sandbox: Sandbox, valkey: str, store: FileStore) -> AsyncIterator[Staff]:
    async with (
        staff_of(sandbox, valkey, store, limits=OrderLimits(open_orders=2)) as found,
        delivering(found),
    ):
        yield found


@pytest.fixture
def maker(store: FileStore) -> Maker:
    return Maker(store)


# --- photos come in -------------------------------------------------------------------------------


async def test_photo_is_fetched_looked_at_and_shown(
    staff: Staff, maker: Maker, desk: Desk, store: FileStore
) -> None:
    async with working(staff, maker):
        draft = await looked_at(staff, await photo_sent(staff, desk))
    assert draft.look is not None
    assert draft.face_box == FACE.box
    (look,) = maker.looks
    assert look.photo_key == f"inputs/{draft.draft_id}/photo-1.jpg"
    (shown,) = [one for one in await desk.messages() if one.get("photo")]
    assert await store.get(look.photo_key) == await desk.file(shown["photo"][-1]["file_id"])


async def test_looks_of_a_busy_chat_leave_places_to_those_of_others(
    staff: Staff, maker: Maker, desk: Desk, redis: Redis
) -> None:
    begun: list[str] = []
    has_room = asyncio.Event()

    async def wait_for_alice(name: str) -> None:
        begun.append(name)
        if (await staff.draft(name)).chat_id == ALICE:
            await has_room.wait()

    staff.shown.before = wait_for_alice
    async with working(staff, maker):
        # As many as there are places of deliveries, and more.
        hers = [(await photo_sent(staff, desk)).draft_id for _ in range(2 * RULES.at_once)]
        await until(lambda: len(maker.looks) == len(hers))
        his = (await photo_sent(staff, desk, BOB)).draft_id
        await until(lambda: staff.shown.drafts == [his])
        assert len(begun) == 3
        has_room.set()

        async def all_are_shown() -> bool:
            await hurry(redis, DELIVER)
            return len(staff.shown.drafts) == len(hers) + 1

        await until(all_are_shown)
    assert sorted(staff.shown.drafts) == sorted([*hers, his])


async def test_clip_that_is_too_large_is_told_by_its_own_name(staff: Staff, desk: Desk) -> None:
    clip = MediaFile(file_id="x", name="holiday.mov", size_bytes=21_000_000)
    draft = await looked_at(staff, await photo_sent(staff, desk, clip=clip))
    assert draft.problem is not None
    assert draft.problem.is_clip
    error = error_from_dict(draft.problem.error)
    assert isinstance(error, MediaTooLarge)
    assert error.fields == {"name": "holiday.mov", "size_mb": "21.0", "limit_mb": 20}


@pytest.mark.parametrize(
    ("words", "error"), [("file is too big", "MediaTooLarge"), ("wrong file_id", "FileLost")]
)
async def test_what_telegram_does_not_hand_out_is_told(
    staff: Staff, desk: Desk, words: str, error: str
) -> None:
    await desk.fault(method="getFile", code=400, description=f"Bad Request: {words}")
    draft = await looked_at(staff, await photo_sent(staff, desk))
    assert draft.problem is not None
    assert draft.problem.error["error"] == error
    assert not draft.problem.is_clip


async def test_photo_waits_while_telegram_is_away(
    staff: Staff, maker: Maker, desk: Desk, redis: Redis
) -> None:
    await desk.fault(method="getFile", code=502, times=5)
    async with working(staff, maker):
        draft = await photo_sent(staff, desk)
        while draft.draft_id not in staff.shown.drafts:
            await hurry(redis, INTAKE)
            await asyncio.sleep(0.02)
    assert (await staff.draft(draft.draft_id)).look is not None
    assert len(await desk.calls("getFile")) == 6


async def test_what_the_gate_refuses_is_told_with_the_persons_own_name(
    staff: Staff, maker: Maker, desk: Desk
) -> None:
    maker.errors = [MediaDamaged(name="photo-1.jpg")]
    async with working(staff, maker):
        draft = await looked_at(staff, await photo_sent(staff, desk))
    assert draft.problem is not None
    assert draft.problem.error["fields"] == {"name": "IMG 1.jpg"}


async def test_look_at_an_older_photo_changes_nothing(
    staff: Staff, maker: Maker, desk: Desk
) -> None:
    old = asyncio.Event()

    async def wait(assignment: Assignment) -> None:
        if draft_of_job(assignment.ref.job_id)[1] == 1:
            await old.wait()

    maker.before_look = wait
    async with working(staff, maker):
        draft = await photo_sent(staff, desk)
        await until(lambda: maker.looks)
        newer = await staff.drafts.change(draft.draft_id, lambda found: found.renewed())
        assert newer is not None
        await staff.intake.begin(newer)
        seen = await looked_at(staff, draft)
        old.set()
        await until(lambda: count(staff, LOOK, "completed", 2))
        await until(lambda: count(staff, DELIVER, "completed", 4))
    assert seen == await staff.draft(draft.draft_id)
    assert seen.look is not None
    assert "-2-" in seen.look.photo.file
    assert staff.shown.drafts == [draft.draft_id]


async def count(staff: Staff, queue: str, state: str, wanted: int) -> bool:
    return (await staff.services.queues.counts(queue))[state] == wanted
