"""What everything behind the conversation works with: queues, books, files, the way out."""

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
    """The parts that taking, showing and delivering orders share.

    Attributes:
        queues: where orders wait.
        drafts: what people put together.
        cards: the orders as people see them.
        people: who may do what.
        offers: what live workers can do.
        messenger: sends and edits.
        store: the files.
        retention: their deadlines.
        metrics: counts orders and deliveries.
        texts: the sentences.
        clock: unix time in s.
        new_cards: sends cards.
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
        """Make what follows from the other parts."""
        queues = self.queues
        new_cards = NewCards(queues.client, queues.url, self.messenger, self.texts)
        object.__setattr__(self, "new_cards", new_cards)
