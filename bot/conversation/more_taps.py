"""Handles taps on "More" of a draft's card, and on the variations there and under results.

A variation of a draft is kept for its next orders; one of a delivered order is a new order.
"""

from functools import partial

from bot.callback_data import ButtonAction
from bot.conversation.draft_cards import DraftCards
from bot.conversation.draft_tap import DraftTap, DraftTapHandler, order_answer
from bot.conversation.media_handler import MediaHandler
from bot.gateway.updates import TapAnswer
from bot.orders.follow_up_orders import FollowUpOrders, as_ordered
from bot.orders.variations import is_new_look, varied
from bot.services import Services


class MoreTaps:
    """Handles these taps."""

    def __init__(
        self,
        services: Services,
        media_handler: MediaHandler,
        follow_up_orders: FollowUpOrders,
        draft_cards: DraftCards,
    ) -> None:
        self._services = services
        self._media_handler = media_handler
        self._follow_up_orders = follow_up_orders
        self._draft_cards = draft_cards
        self.handlers: dict[ButtonAction, DraftTapHandler] = {
            ButtonAction.OPTION: self._choose,
            ButtonAction.STRENGTH: self._choose,
        }

    async def _choose(self, tap: DraftTap) -> TapAnswer:
        draft, argument = tap.draft, tap.button.argument
        changed = varied(draft.choices, argument)
        card = await self._services.order_cards.read(draft.order_id_of(tap.button.number))
        if changed is not None and is_new_look(argument):
            again = as_ordered(draft, card) if card is not None else draft
            look = partial(self._media_handler.set_lead, draft, again.lead)
            part = varied(again.choices, argument)
            return TapAnswer(then=partial(look, part, orders=card is not None))
        if card is not None:  # a result is tapped
            placed = await self._follow_up_orders.varied(draft, tap.button.number, argument)
            return order_answer(draft, placed, self._draft_cards, self._services.texts)
        if changed is not None:
            await self._services.drafts.update(draft, choices=changed)
        show = partial(self._draft_cards.show_more, draft.draft_id)
        return TapAnswer(then=show, only_shows=True)
