"""From a photo to an order, and what becomes of it on its status card."""

import asyncio
from dataclasses import replace

import pytest

from bot.gateway.updates import MediaFile
from bot.orders.order_counts import TooManyGroupOrders, TooManyShowAlls
from bot.orders.ordering import DraftUnready, NoOpenPlace
from bot.orders.permissions import OrdersPaused, ShutOut
from jobs.engines import PARTS
from jobs.model import MediaWarning
from jobs.orders import Lane
from jobs.queues.assignment import Assignment
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.keys import accepted_key, open_key
from jobs.queues.outcomes import CancelOutcome
from jobs.service_errors import PhotoBlocked, TooManyOpenOrders, TooManyOrdersToday
from jobs.store.files import FileStore
from jobs.store.keys import clip_key
from jobs.templates import CurveMotion
from jobs.wish import Movement
from tests.integration.bot.parts import (
    CATALOGUE,
    CLIP_DIGEST,
    ENGINE_INFOS,
    FACE,
    NINE,
    SMILE,
    BotParts,
    Maker,
    looked_at,
    nothing_is_open,
    photo_sent,
    working,
)
from tests.integration.bot.running import until
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, FAMILY, Desk
from tests.wishes import make_clip

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("at_work")]


# --- orders ---------------------------------------------------------------------------------------


