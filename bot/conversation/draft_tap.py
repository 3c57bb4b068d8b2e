"""A tap on a button of a draft, after it was checked who taps, and the answers to it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from bot.callback_data import ButtonData
from bot.conversation.draft_cards import DraftCards
from bot.drafts.draft import Draft
from bot.gateway.updates import IncomingTap, TapAnswer
from bot.orders.ordering import PlacedOrder
from bot.texts import Texts


@dataclass(frozen=True)
class DraftTap:
    """A tap on a draft's button, and the draft."""

    incoming: IncomingTap
    button: ButtonData
    draft: Draft


DraftTapHandler = Callable[[DraftTap], Awaitable[TapAnswer]]


def order_answer(draft: Draft, placed: PlacedOrder, draft_cards: DraftCards, _: Texts) -> TapAnswer:
    """Return the answer to a tap that orders."""
    if placed.card is None:
        show = partial(draft_cards.show, draft.draft_id)
        return TapAnswer(_("One moment: I am fetching the photo again."), then=show)
    return TapAnswer("" if placed.is_new else _("You have ordered this already."))
