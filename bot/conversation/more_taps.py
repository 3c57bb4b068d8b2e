"""The page "More": variations of a draft's next order, or of an order that was delivered.

A variation of a draft is kept for its next orders; one of a delivered order is a new order.
"""

from functools import partial

from bot.callback_data import ButtonAction
from bot.conversation.draft_cards import DraftCards
from bot.conversation.draft_tap import DraftTap, DraftTapHandler, order_answer
from bot.conversation.media_handler import MediaHandler
from bot.conversation.more_page import BACK, result_page
from bot.gateway.messenger import CardMessage
from bot.gateway.updates import TapAnswer
from bot.orders.card_text import result_keyboard
from bot.orders.follow_up_orders import FollowUpOrders
from bot.orders.variations import is_new_look, varied
from bot.services import Services


class MoreTaps:
    """Handles taps on "More" and on the variations there."""

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
            ButtonAction.MORE: self._turn,
            ButtonAction.OPTION: self._choose,
        }

    async def _turn(self, tap: DraftTap) -> TapAnswer:
        """Show the page, or go back from it."""
        draft, number = tap.draft, tap.button.number
        is_back = tap.button.argument == BACK
        if not await self._is_result(tap):
            show = self._draft_cards.show if is_back else self._draft_cards.show_more
            return TapAnswer(then=partial(show, draft.draft_id), only_shows=True)
        again, card = await self._follow_up_orders.as_ordered(draft, number)
        offer, _ = await self._services.offers.now(), self._services.texts
        keyboard = result_keyboard(card, draft.number, offer, _)
        if not is_back:
            choice = await self._draft_cards.choice(again)
            keyboard = result_page(again, card, choice, offer, _)
        show_keyboard = self._services.messenger.edit_keyboard
        message = CardMessage(message_id=tap.incoming.message_id)
        return TapAnswer(
            then=partial(show_keyboard, draft.chat_id, message, keyboard), only_shows=True
        )

    async def _choose(self, tap: DraftTap) -> TapAnswer:
        draft, argument = tap.draft, tap.button.argument
        changed = varied(draft.choices, argument)
        if changed is not None and is_new_look(argument):
            set_lead = self._media_handler.set_lead
            return TapAnswer(then=partial(set_lead, draft, draft.lead, changed))
        if await self._is_result(tap):
            placed = await self._follow_up_orders.varied(draft, tap.button.number, argument)
            return order_answer(draft, placed, self._draft_cards, self._services.texts)
        if changed is None:
            return TapAnswer()
        await self._services.drafts.update(draft, choices=changed)
        show = partial(self._draft_cards.show_more, draft.draft_id)
        return TapAnswer(then=show, only_shows=True)

    async def _is_result(self, tap: DraftTap) -> bool:
        """Whether the tapped message is the result of an order."""
        order_id = tap.draft.order_id_of(tap.button.number)
        return await self._services.order_cards.read(order_id) is not None