async def test_wish_becomes_an_order_and_the_card_its_status(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    go = asyncio.Event()

    async def wait(_: Assignment) -> None:
        await go.wait()

    maker.before_video = wait
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        placed = await parts.ordering.place(await parts.with_movement(draft.draft_id))
        assert placed.is_new
        assert placed.card is not None
        shown = await desk.sees("Starting now")
        assert "Cancel" in shown
        assert "Looking at your photo" not in shown
        go.set()
        await desk.sees("done in")
    (order,) = maker.orders
    assert order.order_id == draft.order_id
    assert (order.engine, order.wish.face_boxes) == ("mesh", (FACE.box,))
    smile = CATALOGUE.get("smile").motion
    assert isinstance(smile, CurveMotion)
    assert order.wish.cost_frames == smile.frame_count
    assert order.lane is Lane.FAIR


async def test_double_tap_is_one_order(parts: BotParts, maker: Maker, desk: Desk) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        wish = await parts.with_movement(draft.draft_id)
        both = await asyncio.gather(parts.ordering.place(wish), parts.ordering.place(wish))
        assert sorted(placed.is_new for placed in both) == [False, True]
        await desk.sees("done in")
        late = await parts.ordering.place(wish)
        assert not late.is_new
    assert len(maker.orders) == 1
    assert await parts.services.order_cards.all_unsettled() == []


async def test_wish_that_was_there_before_the_photo_is_ordered_after_the_look(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        draft = await photo_sent(parts, desk, movement=SMILE)
        await desk.sees("done in")
    assert maker.orders[0].wish.movement.template == "smile"
    assert parts.shown.drafts == []
    assert (await parts.draft(draft.draft_id)).movement is None


async def test_warnings_are_shown_before_any_order(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    maker.warnings = (MediaWarning.VERY_DARK,)
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk, movement=SMILE))
    assert draft.movement == SMILE
    assert await parts.services.order_cards.all_unsettled() == []


async def test_files_that_were_swept_are_fetched_again_and_the_wish_is_kept(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    maker.warnings = (MediaWarning.VERY_DARK,)  # they have been read the first time
    clip = MediaFile(file_id="", name="clip.mp4")
    async with working(parts, maker):
        draft = await photo_sent(parts, desk)
        photo = draft.photo
        assert photo is not None
        draft = await looked_at(parts, draft)
        clip = clip.model_copy(update={"file_id": photo.file_id})
        await parts.drafts.change(
            draft.draft_id, lambda found: found.model_copy(update={"lead": clip})
        )
        await store.delete([file.key async for file in store.listing()])
        old = Movement.of_clip(make_clip(f"looks/{draft.draft_id}/old-clip.mp4"))
        placed = await parts.ordering.place(await parts.with_movement(draft.draft_id, old))
        assert placed.card is None
        again = await parts.ordering.place(await parts.with_movement(draft.draft_id, old))
        assert again.card is None
        await desk.sees("done in")
    (order,) = maker.orders
    assert order.order_id == draft.order_id
    assert order.wish.face_boxes == (FACE.box,)
    assert order.wish.clip is not None
    look_id = f"look-{draft.draft_id}-2"
    assert order.wish.clip.file == clip_key(draft.draft_id, look_id, CLIP_DIGEST)
    assert order.wish.cost_frames == 25
    assert len(maker.looks) == 2


async def test_more_orders_than_allowed_leave_no_card(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        drafts = [await looked_at(parts, await photo_sent(parts, desk)) for _ in range(3)]
    for draft in drafts[:2]:
        await parts.ordering.place(await parts.with_movement(draft.draft_id))
    with pytest.raises(TooManyOpenOrders):
        await parts.ordering.place(await parts.with_movement(drafts[2].draft_id))
    known = [card.draft_id for card in await parts.ordering.open_orders(ALICE)]
    assert known == [draft.draft_id for draft in drafts[:2]]
    assert await parts.ordering.open_orders(BOB) == []


async def test_refusal_of_one_order_more_says_when_a_place_is_free(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    maker.before_video = lambda assignment: until(lambda: assignment.stop_reason)
    await WorkerRegistry(parts.services.queues.client).record_speed("cpu", "mesh", 3.0)
    async with working(parts, maker):
        for number in range(3):
            draft = await looked_at(parts, await photo_sent(parts, desk))
            wish = await parts.with_movement(draft.draft_id)
            if number == 2:
                with pytest.raises(
                    NoOpenPlace, match=r"again in \d+ to \d+ min, or as soon as you"
                ):
                    await parts.ordering.place(wish)
            else:
                await parts.ordering.place(wish)
        for card in await parts.ordering.open_orders(ALICE):
            await parts.ordering.cancel_order(card)


async def test_persons_own_limits_replace_the_usual_ones(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    await parts.services.people.change(ALICE, open_orders=1)
    async with working(parts, maker):
        drafts = [await looked_at(parts, await photo_sent(parts, desk)) for _ in range(2)]
    await parts.ordering.place(await parts.with_movement(drafts[0].draft_id))
    with pytest.raises(TooManyOpenOrders):
        await parts.ordering.place(await parts.with_movement(drafts[1].draft_id))
    await parts.services.people.change(ALICE, open_orders=9, orders_per_day=1)
    with pytest.raises(TooManyOrdersToday):
        await parts.ordering.place(await parts.with_movement(drafts[1].draft_id))


async def test_owners_limit_of_groups_counts_where_it_is_the_lower_one(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    await parts.services.limits.change(group_per_day=2)
    await parts.services.group_settings.change(FAMILY, orders_per_day=5)
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        wish = (await parts.with_movement(draft.draft_id)).model_copy(update={"chat_id": FAMILY})
        for _ in range(2):
            placed = await parts.ordering.place(wish)
            assert placed.card is not None
            await until(lambda: nothing_is_open(parts))
            wish = wish.shown_again()
        with pytest.raises(TooManyGroupOrders, match="limit: 2 in 24 hours"):
            await parts.ordering.place(wish)
        parts.clock.ahead_s = 86_500
        await parts.ordering.place(wish)


async def test_photo_that_was_blocked_after_it_was_looked_at_is_not_made(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
    assert draft.findings is not None
    blocked = parts.services.blocked_photos
    await blocked.block(await blocked.digest_of(draft.findings.photo.file))
    with pytest.raises(PhotoBlocked):
        await parts.ordering.place(await parts.with_movement(draft.draft_id))
    assert await parts.services.order_cards.all_unsettled() == []


async def test_order_that_is_cancelled_before_it_begins_is_not_counted_for_its_group(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    await parts.services.group_settings.change(FAMILY, orders_per_day=1)
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
    wish = (await parts.with_movement(draft.draft_id)).model_copy(update={"chat_id": FAMILY})
    for number in range(2):
        placed = await parts.ordering.place(wish.model_copy(update={"number": number + 1}))
        assert placed.card is not None
        assert await parts.ordering.cancel_order(placed.card) is CancelOutcome.REMOVED


async def test_card_of_an_order_that_was_lost_and_is_refused_now_says_why(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        drafts = [await looked_at(parts, await photo_sent(parts, desk)) for _ in range(3)]
    lost = await parts.ordering.place(await parts.with_movement(drafts[0].draft_id))
    assert lost.card is not None
    await desk.sees("No worker is online")
    await parts.services.queues.remove(lost.card.ref)
    await parts.services.queues.client.delete(accepted_key(lost.card.order_id), open_key(ALICE))
    for draft in drafts[1:]:
        await parts.ordering.place(await parts.with_movement(draft.draft_id))
    with pytest.raises(TooManyOpenOrders):
        await parts.ordering.place(await parts.with_movement(drafts[0].draft_id))
    await desk.sees("Smile: 2 of your videos are still being made")


async def test_show_all_is_limited_and_made_by_mesh_with_low_priority(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        wish = draft.model_copy(update={"movement": NINE, "engine": "fomm"})
        await parts.ordering.place(wish)
        await parts.ordering.place(wish)
        with pytest.raises(TooManyShowAlls):
            await parts.ordering.place(wish.shown_again())
        await desk.sees("9 movements: done in")
        await parts.ordering.place((await parts.with_movement(draft.draft_id)).shown_again())
        await until(lambda: len(maker.orders) == 2)
    order, one = maker.orders
    assert order.engine == "mesh"
    assert len(order.wish.movement.templates) == 9
    per_frame = one.estimated_cost_s / one.wish.cost_frames
    assert order.estimated_cost_s == pytest.approx(3 * order.wish.cost_frames * per_frame)


async def test_admin_goes_before_all_without_limits(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    await parts.services.people.pause(is_paused=True)
    async with working(parts, maker):
        drafts = [
            await looked_at(parts, await photo_sent(parts, desk, person=ADMIN)) for _ in range(3)
        ]
    placed = [
        await parts.ordering.place(await parts.with_movement(draft.draft_id)) for draft in drafts
    ]
    assert all(one.card and one.card.order.lane is Lane.EXPRESS for one in placed)


async def test_who_may_not_order_is_told_why(parts: BotParts, maker: Maker, desk: Desk) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
    with pytest.raises(DraftUnready):
        await parts.ordering.place(draft)
    wish = await parts.with_movement(draft.draft_id)
    await parts.services.people.pause(is_paused=True)
    with pytest.raises(OrdersPaused):
        await parts.ordering.place(wish)
    await parts.services.people.change(ALICE, is_banned=True)
    with pytest.raises(ShutOut):
        await parts.ordering.place(wish)
    assert await parts.services.order_cards.all_unsettled() == []


async def test_order_without_a_card_gets_one_below(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async def has_card() -> bool:
        return "Cancel" in await desk.transcript()

    maker.before_video = lambda _assignment: until(has_card)
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        assert draft.card is not None
        await parts.services.messenger.delete(ALICE, draft.card.message_id)
        await parts.ordering.place(await parts.with_movement(draft.draft_id))
        await desk.sees("done in")


# --- the visible mark -----------------------------------------------------------------------------


async def test_results_are_marked_unless_the_owner_or_a_worker_cannot_have_it(
    parts: BotParts, maker: Maker, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def order() -> None:
        draft = await looked_at(parts, await photo_sent(parts, desk))
        await parts.ordering.place(await parts.with_movement(draft.draft_id))
        await desk.sees("done in")

    async with working(parts, maker):
        await order()
        monkeypatch.setattr(
            parts.ordering, "_services", replace(parts.services, visible_mark=False)
        )
        await order()
        monkeypatch.undo()
    old = ENGINE_INFOS["mesh"].model_copy(update={"options": (PARTS, "strength")})
    monkeypatch.setitem(ENGINE_INFOS, "mesh", old)

    async def is_known() -> bool:
        return not (await parts.services.offers.now()).takes_marks

    async with working(parts, maker):
        await until(is_known)
        await order()
    assert [order.wish.mark for order in maker.orders] == [True, False, False]
