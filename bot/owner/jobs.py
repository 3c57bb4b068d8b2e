"""The orders as admins see them: a list, one of them in detail, and its actions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.error_text import error_text
from bot.gateway.messenger import Button, MessageContent, in_rows
from bot.orders.card_text import cancel_text
from bot.orders.later_orders import LaterOrders
from bot.orders.order_cards import OrderCard
from bot.orders.ordering import Ordering
from bot.owner.buttons import OwnerAction, owner_button
from bot.owner.status import age_text
from bot.services import Services
from bot.texts import Texts
from jobs.errors import UserError
from jobs.orders import Order, OrderState
from jobs.queues.order_logs import OrderLogs
from jobs.queues.outcomes import CancelOutcome
from jobs.wish import Movement

PAGE_SIZE = 8
_MOST_FAILED = 100
_LOG_LINES = 12
_LOG_LINES_READ = 200
# Lines of an engine's output have no timestamp, and may be a traceback.
_STAMPED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
_LOG_CHARACTERS = 2500
_ERROR_CHARACTERS = 1000
_NUMBERS_IN_A_ROW = 4


@dataclass(frozen=True)
class Job:
    """An order and its state.

    Attributes:
        order: what was ordered.
        state: its state, or None if it is in no queue.
        age_s: since it was ordered or retried, s.
        ahead: how many orders start before it, or None.
        percent: of the work that is done.
        error: why it failed, in full; or None.
        log: the last lines of its log.
    """

    order: Order
    state: OrderState | None
    age_s: float
    ahead: int | None = None
    percent: int = 0
    error: str | None = None
    log: tuple[str, ...] = ()


class Jobs:
    """Lists, cancels and retries orders. Its methods raise QueueUnavailable like `Queues`."""

    def __init__(self, services: Services, ordering: Ordering, later_orders: LaterOrders) -> None:
        self._services = services
        self._ordering = ordering
        self._later_orders = later_orders
        self._logs = OrderLogs(services.queues.client, services.queues.url)

    async def list_page(self, page: int) -> MessageContent:
        """Return a page of the open orders, and of those that failed by our fault."""
        services = self._services
        found = {card.order_id: card for card in await services.order_cards.all_open()}
        for letter in await services.queues.dead_letters(_MOST_FAILED):
            name = letter.status.ref.job_id
            card = None if name in found else await services.order_cards.read(name)
            if card is not None:
                found[name] = card
        page = min(page, max(0, len(found) - 1) // PAGE_SIZE)
        shown = list(found.values())[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
        jobs = [await self._of_card(card) for card in shown]
        return list_content(jobs, page, -(-len(found) // PAGE_SIZE), services.texts)

    async def detail(self, order_id: str) -> MessageContent:
        """Return the details of an order."""
        _ = self._services.texts
        card = await self._services.order_cards.read(order_id)
        if card is None:
            return MessageContent(_("This order is not stored any more."), (_back_row(_),))
        lines = await self._logs.last(order_id, _LOG_LINES_READ)
        log = tuple(filter(_STAMPED.match, lines))[-_LOG_LINES:]
        return detail_content(replace(await self._of_card(card), log=log), _)

    async def cancel(self, order_id: str) -> str:
        """Takes an order back; what to tell the admin."""
        _ = self._services.texts
        card = await self._services.order_cards.read(order_id)
        outcome = CancelOutcome.UNKNOWN
        if card is not None:
            outcome = await self._ordering.cancel_order(card)
        return cancel_text(outcome, _)

    async def retry(self, order_id: str, admin: int) -> str:
        """Retry a failed order. Return the answer to the admin."""
        _ = self._services.texts
        card = await self._services.order_cards.read(order_id)
        draft = await self._services.drafts.read(card.draft_id) if card else None
        if card is None or draft is None:
            return _("Its photo was deleted, so it cannot be retried.")
        try:
            placed = await self._later_orders.retry(draft, card.number, by=admin)
        except UserError as error:
            return error_text(error, _)
        return _("It will be tried again.") if placed.is_new else _("It has not failed.")

    async def _of_card(self, card: OrderCard) -> Job:
        status = await self._services.queues.status(card.ref)
        age_s = self._services.clock() - card.begun_s
        if status is None:
            return Job(card.order, None, age_s)
        is_failed = status.state is OrderState.FAILED
        return Job(
            order=card.order,
            state=status.state,
            age_s=age_s,
            ahead=status.ahead,
            percent=round(100 * status.progress.share) if status.progress else 0,
            error=str(status.error) if is_failed else None,
        )


def list_content(jobs: Sequence[Job], page: int, pages: int, _: Texts) -> MessageContent:
    """A page of orders with a button for each; `page` counts from 0."""
    if not jobs:
        return MessageContent(_("No order is waiting, running or failed."), (_back_row(_),))
    first = page * PAGE_SIZE + 1
    lines = [f"{number}. {_line(job, _)}" for number, job in enumerate(jobs, start=first)]
    buttons = [
        owner_button(str(number), OwnerAction.JOB, job.order.order_id)
        for number, job in enumerate(jobs, start=first)
    ]
    rows = in_rows(buttons, _NUMBERS_IN_A_ROW)
    if pages > 1:
        rows.append(
            (
                owner_button("◀️", OwnerAction.JOBS, str((page - 1) % pages)),
                owner_button(f"{page + 1}/{pages}", OwnerAction.JOBS, str(page)),
                owner_button("▶️", OwnerAction.JOBS, str((page + 1) % pages)),
            )
        )
    rows.append((owner_button(_("📊 Status"), OwnerAction.STATUS),))
    return MessageContent("\n".join(lines), tuple(rows))


def detail_content(job: Job, _: Texts) -> MessageContent:
    """The details of an order, with the buttons for its state."""
    order = job.order
    lines = [
        order.order_id,
        _("Person {person}, chat {chat}", person=order.person, chat=order.chat),
        _("{wish} by {engine}, {frames} frames", **_wish_fields(order, _)),
        _("{state}; ordered {age} ago", state=_state_text(job, _), age=age_text(job.age_s, _)),
    ]
    if job.error:
        lines.append(job.error[:_ERROR_CHARACTERS])
    if job.log:
        lines += ["", _("Its log:"), _end_of(job.log)]
    rows = [_back_row(_)]
    if job.state is OrderState.FAILED:
        rows.insert(0, (owner_button(_("↻ Try again"), OwnerAction.RETRY, order.order_id),))
    elif job.state is not None and not job.state.is_final:
        rows.insert(0, (owner_button(_("✖️ Cancel"), OwnerAction.CANCEL, order.order_id),))
    return MessageContent("\n".join(lines), tuple(rows))


def _line(job: Job, _: Texts) -> str:
    return _(
        "{state}, {age}: {wish} by {engine}, person {person}",
        state=_state_text(job, _),
        age=age_text(job.age_s, _),
        person=job.order.person,
        **_wish_fields(job.order, _),
    )


def _state_text(job: Job, _: Texts) -> str:
    if job.state is None:
        return _("not in the queue")
    if job.state is OrderState.RUNNING:
        return _("running, {percent} %", percent=job.percent)
    if job.ahead is not None:
        return _("place {place}", place=job.ahead + 1)
    return _(job.state.value)


def _wish_fields(order: Order, _: Texts) -> dict[str, object]:
    frames = order.wish.cost_frames
    return {"wish": _motion_text(order.wish.movement, _), "engine": order.engine, "frames": frames}


def _motion_text(motion: Movement, _: Texts) -> str:
    if motion.templates:
        return _("all movements")
    return motion.template or _("own clip")


def _end_of(log: Sequence[str]) -> str:
    """The last lines, as far as they fit into a message."""
    return "\n".join(log)[-_LOG_CHARACTERS:]


def _back_row(_: Texts) -> tuple[Button, ...]:
    return (
        owner_button(_("📋 Jobs"), OwnerAction.JOBS, "0"),
        owner_button(_("📊 Status"), OwnerAction.STATUS),
    )
