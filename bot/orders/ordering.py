"""Orders and what becomes of them later: the buttons of an order's card and of its result.

    place -> `placing.py`; cancel, retry, another_frame, one_of_all, use_engine -> here

Everything here may be called twice for the same tap. What goes back to an earlier order takes a
number that no other order of the draft has, noted on the earlier order's card (`_numbered`).
"""

from bot.drafts.intake import Intake
from bot.orders.order_cards import FinalMessage, OrderCard
from bot.orders.placing import PlacedOrder, Placing
from bot.orders.results import BEST_FRAME_RANK, FIND_BEST_FRAME, cancelled_ending
from bot.orders.status_cards import StatusCards
from bot.services import Services
from jobs.drafts import Card, Draft
from jobs.orders import OrderState
from jobs.queues.outcomes import CancelOutcome
from jobs.queues.status import Status
from jobs.service_errors import OrderNotFailed, OrderRefused
from jobs.templates import Catalogue
from jobs.wish import Movement


class OrderForgotten(OrderRefused):
    """The button belongs to an order that is not known any more."""

    sentence = "This order is too old. Send the photo again, and choose a movement."


class Ordering:
    """Takes orders, and takes them back.

    Args: as of `Placing`.
    """

    def __init__(
        self,
        services: Services,
        intake: Intake,
        progress: StatusCards,
        catalogue: Catalogue,
        show_all_per_day: int,
    ) -> None:
        self._services = services
        self._progress = progress
        self._placing = Placing(services, intake, progress, catalogue, show_all_per_day)

    async def place(self, draft: Draft) -> PlacedOrder:
        """Orders what a draft says, as `Placing.place`."""
        return await self._placing.place(draft)

    async def cancel(self, draft: Draft, number: int) -> CancelOutcome:
        """Takes an order back; its card says so.

        Raises:
            QueueUnavailable: the server does not answer.
        """
        card = await self._services.cards.read(draft.order_id_of(number))
        return CancelOutcome.UNKNOWN if card is None else await self.cancel_order(card)

    async def cancel_order(self, card: OrderCard) -> CancelOutcome:
        """As `cancel`, for an order that is known by its card."""
        services = self._services
        became = await services.queues.cancel(card.ref)
        if became is CancelOutcome.REMOVED:
            await services.cards.end(card.order_id, cancelled_ending(card, services.texts))
            await services.drafts.change(card.draft, lambda draft: renumbered(draft, card.number))
        elif became is CancelOutcome.TOLD:
            await services.cards.change(card.order_id, is_stopping=True)
        self._progress.wake(card.order_id)
        return became

    async def open_orders(self, person: int) -> list[OrderCard]:
        """A person's orders that have not come to their end, the oldest first."""
        return [card for card in await self._services.cards.all_open() if card.person == person]

    async def retry(
        self, draft: Draft, number: int, message: Card | None = None, by: int | None = None
    ) -> PlacedOrder:
        """Tries a failed order again; orders it anew if its files or itself are gone.

        Args:
            draft: whose order it is.
            number: which one.
            message: what shows from now on how it stands, as the one with the button; None: a new
                one.
            by: the admin who wants that; None: the draft's person.

        Raises:
            OrderForgotten: it is not known any more.
            OrderRefused, QueueUnavailable, StoreUnavailable: as of `place`.
        """
        services, placing, card = self._services, self._placing, await self._card(draft, number)
        await placing.served(draft.person if by is None else by)
        status = await services.queues.status(card.ref)
        wish = card.order.wish
        is_there = wish.clip is None or wish.clip.is_complete
        files = (wish.photo.file, wish.clip.file if wish.clip else None)
        is_there = is_there and await placing.are_stored(files)
        if not is_there or await self._is_lost(status):
            again = await self._numbered(_again(draft, card, message), card, "retry")
            return await placing.place(again, by, card)
        if status is None or status.state is not OrderState.FAILED:
            return PlacedOrder(card)
        # First the card: whatever happens then, somebody sees to it.
        card = await services.cards.reopen(card, message, services.clock())
        try:
            await services.queues.retry(card.ref)
        except OrderNotFailed:
            return PlacedOrder(card)  # somebody else did in this moment
        self._progress.wake(card.order_id)
        return PlacedOrder(card, is_new=True)

    async def another_frame(self, draft: Draft, number: int) -> PlacedOrder:
        """Orders the same once more, its movement measured from the clip's next best frame.

        Raises:
            OrderForgotten: the order is not known any more.
            OrderRefused, QueueUnavailable, StoreUnavailable: as of `place`.
        """
        card = await self._card(draft, number)
        rank = card.order.wish.options.get(BEST_FRAME_RANK, 1)
        options = {FIND_BEST_FRAME: True, BEST_FRAME_RANK: int(str(rank)) + 1}
        again = await self._numbered(_again(draft, card), card, "frame")
        again = again.model_copy(update={"options": {**card.order.wish.options, **options}})
        return await self._placing.place(again, earlier=card)

    async def one_of_all(self, draft: Draft, number: int, template: str) -> PlacedOrder:
        """Orders one movement of an animation that shows several.

        Raises:
            OrderForgotten: the order of the animation is not known any more.
            OrderRefused, QueueUnavailable, StoreUnavailable: as of `place`.
        """
        card = await self._card(draft, number)
        one = {
            "motion": Movement(template=template),
            "is_all_wanted": False,
            "engine": draft.engine,
            "options": draft.options,
        }
        again = await self._numbered(_again(draft, card), card, f"template {template}")
        return await self._placing.place(again.model_copy(update=one), earlier=card)

    async def use_engine(self, draft: Draft, number: int, engine: str) -> PlacedOrder:
        """Moves an order that waits to another engine; one that has begun stays where it is.

        Raises:
            OrderForgotten: it is not known any more.
            UnknownEngine: there is no such engine; the order stays where it is.
            OrderRefused, QueueUnavailable, StoreUnavailable: as of `place`.
        """
        services, card = self._services, await self._card(draft, number)
        await services.queues.check_engine(engine)
        await self._placing.served(draft.person)
        wish, status = f"engine {engine}", await services.queues.status(card.ref)
        is_waiting = status is not None and status.state in (
            OrderState.WAITING,
            OrderState.RETRYING,
        )
        if is_waiting and engine != card.order.engine and not card.order.wish.movement.templates:
            again = await self._numbered(_again(draft, card), card, wish)
            again = again.model_copy(update={"engine": engine})
            return await self._replaced(card, await self._placing.move(again, card))
        # An earlier call may have been cut off before the order began.
        known = await services.cards.read(draft.order_id_of(card.later.get(wish, number)))
        if known is None or known.number == number:
            return PlacedOrder(card)
        if card.ended is not None:
            return PlacedOrder(known)
        return await self._replaced(card, PlacedOrder(known))

    # --- inside -----------------------------------------------------------------------------------

    async def _card(self, draft: Draft, number: int) -> OrderCard:
        card = await self._services.cards.read(draft.order_id_of(number))
        if card is None:
            raise OrderForgotten
        return card

    async def _numbered(self, again: Draft, card: OrderCard, wish: str) -> Draft:
        """A draft with the number of a later wish of an earlier order.

        The same wish has the same number, unless its order was cancelled or its video is lost.

        Args:
            again: what is wanted.
            card: of the earlier order.
            wish: which of the wishes that its buttons offer.

        Raises:
            OrderForgotten: the draft is not known any more.
        """
        number = card.later.get(wish)
        if number is None or await self._is_over(again.order_id_of(number)):
            taken = await self._taken(again)
            number = await self._services.cards.note_later(card.order_id, wish, taken, number)
        return again.model_copy(update={"number": number})

    async def _taken(self, draft: Draft) -> int:
        """A number that no order of a draft has or will get from a keyboard."""
        is_ordered = await self._services.cards.read(draft.order_id) is not None

        def above(found: Draft) -> Draft:
            # A keyboard that is open keeps its own number, and a status card stays its order's.
            card = None if is_ordered and found.number == draft.number else found.card
            return found.model_copy(update={"number": found.number + 2, "card": card})

        changed = await self._services.drafts.change(draft.draft, above)
        if changed is None:
            raise OrderForgotten
        return changed.number - 1

    async def _is_over(self, order_id: str) -> bool:
        """Whether an order came to nothing, so that the same may be wished for again."""
        card = await self._services.cards.read(order_id)
        if card is None or card.replaced_by is not None:
            return False
        status = await self._services.queues.status(card.ref)
        if status is None or status.state is OrderState.CANCELLED:
            return card.ended is not None
        return await self._is_lost(status)

    async def _replaced(self, card: OrderCard, placed: PlacedOrder) -> PlacedOrder:
        """Takes an order back whose successor is accepted, or the successor if it has begun."""
        services, new = self._services, placed.card
        assert new is not None  # noqa: S101 - moving an order waits for no files
        await services.cards.change(card.order_id, replaced_by=new.number)
        old = card.model_copy(update={"replaced_by": new.number})
        if await services.queues.remove_waiting(card.ref):
            await services.cards.end(card.order_id, cancelled_ending(old, services.texts))
            self._progress.wake(card.order_id)
            return placed
        if await services.queues.remove_waiting(new.ref):
            _ = services.texts
            text = _("{title}: the first one has begun already, so it goes on.", title=card.title)
            await services.cards.change(card.order_id, replaced_by=None)
            await services.cards.end(new.order_id, FinalMessage(text=text))
            self._progress.wake(new.order_id)
            return PlacedOrder(card)
        # Both have begun: the one that was wished for last goes on.
        await self.cancel_order(old)
        return placed

    async def _is_lost(self, status: Status | None) -> bool:
        """Whether nothing more comes of an order that did not fail: its video is gone, or it is."""
        if status is None:
            return True
        if status.state is not OrderState.DONE or status.result is None:
            return status.state is OrderState.DONE
        return not await self._placing.are_stored([status.video().key])


def renumbered(draft: Draft, number: int) -> Draft:
    """The draft after its order of that number: what is tapped from now on is a new wish."""
    return draft.model_copy(update={"number": max(draft.number, number + 1)})


def _again(draft: Draft, card: OrderCard, message: Card | None = None) -> Draft:
    """The draft with the wish of one of its orders, to be shown by a message or a new one."""
    wish = card.order.wish
    is_all = bool(wish.movement.templates)
    changes = {
        "motion": None if is_all else wish.movement,
        "is_all_wanted": is_all,
        "face_box": wish.face_box,
        "engine": card.order.engine,
        "options": wish.options,
        "clip": card.clip if card.clip and wish.clip else draft.clip,
        "card": message,
    }
    return draft.model_copy(update=changes)
