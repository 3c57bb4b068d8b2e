"""The services that the parts of the bot share: queues, stores, files, the messenger."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.drafts.draft_store import DraftStore
from bot.gateway.messenger import Messenger
from bot.gateway.new_cards import NewCards
from bot.orders.offers import Offers
from bot.orders.order_cards import OrderCards
from bot.people import People
from bot.texts import ENGLISH, Texts
from jobs.metrics.order_metrics import OrderMetrics
from jobs.queues.queues import Queues
from jobs.store.files import FileStore
from jobs.store.retention import Retention


@dataclass(frozen=True)
class Services:
    """What taking, showing and delivering orders share.

    Attributes:
        queues: the queues of orders.
        drafts: the drafts and conversations.
        cards: the orders as their persons see them.
        people: roles and consent.
        offers: the engines that can be ordered.
        messenger: sends and edits messages.
        store: the files.
        retention: when files are deleted.
        metrics: counts orders and deliveries.
        texts: what the bot says.
        clock: returns unix time, s.
        new_cards: sends messages that are edited later.
    """

    queues: Queues
    drafts: DraftStore
    cards: OrderCards
    people: People
    offers: Offers
    messenger: Messenger
    store: FileStore
    retention: Retention
    metrics: OrderMetrics
    texts: Texts = ENGLISH
    clock: Callable[[], float] = time.time
    new_cards: NewCards = field(init=False)

    def __post_init__(self) -> None:
        """Create `new_cards` from the other services."""
        queues = self.queues
        new_cards = NewCards(queues.client, queues.url, self.messenger, self.texts)
        object.__setattr__(self, "new_cards", new_cards)
