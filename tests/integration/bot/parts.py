"""The bot behind its conversation, at work: real queues, store and sandbox; workers play-act."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from telegram.ext import ExtBot
from telegram.request import HTTPXRequest

from bot.drafts.draft import Draft
from bot.drafts.draft_store import DraftStore, draft_id_of
from bot.drafts.intake import Intake
from bot.gateway.card_sender import CardSender
from bot.gateway.messenger import CardMessage, Messenger
from bot.gateway.rate_limiter import ChatRateLimiter
from bot.gateway.sent_messages import SentMessages
from bot.gateway.updates import MediaFile
from bot.groups.group_settings import GroupSettingsStore
from bot.history.handlers import HistoryHandlers
from bot.history.store import HistoryStore
from bot.languages import Languages
from bot.limits import Limits
from bot.movements import OfferedMovements
from bot.orders.blocked_photos import BlockedPhotos
from bot.orders.card_text import current_title, with_title
from bot.orders.delivery import Delivery, deliverers
from bot.orders.follow_up_orders import FollowUpOrders
from bot.orders.look_delivery import LookDelivery
from bot.orders.media_delivery import MediaDelivery, MediaReceiver
from bot.orders.offers import Offers
from bot.orders.order_cards import OrderCards
from bot.orders.ordering import Ordering
from bot.orders.status_cards import StatusCards
from bot.people import People
from bot.services import Services
from bot.statistics import Statistics
from bot.texts import ENGLISH, Texts
from jobs.engines import MARK, MEDIA_TASKS, PARTS, VOICE, EngineInfo
from jobs.media_jobs import MediaJob
from jobs.model import CropBox, Face, MediaWarning
from jobs.orders import LookJob, LookResult, Order, Record, Result
from jobs.queues.admission import OrderLimits
from jobs.queues.assignment import Assignment
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry, WorkerState
from jobs.queues.keys import DELIVER, DELIVERED_QUEUES, INTAKE, LOOK, MEDIA, prefix_of
from jobs.queues.known_engines import KnownEngines
from jobs.queues.outbox import Outbox
from jobs.queues.queue_worker import QueueWorker, WorkRules
from jobs.queues.queues import Queues
from jobs.service_errors import QueueUnavailable
from jobs.show_all import MAX_TILES
from jobs.store.files import FileStore
from jobs.store.keys import clip_key, look_key, result_key, result_thumbnail_key
from jobs.store.retention import Retention
from jobs.tasks import end_tasks
from jobs.templates import Catalogue
from jobs.wish import Movement
from sandbox.server import Sandbox
from tests.integration.bot.media_maker import made_media
from tests.integration.bot.recorders import Clock, RecordedMetrics, SeenNotes, ShownDrafts
from tests.integration.bot.running import beat_for_good, until
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ADMIN, ALICE, Desk, Part
from tests.wishes import make_clip, make_photo, make_voice

RULES = WorkRules(
    max_concurrent=4,
    lock_s=20.0,  # on a busy machine, a job is not begun twice
    stalled_check_s=0.3,
    most_stalls=1000,
    idle_s=0.1,
    beat_s=0.05,
    stop_s=0.5,
)
SPEED_UP = 60.0
FACE = Face(number=1, box=CropBox(left=10, upper=10, right=60, lower=60), votes=3)
CATALOGUE = Catalogue.load()
CLIP_DIGEST = "c1" * 32  # everybody's clip is the same
SMILE = Movement(template="smile")
NINE = Movement(templates=tuple(template.name for template in CATALOGUE)[:MAX_TILES])


@dataclass
class BotParts:
    """All parts, and what they have done that nobody else sees."""

    services: Services
    intake: Intake
    status_cards: StatusCards
    ordering: Ordering
    follow_up_orders: FollowUpOrders
    delivery: Delivery
    clock: Clock
    shown: ShownDrafts
    admins: SeenNotes
    metrics: RecordedMetrics
    receivers: dict[str, MediaReceiver]
    history: HistoryHandlers

    @property
    def drafts(self) -> DraftStore:
        return self.services.drafts

    async def draft(self, name: str) -> Draft:
        found = await self.drafts.read(name)
        assert found is not None
        return found

    async def with_movement(self, name: str, movement: Movement = SMILE) -> Draft:
        """The draft with a wish, as a tap's handler hands it in."""
        return (await self.draft(name)).model_copy(update={"movement": movement})


