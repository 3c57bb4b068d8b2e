"""Chats that change: groups that migrate, and chats that the bot has to leave."""

from bot.drafts.draft_store import DraftStore, forget_draft
from bot.groups.group_settings import GroupSettingsStore
from bot.orders.order_cards import OrderCards
from bot.orders.ordering import Ordering
from bot.services import Services

# Resets a card that is shown in a new chat, which has none of the earlier messages.
_UNSHOWN = {"message": None, "reply_to": None, "thread_id": None, "edits": 0}


async def move_chat(
    drafts: DraftStore, order_cards: OrderCards, groups: GroupSettingsStore, old: int, new: int
) -> None:
    """Move a migrated group's drafts, open orders and settings to its new id; may be called again.

    The ids of orders stay. Messages stay in the old group, where they can neither be edited nor
    replied to.

    Raises:
        QueueUnavailable: Redis does not answer.
    """
    await groups.move(old, new)
    await drafts.move(old, new)
    for card in await order_cards.all_unsettled():
        if card.chat_id == old:
            await order_cards.update(card.order_id, moved_to=new, **_UNSHOWN)


async def leave_chat(services: Services, ordering: Ordering, chat_id: int) -> None:
    """Cancel the orders of a chat and delete its files; may be called again.

    Raises:
        QueueUnavailable, StoreUnavailable: try again later.
    """
    for card in await services.order_cards.all_open():
        if card.chat_id == chat_id:
            await ordering.cancel_order(card)
    for draft_id in await services.drafts.of_chat(chat_id):
        await forget_draft(services, draft_id)
    await services.drafts.forget_chat(chat_id)
