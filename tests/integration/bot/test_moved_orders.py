"""A waiting order that is moved to another engine: it is never lost, and its card says so."""

import asyncio
from dataclasses import replace

import pytest

from bot.drafts.draft import Draft
from bot.orders.follow_up_orders import FollowUpOrders
from bot.orders.ordering import Ordering
from bot.orders.permissions import OrdersPaused
from jobs.errors import UnknownEngine
from jobs.orders import Order, OrderState
from jobs.queues.admission import OrderLimits
from jobs.queues.assignment import Assignment
from jobs.queues.keys import JobRef
from jobs.queues.outcomes import Submitted
from jobs.queues.queues import Queues
from jobs.service_errors import PhotoBlocked, QueueFull, QueueUnavailable
from jobs.store.files import FileStore
from tests.integration.bot.parts import (
    FACE,
    NINE,
    BotParts,
    Maker,
    looked_at,
    nothing_is_open,
    photo_sent,
    working,
)
from tests.integration.bot.running import until
from tests.integration.sandbox.desk import ALICE, Desk

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("at_work")]


@pytest.fixture
def limits() -> OrderLimits:
    return OrderLimits(open_orders=1)


async def waiting(parts: BotParts, maker: Maker, desk: Desk) -> Draft:
    """The draft of an order that waits for a worker with the engine `fomm`."""
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        wish = (await parts.with_movement(draft.draft_id)).model_copy(update={"engine": "fomm"})
        await parts.ordering.place(wish)
        shown = await desk.sees("No worker is online for this right now. Your place is kept.")
        assert "Use Sharper instead" in shown
    return await parts.draft(draft.draft_id)


async def states(parts: BotParts, draft: Draft) -> dict[str, OrderState]:
    """How the draft's orders stand, by their engines; those that were taken back are left out."""
    found = {}
    for number in range(1, 9):
        for engine in ("mesh", "fomm"):
            ref = JobRef(f"animate-{engine}", draft.order_id_of(number))
            if not await parts.services.queues.client.exists(ref.key):
                continue
            status = await parts.services.queues.status(ref)
            assert status is not None
            found[f"{engine} {number}"] = status.state
    return found


