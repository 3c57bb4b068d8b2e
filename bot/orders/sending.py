"""Sends a delivery once, as far as Telegram allows, and classifies each error.

    DeliverySender.begin -> what to do now (`jobs/queues/delivery_records.py`)
    DeliverySender.send  -> record, send, record the receipt
                            | busy or unknown: Later        | refused for good: Refused
                            | not signed, though signatures are required: Later or Refused

If a chat refuses videos, a file is sent; if a topic is closed, the video goes to the chat itself.
"""

import logging
from dataclasses import dataclass, replace
from typing import TypeGuard

from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter, TelegramError

from bot.gateway.card_sender import was_never_sent
from bot.gateway.messenger import ChatBusy, ChatTarget, MessageContent, Messenger
from bot.gateway.outgoing import OutgoingVideo, SentVideo
from bot.gateway.rate_limiter import seconds
from bot.provenance.signing import NotSigned, Unsignable
from bot.services import Services
from jobs.media_tasks import Form
from jobs.metrics.order_metrics import DeliveryOutcome
from jobs.queues.assignment import Later
from jobs.queues.delivery_records import (
    UNCERTAIN_S,
    DeliveryRecord,
    NextStep,
    next_step,
    read_record,
    write_record,
)

log = logging.getLogger(__name__)

_LEAST_PAUSE_S = 1.0  # other messages may be ahead of it
_UNSIGNED_PAUSE_S = 60.0  # the owner has to fix it
# Telegram's error texts.
_TOO_LARGE = "entity too large"
_NO_TOPIC = ("topic", "thread")
_LOST_FILE = ("wrong file identifier", "wrong remote file", "file reference", "wrong file_id")


@dataclass(frozen=True)
class OutgoingMessage:
    """A message to deliver.

    Attributes:
        content: the text, or the video's caption.
        video: the video, or None.
    """

    content: MessageContent
    video: OutgoingVideo | None = None


class Refused(Exception):
    """The message can never be sent, mostly because the chat refuses it; nothing was sent."""

    def __init__(self, error: TelegramError | Unsignable) -> None:
        self.error = error
        super().__init__(str(error))

    @property
    def is_too_large(self) -> bool:
        """Whether the file is too large."""
        return _is_too_large(self.error)

    @property
    def is_unsigned(self) -> bool:
        """Whether the file cannot be signed, and signatures are required."""
        return isinstance(self.error, Unsignable)

    @property
    def is_lost_file(self) -> bool:
        """Whether it was sent by a file id that Telegram does not know."""
        return is_lost_file(self.error)

    @property
    def is_blocked(self) -> bool:
        """Whether the bot may not write to the chat at all."""
        return isinstance(self.error, Forbidden)


class DeliverySender:
    """Sends deliveries."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def begin(self, delivery_id: str) -> tuple[NextStep, DeliveryRecord]:
        """Return what to do with a delivery, and its record for `send`.

        Raises:
            Later: an earlier message may still arrive.
            RecordError: the record was written by another version of this program.
        """
        record = await read_record(self._services.queues, delivery_id)
        step, wait_s = next_step(record, self._services.clock())
        if step is NextStep.WAIT:
            raise Later(wait_s)
        return step, record

    async def send(
        self,
        delivery_id: str,
        record: DeliveryRecord,
        target: ChatTarget,
        message: OutgoingMessage,
    ) -> SentVideo:
        """Send a message and return its ids; record the state before and after.

        Args:
            delivery_id: the delivery's.
            record: what `begin` returned.
            target: where.
            message: what.

        Raises:
            Later: it was not sent, or that is not known.
            Refused: it was not sent, and never can be.
            NetworkError: it was not sent.
        """
        services = self._services
        if record.tries:
            # An attempt counts only while Telegram answers at all: there are few of them.
            await services.messenger.ask_for_answer()
        if message.video is not None and target.chat_id > 0:
            await services.messenger.show_uploading(target)
        record = record.begun(services.clock())
        await write_record(services.queues, delivery_id, record)
        try:
            sent = await _send_somehow(services.messenger, target, message)
        except (ChatBusy, RetryAfter) as error:
            await write_record(services.queues, delivery_id, record.refused())
            wait_s = error.wait_s if isinstance(error, ChatBusy) else seconds(error.retry_after)
            raise Later(max(_LEAST_PAUSE_S, wait_s)) from error
        except NotSigned as error:
            await write_record(services.queues, delivery_id, record.refused())
            log.warning("%s waits: %s", delivery_id, error)
            raise Later(_UNSIGNED_PAUSE_S) from error
        except (Forbidden, BadRequest, Unsignable) as error:
            await write_record(services.queues, delivery_id, record.refused())
            raise Refused(error) from error
        except NetworkError as error:
            if _is_too_large(error):
                await write_record(services.queues, delivery_id, record.refused())
                raise Refused(error) from error
            if was_never_sent(error):
                await write_record(services.queues, delivery_id, record.refused())
                raise
            log.warning("%s: it may or may not have arrived: %s", delivery_id, error)
            raise Later(UNCERTAIN_S) from error
        await write_record(services.queues, delivery_id, record.arrived(sent.message_id))
        services.metrics.count_delivery(DeliveryOutcome.SENT)
        return sent


def _is_too_large(error: Exception) -> bool:
    return _TOO_LARGE in str(error).lower()


async def _send_somehow(
    messenger: Messenger, target: ChatTarget, message: OutgoingMessage
) -> SentVideo:
    """Send a message in the first way that the chat accepts."""
    while True:
        try:
            return await _send_as(messenger, target, message)
        except BadRequest as error:
            is_topic = any(phrase in str(error).lower() for phrase in _NO_TOPIC)
            if target.thread_id is not None and is_topic:
                target = replace(target, thread_id=None)
            elif _can_be_a_file(message.video, error):
                message = replace(message, video=replace(message.video, form=Form.FILE))
            else:
                raise
            log.info("the chat refuses; trying another way: %s", error)


def _can_be_a_file(video: OutgoingVideo | None, error: BadRequest) -> TypeGuard[OutgoingVideo]:
    """Whether a chat that refuses a video may take it as a file."""
    return video is not None and video.form is Form.LOOP and not is_lost_file(error)


def is_lost_file(error: Exception) -> bool:
    """Whether Telegram does not know the file id, so that the file must be uploaded again."""
    return any(phrase in str(error).lower() for phrase in _LOST_FILE)


async def _send_as(messenger: Messenger, target: ChatTarget, message: OutgoingMessage) -> SentVideo:
    if message.video is None:
        return SentVideo(await messenger.send(target, message.content, droppable=True))
    return await messenger.send_video(target, message.video, message.content)
