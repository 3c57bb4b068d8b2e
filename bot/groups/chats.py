"""Chats change: a group gets a new number, the bot is put out of one, a person blocks it."""

from bot.drafts.draft_store import DraftStore
from bot.office import Office
from bot.orders.order_cards import OrderCards
from bot.orders.ordering import Ordering
from jobs.connection import reaching

# A card that is to be shown anew, in a chat that has none of the messages from before.
_UNSHOWN = {"card": None, "reply_to": None, "thread_id": None, "edits": 0}


class Moves:
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


class Departures:
    """Ends what belongs to chats where the bot cannot write any more.

    Args:
        office: the parts of the bot.
        ordering: takes orders back.
    """

    def __init__(self, office: Office, ordering: Ordering) -> None:
        self._office = office
        self._ordering = ordering

    async def left(self, chat: int) -> None:
        """Takes a chat's orders back and forgets its photos and clips; it may be done twice.

        Raises:
            QueueUnavailable, StoreUnavailable: it is to be done again.
        """
        office = self._office
        for card in await office.cards.all_open():
            if card.chat == chat:
                await self._ordering.cancel_order(card)
        for draft in await office.drafts.of_chat(chat):
            await office.drafts.forget(draft)
            with reaching(office.queues.url):
                await office.retention.forget(draft, office.clock())
        await office.drafts.forget_chat(chat)
