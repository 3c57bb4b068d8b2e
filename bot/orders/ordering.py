"""Places and cancels orders.

    place -> check access and limits -> store the order's card -> submit the order to its queue
                                     -> files are gone: fetch them; `LookDelivery` places it later

Each call may be repeated for the same tap: an order's id is made of its draft's id and a number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.drafts.draft import Draft
from bot.drafts.intake import Intake
from bot.error_text import error_text
from bot.orders.card_text import cancelled_message, error_message, title_of
from bot.orders.offers import FIND_BEST_FRAME
from bot.orders.order_cards import OrderCard
from bot.orders.status_cards import StatusCards
from bot.orders.strength import strength_of
from bot.people import Role
from bot.services import Services
from jobs.connection import queue_errors
from jobs.orders import Lane, Order
from jobs.queues.admission import NO_LIMITS, OrderLimits
from jobs.queues.keys import show_all_key
from jobs.queues.outcomes import CancelOutcome
from jobs.queues.waiting import Estimates
from jobs.service_errors import OrderRefused, VoicesNotTaken
from jobs.show_all import work_frames
from jobs.templates import Catalogue, CurveMotion, Template
from jobs.wish import Movement, Wish

_DAY_S = 86_400.0
# An estimate: the length of a recorded movement is known to the worker only.
_RECORDED_FRAMES = 250
# Showing all movements is less urgent: it queues as if it were this many times the work.
_SHOW_ALL_COST = 3.0


class NotServed(OrderRefused):
    """The bot is private, and the person has no access."""

    sentence = "This bot is private: ask its owner to let you in."


class ShutOut(OrderRefused):
    """An admin has banned the person."""

    sentence = "You cannot order videos here any more: the owner of this bot has banned you."


class OrdersPaused(OrderRefused):
    """An admin has paused new orders."""

    sentence = "The owner has paused new videos. Please try again later."


class DraftUnready(OrderRefused):
    """A face or a movement is not chosen yet."""

    sentence = "Please finish choosing first: see the message with the buttons."


class StillFetching(OrderRefused):
    """The draft's files are being fetched for another order."""

    sentence = "The photo is being fetched again for another video. Tap again in a moment."


class TooManyShowAlls(OrderRefused):
    """The person has seen all movements as often as the daily limit allows."""

    sentence = (
        "You can see all movements at once {limit} times in 24 hours. Choose one of them, or come "
        "back tomorrow."
    )


@dataclass(frozen=True)
class PlacedOrder:
    """The answer to placing an order.

    Attributes:
        card: the order's card; None while files are fetched: the order is placed afterwards.
        is_new: whether this call placed the order, not an earlier one.
    """

    card: OrderCard | None
    is_new: bool = False


