"""Delivers the outcome of finished jobs to their chats, each once.

    queue `deliver` -> Delivery.work -> of `intake`, `look`: bot/orders/look_delivery.py
                                     -> of `media`: bot/orders/media_delivery.py
                                     -> a result once more: bot/history/forms.py
                                     -> of an order: send (bot/orders/sending.py), end the card

A video may arrive twice if the bot dies, or Telegram does not answer, between sending and receipt
(`jobs/queues/delivery_records.py`). A delivery to a busy chat is given back to the queue, so that
it delays no other.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from telegram.error import BadRequest, Forbidden, TelegramError

from bot.drafts.draft import Draft
from bot.gateway.messenger import DONE_EMOJI, MessageContent
from bot.gateway.outgoing import SentVideo
from bot.orders.card_text import (
    cancelled_message,
    caption,
    done_message,
    failed_message,
    failure_content,
    refused_message,
)
from bot.orders.forgotten import delete_late, is_forgotten
from bot.orders.look_delivery import LookDelivery, TellAdmins
from bot.orders.media_delivery import MediaDelivery
from bot.orders.order_cards import FinalMessage, OrderCard
from bot.orders.result_files import fetch_video
from bot.orders.result_keyboard import ResultButtons, ResultPage
from bot.orders.sending import DeliverySender, OutgoingMessage, Refused
from bot.orders.status_cards import StatusCards
from bot.services import Services
from bot.statistics import CANCELLED, DONE, FAILED, UNUSABLE, Ended
from bot.texts import msgid, speaking
from jobs.connection import queue_errors
from jobs.errors import AnimatoError, UserError
from jobs.metrics.order_metrics import DeliveryOutcome
from jobs.orders import Order, OrderState
from jobs.queues.assignment import Assignment, Later
from jobs.queues.delivery_records import NextStep
from jobs.queues.keys import HISTORY, INTAKE, LOOK, MEDIA
from jobs.queues.outbox import DeliveryJob
from jobs.queues.queue_worker import WorkRules
from jobs.queues.status import Status
from jobs.service_errors import FileGone, OrderFailed, RecordError

log = logging.getLogger(__name__)

# A delivery is not given up however often the bot dies. A message that is being sent when the bot
# stops may take a while to be received.
DELIVER_RULES = WorkRules(max_concurrent=8, most_stalls=1000, stop_s=20.0)

Deliver = Callable[[DeliveryJob], Awaitable[None]]


def deliverers(look: LookDelivery, media: MediaDelivery, resend: Deliver) -> dict[str, Deliver]:
    """Return what delivers the jobs that are no orders, by their queue."""
    return {INTAKE: look.deliver, LOOK: look.deliver, MEDIA: media.deliver, HISTORY: resend}


class Delivery:
    """Works on the queue `deliver`.

    Args:
        others: deliver what is no order, by its queue.
        tell_admins: writes to the admins.
    """

    def __init__(
        self,
        services: Services,
        status_cards: StatusCards,
        others: Mapping[str, Deliver],
        tell_admins: TellAdmins,
    ) -> None:
        self._services = services
        self._status_cards = status_cards
        self._others = others
        self._tell_admins = tell_admins
        self._sender = DeliverySender(services)

    async def work(self, assignment: Assignment) -> None:
        """Deliver one outcome, or a result once more.

        Raises:
            Later: the chat is busy, or an earlier message may still arrive.
            TelegramError, QueueUnavailable, StoreError: try again.
            RecordError: it cannot be read.
        """
        delivery = DeliveryJob.read(assignment.text)
        try:
            if await is_forgotten(self._services, delivery.job_id):
                await delete_late(self._services, delivery)
                return
            with speaking(await self._language_of(delivery)):
                # Before `resend`, a tap on "As file" named the queue of the order.
                queue = HISTORY if delivery.tap else delivery.queue
                await self._others.get(queue, self._deliver)(delivery)
        except (Forbidden, BadRequest) as error:
            # A message other than the result; refused results are handled where they are sent.
            log.warning("%s: its chat refuses: %s", delivery.job_id, error)
            self._services.metrics.count_delivery(DeliveryOutcome.GONE)
        except (Later, TelegramError):
            self._services.metrics.count_delivery(DeliveryOutcome.AGAIN)
            raise

    async def _language_of(self, delivery: DeliveryJob) -> str:
        languages, resend = self._services.languages, delivery.resend
        if resend is not None:
            return await languages.of(resend.chat, resend.person)
        card = await self._services.order_cards.read(delivery.job_id)
        return await languages.of(card.chat_id, card.person_id) if card else languages.default

    async def _deliver(self, delivery: DeliveryJob) -> None:
        services = self._services
        step, record = await self._sender.begin(delivery.delivery_id)
        status = await services.queues.status(delivery.ref)
        if status is None or not _is_current(delivery, status):
            return  # retried meanwhile: its new outcome has its own delivery
        card = await self._card_of(delivery)
        draft = await self._update_draft(card, status)
        final = self._final_message(card, status)
        if step is NextStep.FINISH and record.message_id is not None:
            await self._note_result(card, status, SentVideo(record.message_id))
        if step is NextStep.GIVE_UP:
            final = await self._give_up(card)
        elif step is not NextStep.FINISH and status.state is not OrderState.CANCELLED:
            with TemporaryDirectory(prefix="animato-") as folder:
                message, final = await self._result_message(card, draft, status, Path(folder))
                try:
                    sent = await self._sender.send(
                        delivery.delivery_id, record, card.target, message
                    )
                    # A clip or a recording may reply to it.
                    await services.drafts.note_message(card.chat_id, sent.message_id, card.draft_id)
                    await self._note_result(card, status, sent)
                    if message.video is not None and card.is_group and card.reply_to is not None:
                        await services.messenger.react(card.chat_id, card.reply_to, DONE_EMOJI)
                except Refused as refused:
                    await self._note_refusal(card, refused)
                    final = refused_message(card, refused, services.texts)
            if status.error is not None and not isinstance(status.error, UserError):
                note = msgid("{order} failed: {error}")
                await self._tell_admins(note, order=card.order_id, error=status.error)
        await services.statistics.count_end(delivery.delivery_id, _ended(card, status))
        current = await services.queues.status(delivery.ref)
        if current is not None and not _is_current(delivery, current):
            return  # retried meanwhile: its card and its files are those of the new attempt
        await services.order_cards.end(card.order_id, final)
        self._status_cards.wake(card.order_id)
        kept = status.video().keys if status.state is OrderState.DONE else ()
        with queue_errors(services.queues.url):
            await services.retention.record_delivery(card.order_id, services.clock(), *kept)

    async def _note_result(self, card: OrderCard, status: Status, sent: SentVideo) -> None:
        """Add a result that has arrived to its person's history."""
        services = self._services
        if status.state is OrderState.DONE and not await is_forgotten(services, card.order_id):
            bot = services.messenger.bot.id
            await services.history.note_delivery(card, status.video(), sent, bot)

    # --- messages ---------------------------------------------------------------------------------

    async def _result_message(
        self, card: OrderCard, draft: Draft | None, status: Status, folder: Path
    ) -> tuple[OutgoingMessage, FinalMessage]:
        """Return the message about an order's outcome, and its card's final message."""
        _, number = self._services.texts, draft.number if draft else card.number + 1
        error: AnimatoError = status.error or OrderFailed(order=card.order_id)
        if status.state is OrderState.DONE:
            result = status.video()
            try:
                video = await fetch_video(self._services.store, card, result, folder)
            except FileGone as gone:
                error = gone
            else:
                offer = await self._services.offers.now()
                can_share = self._services.messenger.is_inline
                buttons = ResultButtons(card, draft.number if draft else None, offer, can_share)
                keyboard = buttons.page(ResultPage.SHORT, _)
                content = MessageContent(caption(card, result, _), keyboard)
                return OutgoingMessage(content, video), self._final_message(card, status)
        return OutgoingMessage(failure_content(card, error, number, _)), failed_message(card, _)

    def _final_message(self, card: OrderCard, status: Status) -> FinalMessage:
        """Return the card's final message."""
        match status.state:
            case OrderState.CANCELLED:
                return cancelled_message(card, self._services.texts)
            case OrderState.FAILED:
                return failed_message(card, self._services.texts)
        return done_message(card, self._services.clock(), self._services.texts)

    async def _give_up(self, card: OrderCard) -> FinalMessage:
        """Tell the admins that sending failed for good; return the card's final message."""
        _ = self._services.texts
        self._services.metrics.count_delivery(DeliveryOutcome.GIVEN_UP)
        note = msgid("It is unknown whether {order} was sent.")
        await self._tell_admins(note, order=card.order_id)
        text = _(
            "{title}: it is done, but could not be sent. Please order it again.",
            title=card.title,
        )
        return FinalMessage(text=text, offers_more=True)

    async def _note_refusal(self, card: OrderCard, refused: Refused) -> None:
        """Count a refusal, and tell the admins unless the bot is blocked."""
        log.warning("%s: its chat refuses: %s", card.order_id, refused)
        outcome = DeliveryOutcome.GIVEN_UP if refused.is_too_large else DeliveryOutcome.GONE
        self._services.metrics.count_delivery(outcome)
        if not refused.is_blocked:
            note = msgid("{order} could not be sent: {error}")
            await self._tell_admins(note, order=card.order_id, error=refused)

    async def _update_draft(self, card: OrderCard, status: Status) -> Draft | None:
        """Update the draft after its order; return None if it is gone or unreadable."""
        try:
            return await self._services.drafts.change(
                card.draft_id, lambda found: _draft_after(found, card, status)
            )
        except RecordError:
            return None

    async def _card_of(self, delivery: DeliveryJob) -> OrderCard:
        """Return the order's card, or a substitute if it is lost."""
        services = self._services
        card = await services.order_cards.read(delivery.job_id)
        if card is not None:
            return card
        with queue_errors(services.queues.url):
            text = await services.queues.client.hget(delivery.ref.key, "data")
        order = Order.read(text or "")
        draft = await services.drafts.read(order.draft)
        return OrderCard(
            order=order,
            title=services.texts("Your video"),
            thread_id=draft.thread_id if draft else None,
            reply_to=draft.message_id if draft else None,
            begun_s=services.clock(),
        )


def _is_current(delivery: DeliveryJob, status: Status) -> bool:
    """Whether the order's outcome is still the one to deliver."""
    ended_ms = round((status.finished_s or 0) * 1000)
    return status.state.is_final and ended_ms <= delivery.finished_ms + 1


def _ended(card: OrderCard, status: Status) -> Ended:
    """Return how an order ended, for the statistics."""
    engine = card.order.engine
    if status.state is OrderState.DONE:
        made_s = (status.finished_s or 0.0) - card.begun_s
        return Ended(DONE, engine, max(0.0, made_s - status.video().render_s))
    if status.state is OrderState.CANCELLED:
        return Ended(CANCELLED, engine)
    return Ended(UNUSABLE if isinstance(status.error, UserError) else FAILED, engine)


def _draft_after(draft: Draft, card: OrderCard, status: Status) -> Draft:
    """Return the draft after an order from it: further taps are new orders.

    The card stays above the result; the next one is sent below.
    """
    changed = draft.after_order(card.number)
    if status.state is OrderState.CANCELLED or draft.card != card.message:
        return changed
    return changed.model_copy(update={"card": None})