async def test_order_for_several_faces_stays_with_an_engine_that_moves_them(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async def only_fomm() -> bool:
        return (await parts.services.offers.now()).engines == ("fomm",)

    async with working(parts, maker, "fomm"):
        async with working(parts, maker):
            draft = await looked_at(parts, await photo_sent(parts, desk))
        await until(only_fomm)
        wish = await parts.with_movement(draft.draft_id)
        boxes = (FACE.box, FACE.box.scaled(2))
        await parts.ordering.place(wish.model_copy(update={"face_boxes": boxes}))
        shown = await desk.sees("No worker is online for this right now. Your place is kept.")
        assert "instead" not in shown
        draft = await parts.draft(draft.draft_id)
        assert not (await parts.follow_up_orders.use_engine(draft, 1, "fomm")).is_new
        assert await states(parts, draft) == {"mesh 1": OrderState.WAITING}


async def test_moved_order_is_made_elsewhere_and_the_earlier_card_says_so(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    draft = await waiting(parts, maker, desk)
    moved = await parts.follow_up_orders.use_engine(draft, 1, "mesh")
    assert moved.is_new, "the person has no more open orders than before"
    assert not (await parts.follow_up_orders.use_engine(draft, 1, "mesh")).is_new
    await desk.sees("Smile: see the video below.")
    async with working(parts, maker):
        await desk.sees("Made with AI")
    (order,) = maker.orders
    assert order.engine == "mesh"
    await until(lambda: nothing_is_open(parts))
    assert "Smile: see the video below." in await desk.transcript()


@pytest.mark.parametrize("limits", [None])
async def test_moved_order_leaves_an_order_that_has_the_next_number_alone(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    draft = await waiting(parts, maker, desk)
    shown = await parts.drafts.change(draft.draft_id, Draft.shown_again)
    assert shown is not None
    wish = await parts.with_movement(draft.draft_id)
    await parts.ordering.place(wish.model_copy(update={"engine": "fomm"}))
    moved = await parts.follow_up_orders.use_engine(await parts.draft(draft.draft_id), 1, "mesh")
    assert moved.is_new
    assert await states(parts, draft) == {
        "fomm 2": OrderState.WAITING,
        f"mesh {moved.card.number if moved.card else 0}": OrderState.WAITING,
    }


async def test_order_that_runs_stays_where_it_is(parts: BotParts, maker: Maker, desk: Desk) -> None:
    go = asyncio.Event()

    async def wait(assignment: Assignment) -> None:
        stopping = asyncio.create_task(assignment.wait_for_stop())
        await asyncio.wait({stopping, go_on}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()

    go_on = asyncio.create_task(go.wait())
    maker.before_video = wait
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        await parts.ordering.place(await parts.with_movement(draft.draft_id))
        await desk.sees("Starting now")
        assert not (await parts.follow_up_orders.use_engine(draft, 1, "fomm")).is_new
        go.set()
        await desk.sees("done in")
    assert len(maker.orders) == 1


async def test_order_that_may_not_go_elsewhere_keeps_its_place(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    draft = await waiting(parts, maker, desk)
    with pytest.raises(UnknownEngine):
        await parts.follow_up_orders.use_engine(draft, 1, "gone")
    await parts.services.people.pause(is_paused=True)
    with pytest.raises(OrdersPaused):
        await parts.follow_up_orders.use_engine(draft, 1, "mesh")
    await parts.services.people.pause(is_paused=False)
    blocked = parts.services.blocked_photos
    assert draft.findings is not None
    await blocked.block(await blocked.digest_of(draft.findings.photo.file))
    with pytest.raises(PhotoBlocked):
        await parts.follow_up_orders.use_engine(draft, 1, "mesh")
    assert await states(parts, draft) == {"fomm 1": OrderState.WAITING}


class Full(Queues):
    """The queues take nothing more."""

    async def submit(self, order: Order, limits: OrderLimits | None = None) -> Submitted:
        _ = order, limits
        raise QueueFull(waiting=500)


async def test_order_that_is_refused_elsewhere_keeps_its_place(
    parts: BotParts, maker: Maker, desk: Desk, valkey: str
) -> None:
    draft = await waiting(parts, maker, desk)
    async with Full(valkey, ["mesh", "fomm"]) as queues:
        with pytest.raises(QueueFull):
            await follow_up_orders_with(parts, queues).use_engine(draft, 1, "mesh")
    assert await states(parts, draft) == {"fomm 1": OrderState.WAITING}
    assert len(await parts.ordering.open_orders(ALICE)) == 1
    assert (
        await parts.follow_up_orders.use_engine(await parts.draft(draft.draft_id), 1, "mesh")
    ).is_new


async def test_order_whose_files_are_gone_is_moved_all_the_same(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    draft = await waiting(parts, maker, desk)
    await store.delete([file.key async for file in store.listing()])
    moved = await parts.follow_up_orders.use_engine(draft, 1, "mesh")
    assert moved.card is not None
    assert list(await states(parts, draft)) == [f"mesh {moved.card.number}"]


async def test_all_movements_at_once_stay_with_the_engine_that_can_make_them(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
    await parts.ordering.place(draft.model_copy(update={"movement": NINE}))
    assert not (await parts.follow_up_orders.use_engine(draft, 1, "fomm")).is_new
    assert await states(parts, draft) == {"mesh 1": OrderState.WAITING}


# --- the bot dies in between ----------------------------------------------------------------------


class Dying(Queues):
    """The bot dies at one point of moving an order."""

    point = ""

    async def submit(self, order: Order, limits: OrderLimits | None = None) -> Submitted:
        self._die_at("before submitting")
        submitted = await super().submit(order, limits)
        self._die_at("after submitting")
        return submitted

    async def remove_waiting(self, ref: JobRef) -> bool:
        self._die_at("before removing")
        is_removed = await super().remove_waiting(ref)
        self._die_at("after removing")
        return is_removed

    def _die_at(self, point: str) -> None:
        if self.point == point:
            raise QueueUnavailable(place="here", reason="it died")


def follow_up_orders_with(parts: BotParts, queues: Queues) -> FollowUpOrders:
    services = replace(parts.services, queues=queues)
    ordering = Ordering(services, parts.intake, parts.status_cards, 1)
    return FollowUpOrders(services, ordering, parts.status_cards)


async def cut_off(parts: BotParts, draft: Draft, url: str, point: str) -> None:
    async with Dying(url, ["mesh", "fomm"], OrderLimits(open_orders=1)) as queues:
        queues.point = point
        with pytest.raises(QueueUnavailable):
            await follow_up_orders_with(parts, queues).use_engine(draft, 1, "mesh")


async def both_are_shown(parts: BotParts) -> bool:
    return (
        sum(card.message is not None for card in await parts.services.order_cards.all_open()) == 2
    )


POINTS = ["before submitting", "after submitting", "before removing", "after removing"]


@pytest.mark.parametrize("point", POINTS)
async def test_move_that_was_cut_off_leaves_an_order_and_is_made_up_for(
    parts: BotParts, maker: Maker, desk: Desk, valkey: str, point: str
) -> None:
    draft = await waiting(parts, maker, desk)
    await cut_off(parts, draft, valkey, point)
    assert await states(parts, draft), "an accepted order is always there"
    if point == "after removing":
        await desk.sees("Smile: see the video below.")
    moved = await parts.follow_up_orders.use_engine(await parts.draft(draft.draft_id), 1, "mesh")
    assert moved.card is not None
    left = {f"mesh {moved.card.number}": OrderState.WAITING}
    assert await states(parts, draft) == left
    async with working(parts, maker):
        await desk.sees("Made with AI")
        await until(lambda: nothing_is_open(parts))
    assert len(maker.orders) == 1
    assert "cancelled" not in await desk.transcript()


async def test_order_that_began_while_it_was_moved_is_made_once(
    parts: BotParts, maker: Maker, desk: Desk, valkey: str
) -> None:
    go = asyncio.Event()

    async def wait(_assignment: Assignment) -> None:
        await go.wait()

    draft = await waiting(parts, maker, desk)
    await cut_off(parts, draft, valkey, "after submitting")
    await until(lambda: both_are_shown(parts))
    maker.before_video = wait
    async with working(parts, maker, "fomm"):
        await until(lambda: maker.orders)
        moved = await parts.follow_up_orders.use_engine(
            await parts.draft(draft.draft_id), 1, "mesh"
        )
        assert not moved.is_new
        await desk.sees("Smile: the first one has already started and continues.")
        go.set()
        await desk.sees("Made with AI")
        await until(lambda: nothing_is_open(parts))
    assert [order.engine for order in maker.orders] == ["fomm"]
    assert await states(parts, draft) == {"fomm 1": OrderState.DONE}


async def test_of_two_that_began_the_one_that_was_wished_for_goes_on(
    parts: BotParts, maker: Maker, desk: Desk, valkey: str
) -> None:
    draft = await waiting(parts, maker, desk)
    await cut_off(parts, draft, valkey, "after submitting")
    go = asyncio.Event()

    async def wait(assignment: Assignment) -> None:
        while assignment.stop_reason is None and not go.is_set():
            await asyncio.sleep(0.01)

    maker.before_video = wait
    async with working(parts, maker, "fomm"), working(parts, maker):
        await until(lambda: len(maker.orders) == 2)
        moved = await parts.follow_up_orders.use_engine(
            await parts.draft(draft.draft_id), 1, "mesh"
        )
        assert moved.card is not None
        assert moved.card.order.engine == "mesh"
        await desk.sees("Smile: see the video below.")
        go.set()
        await desk.sees("Made with AI")
        await until(lambda: nothing_is_open(parts))
