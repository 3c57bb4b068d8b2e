"""What was finished is told to its chat, each end once.

    queue `deliver` -> Delivery.work -> of `intake`, `look`: bot/drafts/look_results.py
                                     -> of an order: send (bot/orders/sending.py), close the card
                                     -> a tap on "As file": send

A video may arrive twice where the bot died, or Telegram fell silent, between sending and receipt
(`jobs/queues/delivery_records.py`). A delivery to a chat that has no room for a message is given
back, so that it holds up nobody else.
"""

import logging
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from telegram.error import BadRequest, Forbidden, TelegramError

from bot.conversation.draft_text import numbers_keyboard
from bot.drafts.look_results import LookResults, TellAdmins
from bot.gateway.messenger import ChatBusy, MessageContent
from bot.orders.order_cards import FinalMessage, OrderCard
from bot.orders.ordering import renumbered
from bot.orders.result_files import ResultFiles, ResultGone, fetch_thumbnail, video_of
from bot.orders.results import (
    cancelled_ending,
    caption,
    done_ending,
    failed_ending,
    failure_words,
    refused_ending,
    result_buttons,
)
from bot.orders.sending import Message, Refused, Sender
from bot.orders.status_cards import StatusCards
from bot.services import Services
from bot.wording import sentence_of
from jobs.connection import queue_errors
from jobs.drafts import Draft
from jobs.errors import AnimatoError, UserError
from jobs.metrics.order_metrics import DeliveryOutcome
from jobs.orders import Order, OrderState
from jobs.queues import outbox
from jobs.queues.assignment import Assignment, Later
from jobs.queues.delivery_records import NextStep
from jobs.queues.keys import INTAKE, LOOK
from jobs.queues.queue_worker import WorkRules
from jobs.queues.status import Status
from jobs.service_errors import FileGone, OrderFailed, RecordError

log = logging.getLogger(__name__)

# However often the bot dies, a delivery is not given up for it. What is being sent when the bot
# ends may take a while to be received.
DELIVER_RULES = WorkRules(at_once=8, most_stalls=1000, stop_s=20.0)