class Ordering:
    """Places orders and cancels them.

    Args:
        intake: fetches files.
        status_cards: shows the orders.
        catalogue: the movements.
        show_all_per_day: how often a person may see all movements within 24 hours.
    """

    def __init__(
        self,
        services: Services,
        intake: Intake,
        status_cards: StatusCards,
        catalogue: Catalogue,
        show_all_per_day: int,
    ) -> None:
        self._services = services
        self._intake = intake
        self._status_cards = status_cards
        self._catalogue = catalogue
        self._show_all_per_day = show_all_per_day
        self._estimates = Estimates(services.queues.client)

    async def place(
        self, draft: Draft, by: int | None = None, earlier: OrderCard | None = None
    ) -> PlacedOrder:
        """Order what a draft asks for, once for each of its numbers.

        Files that are not stored any more are fetched first; the draft keeps what was chosen.

        Args:
            draft: what is wanted.
            by: the admin who orders it for the draft's person; None: that person.
            earlier: an order of the draft whose files are used; None: the draft's own.

        Raises:
            OrderRefused: the person may not order; the sentence says why.
            UnknownTemplate: the movement is not offered any more.
            QueueUnavailable, StoreUnavailable: a server is away.
        """
        if (known := await self._ended_card(draft)) is not None:
            return PlacedOrder(known)
        role = await self.check_access(draft.person_id if by is None else by)
        files = _files_of(draft, earlier)
        if not files or not await self.are_stored(files):
            await self._fetch(draft)
            return PlacedOrder(None)
        order = await self._order(draft, earlier, role)
        if order.wish.movement.templates and role is not Role.ADMIN:
            await self._count_show_all(order)
        return await self._submit(draft, order, self._limits(order.lane))

    async def move(self, draft: Draft, earlier: OrderCard) -> PlacedOrder:
        """Order a waiting order once more, for the engine and the number of a draft.

        The earlier order still counts against the limits, so one more is allowed. Its files are
        not checked: if they are gone, either order fails and can be tried again.

        Raises:
            OrderRefused: the person may not order; the sentence says why.
            QueueUnavailable: Redis does not answer.
        """
        if (known := await self._ended_card(draft)) is not None:
            return PlacedOrder(known)
        order = await self._order(draft, earlier, await self.check_access(draft.person_id))
        return await self._submit(draft, order, self._limits(order.lane).with_one_more())

    async def cancel(self, draft: Draft, number: int) -> CancelOutcome:
        """Cancel an order of a draft, and say so on its card.

        Raises:
            QueueUnavailable: Redis does not answer.
        """
        card = await self._services.order_cards.read(draft.order_id_of(number))
        return CancelOutcome.UNKNOWN if card is None else await self.cancel_order(card)

    async def cancel_order(self, card: OrderCard) -> CancelOutcome:
        """Same as `cancel`, for an order whose card is known."""
        services = self._services
        outcome = await services.queues.cancel(card.ref)
        if outcome is CancelOutcome.REMOVED:
            await services.order_cards.end(card.order_id, cancelled_message(card, services.texts))
            await services.drafts.change(
                card.draft_id, lambda draft: draft.after_order(card.number)
            )
        elif outcome is CancelOutcome.TOLD:
            await services.order_cards.update(card.order_id, is_stopping=True)
        self._status_cards.wake(card.order_id)
        return outcome

    async def open_orders(self, person_id: int) -> list[OrderCard]:
        """Return a person's orders that have not ended, the oldest first."""
        return [
            card
            for card in await self._services.order_cards.all_open()
            if card.person_id == person_id
        ]

    async def check_access(self, person_id: int) -> Role:
        """Return the person's role.

        Raises:
            NotServed, ShutOut: the person may not use the bot.
            OrdersPaused: an admin has paused orders.
        """
        role = await self._services.people.role(person_id)
        if role is Role.BANNED:
            raise ShutOut
        if role is Role.STRANGER:
            raise NotServed
        if role is not Role.ADMIN and await self._services.people.is_paused():
            raise OrdersPaused
        return role

    async def check_voice(self, movement: Movement) -> None:
        """Check that all live workers can make photos speak, if that is wanted.

        Raises:
            VoicesNotTaken: some cannot.
        """
        if movement.voice is not None and not (await self._services.offers.now()).takes_voices:
            raise VoicesNotTaken

    async def are_stored(self, keys: Sequence[str]) -> bool:
        """Whether the file store has all of these."""
        return all([await self._services.store.exists(key) for key in keys])

    # --- inside -----------------------------------------------------------------------------------

    async def _ended_card(self, draft: Draft) -> OrderCard | None:
        """Return the card of the draft's order if that has ended already."""
        known = await self._services.order_cards.read(draft.order_id)
        if known is None or known.ended is None:
            return None
        # An order that never reached its queue may be submitted again.
        return None if await self._services.queues.status(known.ref) is None else known

    def _limits(self, lane: Lane) -> OrderLimits:
        return NO_LIMITS if lane is Lane.EXPRESS else self._services.queues.limits

    async def _fetch(self, draft: Draft) -> None:
        """Fetch a draft's files, unless they are being fetched; keep what was chosen.

        Raises:
            StillFetching: they are being fetched for another order.
        """
        choices: dict[str, Any] = {
            "movement": draft.movement,
            "reserved_number": draft.number,
            "engine": draft.engine,
            "options": draft.options,
            "lead": draft.lead,
        }

        def changed(found: Draft) -> Draft:
            is_being_checked = found.findings is None and found.problem is None
            if is_being_checked and found.reserved_number not in (None, draft.number):
                raise StillFetching
            is_as_read = found.revision == draft.revision and not is_being_checked
            if is_as_read or found.lead != draft.lead:
                # The photo is the same, and so is the chosen face.
                return found.renewed(face_boxes=draft.face_boxes, **choices)
            return found.model_copy(update=choices)

        stored = await self._services.drafts.change(draft.draft_id, changed)
        if stored is not None:
            await self._intake.begin(stored)

    async def _order(self, draft: Draft, earlier: OrderCard | None, role: Role) -> Order:
        """Return the order, with its cost and its engine's options.

        Raises:
            DraftUnready: a face or a movement is not chosen yet.
            NoEngine: no worker has ever offered an engine for it.
            VoicesNotTaken: it has a voice, and not all workers can make photos speak.
        """
        made_of = earlier.order.wish if earlier is not None else draft.findings
        if made_of is None:
            raise DraftUnready
        offer = await self._services.offers.now()
        movement, templates = draft.movement, self._templates(draft)
        if movement is None:
            raise DraftUnready
        await self.check_voice(movement)
        engine = offer.engine_for(
            draft.engine,
            is_all_wanted=bool(movement.templates),
            face_count=len(draft.face_boxes),
        )
        understood = offer.options(engine)
        options = {name: value for name, value in draft.options.items() if name in understood}
        if movement.clip is not None and FIND_BEST_FRAME in understood:
            options.setdefault(FIND_BEST_FRAME, True)
        wish = Wish(
            photo=made_of.photo,
            face_boxes=draft.face_boxes,
            movement=movement.model_copy(update={"frames": _frames(movement, templates)}),
            options=options,
        )
        cost_s = await self._estimates.cost_s(engine, wish.cost_frames)
        return Order(
            order_id=draft.order_id,
            person=draft.person_id,
            chat=draft.order_chat_id or draft.chat_id,
            draft=draft.draft_id,
            number=draft.number,
            engine=engine,
            wish=wish,
            estimated_cost_s=cost_s * (_SHOW_ALL_COST if movement.templates else 1),
            lane=Lane.EXPRESS if role is Role.ADMIN else Lane.FAIR,
        )

    async def _submit(self, draft: Draft, order: Order, limits: OrderLimits) -> PlacedOrder:
        services = self._services
        with queue_errors(services.queues.url):
            await services.retention.touch(draft.draft_id, services.clock())
        # The card comes first, so that no order is without one.
        card = await services.order_cards.open(
            OrderCard(
                order=order,
                title=self._title(draft, order.wish),
                thread_id=draft.thread_id,
                reply_to=draft.message_id,
                moved_to=draft.chat_id if draft.order_chat_id else None,
                message=draft.card,
                lead=draft.lead if order.wish.movement.files else None,
                begun_s=services.clock(),
            )
        )
        if card.ended is not None:
            card = await services.order_cards.reopen(card, draft.card, services.clock())
        try:
            submitted = await services.queues.submit(order, limits)
        except OrderRefused as error:
            if card.edits:
                # It was accepted once, and Redis has lost it.
                reason = error_text(error, services.texts)
                message = error_message(card, reason, services.texts)
                await services.order_cards.end(order.order_id, message)
                self._status_cards.wake(order.order_id)
            else:
                await services.order_cards.forget(order.order_id)
            await self._uncount_show_all(order)
            raise

        def ordered(found: Draft) -> Draft:
            if found.number != order.number and found.card == card.message:
                # The message shows this order from now on; the draft's next card is a new one.
                found = found.model_copy(update={"card": None})
            is_of_other_order = found.reserved_number not in (None, order.number)
            return found if is_of_other_order else found.without_movement()

        await services.drafts.change(draft.draft_id, ordered)
        self._status_cards.wake(order.order_id)
        return PlacedOrder(card, submitted.is_new)

    async def _count_show_all(self, order: Order) -> None:
        """Count an order of all movements against the person's daily limit.

        Raises:
            TooManyShowAlls: the limit is reached.
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

    def _templates(self, draft: Draft) -> list[Template]:
        """The movements that a draft asks for."""
        movement = draft.movement
        names = (movement.template, *movement.templates) if movement else ()
        return [self._catalogue.get(name) for name in names if name]

    def _title(self, draft: Draft, wish: Wish) -> str:
        _, strength = self._services.texts, strength_of(wish)
        templates = self._templates(draft)
        if wish.movement.templates:
            if len(templates) == len(self._catalogue):
                return _("✨ All movements")
            return _("✨ {count} movements", count=len(templates))
        own = _("🎤 Speaking") if wish.voice else _("🎬 Your clip")
        title = title_of(templates[0]) if templates else own
        if wish.face_count > 1:
            title = _("{title}, {count} faces", title=title, count=wish.face_count)
        if strength != 1:
            title = _("{title}, strength {percent} %", title=title, percent=round(100 * strength))
        return title


def _files_of(draft: Draft, earlier: OrderCard | None) -> tuple[str, ...]:
    """Return the files that a draft's order needs; empty while they are being looked at.

    Raises:
        DraftUnready: no movement is chosen.
    """
    if draft.movement is None:
        raise DraftUnready
    made_of = earlier.order.wish if earlier is not None else draft.findings
    movement = draft.movement
    # What an earlier version stored about a clip is too little: it is looked at again.
    if made_of is None or not movement.is_complete:
        return ()
    return (made_of.photo.file, *movement.files)


def _frames(movement: Movement, templates: Sequence[Template]) -> int:
    """How many frames of work an order is."""
    if movement.templates:
        return work_frames(templates)
    own = movement.clip or movement.voice
    if own is not None:
        return own.frame_count
    motion = templates[0].motion
    return motion.frame_count if isinstance(motion, CurveMotion) else _RECORDED_FRAMES
