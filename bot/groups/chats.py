"""Chats change: a group gets a new number, the bot is put out of one, a person blocks it."""

from bot.drafts.draft_store import DraftStore
from bot.orders.order_cards import OrderCards
from bot.orders.ordering import Ordering
from bot.services import Services
from jobs.connection import queue_errors

# A card that is to be shown anew, in a chat that has none of the messages from before.
_UNSHOWN = {"card": None, "reply_to": None, "thread_id": None, "edits": 0}


class ChatMigrations:
    """Follows groups that get a new number, as when they become supergroups.

    Args:
        drafts: those of the group follow.
        cards: the group's open orders are shown anew.
    """

    def __init__(self, drafts: DraftStore, cards: OrderCards) -> None:
        self._drafts = drafts
        self._cards = cards

    async def moved(self, old: int, new: int) -> None:
        """Notes that a group has a new number; it may be told more than once.

        The ids of orders stay as they are. Messages stay behind in the old group: they cannot be
        changed nor answered any more.

        Raises:
            QueueUnavailable: the server does not answer.
        """
        await self._drafts.move(old, new)
        for card in await self._cards.all_unsettled():
            if card.chat == old:
                await self._cards.change(card.order_id, moved_to=new, **_UNSHOWN)


class ChatDepartures:
    """Ends what belongs to chats where the bot cannot write any more.

    Args:
        office: the parts of the bot.
        ordering: takes orders back.
    """

    def __init__(self, services: Services, ordering: Ordering) -> None:
        self._services = services
        self._ordering = ordering

    async def left(self, chat: int) -> None:
        """Takes a chat's orders back and forgets its photos and clips; it may be done twice.

        Raises:
            QueueUnavailable, StoreUnavailable: it is to be done again.
        """
        services = self._services
        for card in await services.cards.all_open():
            if card.chat == chat:
                await self._ordering.cancel_order(card)
        for draft in await services.drafts.of_chat(chat):
            await services.drafts.forget(draft)
            with queue_errors(services.queues.url):
                await services.retention.forget(draft, services.clock())
        await services.drafts.forget_chat(chat)