class Delivery:
    """Delivers.

    Args:
        office: the parts of the bot.
        progress: shows the last words of cards.
        news: delivers what became of photos and clips.
        tell_admins: writes to the admins.
    """

    def __init__(
        self, services: Services, progress: StatusCards, news: LookResults, tell_admins: TellAdmins
    ) -> None:
        self._services = services
        self._progress = progress
        self._news = news
        self._tell_admins = tell_admins
        self._sender = Sender(services)
        self._files = ResultFiles(services)

    async def work(self, assignment: Assignment) -> None:
        """Delivers one end, or one file.

        Raises:
            Later: it cannot be now.
            TelegramError, QueueUnavailable, StoreError: it is to be tried again.
            RecordError: it cannot be read, and never will be.
        """
        delivery = outbox.DeliveryJob.read(assignment.text)
        try:
            if delivery.queue in (INTAKE, LOOK):
                await self._news.deliver(delivery.ref)
            elif delivery.tap:
                await self._deliver_file(delivery)
            else:
                await self._deliver(delivery)
        except (Forbidden, BadRequest) as error:
            # Of a card's: an order's own are dealt with where they occur.
            log.warning("%s: its chat refuses: %s", delivery.job_id, error)
            self._services.metrics.delivered(DeliveryOutcome.GONE)
        except (Later, TelegramError):
            self._services.metrics.delivered(DeliveryOutcome.AGAIN)
            raise

    async def _deliver(self, delivery: outbox.DeliveryJob) -> None:
        services = self._services
        step, mark = await self._sender.begin(delivery.delivery_id)
        status = await services.queues.status(delivery.ref)
        if status is None or not _is_of(delivery, status):
            return  # tried again meanwhile; how that ends is told then
        card = await self._card_of(delivery)
        draft = await self._changed_draft(card, status)
        ending = self._ending(card, status)
        if step is NextStep.GIVE_UP:
            ending = await self._given_up(card)
        elif step is not NextStep.FINISH and status.state is not OrderState.CANCELLED:
            with TemporaryDirectory(prefix="animato-") as folder:
                message, ending = await self._message(card, draft, status, Path(folder))
                try:
                    await self._sender.send(delivery.delivery_id, mark, card.place, message)
                except Refused as refused:
                    await self._note_refusal(card, refused)
                    ending = refused_ending(card, refused, services.texts)
            if status.error is not None and not isinstance(status.error, UserError):
                facts = {"order": card.order_id, "error": status.error}
                await self._tell_admins(services.texts("{order} came to nothing: {error}", **facts))
        await services.cards.end(card.order_id, ending)
        self._progress.wake(card.order_id)
        kept = status.video().key if status.state is OrderState.DONE else ""
        with queue_errors(services.queues.url):
            await services.retention.delivered(card.order_id, services.clock(), kept)

    async def _deliver_file(self, delivery: outbox.DeliveryJob) -> None:
        """Sends the untouched file of a result; where that cannot be, a word about it."""
        services, _ = self._services, self._services.texts
        step, mark = await self._sender.begin(delivery.delivery_id)
        card = await services.cards.read(delivery.job_id)
        if card is None:
            return
        if step is NextStep.FINISH:
            if mark.message_id is not None:
                await services.cards.note_file(card.order_id, mark.message_id)
            return
        if step is NextStep.GIVE_UP:
            text = _(
                "{title}: Telegram never said whether the file arrived. If you do not see it, tap "
                "As file again.",
                title=card.title,
            )
            try:
                await services.messenger.send(card.place, MessageContent(text), at_once=True)
            except ChatBusy as busy:
                raise Later(busy.wait_s) from busy
            await self._given_up(card)
            return
        with TemporaryDirectory(prefix="animato-") as folder:
            try:
                result, video = await self._files.fetched(card, Path(folder))
                words = MessageContent(caption(card.title, result, _))
                message = Message(words, video, is_file=True)
            except ResultGone as gone:
                message = Message(MessageContent(sentence_of(gone, _)))
            try:
                sent = await self._sender.send(delivery.delivery_id, mark, card.place, message)
                await services.cards.note_file(card.order_id, sent)
            except Refused as refused:
                told = Message(MessageContent(refused_ending(card, refused, _).text))
                with suppress(Refused):
                    await self._sender.send(delivery.delivery_id, mark, card.place, told)
                await self._note_refusal(card, refused)

    # --- what is told -----------------------------------------------------------------------------

    async def _message(
        self, card: OrderCard, draft: Draft | None, status: Status, folder: Path
    ) -> tuple[Message, FinalMessage]:
        """What is told of an order's end, and the last words of its card."""
        _, number = self._services.texts, draft.number if draft else card.number + 1
        error: AnimatoError = status.error or OrderFailed(order=card.order_id)
        if status.state is OrderState.DONE:
            result = status.video()
            path = folder / "video.mp4"
            try:
                await self._services.store.fetch(result.key, path)
                thumbnail = await fetch_thumbnail(self._services.store, result, folder)
            except FileGone as gone:
                error = gone
            else:
                options = (await self._services.offers.now()).options(card.order.engine)
                keyboard = result_buttons(card.order, number, options, _)
                if draft is not None and card.order.motion.templates:
                    keyboard = (*numbers_keyboard(card.order), *keyboard)
                words = MessageContent(caption(card.title, result, _), keyboard)
                video = video_of(card, result, path, thumbnail)
                return Message(words, video), self._ending(card, status)
        return Message(failure_words(card, error, number, _)), failed_ending(card, _)

    def _ending(self, card: OrderCard, status: Status) -> FinalMessage:
        """The last words of the order's card."""
        match status.state:
            case OrderState.CANCELLED:
                return cancelled_ending(card, self._services.texts)
            case OrderState.FAILED:
                return failed_ending(card, self._services.texts)
        return done_ending(card, self._services.clock(), self._services.texts)

    async def _given_up(self, card: OrderCard) -> FinalMessage:
        """What is left when sending has been tried in vain: the card, and the admins."""
        _ = self._services.texts
        self._services.metrics.delivered(DeliveryOutcome.GIVEN_UP)
        await self._tell_admins(
            _("Nobody knows whether {order} could be sent.", order=card.order_id)
        )
        text = _(
            "{title}: it is done, but it could not be sent. Order it again, please.",
            title=card.title,
        )
        return FinalMessage(text=text, offers_more=True)

    async def _note_refusal(self, card: OrderCard, refused: Refused) -> None:
        """Counts it, and tells the admins unless nobody is there any more."""
        _ = self._services.texts
        log.warning("%s: its chat refuses: %s", card.order_id, refused)
        outcome = DeliveryOutcome.GIVEN_UP if refused.is_too_large else DeliveryOutcome.GONE
        self._services.metrics.delivered(outcome)
        if not refused.is_unheard:
            await self._tell_admins(
                _("{order} could not be sent: {error}", order=card.order_id, error=refused)
            )

    async def _changed_draft(self, card: OrderCard, status: Status) -> Draft | None:
        """The draft after its order; None if it is not known, or cannot be read, any more."""
        try:
            return await self._services.drafts.change(
                card.draft, lambda found: _after(found, card, status)
            )
        except RecordError:
            return None

    async def _card_of(self, delivery: outbox.DeliveryJob) -> OrderCard:
        """The order's card; where it is lost, what can be told without it."""
        services = self._services
        card = await services.cards.read(delivery.job_id)
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


def _is_of(delivery: outbox.DeliveryJob, status: Status) -> bool:
    """Whether the order is still at the end that is to be told."""
    ended_ms = round((status.finished_s or 0) * 1000)
    return status.state.is_final and ended_ms <= delivery.finished_ms + 1


def _after(draft: Draft, card: OrderCard, status: Status) -> Draft:
    """The draft after an order from it: what is tapped from now on is a new wish.

    The card stays where it was, above the result; the next one comes below.
    """
    changed = renumbered(draft, card.number)
    if status.state is OrderState.CANCELLED or draft.card != card.card:
        return changed
    return changed.model_copy(update={"card": None})
