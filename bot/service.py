"""The bot as a whole: which parts there are, and how they hang together.

Telegram -> BotApplication -> conversation -> Ordering -> queues
queues   -> Outbox -> Delivery -> Messenger -> Telegram
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry

from bot.conversation.album_store import AlbumStore
from bot.conversation.albums import Albums
from bot.conversation.commands import Commands, Promise
from bot.conversation.draft_cards import DraftCards
from bot.conversation.handlers import add_conversation_handlers, add_tap_handlers
from bot.conversation.reception import Limits as MediaLimits
from bot.conversation.reception import Reception
from bot.conversation.taps import Taps
from bot.drafts.draft_news import DraftNews
from bot.drafts.draft_store import DraftStore
from bot.drafts.intake import CLOUD_LIMIT_BYTES, INTAKE_RULES, LOCAL_LIMIT_BYTES, Intake
from bot.gateway.apologies import Apologies
from bot.gateway.application import BotApplication
from bot.gateway.command_lists import CommandLists
from bot.gateway.connection import build_application, run
from bot.gateway.hearing import Hearing
from bot.gateway.messenger import Messenger
from bot.groups.chats import Departures, Moves
from bot.groups.groups import Groups
from bot.groups.handlers import add_chat_handlers, add_group_handlers
from bot.housekeeping import chores_of, keep_house
from bot.lasting import keep_open, side_by_side
from bot.office import Office
from bot.orders.delivery import DELIVER_RULES, Delivery
from bot.orders.offers import AUTO, Offers
from bot.orders.order_cards import OrderCards
from bot.orders.ordering import Ordering
from bot.orders.progress import Progress
from bot.owner.access import Guard
from bot.owner.admin_notes import AdminNotes
from bot.owner.claim import Claims, claim_words, first_link
from bot.owner.commands import OwnerCommands
from bot.owner.handlers import add_guard, add_owner_handlers
from bot.people import People
from jobs.cleaning import Cleaning
from jobs.metrics.order_metrics import OrderMetrics
from jobs.metrics.queue_metrics import QueueMetrics
from jobs.metrics.serving import serve_metrics
from jobs.queues.admission import Limits
from jobs.queues.keys import DELIVER, INTAKE
from jobs.queues.known_engines import KnownEngines
from jobs.queues.outbox import Outbox
from jobs.queues.queues import Queues
from jobs.queues.workers import Workers
from jobs.settings import Settings
from jobs.store.files import FileStore
from jobs.store.retention import Retention
from jobs.templates import Catalogue

log = logging.getLogger(__name__)

_HOUR_S = 3600.0
_MB = 1_000_000
_print = partial(print, flush=True)


@dataclass(frozen=True)
class Parts:
    """What works behind the conversation.

    Attributes:
        office: what all of them share.
        intake: fetches files.
        delivery: tells how jobs ended.
        progress: keeps the status cards.
        albums: asks about several photos at once.
        lists: what Telegram shows of the bot.
        outbox: finds finished jobs.
        registry: the metrics.
    """

    office: Office
    intake: Intake
    delivery: Delivery
    progress: Progress
    albums: Albums
    lists: CommandLists
    outbox: Outbox
    registry: CollectorRegistry


async def serve(
    settings: Settings,
    store: FileStore,
    ending: asyncio.Event,
    tell: Callable[[str], None] = _print,
    hearing: Hearing | None = None,
) -> None:
    """Runs the bot until `ending` is set.

    Args:
        settings: with token and server of the queues.
        store: the files.
        ending: set when it is to end.
        tell: told what is for the owner's eyes alone, and not for the log.
        hearing: told each time that updates were fetched.

    Raises:
        BadSettings: there is no token, or Telegram does not know it.
        QueueUnavailable, TelegramUnavailable: they did not answer at the start.
        Exception: what a part of it failed with that nobody had foreseen.
    """
    registry, hearing = CollectorRegistry(), hearing or Hearing()
    hearing.measure(registry)
    limits = Limits(settings.open_orders_per_person, settings.orders_per_day, settings.queue_limit)
    url = settings.redis_url.get_secret_value()
    metrics = OrderMetrics(registry)
    async with AsyncExitStack() as stack:
        stack.enter_context(serve_metrics(registry, settings.metrics_host, settings.metrics_port))
        # Orders for the engine of the settings wait, even if no worker has offered it yet.
        own = () if settings.default_engine == AUTO else (settings.default_engine,)
        queues = await stack.enter_async_context(Queues(url, own, limits, metrics=metrics))
        application = build_application(settings, queues.client, hearing=hearing)
        office = _office(settings, queues, store, application, metrics)
        parts = _put_together(settings, application, office, registry)
        await _run(application, parts, ending, tell)


def _office(
    settings: Settings,
    queues: Queues,
    store: FileStore,
    application: BotApplication,
    metrics: OrderMetrics,
) -> Office:
    client, url = queues.client, queues.url
    drafts, cards = DraftStore(client, url), OrderCards(client, url)
    return Office(
        queues=queues,
        drafts=drafts,
        cards=cards,
        people=People(client, url, frozenset(settings.admins), is_open=settings.open),
        offers=Offers(Workers(client, url), KnownEngines(client, url), settings.default_engine),
        messenger=Messenger(application.bot, Moves(drafts, cards).moved),
        store=store,
        retention=Retention(
            client,
            store,
            input_s=settings.retain_input_h * _HOUR_S,
            result_s=settings.retain_result_h * _HOUR_S,
        ),
        metrics=metrics,
    )


def _put_together(
    settings: Settings, application: BotApplication, office: Office, registry: CollectorRegistry
) -> Parts:
    """All parts, and the handlers in the application."""
    catalogue = Catalogue.load(settings.templates_dir)
    file_bytes = LOCAL_LIMIT_BYTES if settings.bot_api_local else CLOUD_LIMIT_BYTES
    intake = Intake(office, file_bytes)
    progress = Progress(office)
    ordering = Ordering(office, intake, progress, catalogue, settings.show_all_per_day)
    cards = DraftCards(office, catalogue)
    reception = Reception(
        office, intake, cards, MediaLimits(file_bytes, settings.clip_max_s, settings.retain_input_h)
    )
    promise = Promise(
        owner=settings.owner_contact,
        retain_input_h=settings.retain_input_h,
        retain_result_h=settings.retain_result_h,
        clip_s=settings.clip_max_s,
        file_mb=file_bytes // _MB,
    )
    commands = Commands(office, ordering, cards, catalogue, promise)
    albums = Albums(office, AlbumStore(office.queues.client, office.queues.url), reception)
    groups = Groups(office, reception, ordering, catalogue)
    lists = CommandLists(application.bot, office.texts)
    add_guard(application, Guard(office, settings.owner_contact))
    add_owner_handlers(application, OwnerCommands(office, ordering, lists.write_for))
    moves = Moves(office.drafts, office.cards)
    add_chat_handlers(application, moves, Departures(office, ordering), groups)
    add_group_handlers(application, groups)
    add_conversation_handlers(application, reception, albums, commands)
    taps = Taps(office, reception, ordering, cards, groups.may_tap)
    add_tap_handlers(application, taps, albums, office.messenger)
    notes = AdminNotes(office)
    news = DraftNews(office, ordering, cards.show, notes.tell)
    delivery = Delivery(office, progress, news, notes.tell)
    application.add_error_handler(Apologies(office.messenger, notes, office.texts).failed)
    outbox = Outbox(office.queues)
    return Parts(office, intake, delivery, progress, albums, lists, outbox, registry)


async def _run(
    application: BotApplication,
    parts: Parts,
    ending: asyncio.Event,
    tell: Callable[[str], None],
) -> None:
    """Works as long as the application does: its other parts start before and end after it.

    Where one of these fails, which is a mistake of ours, everything ends, so that whoever watches
    over the bot starts it again.
    """
    working = AsyncExitStack()
    failures: list[BaseException] = []

    def fail(error: BaseException) -> None:
        log.error("a part of the bot has failed (%s), so it ends", type(error).__name__)
        failures.append(error)
        ending.set()

    async def begin(_application: object) -> None:
        office = parts.office
        claims = Claims(office.queues.client, office.queues.url)
        link = await first_link(claims, office.people, application.bot.username)
        if link is not None:
            tell(claim_words(link, office.texts))
        await working.enter_async_context(_at_work(parts, fail))

    async def end(_application: object) -> None:
        await working.aclose()

    application.post_init, application.post_stop = begin, end
    try:
        await run(application, ending)
    finally:
        await working.aclose()
    for error in failures:
        raise error


@asynccontextmanager
async def _at_work(parts: Parts, failed: Callable[[BaseException], None]) -> AsyncIterator[None]:
    office = parts.office
    cleaning = Cleaning(office.queues, parts.outbox, office.retention)
    queue_metrics = QueueMetrics(office.queues, parts.registry)
    chores = chores_of(parts.outbox, cleaning, queue_metrics, time.time)
    url = office.queues.url
    admins = await office.people.admins()  # may fail, so it comes before all coroutines
    works = (
        keep_open(url, INTAKE, parts.intake.work, INTAKE_RULES),
        keep_open(url, DELIVER, parts.delivery.work, DELIVER_RULES),
        keep_house(chores),
        parts.progress.run(),
        parts.albums.run(),
        parts.lists.write(admins),
    )
    async with side_by_side(works, failed):
        yield
