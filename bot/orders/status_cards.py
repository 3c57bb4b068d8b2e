"""Keeps the status cards of orders up to date, with one task for each card that is being edited.

What a card shows is stored in Redis (`OrderCard.shown...`), so that a restarted bot continues. The
final message of a card is shown here too, so that it never comes before an earlier status.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace

from telegram.error import BadRequest, Forbidden, TelegramError

from bot.drafts.draft import Draft
from bot.gateway.application import describe_error
from bot.gateway.messenger import CardMessage, ChatBusy, MessageContent
from bot.orders.card_text import (
    GROUP,
    PRIVATE,
    OrderStanding,
    cancelled_message,
    final_content,
    is_worth_an_edit,
    lost_message,
    standing_of,
    status_content,
)
from bot.orders.offers import Offer
from bot.orders.order_cards import OrderCard
from bot.services import Services
from bot.texts import speaking
from jobs.errors import AnimatoError
from jobs.orders import OrderState, Stage
from jobs.queues.waiting import Estimates
from jobs.service_errors import RecordError
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

# An order with a card that is in no queue after this time was never submitted.
_LOST_S = 3600.0
_LAST_MOMENT_S = 2.0
_TIMED = ("waiting", Stage.ANIMATING)


class StatusCards:
    """Keeps the cards up to date.

    Args:
        poll_s: how often all open cards are checked.
    """

    def __init__(self, services: Services, poll_s: float = 1.0) -> None:
        self._services = services
        self._poll_s = poll_s
        self._estimates = Estimates(services.queues.client)
        self._writing: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._is_closed = False
        self._checked_s: dict[str, float] = {}

    async def run(self) -> None:
        """Check the open cards until cancelled (by `end_tasks`), then `close`."""
        try:
            await self.poll()
        finally:
            await self.close()

    async def poll(self) -> None:
        """Check the open cards until cancelled. Pending edits continue: `close` ends them."""
        while True:
            try:
                await self._check_all()
            except AnimatoError as error:
                log.warning("status cards: %s", error)
            await asyncio.sleep(self._poll_s)

    async def close(self) -> None:
        """Stop editing. Pending edits have a moment to finish."""
        self._is_closed = True
        if self._writing:
            await asyncio.wait(self._writing.values(), timeout=_LAST_MOMENT_S)
        await end_tasks(self._writing.values())

    def wake(self, order_id: str) -> None:
        """Check a card now; if it is being edited, afterwards."""
        if self._is_closed:
            return  # the next start shows what is missing
        if order_id in self._writing:
            self._again.add(order_id)
            return
        task = asyncio.create_task(self._write(order_id))
        self._writing[order_id] = task
        task.add_done_callback(lambda _task: self._on_written(order_id))

    def _on_written(self, order_id: str) -> None:
        task = self._writing.pop(order_id)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: its card is not up to date: %s", order_id, describe_error(error))
        if order_id in self._again and not task.cancelled():
            self._again.discard(order_id)
            self.wake(order_id)

    async def _check_all(self) -> None:
        now_s = self._services.clock()
        cards = await self._services.order_cards.all_unsettled()
        known = {card.order_id for card in cards}
        self._checked_s = {name: at for name, at in self._checked_s.items() if name in known}
        for card in cards:
            policy = GROUP if card.is_group or card.edits >= PRIVATE.most else PRIVATE
            if now_s - self._checked_s.get(card.order_id, 0.0) >= policy.every_s:
                self.wake(card.order_id)

    async def _write(self, order_id: str) -> None:
        self._checked_s[order_id] = self._services.clock()
        try:
            await self._update(order_id)
        except (TelegramError, AnimatoError) as error:
            log.info("%s: its card is not up to date: %s", order_id, type(error).__name__)

    async def _update(self, order_id: str) -> None:
        services = self._services
        known = await services.order_cards.read(order_id)
        if known is None:
            return
        with speaking(await services.languages.of(known.chat_id, known.person_id)):
            async with services.drafts.editing_card(known.draft_id):
                card = await services.order_cards.read(order_id)
                if card is not None:
                    await self._update_card(card)

    async def _update_card(self, card: OrderCard) -> None:
        services, order_id = self._services, card.order_id
        if card.ended is not None:
            await self._show_final(card)
            return
        status = await services.queues.status(card.ref)
        if status is None:
            if services.clock() - card.begun_s > _LOST_S:
                await services.order_cards.end(order_id, lost_message(card, services.texts))
                await self._show_final(await services.order_cards.read(order_id) or card)
            return
        if status.state is OrderState.CANCELLED and status.finished_s is None:
            # It was removed from the queue: there is no delivery.
            await services.order_cards.end(order_id, cancelled_message(card, services.texts))
            self._checked_s.pop(order_id, None)
            return
        if status.state.is_final:
            return  # the delivery shows how it ended
        offer, face_count = await services.offers.now(), card.order.wish.face_count
        able = tuple(name for name in offer.engines if offer.moves(name, face_count))
        standing = standing_of(card, status, able)
        if not is_worth_an_edit(card, standing, services.clock()):
            return
        if standing.phase in _TIMED:
            time = await self._estimates.until_done(card.ref, card.order.engine)
            standing = replace(standing, time=time)
        await self._show(card, standing, offer)

    async def _show(self, card: OrderCard, standing: OrderStanding, offer: Offer) -> None:
        content = status_content(card, standing, self._services.texts, offer)
        try:
            shown = await self._send_or_edit(card, content)
        except ChatBusy:
            return  # the next check tries again
        except (Forbidden, BadRequest) as error:
            log.info("%s: its card cannot be written: %s", card.order_id, error)
            shown = None
        await self._services.order_cards.update(
            card.order_id,
            message=shown,
            shown=standing.place,
            shown_phase=str(standing.phase),
            shown_percent=standing.percent,
            edited_s=self._services.clock(),
            edits=card.edits + 1,
        )

    async def _send_or_edit(self, card: OrderCard, content: MessageContent) -> CardMessage | None:
        """Edit the card's message or send it. Return None if it is gone."""
        messenger, is_first = self._services.messenger, card.edits == 0
        if card.message is not None:
            # The first edit removes the buttons that led to the order.
            is_there = await messenger.edit(
                card.chat_id, card.message, content, droppable=not is_first and not card.is_stopping
            )
            if is_there:
                return card.message
        if not is_first:
            return None

        async def note(sent: CardMessage) -> None:
            def with_card(draft: Draft) -> Draft:
                is_gone = draft.card is None or draft.card == card.message
                is_its_order = draft.number == card.number
                return (
                    draft.model_copy(update={"card": sent}) if is_gone and is_its_order else draft
                )

            await self._services.order_cards.update(card.order_id, message=sent)
            with suppress(RecordError):  # an unreadable draft must not cause a second card
                await self._services.drafts.change(card.draft_id, with_card)

        return await self._services.card_sender.send(
            f"order:{card.order_id}", card.target, content, note
        )

    async def _show_final(self, card: OrderCard) -> None:
        _, final = self._services.texts, card.ended
        if final is not None:
            content, messenger = final_content(card, final, _), self._services.messenger
            try:
                is_said = card.message is not None and await messenger.edit(
                    card.chat_id, card.message, content
                )
                if not is_said and final.offers_more:
                    # No other message tells what happened to the order.
                    await messenger.send(card.target, content)
            except (Forbidden, BadRequest) as error:
                log.info("%s: its card cannot be written: %s", card.order_id, error)
        await self._services.order_cards.close(card.order_id)
