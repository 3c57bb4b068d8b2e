"""The orders as admins see them: a list, one of them in detail, and its actions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.error_text import error_text
from bot.gateway.messenger import Button, MessageContent, in_rows
from bot.orders.card_text import cancel_text
from bot.orders.follow_up_orders import FollowUpOrders
from bot.orders.order_cards import OrderCard
from bot.orders.ordering import Ordering
from bot.owner.buttons import OwnerAction, owner_button
from bot.owner.status_text import age_text
from bot.services import Services
from bot.texts import Texts
from jobs.errors import UserError
from jobs.orders import Order, OrderState
from jobs.queues.order_logs import OrderLogs
from jobs.queues.outcomes import CancelOutcome
from jobs.queues.status import Status

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
class ListedOrder:
    """An order as admins see it.

    Attributes:
        card: its card.
        status: its status, or None if it is in no queue.
        age_s: since it was ordered or retried, s.
    """

    card: OrderCard
    status: Status | None
    age_s: float


class Jobs:
    """Lists, cancels and retries orders. Its methods raise QueueUnavailable like `Queues`."""

    def __init__(
        self, services: Services, ordering: Ordering, follow_up_orders: FollowUpOrders
    ) -> None:
        self._services = services
        self._ordering = ordering
        self._follow_up_orders = follow_up_orders
        self._logs = OrderLogs(services.queues.client)

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
        orders = [await self._with_status(card) for card in shown]
        return list_content(orders, page, -(-len(found) // PAGE_SIZE), services.texts)

    async def detail(self, order_id: str) -> MessageContent:
        """Return the details of an order."""
        _ = self._services.texts
        card = await self._services.order_cards.read(order_id)
        if card is None:
            return MessageContent(_("This order is not stored any more."), (_back_row(_),))
        lines = await self._logs.last(order_id, _LOG_LINES_READ)
        log = tuple(filter(_STAMPED.match, lines))[-_LOG_LINES:]
        return detail_content(await self._with_status(card), log, _)

    async def cancel(self, order_id: str) -> str:
        """Cancel an order. Return the answer to the admin."""
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
            placed = await self._follow_up_orders.retry(draft, card.number, by=admin)
        except UserError as error:
            return error_text(error, _)
        return _("It will be tried again.") if placed.is_new else _("It has not failed.")

    async def _with_status(self, card: OrderCard) -> ListedOrder:
        status = await self._services.queues.status(card.ref)
        return ListedOrder(card, status, self._services.clock() - card.begun_s)


def list_content(orders: Sequence[ListedOrder], page: int, pages: int, _: Texts) -> MessageContent:
    """A page of orders with a button for each; `page` counts from 0."""
    if not orders:
        return MessageContent(_("No order is waiting, running or failed."), (_back_row(_),))
    first = page * PAGE_SIZE + 1
    lines = [f"{number}. {_line(one, _)}" for number, one in enumerate(orders, start=first)]
    buttons = [
        owner_button(str(number), OwnerAction.JOB, one.card.order_id)
        for number, one in enumerate(orders, start=first)
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


def detail_content(listed: ListedOrder, log: Sequence[str], _: Texts) -> MessageContent:
    """The details of an order with the last lines of its log, and the buttons for its state."""
    order, status = listed.card.order, listed.status
    state = status.state if status else None
    lines = [
        order.order_id,
        _("Person {person}, chat {chat}", person=order.person, chat=order.chat),
        _("{wish} by {engine}, {frames} frames", **_order_fields(order, _)),
        _(
            "{state}; ordered {age} ago",
            state=_state_text(status, _),
            age=age_text(listed.age_s, _),
        ),
    ]
    if status is not None and state is OrderState.FAILED:
        lines.append(str(status.error)[:_ERROR_CHARACTERS])
    if log:
        # The last lines, as far as they fit into a message.
        lines += ["", _("Its log:"), "\n".join(log)[-_LOG_CHARACTERS:]]
    rows = [_back_row(_)]
    if state is OrderState.FAILED:
        rows.insert(0, (owner_button(_("↻ Try again"), OwnerAction.RETRY, order.order_id),))
    elif state is not None and not state.is_final:
        rows.insert(0, (owner_button(_("✖️ Cancel"), OwnerAction.CANCEL, order.order_id),))
    return MessageContent("\n".join(lines), tuple(rows))


def _line(listed: ListedOrder, _: Texts) -> str:
    return _(
        "{state}, {age}: {wish} by {engine}, person {person}",
        state=_state_text(listed.status, _),
        age=age_text(listed.age_s, _),
        person=listed.card.person_id,
        **_order_fields(listed.card.order, _),
    )


def _state_text(status: Status | None, _: Texts) -> str:
    if status is None:
        return _("not in the queue")
    if status.state is OrderState.RUNNING:
        share = status.progress.share if status.progress else 0.0
        return _("running, {percent} %", percent=round(100 * share))
    if status.ahead is not None:
        return _("place {place}", place=status.ahead + 1)
    return _(status.state.value)


def _order_fields(order: Order, _: Texts) -> dict[str, object]:
    movement = order.wish.movement
    own = _("own clip") if movement.clip else _("own recording")
    wish = _("all movements") if movement.templates else movement.template or own
    return {"wish": wish, "engine": order.engine, "frames": order.wish.cost_frames}


def _back_row(_: Texts) -> tuple[Button, ...]:
    return (
        owner_button(_("📋 Jobs"), OwnerAction.JOBS, "0"),
        owner_button(_("📊 Status"), OwnerAction.STATUS),
    )