def fast_bot(server: Sandbox) -> ExtBot[Any]:
    """A connection whose flood limits pass quickly."""
    own = {"trust_env": False, "verify": False}
    return ExtBot(
        server.token,
        server.base_url,
        server.base_file_url,
        request=HTTPXRequest(httpx_kwargs=own),
        get_updates_request=HTTPXRequest(1, httpx_kwargs=own),
        rate_limiter=ChatRateLimiter(
            lambda: time.monotonic() * SPEED_UP, lambda wait_s: asyncio.sleep(wait_s / SPEED_UP)
        ),
    )


def card_sender_of(redis: Redis, url: str, messenger: Messenger) -> CardSender:
    """A sender of cards that records all texts of the messenger."""
    sender = CardSender(redis, url, messenger)
    messenger.around_text = sender.record
    return sender


@asynccontextmanager
async def bot_parts(
    server: Sandbox,
    url: str,
    store: FileStore,
    *,
    messenger: Callable[[Any], Messenger] = Messenger,
    limits: OrderLimits | None = None,
    texts: Texts = ENGLISH,
) -> AsyncIterator[BotParts]:
    """The parts, not yet at work."""
    metrics, clock = RecordedMetrics(), Clock()
    async with AsyncExitStack() as stack:
        opened = Queues(url, ["mesh", "fomm"], limits, metrics=metrics)
        queues = await stack.enter_async_context(opened)
        client: Redis = queues.client
        bot = await stack.enter_async_context(fast_bot(server))
        sender = messenger(bot)
        people = People(client, url, frozenset({ADMIN}), is_open=True)
        group_settings = GroupSettingsStore(client, url)
        in_language = partial(with_title, catalogue=CATALOGUE, texts=texts)
        titles = partial(current_title, catalogue=CATALOGUE, _=texts)
        sender.sent_messages = SentMessages(client, url)
        services = Services(
            queues=queues,
            drafts=DraftStore(client, url),
            order_cards=OrderCards(client, url, in_language),
            people=people,
            group_settings=group_settings,
            languages=Languages(people, group_settings, texts),
            limits=Limits(client, url, queues.limits, clip_s=15),
            statistics=Statistics(client, url, clock),
            blocked_photos=BlockedPhotos(client, url, store, "@owner"),
            offers=Offers(WorkerRegistry(client), KnownEngines(client), "auto"),
            messenger=sender,
            card_sender=card_sender_of(client, url, sender),
            store=store,
            movements=OfferedMovements(CATALOGUE, client, url),
            retention=Retention(client, store, input_s=3600, result_s=3600),
            history=HistoryStore(client, url, clock, titles),
            metrics=metrics,
            texts=texts,
            clock=clock,
        )
        intake, status_cards = Intake(services), StatusCards(services, poll_s=0.05)
        ordering = Ordering(services, intake, status_cards, show_all_per_day=1)
        follow_up_orders = FollowUpOrders(services, ordering, status_cards)
        shown, admins = ShownDrafts(), SeenNotes()
        look_delivery = LookDelivery(services, ordering, shown, admins)
        history = HistoryHandlers.create(services, admins, invites=True)
        receivers: dict[str, MediaReceiver] = {**history.receivers}
        media_delivery = MediaDelivery(services, receivers, admins)
        others = deliverers(look_delivery, media_delivery, history.forms.deliver)
        delivery = Delivery(services, status_cards, others, admins)
        try:
            yield BotParts(
                services,
                intake,
                status_cards,
                ordering,
                follow_up_orders,
                delivery,
                clock,
                shown,
                admins,
                metrics,
                receivers,
                history,
            )
        finally:
            await status_cards.close()


