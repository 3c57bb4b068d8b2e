"""The services that the parts of the bot share: queues, stores, files, the messenger."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.texts import ENGLISH, Texts

if TYPE_CHECKING:
    # Drafts and orders use this module, so it must not import them.
    from bot.drafts.draft_store import DraftStore
    from bot.gateway.card_sender import CardSender
    from bot.gateway.messenger import Messenger
    from bot.groups.group_settings import GroupSettingsStore
    from bot.history.store import HistoryStore
    from bot.languages import Languages
    from bot.limits import Limits
    from bot.movements import OfferedMovements
    from bot.orders.blocked_photos import BlockedPhotos
    from bot.orders.offers import Offers
    from bot.orders.order_cards import OrderCards
    from bot.people import People
    from bot.statistics import Statistics
    from jobs.metrics.order_metrics import OrderMetrics
    from jobs.queues.queues import Queues
    from jobs.store.files import FileStore
    from jobs.store.retention import Retention


@dataclass(frozen=True)
class Services:
    """What the parts of the bot share.

    Attributes:
        queues: the queues of orders.
        drafts: the drafts and conversations.
        order_cards: the cards of orders.
        people: roles and consent.
        group_settings: what the admins of groups have set.
        languages: which language a text is in.
        limits: how much may be ordered.
        statistics: what happened on each day.
        blocked_photos: those that the owner has blocked.
        offers: the engines that can be ordered.
        messenger: sends and edits messages.
        card_sender: sends messages that are edited later.
        store: the files.
        movements: those on offer.
        retention: when files are deleted.
        history: the last results of each person.
        metrics: counts orders and deliveries.
        texts: what the bot says.
        clock: returns unix time, s.
        visible_mark: whether results get the visible mark.
    """

    queues: "Queues"
    drafts: "DraftStore"
    order_cards: "OrderCards"
    people: "People"
    group_settings: "GroupSettingsStore"
    languages: "Languages"
    limits: "Limits"
    statistics: "Statistics"
    blocked_photos: "BlockedPhotos"
    offers: "Offers"
    messenger: "Messenger"
    card_sender: "CardSender"
    store: "FileStore"
    movements: "OfferedMovements"
    retention: "Retention"
    history: "HistoryStore"
    metrics: "OrderMetrics"
    texts: Texts = ENGLISH
    clock: Callable[[], float] = time.time
    visible_mark: bool = True
