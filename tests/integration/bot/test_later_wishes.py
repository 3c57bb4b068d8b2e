"""What goes back to an earlier order: a number of its own, its own clip, and once for each wish."""

import asyncio

import pytest

from bot.drafts.draft import Draft
from bot.orders.ordering import StillFetching
from jobs.orders import Order
from jobs.queues.outcomes import CancelOutcome
from jobs.service_errors import TooManyOpenOrders
from jobs.store.files import FileStore
from jobs.store.keys import result_key
from jobs.wish import Movement
from tests.integration.bot.parts import (
    BotParts,
    Maker,
    clip_added,
    looked_at,
    nothing_is_open,
    photo_sent,
    working,
)
from tests.integration.bot.running import until
from tests.integration.sandbox.desk import Desk

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("at_work")]


async def done(parts: BotParts, maker: Maker, desk: Desk) -> Draft:
    """A draft whose first order, which follows a clip, was made by `fomm`."""
    async with working(parts, maker), working(parts, maker, "fomm"):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        draft = await clip_added(parts, draft)
        assert draft.findings is not None
        assert draft.findings.clip is not None
        motion = Movement.of_clip(draft.findings.clip)
        await parts.ordering.place(await parts.with_movement(draft.draft_id, motion))
        await desk.sees("done in")
        await until(lambda: nothing_is_open(parts))
    return await parts.draft(draft.draft_id)


async def orders(parts: BotParts) -> list[Order]:
    """The open orders, the oldest first."""
    return [card.order for card in await parts.services.order_cards.all_open()]


async def test_later_wish_is_ordered_though_another_order_has_the_next_number(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    draft = await done(parts, maker, desk)
    await parts.ordering.place(await parts.with_movement(draft.draft_id))
    assert (await parts.follow_up_orders.another_frame(await parts.draft(draft.draft_id), 1)).is_new
    assert not (
        await parts.follow_up_orders.another_frame(await parts.draft(draft.draft_id), 1)
    ).is_new
    smile, frame = await orders(parts)
    assert smile.wish.movement.template == "smile"
    assert frame.wish.options["best_frame_rank"] == 2
    assert (await parts.draft(draft.draft_id)).number > max(smile.number, frame.number)


async def test_lost_video_is_made_anew_though_another_order_has_the_next_number(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    draft = await done(parts, maker, desk)
    await store.delete([result_key(draft.order_id_of(1), 1)])
    await parts.ordering.place(await parts.with_movement(draft.draft_id))
    assert (await parts.follow_up_orders.retry(await parts.draft(draft.draft_id), 1)).is_new
    assert not (await parts.follow_up_orders.retry(await parts.draft(draft.draft_id), 1)).is_new
    smile, again = await orders(parts)
    assert (smile.wish.movement.template, again.wish.movement.template) == ("smile", None)


async def test_wish_of_two_taps_at_the_same_time_is_one_order(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    draft = await done(parts, maker, desk)
    both = await asyncio.gather(
        parts.follow_up_orders.another_frame(draft, 1),
        parts.follow_up_orders.another_frame(draft, 1),
    )
    assert sorted(placed.is_new for placed in both) == [False, True]
    assert len(await orders(parts)) == 1


async def test_number_of_a_wish_that_was_refused_is_nobody_elses(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    draft = await done(parts, maker, desk)
    others = []
    for _ in range(2):
        other = await photo_sent(parts, desk)
        async with working(parts, maker):
            others.append(await looked_at(parts, other))
        await parts.ordering.place(await parts.with_movement(other.draft_id))
    with pytest.raises(TooManyOpenOrders):
        await parts.follow_up_orders.another_frame(draft, 1)
    for other in others:
        await parts.ordering.cancel(other, 1)
    await parts.ordering.place(await parts.with_movement(draft.draft_id))
    assert (await parts.follow_up_orders.another_frame(await parts.draft(draft.draft_id), 1)).is_new
    smile, frame = await orders(parts)
    assert (smile.wish.movement.template, frame.wish.movement.template) == ("smile", None)


async def test_wish_that_was_cancelled_may_be_wished_again(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    draft = await done(parts, maker, desk)
    first = await parts.follow_up_orders.another_frame(draft, 1)
    assert first.card is not None
    draft = await parts.draft(draft.draft_id)
    assert await parts.ordering.cancel(draft, first.card.number) is CancelOutcome.REMOVED
    assert (await parts.follow_up_orders.another_frame(draft, 1)).is_new


async def test_status_card_of_a_later_wish_stays_when_another_movement_is_chosen(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    draft = await done(parts, maker, desk)
    await parts.follow_up_orders.another_frame(draft, 1)
    await desk.sees("No worker is online")
    draft = await parts.draft(draft.draft_id)
    assert draft.card is None, "the next keyboard takes no order's card away"


# --- its own clip ---------------------------------------------------------------------------------


async def test_repeated_order_counts_the_frames_of_its_own_clip(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    draft = await done(parts, maker, desk)
    maker.clip_frames = 250
    async with working(parts, maker):
        draft = await clip_added(parts, draft, "longer.mp4")
    await parts.follow_up_orders.another_frame(draft, 1)
    (order,) = await orders(parts)
    assert draft.findings is not None
    assert order.wish.clip != draft.findings.clip
    assert order.wish.cost_frames == 25
    assert order.estimated_cost_s == pytest.approx(25 * 0.15)


async def test_repeated_order_does_not_wait_for_the_look_at_another_clip(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    draft = await done(parts, maker, desk)
    renewed = await parts.drafts.change(draft.draft_id, Draft.renewed)
    assert renewed is not None
    assert (await parts.follow_up_orders.another_frame(renewed, 1)).is_new
    (order,) = await orders(parts)
    assert order.wish.clip == maker.orders[0].wish.clip


async def test_repeated_order_whose_files_are_gone_has_its_own_clip_fetched_again(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    draft = await done(parts, maker, desk)
    maker.clip_frames = 250
    async with working(parts, maker):
        draft = await clip_added(parts, draft, "longer.mp4")
    await store.delete([file.key async for file in store.listing()])
    for _ in range(2):
        assert (await parts.follow_up_orders.another_frame(draft, 1)).card is None
    fetched = await parts.draft(draft.draft_id)
    assert fetched.lead is not None
    assert fetched.lead.name == "clip.mp4"
    with pytest.raises(StillFetching):
        await parts.follow_up_orders.retry(fetched, 1)
    maker.clip_frames = 25
    async with working(parts, maker), working(parts, maker, "fomm"):
        await until(lambda: len(maker.orders) == 2)
        await until(lambda: nothing_is_open(parts))
        again = await parts.follow_up_orders.another_frame(await parts.draft(draft.draft_id), 1)
        assert again.card is not None
        assert not again.is_new
    assert maker.orders[1].wish.cost_frames == 25
    assert maker.orders[1].wish.options["best_frame_rank"] == 2
