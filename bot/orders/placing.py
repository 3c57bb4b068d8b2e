"""From a wish to an order: what is checked, and what it costs.

    place -> may the person? -> are the files there? -> card -> queue        else: files first

It may be called twice for the same tap: the order's id is made of draft and number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.drafts.intake import Intake
from bot.office import Office
from bot.orders.order_cards import OrderCard
from bot.orders.progress import Progress
from bot.orders.results import FIND_BEST_FRAME, title_of
from bot.people import Role
from jobs.connection import reaching
from jobs.drafts import Draft
from jobs.orders import Lane, Motion, Order
from jobs.queues.admission import NO_LIMITS
from jobs.queues.keys import show_all_key
from jobs.queues.waiting import Estimates
from jobs.service_errors import OrderRefused
from jobs.show_all import MAX_TILES, work_frames
from jobs.templates import Catalogue, CurveMotion, Template

_DAY_S = 86_400.0
# Nobody knows here how long a recorded movement is.
_RECORDED_FRAMES = 250
# All movements at once can wait: they take their turn as if they were so many times as much work.
_SHOW_ALL_COST = 3.0


class NotServed(OrderRefused):
    """The bot is private, and nobody has let the person in."""

    sentence = "This bot is private: ask its owner to let you in."


class ShutOut(OrderRefused):
    """An admin has shut the person out."""

    sentence = "Nothing is made for you here any more: the owner of this bot has shut you out."


class OrdersPaused(OrderRefused):
    """An admin has stopped the taking of orders."""

    sentence = "New videos are not taken right now: the owner has paused them. Try again later."


class DraftUnready(OrderRefused):
    """Something is still to be chosen."""

    sentence = "Something is still to be chosen: look at the message with the buttons."


class TooManyShowAlls(OrderRefused):
    """All movements were shown as often as is allowed within a day."""

    sentence = (
        "All movements at once are shown {limit} times within 24 hours. Choose one of them, or "
        "come back tomorrow."
    )


@dataclass(frozen=True)
class Placed:
    """What became of a wish.

    Attributes:
        card: the order's; None while the files are on their way: it is placed when they are here,
            and until then the draft's card shows what goes on.
        is_new: whether it was taken now; else it had been before.
    """

    card: OrderCard | None
    is_new: bool = False


class Placing:
    """Takes orders.

    Args:
        office: the parts of the bot.
        intake: fetches files.
        progress: shows how orders stand.
        catalogue: the movements.
        show_all_per_day: so often a person may see all movements within 24 hours.
    """

    def __init__(
        self,
        office: Office,
        intake: Intake,
        progress: Progress,
        catalogue: Catalogue,
        show_all_per_day: int,
    ) -> None:
        self._office = office
        self._intake = intake
        self._progress = progress
        self._catalogue = catalogue
        self._show_all_per_day = show_all_per_day
        self._estimates = Estimates(office.queues.client, office.queues.url)

    async def place(self, draft: Draft, by: int | None = None) -> Placed:
        """Orders what a draft says, once for each of its numbers.

        Files that are not in the store any more are fetched first; the wish is kept meanwhile.

        Args:
            draft: what is wanted.
            by: the admin who orders it for the draft's person; None: that person.

        Raises:
            OrderRefused: the person may not, now or at all; the sentence says why.
            UnknownTemplate: the movement is not offered any more.
            QueueUnavailable, StoreUnavailable: ours.
        """
        known = await self._office.cards.read(draft.order_id)
        if known is not None and known.ended is not None:
            return Placed(known)
        role = await self.served(draft.person if by is None else by)
        if draft.motion is None and not draft.is_all_wanted:
            raise DraftUnready
        if draft.look is None or not await self.are_stored(_files_of(draft)):
            await self._fetch(draft)
            return Placed(None)
        with reaching(self._office.queues.url):
            await self._office.retention.touch(draft.draft, self._office.clock())
        order = await self._order(draft, role)
        if order.motion.templates and role is not Role.ADMIN:
            await self._count_show_all(order)
        return await self._submit(draft, order)

    async def served(self, person: int) -> Role:
        """What the person may do.

        Raises:
            NotServed, ShutOut: nothing.
            OrdersPaused: orders are not taken at the moment.
        """
        role = await self._office.people.role(person)
        if role is Role.BANNED:
            raise ShutOut
        if role is Role.STRANGER:
            raise NotServed
        if role is not Role.ADMIN and await self._office.people.is_paused():
            raise OrdersPaused
        return role

    async def are_stored(self, keys: Sequence[str | None]) -> bool:
        """Whether the file store has all of these; None is no file."""
        return all([await self._office.store.exists(key) for key in keys if key])

    # --- inside -----------------------------------------------------------------------------------

    async def _fetch(self, draft: Draft) -> None:
        """Has a draft's files fetched, unless they already are; its wish is kept."""
        wish: dict[str, Any] = {
            "motion": draft.motion,
            "is_all_wanted": draft.is_all_wanted,
            "engine": draft.engine,
            "options": draft.options,
        }

        def changed(found: Draft) -> Draft:
            if draft.look is not None and found.revision == draft.revision:
                # The photo is the same, and so is the chosen face.
                return found.renewed(face_box=draft.face_box, **wish)
            return found.model_copy(update=wish)

        stored = await self._office.drafts.change(draft.draft, changed)
        if stored is not None:
            await self._intake.begin(stored)

    async def _order(self, draft: Draft, role: Role) -> Order:
        """The order, with its frames, its cost and what its engine is asked for.

        Raises:
            DraftUnready: something is still to be chosen.
            NoEngine: no worker has ever offered an engine for it.
        """
        if draft.look is None:
            raise DraftUnready
        offer = await self._office.offers.now()
        motion, templates = draft.motion, self._shown(draft)
        engine = offer.engine_for(draft.engine, is_all_wanted=draft.is_all_wanted)
        if draft.is_all_wanted:
            motion = Motion(templates=tuple(one.name for one in templates))
        elif motion is None:
            raise DraftUnready
        understood = offer.options(engine)
        options = {name: value for name, value in draft.options.items() if name in understood}
        if motion.clip_key is not None and FIND_BEST_FRAME in understood:
            options.setdefault(FIND_BEST_FRAME, True)
        frames = _frames(motion, templates, draft.look.clip_frames)
        cost_s = await self._estimates.cost_s(engine, frames)
        return Order(
            order_id=draft.order_id,
            person=draft.person,
            chat=draft.chat_of_ids or draft.chat,
            draft=draft.draft,
            number=draft.number,
            engine=engine,
            photo_key=draft.look.photo_key,
            face_box=draft.face_box,
            motion=motion,
            options=options,
            frames=frames,
            estimated_cost_s=cost_s * (_SHOW_ALL_COST if motion.templates else 1),
            lane=Lane.EXPRESS if role is Role.ADMIN else Lane.FAIR,
        )

    async def _submit(self, draft: Draft, order: Order) -> Placed:
        office = self._office
        # First the card, so that no order is without one.
        card = await office.cards.open(
            OrderCard(
                order=order,
                title=self._title(draft),
                thread_id=draft.thread_id,
                reply_to=draft.message_id,
                moved_to=draft.chat if draft.chat_of_ids else None,
                card=draft.card,
                begun_s=office.clock(),
            )
        )
        limits = NO_LIMITS if order.lane is Lane.EXPRESS else None
        try:
            submitted = await office.queues.submit(order, limits)
        except OrderRefused:
            await office.cards.forget(order.order_id)
            await self._uncount_show_all(order)
            raise
        wish = {"motion": None, "is_all_wanted": False}
        await office.drafts.change(draft.draft, lambda found: found.model_copy(update=wish))
        self._progress.wake(order.order_id)
        return Placed(card, submitted.is_new)

    async def _count_show_all(self, order: Order) -> None:
        """Notes that a person wants to see all movements.

        Raises:
            TooManyShowAlls: the person has seen them often enough.
        """
        key, now_s = show_all_key(order.person), self._office.clock()
        with reaching(self._office.queues.url):
            async with self._office.queues.client.pipeline(transaction=True) as pipe:
                pipe.zremrangebyscore(key, "-inf", now_s - _DAY_S)
                pipe.zadd(key, {order.order_id: now_s}, nx=True)
                pipe.zcard(key)
                pipe.expire(key, round(_DAY_S))
                _, is_new, count, _ = await pipe.execute()
        if is_new and count > self._show_all_per_day:
            await self._uncount_show_all(order)
            raise TooManyShowAlls(limit=self._show_all_per_day)

    async def _uncount_show_all(self, order: Order) -> None:
        with reaching(self._office.queues.url):
            await self._office.queues.client.zrem(show_all_key(order.person), order.order_id)

    def _shown(self, draft: Draft) -> list[Template]:
        """The movements of an order."""
        if draft.is_all_wanted:
            return list(self._catalogue)[:MAX_TILES]
        name = draft.motion.template if draft.motion else None
        return [self._catalogue.get(name)] if name else []

    def _title(self, draft: Draft) -> str:
        _ = self._office.texts
        if draft.is_all_wanted:
            return _("✨ All movements")
        templates = self._shown(draft)
        return title_of(templates[0]) if templates else _("🎬 Your clip")


def _files_of(draft: Draft) -> tuple[str | None, ...]:
    """The files that a draft's order needs."""
    photo_key = draft.look.photo_key if draft.look else None
    return (photo_key, draft.motion.clip_key if draft.motion else None)


def _frames(motion: Motion, templates: Sequence[Template], clip_frames: int) -> int:
    """How many frames an order's video will have, as work."""
    if motion.templates:
        return work_frames(templates)
    if motion.clip_key is not None:
        return max(1, clip_frames)
    drawn = templates[0].motion
    return drawn.frame_count if isinstance(drawn, CurveMotion) else _RECORDED_FRAMES
