"""What becomes of an order later: tried again, cancelled, asked for once more."""

from dataclasses import replace

import pytest

from bot.drafts.draft import Draft
from bot.drafts.draft_store import DraftStore
from bot.groups.chats import move_chat
from bot.groups.group_settings import GroupSettingsStore
from bot.orders.follow_up_orders import FollowUpOrders, OrderForgotten
from bot.orders.order_cards import OrderCards
from bot.orders.ordering import Ordering
from bot.orders.permissions import OrdersPaused
from bot.orders.result_files import delete_result_and_draft
from jobs.errors import MediaDamaged
from jobs.queues.assignment import Assignment
from jobs.queues.keys import JobRef
from jobs.queues.outcomes import CancelOutcome
from jobs.queues.queues import Queues
from jobs.service_errors import PhotoBlocked, QueueUnavailable
from jobs.store.files import FileStore
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
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, Desk

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("at_work")]


# --- once more ------------------------------------------------------------------------------------


class Dying(Queues):
    """The bot dies when an order has just been given another try."""

    async def retry(self, ref: JobRef) -> None:
        await super().retry(ref)
        raise QueueUnavailable(place="here", reason="it died")


async def failed(parts: BotParts, maker: Maker, desk: Desk) -> Draft:
    draft = await looked_at(parts, await photo_sent(parts, desk))
    maker.errors = [MediaDamaged(name="photo")]
    await parts.ordering.place(await parts.with_movement(draft.draft_id))
    await desk.sees("Smile failed.")
    await until(lambda: nothing_is_open(parts))
    return draft


async def test_retry_that_was_cut_off_is_made_up_for(
    parts: BotParts, maker: Maker, desk: Desk, valkey: str
) -> None:
    async with working(parts, maker):
        draft = await failed(parts, maker, desk)
    async with Dying(valkey, ["mesh"]) as queues:
        services = replace(parts.services, queues=queues)
        ordering = Ordering(services, parts.intake, parts.status_cards, 1)
        dying = FollowUpOrders(services, ordering, parts.status_cards)
        with pytest.raises(QueueUnavailable):
            await dying.retry(draft, 1)
    await parts.follow_up_orders.retry(draft, 1)
    assert len(await parts.ordering.open_orders(ALICE)) == 1
    async with working(parts, maker):
        await desk.sees("Made with AI")


async def test_admin_may_retry_while_orders_are_paused(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        draft = await failed(parts, maker, desk)
        await parts.services.people.pause(is_paused=True)
        with pytest.raises(OrdersPaused):
            await parts.follow_up_orders.retry(draft, 1)
        assert (await parts.follow_up_orders.retry(draft, 1, by=ADMIN)).is_new
        await desk.sees("Made with AI")


async def test_blocked_photo_is_not_tried_again(parts: BotParts, maker: Maker, desk: Desk) -> None:
    async with working(parts, maker):
        draft = await failed(parts, maker, desk)
        card = await parts.services.order_cards.read(draft.order_id_of(1))
        assert card is not None
        blocked = parts.services.blocked_photos
        await blocked.block(await blocked.digest_of(card.order.wish.photo.file))
        with pytest.raises(PhotoBlocked):
            await parts.follow_up_orders.retry(draft, 1, by=ADMIN)
    assert len(maker.orders) == 1


def of_chats(parts: BotParts) -> tuple[DraftStore, OrderCards, GroupSettingsStore]:
    """What moves with a group."""
    return parts.drafts, parts.services.order_cards, parts.services.group_settings


async def test_orders_of_a_group_that_got_a_new_number_are_found(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        await parts.ordering.place(await parts.with_movement(draft.draft_id))
        await desk.sees("done in")
        await until(lambda: nothing_is_open(parts))
        for _ in range(2):
            await move_chat(*of_chats(parts), ALICE, BOB)
        draft = await parts.draft(draft.draft_id)
        assert draft.chat_id == BOB
        assert await parts.ordering.cancel(draft, 1) is CancelOutcome.TOO_LATE
        await desk.say("/start", user_id=BOB, chat_id=BOB)
        placed = await parts.ordering.place(await parts.with_movement(draft.draft_id))
        assert placed.card is not None
        await desk.sees("Made with AI", BOB)
    for number in (1, 2):
        await delete_result_and_draft(parts.services, draft, number)
    assert [file.key async for file in store.listing("results")] == []


async def test_card_of_a_group_that_got_a_new_number_is_shown_anew(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
    await desk.say("/start", user_id=BOB, chat_id=BOB)
    await parts.ordering.place(await parts.with_movement(draft.draft_id))
    await desk.sees("No worker is online")
    await move_chat(*of_chats(parts), ALICE, BOB)
    await desk.sees("No worker is online", BOB)
    await parts.ordering.cancel(await parts.draft(draft.draft_id), 1)
    await desk.sees("Smile: cancelled.", BOB)


# --- cancelling -----------------------------------------------------------------------------------


async def test_order_that_waits_is_cancelled_in_one_line(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
    await parts.ordering.place(await parts.with_movement(draft.draft_id))
    await desk.sees("No worker is online")
    assert await parts.ordering.cancel(draft, 1) is CancelOutcome.REMOVED
    shown = await desk.sees("Smile: cancelled.")
    assert "Another movement" in shown
    assert (await parts.draft(draft.draft_id)).number == 2
    await until(lambda: nothing_is_open(parts))
    assert await parts.ordering.cancel(draft, 7) is CancelOutcome.UNKNOWN


async def test_order_that_runs_is_stopped_and_told_in_one_line(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async def wait(assignment: Assignment) -> None:
        await assignment.wait_for_stop()

    maker.before_video = wait
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        await parts.ordering.place(await parts.with_movement(draft.draft_id))
        await desk.sees("Starting now")
        assert await parts.ordering.cancel(draft, 1) is CancelOutcome.TOLD
        await desk.sees("Smile: cancelled.")
    messages = await desk.messages()
    assert len([one for one in messages if one["from"]["is_bot"]]) == 1
    assert (await parts.draft(draft.draft_id)).number == 2


async def test_order_that_an_admin_removed_is_told_too(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
    placed = await parts.ordering.place(await parts.with_movement(draft.draft_id))
    assert placed.card is not None
    await desk.sees("No worker is online")
    await parts.services.queues.cancel(placed.card.ref)
    await desk.sees("Smile: cancelled.")


async def test_button_of_a_forgotten_order_says_so(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
    with pytest.raises(OrderForgotten):
        await parts.follow_up_orders.retry(draft, 5)
    with pytest.raises(OrderForgotten):
        await parts.follow_up_orders.another_frame(draft, 5)


async def test_another_frame_is_the_same_order_measured_otherwise(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker), working(parts, maker, "fomm"):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        draft = await clip_added(parts, draft)
        assert draft.findings is not None
        assert draft.findings.clip is not None
        motion = Movement.of_clip(draft.findings.clip)
        await parts.ordering.place(await parts.with_movement(draft.draft_id, motion))
        await desk.sees("done in")
        for _ in range(2):
            await parts.follow_up_orders.another_frame(await parts.draft(draft.draft_id), 1)
        await until(lambda: len(maker.orders) == 2)
    first, second = maker.orders
    assert first.engine == second.engine == "fomm"
    assert first.wish.options == {"find_best_frame": True}
    assert second.wish.options == {"find_best_frame": True, "best_frame_rank": 2}