@asynccontextmanager
async def delivering(
    parts: BotParts, rules: WorkRules = RULES, *, leaves_orders: bool = False
) -> AsyncIterator[None]:
    """Ends are swept (those of orders, too, unless they are left) and delivered; files fetched."""
    queues = parts.services.queues
    outbox = Outbox(queues, [*DELIVERED_QUEUES, *(() if leaves_orders else queues.engine_queues)])

    async def sweep() -> None:
        while True:
            with suppress(QueueUnavailable):
                await outbox.sweep()
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(sweep()), asyncio.create_task(parts.status_cards.poll())]
    try:
        async with (
            QueueWorker(queues.url, INTAKE, parts.intake.work, rules),
            QueueWorker(queues.url, DELIVER, parts.delivery.work, rules),
        ):
            yield
    finally:
        await end_tasks(tasks)


@dataclass
class Maker:
    """A worker's part: says what a test tells it to, or makes a clip of the sandbox's."""

    store: FileStore
    warnings: tuple[MediaWarning, ...] = ()
    voice_warnings: tuple[MediaWarning, ...] = ()
    faces: tuple[Face, ...] = (FACE,)
    photo_size: tuple[int, int] = (160, 120)
    errors: list[Exception] = field(default_factory=list)
    video_errors: list[Exception] = field(default_factory=list)
    has_sound: bool = False
    clip_frames: int = 25
    thumbnail: bytes = b""
    max_concurrent: int = 4
    orders: list[Order] = field(default_factory=list)
    looks: list[LookJob] = field(default_factory=list)
    media_jobs: list[MediaJob] = field(default_factory=list)
    before_look: Callable[[Assignment], Awaitable[None]] | None = None
    before_video: Callable[[Assignment], Awaitable[None]] | None = None

    async def look(self, assignment: Assignment) -> Record:
        order = LookJob.read(assignment.text)
        self.looks.append(order)
        if self.before_look is not None:
            await self.before_look(assignment)
        if self.errors:
            raise self.errors.pop(0)
        key = look_key(order.draft, f"{order.look_id}-photo.png")
        await self.store.put(key, b"a photo")
        clip = None
        if order.clip_key:
            clip_file = clip_key(order.draft, order.look_id, CLIP_DIGEST)
            await self.store.put(clip_file, b"a clip")
            clip = make_clip(clip_file, frame_count=self.clip_frames, has_sound=self.has_sound)
        voice = None
        if order.voice_key:
            await self.store.get(order.voice_key)  # it was fetched
            names = (f"{order.look_id}-voice.{suffix}" for suffix in ("m4a", "npz"))
            sound, curves = (look_key(order.draft, name) for name in names)
            await self.store.put(sound, b"a sound")
            await self.store.put(curves, b"how a mouth speaks it")
            voice = make_voice(file=sound, curves=curves, warnings=self.voice_warnings)
        photo = make_photo(
            key,
            sheet=key,
            width=self.photo_size[0],
            height=self.photo_size[1],
            faces=self.faces,
            warnings=self.warnings,
        )
        return LookResult(photo=photo, clip=clip, voice=voice)

    async def make(self, assignment: Assignment) -> Record | None:
        order = Order.read(assignment.text)
        self.orders.append(order)
        if self.before_video is not None:
            await self.before_video(assignment)
        if assignment.stop_reason is not None:
            return None
        for errors in (self.video_errors, self.errors):
            if errors:
                raise errors.pop(0)
        key = result_key(order.order_id, assignment.start_number)
        content = self.content() if order.wish.voice is None else media.clip(has_sound=True)
        await self.store.put(key, content)
        thumbnail_key = None
        if self.thumbnail:
            thumbnail_key = result_thumbnail_key(order.order_id, assignment.start_number)
            await self.store.put(thumbnail_key, self.thumbnail)
        return Result(
            key=key,
            size_bytes=len(content),
            frame_rate=Fraction(25),
            work_frames=25,
            render_s=0.5,
            width=96,
            height=64,
            frame_count=25,
            has_sound=self.has_sound or order.wish.voice is not None,
            engine=order.engine,
            label="Made with AI software: a test",
            digital_source_type="https://example.org/type",
            attempt=assignment.start_number,
            thumbnail_key=thumbnail_key,
        )

    async def make_media(self, assignment: Assignment) -> Record:
        job = MediaJob.read(assignment.text)
        self.media_jobs.append(job)
        if self.errors:
            raise self.errors.pop(0)
        return await made_media(job, self.store)

    def content(self) -> bytes:
        return media.clip(has_sound=self.has_sound)


