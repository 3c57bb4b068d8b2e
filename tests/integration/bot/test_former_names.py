"""An order that waits in the queue of an engine's former name is shown, moved and delivered."""

import pytest

from bot.drafts.draft import Draft
from jobs.queues.keys import JobRef
from jobs.queues.outcomes import CancelOutcome
from jobs.queues.queue_worker import QueueWorker
from tests.integration.bot.parts import (
    RULES,
    BotParts,
    Maker,
    looked_at,
    nothing_is_open,
    photo_sent,
    working,
)
from tests.integration.bot.running import until
from tests.integration.sandbox.desk import Desk

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("at_work")]

QUEUE = "animate-flow"


async def waiting(parts: BotParts, maker: Maker, desk: Desk) -> Draft:
    """The draft of an order as the version before placed it."""
    async with working(parts, maker, "fomm"):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        wish = await parts.with_movement(draft.draft_id)
        await parts.ordering.place(wish.model_copy(update={"engine": "flow"}))
        await desk.sees("No worker is online for this right now. Your place is kept.")
    card = await parts.services.order_cards.read(draft.order_id)
    assert card is not None
    assert (card.ref, card.order.engine) == (JobRef(QUEUE, draft.order_id), "mesh")
    return await parts.draft(draft.draft_id)


async def test_order_is_made_and_delivered(parts: BotParts, maker: Maker, desk: Desk) -> None:
    await waiting(parts, maker, desk)
    async with QueueWorker(parts.services.queues.url, QUEUE, maker.make, RULES):
        await desk.sees("Made with AI")
        await until(lambda: nothing_is_open(parts))
    assert [order.engine for order in maker.orders] == ["mesh"]
    assert "Smile: done in" in await desk.transcript()


async def test_order_is_moved_to_another_engine(parts: BotParts, maker: Maker, desk: Desk) -> None:
    draft = await waiting(parts, maker, desk)
    moved = await parts.follow_up_orders.use_engine(draft, 1, "fomm")
    assert moved.is_new
    await desk.sees("Smile: see the video below.")
    assert not await parts.services.queues.waits(QUEUE)
    async with working(parts, maker, "fomm"):
        await desk.sees("Made with AI")
    assert [order.engine for order in maker.orders] == ["fomm"]


async def test_order_stays_when_it_is_moved_to_its_own_engine(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    draft = await waiting(parts, maker, desk)
    assert not (await parts.follow_up_orders.use_engine(draft, 1, "mesh")).is_new
    assert await parts.services.queues.waits(QUEUE)


async def test_order_is_cancelled(parts: BotParts, maker: Maker, desk: Desk) -> None:
    draft = await waiting(parts, maker, desk)
    card = await parts.services.order_cards.read(draft.order_id)
    assert card is not None
    assert await parts.ordering.cancel_order(card) is CancelOutcome.REMOVED
    assert not await parts.services.queues.waits(QUEUE)
