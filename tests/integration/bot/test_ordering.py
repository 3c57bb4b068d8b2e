"""From a photo to an order, and what becomes of it on its status card."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.gateway.updates import MediaFile
from bot.orders.ordering import DraftUnready, OrdersPaused, ShutOut, TooManyShowAlls
from jobs.model import MediaWarning
from jobs.orders import Lane
from jobs.queues.admission import OrderLimits
from jobs.queues.assignment import Assignment
from jobs.queues.keys import open_key, taken_key
from jobs.service_errors import TooManyOpenOrders
from jobs.store.files import FileStore
from jobs.wish import Movement
from sandbox.server import Sandbox
from tests.integration.bot.conftest import until
from tests.integration.bot.staff import (
    FACE,
    SMILE,
    Maker,
    Staff,
    delivering,
    local_store,
    looked_at,
    photo_sent,
    staff_of,
    working,
)
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, Desk
from tests.wishes import make_clip

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


# --- orders ---------------------------------------------------------------------------------------


async def test_wish_becomes_an_order_and_the_card_its_status(
    staff: Staff, maker: Maker, desk: Desk
) -> None:
    go = asyncio.Event()

    async def wait(_: Assignment) -> None:
        await go.wait()

    maker.before_video = wait
    async with working(staff, maker):
        draft = await looked_at(staff, await photo_sent(staff, desk))
        placed = await staff.ordering.place(await staff.wishing(draft.draft_id))
        assert placed.is_new
        assert placed.card is not None
        shown = await desk.sees("Starting now")
        assert "Cancel" in shown
        assert "Looking at your photo" not in shown
        go.set()
        await desk.sees("done in")
    (order,) = maker.orders
    assert order.order_id == draft.order_id
    assert (order.engine, order.wish.face_box, order.wish.cost_frames) == ("flow", FACE.box, 100)
    assert order.lane is Lane.FAIR


async def test_double_tap_is_one_order(staff: Staff, maker: Maker, desk: Desk) -> None:
    async with working(staff, maker):
        draft = await looked_at(staff, await photo_sent(staff, desk))
        wish = await staff.wishing(draft.draft_id)
        both = await asyncio.gather(staff.ordering.place(wish), staff.ordering.place(wish))
        assert sorted(placed.is_new for placed in both) == [False, True]
        await desk.sees("done in")
        late = await staff.ordering.place(wish)
        assert not late.is_new
    assert len(maker.orders) == 1
    assert await staff.services.order_cards.all_unsettled() == []


async def test_wish_that_was_there_before_the_photo_is_ordered_after_the_look(
    staff: Staff, maker: Maker, desk: Desk
) -> None:
    async with working(staff, maker):
        draft = await photo_sent(staff, desk, movement=SMILE)
        await desk.sees("done in")
    assert maker.orders[0].wish.movement.template == "smile"
    assert staff.shown.drafts == []
    assert (await staff.draft(draft.draft_id)).movement is None


async def test_warnings_are_shown_before_any_order(staff: Staff, maker: Maker, desk: Desk) -> None:
    maker.warnings = (MediaWarning.VERY_DARK,)
    async with working(staff, maker):
        draft = await looked_at(staff, await photo_sent(staff, desk, movement=SMILE))
    assert draft.movement == SMILE
    assert await staff.services.order_cards.all_unsettled() == []


async def test_files_that_were_swept_are_fetched_again_and_the_wish_is_kept(
    staff: Staff, maker: Maker, desk: Desk, store: FileStore
) -> None:
    maker.warnings = (MediaWarning.VERY_DARK,)  # they have been read the first time
    clip = MediaFile(file_id="", name="clip.mp4")
    async with working(staff, maker):
        draft = await photo_sent(staff, desk)
        photo = draft.photo
        assert photo is not None
        draft = await looked_at(staff, draft)
        clip = clip.model_copy(update={"file_id": photo.file_id})
        await staff.drafts.change(
            draft.draft_id, lambda found: found.model_copy(update={"clip": clip})
        )
        await store.delete([file.key async for file in store.listing()])
        old = Movement.of_clip(make_clip(f"looks/{draft.draft_id}/old-clip.mp4"))
        placed = await staff.ordering.place(await staff.wishing(draft.draft_id, old))
        assert placed.card is None
        again = await staff.ordering.place(await staff.wishing(draft.draft_id, old))
        assert again.card is None
        await desk.sees("done in")
    (order,) = maker.orders
    assert order.order_id == draft.order_id
    assert order.wish.face_box == FACE.box
    assert order.wish.clip is not None
    assert order.wish.clip.file == f"looks/{draft.draft_id}/look-{draft.draft_id}-2-clip.mp4"
    assert order.wish.cost_frames == 25
    assert len(maker.looks) == 2


async def test_more_orders_than_allowed_leave_no_card(
    staff: Staff, maker: Maker, desk: Desk
) -> None:
    async with working(staff, maker):
        drafts = [await looked_at(staff, await photo_sent(staff, desk)) for _ in range(3)]
    for draft in drafts[:2]:
        await staff.ordering.place(await staff.wishing(draft.draft_id))
    with pytest.raises(TooManyOpenOrders):
        await staff.ordering.place(await staff.wishing(drafts[2].draft_id))
    known = [card.draft_id for card in await staff.ordering.open_orders(ALICE)]
    assert known == [draft.draft_id for draft in drafts[:2]]
    assert await staff.ordering.open_orders(BOB) == []


async def test_card_of_an_order_that_was_lost_and_is_refused_now_says_why(
    staff: Staff, maker: Maker, desk: Desk
) -> None:
    async with working(staff, maker):
        drafts = [await looked_at(staff, await photo_sent(staff, desk)) for _ in range(3)]
    lost = await staff.ordering.place(await staff.wishing(drafts[0].draft_id))
    assert lost.card is not None
    await desk.sees("No worker is online")
    await staff.services.queues.remove(lost.card.ref)
    await staff.services.queues.client.delete(taken_key(lost.card.order_id), open_key(ALICE))
    for draft in drafts[1:]:
        await staff.ordering.place(await staff.wishing(draft.draft_id))
    with pytest.raises(TooManyOpenOrders):
        await staff.ordering.place(await staff.wishing(drafts[0].draft_id))
    await desk.sees("Smile: 2 of your videos are still being made")


async def test_show_all_is_limited_and_made_by_flow_with_low_priority(
    staff: Staff, maker: Maker, desk: Desk
) -> None:
    async with working(staff, maker):
        draft = await looked_at(staff, await photo_sent(staff, desk))
        wish = draft.model_copy(update={"is_all_wanted": True, "engine": "fomm"})
        await staff.ordering.place(wish)
        await staff.ordering.place(wish)
        with pytest.raises(TooManyShowAlls):
            await staff.ordering.place(wish.shown_again())
        await desk.sees("All movements: done in")
        await staff.ordering.place((await staff.wishing(draft.draft_id)).shown_again())
        await until(lambda: len(maker.orders) == 2)
    order, one = maker.orders
    assert order.engine == "flow"
    assert len(order.wish.movement.templates) == 9
    per_frame = one.estimated_cost_s / one.wish.cost_frames
    assert order.estimated_cost_s == pytest.approx(3 * order.wish.cost_frames * per_frame)


async def test_admin_goes_before_all_without_limits(staff: Staff, maker: Maker, desk: Desk) -> None:
    await staff.services.people.pause(is_paused=True)
    async with working(staff, maker):
        drafts = [
            await looked_at(staff, await photo_sent(staff, desk, person=ADMIN)) for _ in range(3)
        ]
    placed = [await staff.ordering.place(await staff.wishing(draft.draft_id)) for draft in drafts]
    assert all(one.card and one.card.order.lane is Lane.EXPRESS for one in placed)


async def test_who_may_not_order_is_told_why(staff: Staff, maker: Maker, desk: Desk) -> None:
    async with working(staff, maker):
        draft = await looked_at(staff, await photo_sent(staff, desk))
    with pytest.raises(DraftUnready):
        await staff.ordering.place(draft)
    wish = await staff.wishing(draft.draft_id)
    await staff.services.people.pause(is_paused=True)
    with pytest.raises(OrdersPaused):
        await staff.ordering.place(wish)
    await staff.services.people.change(ALICE, is_banned=True)
    with pytest.raises(ShutOut):
        await staff.ordering.place(wish)
    assert await staff.services.order_cards.all_unsettled() == []


async def test_order_without_a_card_gets_one_below(staff: Staff, maker: Maker, desk: Desk) -> None:
    async with working(staff, maker):
        draft = await looked_at(staff, await photo_sent(staff, desk))
        assert draft.card is not None
        await staff.services.messenger.delete(ALICE, draft.card.message_id)
        await staff.ordering.place(await staff.wishing(draft.draft_id))
        await desk.sees("done in")