@asynccontextmanager
async def working(parts: BotParts, maker: Maker, engine: str = "mesh") -> AsyncIterator[None]:
    """A worker that lives, looks and makes."""
    queues = parts.services.queues
    workers = WorkerRegistry(queues.client)
    rules = replace(RULES, max_concurrent=maker.max_concurrent)
    await beat_for_good(queues.client, heartbeat(engine))
    async with (
        QueueWorker(queues.url, LOOK, maker.look, RULES),
        QueueWorker(queues.url, MEDIA, maker.make_media, RULES),
        QueueWorker(queues.url, f"animate-{engine}", maker.make, rules),
    ):
        yield
    await workers.leave(f"maker-{engine}")


ENGINE_INFOS = {
    "mesh": EngineInfo(
        name="mesh",
        button="Sharper",
        preference=10,
        options=(MARK, PARTS, "relative", "strength", VOICE, *MEDIA_TASKS),
        max_faces=8,
    ),
    "fomm": EngineInfo(
        name="fomm",
        button="Livelier",
        preference=20,
        options=("best_frame_rank", "find_best_frame", MARK, PARTS, VOICE, *MEDIA_TASKS),
        evaluates_motions=False,
    ),
}


def heartbeat(engine: str) -> Heartbeat:
    return Heartbeat(
        worker=f"maker-{engine}",
        host="here",
        device="cpu",
        engines=(ENGINE_INFOS[engine],),
        version="1",
        state=WorkerState.IDLE,
    )


async def photo_sent(parts: BotParts, desk: Desk, person: int = ALICE, **changes: Any) -> Draft:
    """A person sends a photo; the draft that a handler makes of it, with a card."""
    if not await desk.messages(person):
        await desk.say("/start", user_id=person, chat_id=person)
    sent = await desk.send(Part("photo", media.photo()), user_id=person, chat_id=person)
    message = sent["message"]
    bot = parts.services.messenger.bot
    card = await bot.send_message(person, "Looking at your photo ...")
    facts: dict[str, Any] = {
        "draft_id": draft_id_of(person, message["message_id"]),
        "chat_id": person,
        "person_id": person,
        "message_id": message["message_id"],
        "photo": MediaFile(file_id=message["photo"][-1]["file_id"], name="IMG 1.jpg"),
        "card": CardMessage(message_id=card.message_id),
    }
    draft = await parts.drafts.begin(Draft(**(facts | changes)))
    await parts.intake.begin(draft)
    return draft


async def hurry(client: Redis, queue: str) -> None:
    """Lets the pauses of all its jobs be over."""
    prefix = prefix_of(queue)
    for job in map(str, await client.zrange(f"{prefix}delayed", 0, -1)):
        await client.zadd(f"{prefix}delayed", {job: 0}, xx=True)
    await client.zadd(f"{prefix}marker", {"0": 0})


def local_store(folder: Path) -> FileStore:
    return FileStore.open(str(folder / "store"), min_free_bytes=0)


async def looked_at(parts: BotParts, draft: Draft) -> Draft:
    """The draft as soon as its card was to show what the gate found."""
    await until(lambda: draft.draft_id in parts.shown.drafts)
    return await parts.draft(draft.draft_id)


async def clip_added(parts: BotParts, draft: Draft, name: str = "clip.mp4") -> Draft:
    """The draft with a clip, as soon as both were looked at."""
    clip = draft.photo.model_copy(update={"name": name})
    seen = len(parts.shown.drafts)
    renewed = await parts.drafts.change(
        draft.draft_id, lambda found: found.renewed(lead=clip, face_boxes=found.face_boxes)
    )
    assert renewed is not None
    await parts.intake.begin(renewed)
    await until(lambda: len(parts.shown.drafts) > seen)
    return await parts.draft(draft.draft_id)


async def nothing_is_open(parts: BotParts) -> bool:
    """Whether all orders' cards show their final message."""
    return not await parts.services.order_cards.all_unsettled()
