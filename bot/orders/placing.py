"""From a wish to an order: what is checked, and what it costs.

    place -> may the person? -> are the files there? -> card -> queue        else: files first

It may be called twice for the same tap: the order's id is made of draft and number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.drafts.intake import Intake
from bot.orders.order_cards import OrderCard
from bot.orders.results import FIND_BEST_FRAME, refused_again_ending, title_of
from bot.orders.status_cards import StatusCards
from bot.people import Role
from bot.services import Services
from bot.wording import sentence_of
from jobs.connection import queue_errors
from jobs.drafts import Draft
from jobs.orders import Lane, Motion, Order
from jobs.queues.admission import NO_LIMITS, OrderLimits
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


class StillFetching(OrderRefused):
    """The files of a draft are being fetched for another wish."""

    sentence = "The photo is being fetched again for another video. Tap again when that is done."


class TooManyShowAlls(OrderRefused):
    """All movements were shown as often as is allowed within a day."""

    sentence = (
        "All movements at once are shown {limit} times within 24 hours. Choose one of them, or "
        "come back tomorrow."
    )


@dataclass(frozen=True)
class PlacedOrder:
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
        services: Services,
        intake: Intake,
        progress: StatusCards,
        catalogue: Catalogue,
        show_all_per_day: int,
    ) -> None:
        self._services = services
        self._intake = intake
        self._progress = progress
        self._catalogue = catalogue
        self._show_all_per_day = show_all_per_day
        self._estimates = Estimates(services.queues.client, services.queues.url)

    async def place(
        self, draft: Draft, by: int | None = None, earlier: OrderCard | None = None
    ) -> PlacedOrder:
        """Orders what a draft says, once for each of its numbers.

        Files that are not in the store any more are fetched first; the wish is kept meanwhile.

        Args:
            draft: what is wanted.
            by: the admin who orders it for the draft's person; None: that person.
            earlier: an order of the draft whose photo and clip are used; None: those that the draft
                has now.

        Raises:
            OrderRefused: the person may not, now or at all; the sentence says why.
            UnknownTemplate: the movement is not offered any more.
            QueueUnavailable, StoreUnavailable: ours.
        """
        if (known := await self._accepted(draft)) is not None:
            return PlacedOrder(known)
        role = await self.served(draft.person if by is None else by)
        files = _files_of(draft, earlier)
        if not files or not await self.are_stored(files):
            await self._fetch(draft)
            return PlacedOrder(None)
        order = await self._order(draft, earlier, role)
        if order.motion.templates and role is not Role.ADMIN:
            await self._count_show_all(order)
        return await self._submit(draft, order, self._limits(order.lane))

    async def move(self, draft: Draft, earlier: OrderCard) -> PlacedOrder:
        """Orders an order that waits once more, for the engine and the number of a draft.

        The earlier order still counts against the limits, so one more is allowed. Its files are
        used as they are: if they are gone, either order fails and can be tried again.

        Raises:
            OrderRefused: the person may not, now or at all; the sentence says why.
            QueueUnavailable: ours.
        """
        if (known := await self._accepted(draft)) is not None:
            return PlacedOrder(known)
        order = await self._order(draft, earlier, await self.served(draft.person))
        return await self._submit(draft, order, self._limits(order.lane).with_one_more())

    async def served(self, person: int) -> Role:
        """What the person may do.

        Raises:
            NotServed, ShutOut: nothing.
            OrdersPaused: orders are not taken at the moment.
        """
        role = await self._services.people.role(person)
        if role is Role.BANNED:
            raise ShutOut
        if role is Role.STRANGER:
            raise NotServed
        if role is not Role.ADMIN and await self._services.people.is_paused():
            raise OrdersPaused
        return role

    async def are_stored(self, keys: Sequence[str | None]) -> bool:
        """Whether the file store has all of these; None is no file."""
        return all([await self._services.store.exists(key) for key in keys if key])

    # --- inside -----------------------------------------------------------------------------------

    async def _accepted(self, draft: Draft) -> OrderCard | None:
        """The card of the draft's order if that has come to its end already."""
        known = await self._services.cards.read(draft.order_id)
        if known is None or known.ended is None:
            return None
        # An order that never reached its queue may be handed in again.
        return None if await self._services.queues.status(known.ref) is None else known

    def _limits(self, lane: Lane) -> OrderLimits:
        return NO_LIMITS if lane is Lane.EXPRESS else self._services.queues.limits

    async def _fetch(self, draft: Draft) -> None:
        """Has a draft's files fetched, unless they already are; its wish is kept.

        Raises:
            StillFetching: they are being fetched for another wish.
        """
        wish: dict[str, Any] = {
            "motion": draft.motion,
            "is_all_wanted": draft.is_all_wanted,
            "wish_number": draft.number,
            "engine": draft.engine,
            "options": draft.options,
            "clip": draft.clip,
        }

        def changed(found: Draft) -> Draft:
            is_looked_at = found.look is None and found.trouble is None
            if is_looked_at and found.wish_number not in (None, draft.number):
                raise StillFetching
            is_as_read = found.revision == draft.revision and not is_looked_at
            if is_as_read or found.clip != draft.clip:
                # The photo is the same, and so is the chosen face.
                return found.renewed(face_box=draft.face_box, **wish)
            return found.model_copy(update=wish)

        stored = await self._services.drafts.change(draft.draft, changed)
        if stored is not None:
            await self._intake.begin(stored)

    async def _order(self, draft: Draft, earlier: OrderCard | None, role: Role) -> Order:
        """The order, with its frames, its cost and what its engine is asked for.

        Raises:
            DraftUnready: something is still to be chosen.
            NoEngine: no worker has ever offered an engine for it.
        """
        made_of = earlier.order if earlier is not None else draft.look
        if made_of is None:
            raise DraftUnready
        offer = await self._services.offers.now()
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
        clip_frames = made_of.frames if isinstance(made_of, Order) else made_of.clip_frames
        frames = _frames(motion, templates, clip_frames)
        cost_s = await self._estimates.cost_s(engine, frames)
        return Order(
            order_id=draft.order_id,
            person=draft.person,
            chat=draft.chat_of_ids or draft.chat,
            draft=draft.draft,
            number=draft.number,
            engine=engine,
            photo_key=made_of.photo_key,
            face_box=draft.face_box,
            motion=motion,
            options=options,
            frames=frames,
            estimated_cost_s=cost_s * (_SHOW_ALL_COST if motion.templates else 1),
            lane=Lane.EXPRESS if role is Role.ADMIN else Lane.FAIR,
        )

    async def _submit(self, draft: Draft, order: Order, limits: OrderLimits) -> PlacedOrder:
        services = self._services
        with queue_errors(services.queues.url):
            await services.retention.touch(draft.draft, services.clock())
        # First the card, so that no order is without one.
        card = await services.cards.open(
            OrderCard(
                order=order,
                title=self._title(draft),
                thread_id=draft.thread_id,
                reply_to=draft.message_id,
                moved_to=draft.chat if draft.chat_of_ids else None,
                card=draft.card,
                clip=draft.clip if order.motion.clip_key else None,
                begun_s=services.clock(),
            )
        )
        if card.ended is not None:
            card = await services.cards.reopen(card, draft.card, services.clock())
        try:
            submitted = await services.queues.submit(order, limits)
        except OrderRefused as error:
            if card.edits:
                # It was accepted once, and Redis has lost it.
                ending = refused_again_ending(
                    card, sentence_of(error, services.texts), services.texts
                )
                await services.cards.end(order.order_id, ending)
                self._progress.wake(order.order_id)
            else:
                await services.cards.forget(order.order_id)
            await self._uncount_show_all(order)
            raise

        def ordered(found: Draft) -> Draft:
            if found.number != order.number and found.card == card.card:
                # The message shows this order from now on; the draft's next card is a new one.
                found = found.model_copy(update={"card": None})
            is_other_wish = found.wish_number not in (None, order.number)
            return found if is_other_wish else found.without_wish()

        await services.drafts.change(draft.draft, ordered)
        self._progress.wake(order.order_id)
        return PlacedOrder(card, submitted.is_new)

    async def _count_show_all(self, order: Order) -> None:
        """Notes that a person wants to see all movements.

        Raises:
            TooManyShowAlls: the person has seen them often enough.
        """
        key, now_s = show_all_key(order.person), self._services.clock()
        with queue_errors(self._services.queues.url):
            async with self._services.queues.client.pipeline(transaction=True) as pipe:
                pipe.zremrangebyscore(key, "-inf", now_s - _DAY_S)
                pipe.zadd(key, {order.order_id: now_s}, nx=True)
                pipe.zcard(key)
                pipe.expire(key, round(_DAY_S))
                _, is_new, count, _ = await pipe.execute()
        if is_new and count > self._show_all_per_day:
            await self._uncount_show_all(order)
            raise TooManyShowAlls(limit=self._show_all_per_day)

    async def _uncount_show_all(self, order: Order) -> None:
        with queue_errors(self._services.queues.url):
            await self._services.queues.client.zrem(show_all_key(order.person), order.order_id)

    def _shown(self, draft: Draft) -> list[Template]:
        """The movements of an order."""
        if draft.is_all_wanted:
            return list(self._catalogue)[:MAX_TILES]
        name = draft.motion.template if draft.motion else None
        return [self._catalogue.get(name)] if name else []

    def _title(self, draft: Draft) -> str:
        _ = self._services.texts
        if draft.is_all_wanted:
            return _("✨ All movements")
        templates = self._shown(draft)
        return title_of(templates[0]) if templates else _("🎬 Your clip")


def _files_of(draft: Draft, earlier: OrderCard | None) -> tuple[str | None, ...]:
    """The files that a draft's order needs; empty while they are being looked at.

    Raises:
        DraftUnready: no movement is chosen.
    """
    if draft.motion is None and not draft.is_all_wanted:
        raise DraftUnready
    made_of = earlier.order if earlier is not None else draft.look
    if made_of is None:
        return ()
    return (made_of.photo_key, draft.motion.clip_key if draft.motion else None)


def _frames(motion: Motion, templates: Sequence[Template], clip_frames: int) -> int:
    """How many frames an order's video will have, as work."""
    if motion.templates:
        return work_frames(templates)
    if motion.clip_key is not None:
        return max(1, clip_frames)
    drawn = templates[0].motion
    return drawn.frame_count if isinstance(drawn, CurveMotion) else _RECORDED_FRAMES
