"""Orders that follow from an earlier one: the buttons of an order's card and of its result.

Each call may be repeated for the same tap. A follow-up order gets a number that no other order of
the draft has; the earlier order's card stores it (`_with_number`).
"""

from bot.drafts.choices import RELATIVE, STRENGTH, Choices
from bot.drafts.draft import Draft
from bot.gateway.messenger import CardMessage
from bot.orders.card_text import cancelled_message
from bot.orders.offers import BEST_FRAME_RANK, FIND_BEST_FRAME
from bot.orders.order_cards import FinalMessage, OrderCard
from bot.orders.ordering import Ordering, PlacedOrder
from bot.orders.permissions import check_group, check_person
from bot.orders.status_cards import StatusCards
from bot.orders.variations import ENGINE, varied
from bot.services import Services
from jobs.orders import OrderState
from jobs.queues.status import Status
from jobs.service_errors import OrderNotFailed, OrderRefused
from jobs.wish import Movement


class OrderForgotten(OrderRefused):
    """The button belongs to an order that is not stored any more."""

    sentence = "This order is too old. Send the photo again and choose a movement."


class FollowUpOrders:
    """Repeats, varies and moves earlier orders."""

    def __init__(self, services: Services, ordering: Ordering, status_cards: StatusCards) -> None:
        self._services = services
        self._ordering = ordering
        self._status_cards = status_cards

    async def retry(
        self, draft: Draft, number: int, message: CardMessage | None = None, by: int | None = None
    ) -> PlacedOrder:
        """Retry a failed order; place it again if it or its files are gone.

        Args:
            draft: whose order it is.
            number: which one.
            message: becomes the order's card; None: a new message is sent.
            by: the admin who retries it; None: the draft's person.

        Raises:
            OrderForgotten: it is not stored any more.
            OrderRefused, QueueUnavailable, StoreUnavailable: see `Ordering.place`.
        """
        services, ordering, card = self._services, self._ordering, await self._card(draft, number)
        await check_group(services, draft.chat_id, draft.person_id)
        await check_person(services, draft.person_id if by is None else by)
        status = await services.queues.status(card.ref)
        wish = card.order.wish
        is_there = wish.movement.is_complete and await ordering.are_stored(wish.files)
        if not is_there or await self._is_lost(status):
            again = await self._with_number(as_ordered(draft, card, message), card, "retry")
            return await ordering.place(again, by, card)
        if status is None or status.state is not OrderState.FAILED:
            return PlacedOrder(card)
        await services.blocked_photos.check(wish.photo.file)
        await ordering.check_voice(wish.movement)
        # The card first, so that it is kept up to date whatever happens next.
        card = await services.order_cards.reopen(card, message, services.clock())
        try:
            await services.queues.retry(card.ref)
        except OrderNotFailed:
            return PlacedOrder(card)  # another call was faster
        self._status_cards.wake(card.order_id)
        return PlacedOrder(card, is_new=True)

    async def another_frame(self, draft: Draft, number: int) -> PlacedOrder:
        """Order the same again, with the movement measured from the clip's next best frame.

        Errors: see `retry`.
        """
        card = await self._card(draft, number)
        rank = card.order.wish.options.get(BEST_FRAME_RANK, 1)
        options = {FIND_BEST_FRAME: True, BEST_FRAME_RANK: int(str(rank)) + 1}
        again = await self._with_number(as_ordered(draft, card), card, "frame")
        again = again.model_copy(update={"options": {**card.order.wish.options, **options}})
        return await self._ordering.place(again, earlier=card)

    async def varied(self, draft: Draft, number: int, argument: str) -> PlacedOrder:
        """Order the same again with a variation (`bot/orders/variations.py`).

        If it changes nothing, it is the same order.

        Raises:
            UnknownEngine: it names an engine that does not exist.
            OrderForgotten, OrderRefused, QueueUnavailable, StoreUnavailable: see `retry`.
        """
        card = await self._card(draft, number)
        again = wanted = as_ordered(draft, card)
        if argument.startswith(ENGINE):
            wanted = again.model_copy(update={"engine": argument.removeprefix(ENGINE)})
            await self._services.queues.check_engine(str(wanted.engine))
        elif (choices := varied(again.choices, argument)) is not None:
            wanted = again.model_copy(update={"choices": choices})
        if wanted == again:
            return PlacedOrder(card)
        wanted = await self._with_number(wanted, card, argument)
        return await self._ordering.place(wanted, earlier=card)

    async def one_of_all(self, draft: Draft, number: int, template: str) -> PlacedOrder:
        """Order one movement of an animation that shows several.

        Errors: see `retry`.
        """
        card = await self._card(draft, number)
        one = {
            "movement": Movement(template=template),
            "engine": draft.engine,
            "options": draft.options,
            "choices": draft.choices,
        }
        again = await self._with_number(as_ordered(draft, card), card, f"template {template}")
        return await self._ordering.place(again.model_copy(update=one), earlier=card)

    async def use_engine(self, draft: Draft, number: int, engine: str) -> PlacedOrder:
        """Move a waiting order to another engine; one that has begun stays.

        Raises:
            UnknownEngine: there is no such engine; the order stays.
            OrderForgotten, OrderRefused, QueueUnavailable, StoreUnavailable: see `retry`.
        """
        services, card = self._services, await self._card(draft, number)
        await services.queues.check_engine(engine)
        await check_person(services, draft.person_id)
        button_key, status = f"engine {engine}", await services.queues.status(card.ref)
        is_waiting = status is not None and status.state in (
            OrderState.WAITING,
            OrderState.RETRYING,
        )
        wish = card.order.wish
        can_move = (await services.offers.now()).moves(engine, wish.face_count)
        can_move = can_move and not wish.movement.templates
        if is_waiting and engine != card.order.engine and can_move:
            again = await self._with_number(as_ordered(draft, card), card, button_key)
            again = again.model_copy(update={"engine": engine})
            return await self._replace(card, await self._ordering.move(again, card))
        # An earlier call may have been interrupted before the order began.
        known = await services.order_cards.read(
            draft.order_id_of(card.later.get(button_key, number))
        )
        if known is None or known.number == number:
            return PlacedOrder(card)
        if card.ended is not None:
            return PlacedOrder(known)
        return await self._replace(card, PlacedOrder(known))

    # --- inside -----------------------------------------------------------------------------------

    async def _card(self, draft: Draft, number: int) -> OrderCard:
        card = await self._services.order_cards.read(draft.order_id_of(number))
        if card is None:
            raise OrderForgotten
        return card

    async def _with_number(self, again: Draft, card: OrderCard, button_key: str) -> Draft:
        """Return a draft with the number of a follow-up order.

        The same button gives the same number, unless its order was cancelled or its video is lost.

        Args:
            again: what is wanted.
            card: the earlier order's card.
            button_key: names the button.

        Raises:
            OrderForgotten: the draft is not stored any more.
        """
        number = card.later.get(button_key)
        if number is None or await self._is_over(again.order_id_of(number)):
            taken = await self._take_number(again)
            number = await self._services.order_cards.note_later(
                card.order_id, button_key, taken, number
            )
        return again.model_copy(update={"number": number})

    async def _take_number(self, draft: Draft) -> int:
        """Take a number that no order of a draft has, or will get from a keyboard."""
        is_ordered = await self._services.order_cards.read(draft.order_id) is not None

        def above(found: Draft) -> Draft:
            # An open keyboard keeps its number, and a status card stays with its order.
            card = None if is_ordered and found.number == draft.number else found.card
            return found.model_copy(update={"number": found.number + 2, "card": card})

        changed = await self._services.drafts.change(draft.draft_id, above)
        if changed is None:
            raise OrderForgotten
        return changed.number - 1

    async def _is_over(self, order_id: str) -> bool:
        """Whether an order has no video, so that the same may be ordered again."""
        card = await self._services.order_cards.read(order_id)
        if card is None or card.replaced_by is not None:
            return False
        status = await self._services.queues.status(card.ref)
        if status is None or status.state is OrderState.CANCELLED:
            return card.ended is not None
        return await self._is_lost(status)

    async def _replace(self, card: OrderCard, placed: PlacedOrder) -> PlacedOrder:
        """Remove an order whose successor was placed; or the successor, if the order has begun."""
        services, new = self._services, placed.card
        assert new is not None  # noqa: S101 - `move` fetches no files
        await services.order_cards.update(card.order_id, replaced_by=new.number)
        old = card.model_copy(update={"replaced_by": new.number})
        if await services.queues.remove_waiting(card.ref):
            await services.order_cards.end(card.order_id, cancelled_message(old, services.texts))
            self._status_cards.wake(card.order_id)
            return placed
        if await services.queues.remove_waiting(new.ref):
            _ = services.texts
            text = _("{title}: the first one has already started and continues.", title=card.title)
            await services.order_cards.update(card.order_id, replaced_by=None)
            await services.order_cards.end(new.order_id, FinalMessage(text=text))
            self._status_cards.wake(new.order_id)
            return PlacedOrder(card)
        # Both have begun: the newer one continues.
        await self._ordering.cancel_order(old)
        return placed

    async def _is_lost(self, status: Status | None) -> bool:
        """Whether an order that did not fail is gone, or its video is."""
        if status is None:
            return True
        if status.state is not OrderState.DONE or status.result is None:
            return status.state is OrderState.DONE
        return not await self._ordering.are_stored([status.video().key])


def as_ordered(draft: Draft, card: OrderCard, message: CardMessage | None = None) -> Draft:
    """Return the draft with the choices of one of its orders, and `message` as its card."""
    wish = card.order.wish
    chosen = (STRENGTH, RELATIVE)
    changes = {
        "movement": wish.movement,
        "face_boxes": wish.face_boxes,
        "engine": card.order.engine,
        "options": {name: value for name, value in wish.options.items() if name not in chosen},
        "choices": Choices.of(wish, draft.choices.clip_start_s),
        "lead": card.lead if card.lead and wish.movement.files else draft.lead,
        "card": message,
    }
    return draft.model_copy(update=changes)
