"""Places and cancels orders.

    place -> check access and limits -> store the order's card -> submit the order to its queue
                                     -> files are gone: fetch them; `LookDelivery` places it later

Each call may be repeated for the same tap: an order's id is made of its draft's id and a number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.drafts.choices import Choices, view_box
from bot.drafts.draft import Draft
from bot.drafts.intake import Intake
from bot.error_text import error_text
from bot.orders.card_text import (
    TitleParts,
    cancelled_message,
    error_message,
    order_title,
    time_text,
)
from bot.orders.offers import FIND_BEST_FRAME
from bot.orders.order_cards import OrderCard
from bot.orders.order_counts import OrderCounts
from bot.orders.permissions import check_group, check_person
from bot.orders.status_cards import StatusCards
from bot.people import Role
from bot.services import Services
from bot.texts import speaking
from jobs.connection import queue_errors
from jobs.orders import Lane, Order
from jobs.queues.admission import NO_LIMITS, OrderLimits
from jobs.queues.outcomes import CancelOutcome
from jobs.queues.waiting import Estimates
from jobs.service_errors import OrderRefused, TooManyOpenOrders, VoicesNotTaken
from jobs.show_all import work_frames
from jobs.templates import StoredTemplate, Template
from jobs.wish import Movement, Wish

# Of a recorded movement whose track cannot be read here.
_RECORDED_FRAMES = 250
# Showing all movements is less urgent: it queues as if it were this many times the work.
_SHOW_ALL_COST = 3.0


class NoOpenPlace(TooManyOpenOrders):
    """The person has too many unfinished orders; says when the first of them will be done."""

    sentence = (
        "{count} of your videos are still being made, and the limit is {limit}. You can order "
        "again in {time}, or as soon as you cancel one."
    )


class DraftUnready(OrderRefused):
    """A face or a movement is not chosen yet."""

    sentence = "Please finish choosing first: see the message with the buttons."


class StillFetching(OrderRefused):
    """The draft's files are being fetched for another order."""

    sentence = "The photo is being fetched again for another video. Tap again in a moment."


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
        show_all_per_day: how often a person may see all movements within 24 hours.
    """

    def __init__(
        self,
        services: Services,
        intake: Intake,
        status_cards: StatusCards,
        show_all_per_day: int,
    ) -> None:
        self._services = services
        self._intake = intake
        self._status_cards = status_cards
        self._counts = OrderCounts(services, show_all_per_day)
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
        await check_group(self._services, draft.chat_id, draft.person_id)
        role = await check_person(self._services, draft.person_id if by is None else by)
        files = _files_of(draft, earlier)
        if not files or not await self.are_stored(files):
            await self._fetch(draft)
            return PlacedOrder(None)
        order = await self._order(draft, earlier, role)
        await self._services.blocked_photos.check(order.wish.photo.file)
        await self._counts.take(order, draft.chat_id)
        return await self._submit(draft, order, await self._limits(order))

    async def move(self, draft: Draft, earlier: OrderCard) -> PlacedOrder:
        """Order a waiting order once more, for the engine and the number of a draft.

        The earlier order still counts against the limits, so one more is allowed. Its files are
        not checked: if they are gone, either order fails and can be tried again.

        Raises:
            OrderRefused: the person may not order; the sentence says why.
            QueueUnavailable, StoreUnavailable: a server is away.
        """
        if (known := await self._ended_card(draft)) is not None:
            return PlacedOrder(known)
        await check_group(self._services, draft.chat_id, draft.person_id)
        role = await check_person(self._services, draft.person_id)
        order = await self._order(draft, earlier, role)
        await self._services.blocked_photos.check(order.wish.photo.file)
        return await self._submit(draft, order, (await self._limits(order)).with_one_more())

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
            await self._counts.give_back(card.order, card.chat_id)
            # An admin may have cancelled it, in another language.
            with speaking(await services.languages.of(card.chat_id, card.person_id)):
                card = services.order_cards.in_language(card)
                message = cancelled_message(card, services.texts)
            await services.order_cards.end(card.order_id, message)
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

    async def _limits(self, order: Order) -> OrderLimits:
        if order.lane is Lane.EXPRESS:
            return NO_LIMITS
        values, people = await self._services.limits.now(), self._services.people
        return values.of_person(await people.person(order.person))

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
            "reserved_choices": draft.choices,
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
        if templates and isinstance(templates[0], StoredTemplate):
            movement = movement.model_copy(update={"clip": templates[0].clip})
        await self.check_voice(movement)
        engine = offer.engine_for(
            draft.engine,
            is_all_wanted=bool(movement.templates),
            face_count=len(draft.face_boxes),
        )
        understood = offer.options(engine)
        choices = Choices() if movement.templates else draft.choices
        wanted = draft.options | choices.options(has_clip=movement.clip is not None)
        options = {name: value for name, value in wanted.items() if name in understood}
        if movement.clip is not None and FIND_BEST_FRAME in understood:
            options.setdefault(FIND_BEST_FRAME, True)
        photo = made_of.photo
        view = view_box(choices.view, draft.face_boxes, photo.width, photo.height)
        wish = Wish(
            photo=photo,
            face_boxes=draft.face_boxes,
            movement=movement.model_copy(update={"frames": _frames(movement, templates)}),
            options=options,
            view=view if offer.takes_parts else None,
            mark=self._services.visible_mark and offer.takes_marks,
            audio=not (choices.is_muted and movement.clip),
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
                title=order_title(TitleParts.of(order.wish), services.movements, services.texts),
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
            if submitted.is_new:
                await services.statistics.count_order(order.person)
        except OrderRefused as error:
            if card.edits:
                # It was accepted once, and Redis has lost it.
                reason = error_text(error, services.texts)
                message = error_message(card, reason, services.texts)
                await services.order_cards.end(order.order_id, message)
                self._status_cards.wake(order.order_id)
            else:
                await services.order_cards.forget(order.order_id)
            await self._counts.give_back(order, draft.chat_id)
            raise await self._with_time(order.person, error) from None

        def ordered(found: Draft) -> Draft:
            if found.number != order.number and found.card == card.message:
                # The message shows this order from now on; the draft's next card is a new one.
                found = found.model_copy(update={"card": None})
            is_of_other_order = found.reserved_number not in (None, order.number)
            return found if is_of_other_order else found.without_movement()

        await services.drafts.change(draft.draft_id, ordered)
        self._status_cards.wake(order.order_id)
        return PlacedOrder(card, submitted.is_new)

    async def _with_time(self, person_id: int, error: OrderRefused) -> OrderRefused:
        """Return the error with the time until the first of the person's open orders is done."""
        if not isinstance(error, TooManyOpenOrders):
            return error
        times = [
            await self._estimates.until_done(card.ref, card.order.engine)
            for card in await self.open_orders(person_id)
        ]
        first = min(filter(None, times), key=lambda time: time.high_s, default=None)
        if first is None:
            return error
        return NoOpenPlace(**error.fields, time=time_text(first, self._services.texts))

    def _templates(self, draft: Draft) -> list[Template]:
        """The movements that a draft asks for."""
        movement = draft.movement
        names = (movement.template, *movement.templates) if movement else ()
        return [self._services.movements.get(name) for name in names if name]


def _files_of(draft: Draft, earlier: OrderCard | None) -> tuple[str, ...]:
    """Return the files that a draft's order needs; empty while they are being looked at.

    Raises:
        DraftUnready: no movement is chosen.
    """
    if draft.movement is None:
        raise DraftUnready
    made_of = earlier.order.wish if earlier is not None else draft.findings
    movement = draft.movement
    # Earlier versions stored too little about a clip: it is looked at again.
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
    return templates[0].motion.frame_count or _RECORDED_FRAMES
