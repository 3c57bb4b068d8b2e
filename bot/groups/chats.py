"""Chats that change: groups that migrate, and chats that the bot has to leave."""

from bot.drafts.draft_store import DraftStore
from bot.orders.order_cards import OrderCards
from bot.orders.ordering import Ordering
from bot.services import Services
from jobs.connection import queue_errors

# Resets a card that is shown in a new chat, which has none of the earlier messages.
_UNSHOWN = {"message": None, "reply_to": None, "thread_id": None, "edits": 0}


class ChatMigrations:
    """Follows groups that become supergroups and get a new id."""

    def __init__(self, drafts: DraftStore, order_cards: OrderCards) -> None:
        self._drafts = drafts
        self._order_cards = order_cards

    async def move(self, old: int, new: int) -> None:
        """Move a group's drafts and open orders to its new id; may be called again.

        The ids of orders stay. Messages stay in the old group, where they can neither be edited nor
        replied to.

        Raises:
            QueueUnavailable: Redis does not answer.
        """
        await self._drafts.move(old, new)
        for card in await self._order_cards.all_unsettled():
            if card.chat_id == old:
                await self._order_cards.change(card.order_id, moved_to=new, **_UNSHOWN)


class ChatDepartures:
    """Cleans up after chats where the bot cannot write any more."""

    def __init__(self, services: Services, ordering: Ordering) -> None:
        self._services = services
        self._ordering = ordering

    async def clean_up(self, chat_id: int) -> None:
        """Cancel a chat's orders and delete its photos and clips; may be called again.

        Raises:
            QueueUnavailable, StoreUnavailable: try again later.
        """
        services = self._services
        for card in await services.order_cards.all_open():
            if card.chat_id == chat_id:
                await self._ordering.cancel_order(card)
        for draft in await services.drafts.of_chat(chat_id):
            await services.drafts.forget(draft)
            with queue_errors(services.queues.url):
                await services.retention.forget(draft, services.clock())
        await services.drafts.forget_chat(chat_id)
