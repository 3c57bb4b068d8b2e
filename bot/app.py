"""The whole bot: creates its parts, connects and runs them.

Telegram -> BotApplication -> conversation -> Ordering -> queues
queues   -> Outbox -> Delivery -> Messenger -> Telegram
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry

from bot.callback_data import ButtonAction
from bot.conversation.album_store import AlbumStore
from bot.conversation.albums import Albums
from bot.conversation.commands import Commands
from bot.conversation.draft_cards import DraftCards
from bot.conversation.handlers import (
    add_conversation_handlers,
    add_settings_commands,
    add_tap_handlers,
)
from bot.conversation.media_handler import MediaHandler, ServiceTerms
from bot.conversation.settings import SettingsCommands, language_of_group, language_of_person
from bot.conversation.taps import Taps
from bot.drafts.draft_store import DraftStore
from bot.drafts.intake import CLOUD_LIMIT_BYTES, INTAKE_RULES, LOCAL_LIMIT_BYTES, Intake
from bot.gateway.application import BotApplication
from bot.gateway.card_sender import CardSender
from bot.gateway.command_lists import CommandLists
from bot.gateway.connection import build_application, run
from bot.gateway.messenger import Messenger
from bot.gateway.polling import PollingHealth
from bot.gateway.sent_messages import SentMessages
from bot.groups.chats import leave_chat, move_chat
from bot.groups.group_choices import settings_of_group
from bot.groups.group_settings import GroupSettingsStore
from bot.groups.groups import Groups
from bot.groups.handlers import add_chat_handlers, add_flood_guard, add_group_handlers
from bot.history.handlers import HistoryHandlers, add_history_handlers
from bot.history.store import HistoryStore
from bot.languages import Languages, add_language_handler
from bot.limits import Limits
from bot.movements import REFRESH_EVERY_S as MOVEMENTS_EVERY_S
from bot.movements import OfferedMovements
from bot.orders.blocked_photos import BlockedPhotos
from bot.orders.card_text import current_title, with_title
from bot.orders.delivery import DELIVER_RULES, Delivery, deliverers
from bot.orders.follow_up_orders import FollowUpOrders
from bot.orders.look_delivery import LookDelivery
from bot.orders.media_delivery import MediaDelivery, MediaReceiver
from bot.orders.offers import AUTO, Offers
from bot.orders.order_cards import OrderCards
from bot.orders.ordering import Ordering
from bot.orders.status_cards import StatusCards
from bot.owner.access import Guard
from bot.owner.admin_commands import AdminCommands
from bot.owner.admin_notes import AdminNotes, ErrorReporter
from bot.owner.alerts import CHECK_EVERY_S, Alerts
from bot.owner.broadcasts import Broadcasts
from bot.owner.claim import Claims, claim_text, first_link
from bot.owner.handlers import add_guard, add_news_handlers, add_owner_handlers
from bot.owner.limit_commands import LimitCommands
from bot.owner.own_templates import OwnTemplates
from bot.owner.private_commands import PrivateAdminCommands
from bot.owner.report_taps import ReportTaps
from bot.people import People
from bot.periodic_tasks import run_in_background, run_periodically
from bot.privacy.deletion import Deletion
from bot.privacy.handlers import add_privacy_handlers
from bot.provenance.certificates import FOLDER as CERTIFICATES
from bot.provenance.signing import Mode, Signing
from bot.services import Services
from bot.statistics import Statistics
from bot.texts import speaking
from bot.translations import translated_texts
from jobs.cleaning import Cleaning
from jobs.metrics.health import Health
from jobs.metrics.order_metrics import OrderMetrics
from jobs.metrics.queue_metrics import REFRESH_EVERY_S, QueueMetrics
from jobs.metrics.serving import serve_metrics
from jobs.queues.admission import OrderLimits
from jobs.queues.bot_heartbeats import bot_heartbeats
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.keys import DELIVER, INTAKE
from jobs.queues.known_engines import KnownEngines
from jobs.queues.outbox import Outbox
from jobs.queues.queue_workers import QueueWorkers
from jobs.queues.queues import Queues
from jobs.settings import Settings
from jobs.store.files import FileStore
from jobs.store.retention import Retention
from jobs.templates import Catalogue

log = logging.getLogger(__name__)

_HOUR_S = 3600.0
_SWEEP_EVERY_S = 0.5
_CLEAN_EVERY_S = 60.0
_BROADCASTS_EVERY_S = 1.0
_PHOTOS_EVERY_S = 5.0
_print = partial(print, flush=True)

BackgroundTask = Callable[[], Coroutine[Any, Any, None]]


async def serve(
    settings: Settings,
    store: FileStore,
    ending: asyncio.Event,
    show_owner: Callable[[str], None] = _print,
) -> None:
    """Run the bot until `ending` is set.

    Args:
        settings: with the token and the address of Redis.
        store: the files.
        ending: set when the bot is to stop.
        show_owner: shows what only the owner may see, and what must not be logged.

    Raises:
        BadSettings: there is no token, or Telegram does not know it; or signatures are required,
            and their library is not installed.
        QueueUnavailable, TelegramUnavailable: a server did not answer at the start.
        Exception: the unexpected error of a part of the bot.
    """
    registry, polling_health = CollectorRegistry(), PollingHealth()
    polling_health.measure(registry)
    limits = OrderLimits(
        settings.open_orders_per_person, settings.orders_per_day, settings.queue_limit
    )
    url = settings.redis_url.get_secret_value()
    metrics = OrderMetrics(registry)
    mode = Mode(settings.provenance)
    signing = Signing(settings.data_dir / CERTIFICATES, mode, metrics=metrics)
    await signing.prepare()
    async with AsyncExitStack() as stack:
        stack.enter_context(speaking(settings.language))  # where no other language is known
        health = Health(url, store, lambda _: {"telegram": polling_health.word()})
        place = settings.metrics_host, settings.metrics_port
        stack.enter_context(serve_metrics(registry, *place, health))
        beating = bot_heartbeats(url, polling_health.is_silent, on_beat=health.note_heartbeat)
        await stack.enter_async_context(beating)
        # The engine of the settings takes orders even if no worker has offered it yet.
        engines = () if settings.default_engine == AUTO else (settings.default_engine,)
        queues = await stack.enter_async_context(Queues(url, engines, limits, metrics=metrics))
        application = build_application(settings, queues.client, polling_health=polling_health)
        services = _services(settings, queues, store, application, metrics)
        services.messenger.signing = signing
        tasks = _put_together(settings, application, services)
        tasks += _maintenance(services, registry)
        await _run(application, services, tasks, ending, show_owner)


def _services(
    settings: Settings,
    queues: Queues,
    store: FileStore,
    application: BotApplication,
    metrics: OrderMetrics,
) -> Services:
    client, url = queues.client, queues.url
    texts = translated_texts()
    movements = OfferedMovements(Catalogue.load(settings.templates_dir), client, url)
    in_language = partial(with_title, catalogue=movements, texts=texts)
    drafts, order_cards = DraftStore(client, url), OrderCards(client, url, in_language)
    group_settings = GroupSettingsStore(client, url)
    messenger = Messenger(application.bot, partial(move_chat, drafts, order_cards, group_settings))
    card_sender = CardSender(client, url, messenger, texts)
    messenger.around_text = card_sender.record
    people = People(client, url, frozenset(settings.admins), is_open=settings.open)
    messenger.sent_messages = SentMessages(client, url)
    return Services(
        queues=queues,
        drafts=drafts,
        order_cards=order_cards,
        people=people,
        group_settings=group_settings,
        languages=Languages(people, group_settings, texts, settings.language),
        limits=Limits(client, url, queues.limits, settings.clip_max_s),
        statistics=Statistics(client, url, time.time),
        blocked_photos=BlockedPhotos(client, url, store, settings.owner_contact),
        offers=Offers(WorkerRegistry(client), KnownEngines(client), settings.default_engine),
        messenger=messenger,
        card_sender=card_sender,
        store=store,
        movements=movements,
        retention=Retention(
            client,
            store,
            input_s=settings.retain_input_h * _HOUR_S,
            result_s=settings.retain_result_h * _HOUR_S,
        ),
        history=HistoryStore(
            client, url, time.time, partial(current_title, catalogue=movements, _=texts)
        ),
        metrics=metrics,
        texts=texts,
        visible_mark=settings.visible_mark,
    )


def _put_together(
    settings: Settings, application: BotApplication, services: Services
) -> tuple[BackgroundTask, ...]:
    """Create the parts and register their handlers; return their background tasks."""
    client, url = services.queues.client, services.queues.url
    terms = _terms(settings)
    intake, status_cards = Intake(services, terms.file_bytes), StatusCards(services)
    ordering = Ordering(services, intake, status_cards, settings.show_all_per_day)
    follow_up_orders = FollowUpOrders(services, ordering, status_cards)
    draft_cards = DraftCards(services)
    media_handler = MediaHandler(services, intake, draft_cards, terms)
    albums = Albums(services, AlbumStore(client, url), media_handler)
    command_lists = CommandLists(application.bot, services)
    notes = AdminNotes(services)
    broadcasts = Broadcasts(services, is_on=settings.broadcast)
    own_templates = OwnTemplates(services, terms.file_bytes)
    limit_commands = LimitCommands(services, settings.clip_max_s)
    private_commands = PrivateAdminCommands(services, limit_commands, broadcasts, own_templates)

    # Of the handlers of one group, the first that matches handles an update.
    application.add_error_handler(ErrorReporter(services.messenger, notes, services.texts).report)
    add_language_handler(application, services.languages)
    add_flood_guard(application, services)
    add_guard(application, Guard(services, settings.owner_contact))
    admin_commands = AdminCommands(
        services, ordering, follow_up_orders, command_lists.write_for, private_commands
    )
    add_owner_handlers(application, admin_commands)
    add_news_handlers(application, services)
    _add_group_handlers(application, services, ordering, media_handler)
    deletion = Deletion(services, ordering, settings.backup_days)
    add_privacy_handlers(application, deletion)
    settings_commands = SettingsCommands(
        services,
        private=[language_of_person(services)],
        group=[language_of_group(services), *settings_of_group(services)],
        language_chosen=command_lists.write_for,
    )
    add_settings_commands(application, settings_commands)
    history = HistoryHandlers.create(services, notes.tell, invites=settings.try_it_button)
    add_history_handlers(application, history)
    commands = Commands(services, ordering, draft_cards, terms)
    add_conversation_handlers(application, media_handler, albums, commands)
    by_action = {
        ButtonAction.ALBUM: albums.tap,
        **history.taps_by_action,
        ButtonAction.FORGET: deletion.tap,
        ButtonAction.SETTINGS: settings_commands.tap,
        ButtonAction.REPORT: ReportTaps(services, ordering).tap,
    }
    taps = Taps(services, media_handler, ordering, follow_up_orders, draft_cards)
    add_tap_handlers(application, services.messenger, taps, by_action)

    receivers: dict[str, MediaReceiver] = {
        **history.receivers,
        "chart": private_commands.receive_chart,
        "template": own_templates.receive,
    }
    look_delivery = LookDelivery(services, ordering, draft_cards.show, notes.tell)
    media_delivery = MediaDelivery(services, receivers, notes.tell)
    others = deliverers(look_delivery, media_delivery, history.forms.deliver)
    delivery = Delivery(services, status_cards, others, notes.tell)
    workers, alerts = QueueWorkers(url), Alerts(services, notes)
    return (
        partial(workers.run, INTAKE, intake.work, INTAKE_RULES),
        partial(workers.run, DELIVER, delivery.work, DELIVER_RULES),
        partial(run_periodically, "photos", _PHOTOS_EVERY_S, draft_cards.tell_unattended),
        partial(run_periodically, "broadcasts", _BROADCASTS_EVERY_S, broadcasts.work),
        partial(run_periodically, "alerts", CHECK_EVERY_S, alerts.check),
        status_cards.run,
        albums.run,
        command_lists.write,
    )


def _terms(settings: Settings) -> ServiceTerms:
    return ServiceTerms(
        owner=settings.owner_contact,
        retain_input_h=settings.retain_input_h,
        retain_result_h=settings.retain_result_h,
        backup_days=settings.backup_days,
        file_bytes=LOCAL_LIMIT_BYTES if settings.bot_api_local else CLOUD_LIMIT_BYTES,
    )


def _add_group_handlers(
    application: BotApplication,
    services: Services,
    ordering: Ordering,
    media_handler: MediaHandler,
) -> None:
    groups = Groups(services, media_handler, ordering)
    move = partial(move_chat, services.drafts, services.order_cards, services.group_settings)
    add_chat_handlers(application, move, partial(leave_chat, services, ordering), groups)
    add_group_handlers(application, groups)


def _maintenance(services: Services, registry: CollectorRegistry) -> tuple[BackgroundTask, ...]:
    """Return the background tasks that need only the services."""
    outbox = Outbox(services.queues)
    cleaning = Cleaning(services.queues, outbox, services.retention)
    queue_metrics = QueueMetrics(services.queues, registry)
    return (
        partial(run_periodically, "outbox", _SWEEP_EVERY_S, outbox.sweep),
        partial(run_periodically, "cleaning", _CLEAN_EVERY_S, lambda: cleaning.sweep(time.time())),
        partial(run_periodically, "metrics", REFRESH_EVERY_S, queue_metrics.refresh),
        partial(run_periodically, "movements", MOVEMENTS_EVERY_S, services.movements.refresh),
    )


async def _run(
    application: BotApplication,
    services: Services,
    tasks: tuple[BackgroundTask, ...],
    ending: asyncio.Event,
    show_owner: Callable[[str], None],
) -> None:
    """Run the application, and the background tasks from its `post_init` to its `post_stop`.

    If one of them fails unexpectedly, the whole bot stops, so that its supervisor restarts it.
    """
    background = AsyncExitStack()
    failures: list[BaseException] = []

    def fail(error: BaseException) -> None:
        log.error("a part of the bot failed (%s), so it stops", type(error).__name__)
        failures.append(error)
        ending.set()

    async def begin(_application: object) -> None:
        claims = Claims(services.queues.client, services.queues.url)
        link = await first_link(claims, services.people, application.bot.username)
        if link is not None:
            show_owner(claim_text(link, services.texts))
        running = run_in_background(tuple(task() for task in tasks), fail)
        await background.enter_async_context(running)

    async def end(_application: object) -> None:
        await background.aclose()

    application.post_init, application.post_stop = begin, end
    try:
        await run(application, ending)
    finally:
        await background.aclose()
    for error in failures:
        raise error
