"""Orders and what becomes of them later: the buttons of an order's card and of its result.

    place -> `placing.py`; cancel, retry, another_frame, use_engine -> here

Everything here may be called twice for the same tap.
"""

from bot.drafts.intake import Intake
from bot.office import Office
from bot.orders.order_cards import Ending, OrderCard
from bot.orders.placing import Placed, Placing
from bot.orders.progress import Progress
from bot.orders.results import BEST_FRAME_RANK, FIND_BEST_FRAME, cancelled_ending
from bot.wording import sentence_of
from jobs.drafts import Card, Draft
from jobs.errors import UserError
from jobs.orders import OrderState
from jobs.queues.queues import Cancelling
from jobs.queues.status import Status
from jobs.service_errors import OrderNotFailed, OrderRefused
from jobs.templates import Catalogue


class OrderForgotten(OrderRefused):
    """The button belongs to an order that is not known any more."""

    sentence = "This order is too old. Send the photo again, and choose a movement."


class Ordering:
    """Takes orders, and takes them back.

    Args: as of `Placing`.
    """

    def __init__(
        self,
        office: Office,
        intake: Intake,
        progress: Progress,
        catalogue: Catalogue,
        show_all_per_day: int,
    ) -> None:
        self._office = office
        self._progress = progress
        self._placing = Placing(office, intake, progress, catalogue, show_all_per_day)

    async def place(self, draft: Draft) -> Placed:
        """Orders what a draft says, as `Placing.place`."""
        return await self._placing.place(draft)

    async def cancel(self, draft: Draft, number: int) -> Cancelling:
        """Takes an order back; its card says so.

        Raises:
            QueueUnavailable: the server does not answer.
        """
        card = await self._office.cards.read(draft.order_id_of(number))
        return Cancelling.UNKNOWN if card is None else await self.cancel_order(card)

    async def cancel_order(self, card: OrderCard) -> Cancelling:
        """As `cancel`, for an order that is known by its card."""
        office = self._office
        became = await office.queues.cancel(card.ref)
        if became is Cancelling.REMOVED:
            await office.cards.end(card.order_id, cancelled_ending(card, office.texts))
            await office.drafts.change(card.draft, lambda draft: renumbered(draft, card.number))
        elif became is Cancelling.TOLD:
            await office.cards.change(card.order_id, is_stopping=True)
        self._progress.wake(card.order_id)
        return became

    async def open_orders(self, person: int) -> list[OrderCard]:
        """A person's orders that have not come to their end, the oldest first."""
        return [card for card in await self._office.cards.all_open() if card.person == person]

    async def retry(
        self, draft: Draft, number: int, message: Card | None = None, by: int | None = None
    ) -> Placed:
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
        office, placing, card = self._office, self._placing, await self._card(draft, number)
        await placing.served(draft.person if by is None else by)
        status = await office.queues.status(card.ref)
        is_there = await placing.are_stored((card.order.photo_key, card.order.motion.clip_key))
        if not is_there or await self._is_lost(status):
            return await placing.place(_again(draft, card), by)
        if status is None or status.state is not OrderState.FAILED:
            return Placed(card)
        # First the card: whatever happens then, somebody sees to it.
        card = await office.cards.reopen(card, message, office.clock())
        try:
            await office.queues.retry(card.ref)
        except OrderNotFailed:
            return Placed(card)  # somebody else did in this moment
        self._progress.wake(card.order_id)
        return Placed(card, is_new=True)

    async def another_frame(self, draft: Draft, number: int) -> Placed:
        """Orders the same once more, its movement measured from the clip's next best frame.

        Raises:
            OrderForgotten: the order is not known any more.
            OrderRefused, QueueUnavailable, StoreUnavailable: as of `place`.
        """
        card = await self._card(draft, number)
        rank = card.order.options.get(BEST_FRAME_RANK, 1)
        options = {FIND_BEST_FRAME: True, BEST_FRAME_RANK: int(str(rank)) + 1}
        again = _again(draft, card)
        return await self.place(
            again.model_copy(update={"options": {**card.order.options, **options}})
        )

    async def use_engine(self, draft: Draft, number: int, engine: str) -> Placed:
        """Moves an order that waits to another engine; one that has begun stays where it is.

        Raises:
            OrderForgotten: it is not known any more.
            UnknownEngine: there is no such engine; the order stays where it is.
            OrderRefused, QueueUnavailable, StoreUnavailable: as of `place`.
        """
        office, card = self._office, await self._card(draft, number)
        await office.queues.check_engine(engine)
        await self._placing.served(draft.person)
        if not await office.queues.remove_waiting(card.ref):
            return Placed(card)
        await office.cards.close(card.order_id)
        changed = _again(draft, card).model_copy(
            update={"engine": engine, "number": number + 1, "card": card.card}
        )
        await office.drafts.change(draft.draft, lambda found: renumbered(found, number))
        try:
            return await self.place(changed)
        except UserError as error:
            await self._end_refused(card, error)
            raise

    # --- inside -----------------------------------------------------------------------------------

    async def _card(self, draft: Draft, number: int) -> OrderCard:
        card = await self._office.cards.read(draft.order_id_of(number))
        if card is None:
            raise OrderForgotten
        return card

    async def _end_refused(self, card: OrderCard, error: UserError) -> None:
        """Has the card of an order that is gone say why it came to nothing."""
        _ = self._office.texts
        text = _("{title}: {reason}", title=card.title, reason=sentence_of(error, _))
        await self._office.cards.end(card.order_id, Ending(text=text, offers_more=True))
        await self._office.cards.open(card)
        self._progress.wake(card.order_id)

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


def _again(draft: Draft, card: OrderCard) -> Draft:
    """The draft with the wish of one of its orders, as a new one."""
    order = card.order
    wish = {
        "motion": None if order.motion.templates else order.motion,
        "is_all_wanted": bool(order.motion.templates),
        "face_box": order.face_box,
        "engine": order.engine,
        "options": order.options,
    }
    return renumbered(draft, card.number).model_copy(update=wish)
