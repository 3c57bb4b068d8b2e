"""One message, sent once: what is noted before and after, and what each refusal means.

    Sender.begin -> what to do now (`jobs/queues/delivery_records.py`)
    Sender.send  -> note, send, note the receipt
                    | busy, unknown: Later          | never: Refused

A chat that takes no videos gets a file instead; a topic that is closed, the chat itself.
"""

import logging
from dataclasses import dataclass, replace

from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter, TelegramError

from bot.gateway.messenger import (
    ChatBusy,
    ChatTarget,
    MessageContent,
    Messenger,
    OutgoingVideo,
    SentMessage,
)
from bot.gateway.new_cards import was_never_sent
from bot.gateway.rate_limiter import seconds
from bot.services import Services
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

_LEAST_PAUSE_S = 1.0  # others may stand before it
# Telegram's words.
_TOO_LARGE = "entity too large"
_NO_TOPIC = ("topic", "thread")


@dataclass(frozen=True)
class Message:
    """What is sent.

    Attributes:
        content: a text, or what stands under the video.
        video: the video, or None.
        is_file: whether the video goes as a file, whose bytes nobody touches.
    """

    content: MessageContent
    video: OutgoingVideo | None = None
    is_file: bool = False


class Refused(Exception):
    """The chat does not take the message, and never will; nothing was sent.

    Args:
        error: Telegram's.
    """

    def __init__(self, error: TelegramError) -> None:
        self.error = error
        super().__init__(str(error))

    @property
    def is_too_large(self) -> bool:
        """Whether another, smaller file would be taken."""
        return _is_too_large(self.error)

    @property
    def is_unheard(self) -> bool:
        """Whether nothing at all reaches the chat."""
        return isinstance(self.error, Forbidden)


class Sender:
    """Sends what is delivered."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def begin(self, name: str) -> tuple[NextStep, DeliveryRecord]:
        """What is to be done with a delivery, and its mark for `send`.

        Raises:
            Later: nothing yet, what was sent before may still arrive.
            RecordError: the mark was written by another version of this program.
        """
        record = await read_record(self._services.queues, name)
        step, wait_s = next_step(record, self._services.clock())
        if step is NextStep.WAIT:
            raise Later(wait_s)
        return step, record

    async def send(
        self, name: str, record: DeliveryRecord, target: ChatTarget, message: Message
    ) -> int:
        """Sends, and notes before and after how far it is.

        Args:
            name: of the delivery.
            record: what `begin` returned.
            target: where.
            message: what.

        Returns:
            The number of the message in its chat.

        Raises:
            Later: it was not sent, or nobody knows.
            Refused: it was not sent, and never will be.
            NetworkError: it was not sent.
        """
        services = self._services
        if record.tries:
            # While nobody answers at all, this is no try: there are few of them.
            await services.messenger.ask_for_answer()
        if message.video is not None and target.chat > 0:
            await _show_action(services.messenger, target)
        record = record.begun(services.clock())
        await write_record(services.queues, name, record)
        try:
            sent = await _sent(services.messenger, target, message)
        except (ChatBusy, RetryAfter) as error:
            await write_record(services.queues, name, record.refused())
            wait_s = error.wait_s if isinstance(error, ChatBusy) else seconds(error.retry_after)
            raise Later(max(_LEAST_PAUSE_S, wait_s)) from error
        except (Forbidden, BadRequest) as error:
            await write_record(services.queues, name, record.refused())
            raise Refused(error) from error
        except NetworkError as error:
            if _is_too_large(error):
                await write_record(services.queues, name, record.refused())
                raise Refused(error) from error
            if was_never_sent(error):
                await write_record(services.queues, name, record.refused())
                raise
            log.warning("%s: nobody knows whether it arrived: %s", name, error)
            raise Later(UNCERTAIN_S) from error
        await write_record(services.queues, name, record.arrived(sent.message_id, sent.file_id))
        services.metrics.delivered(DeliveryOutcome.SENT)
        return sent.message_id


def _is_too_large(error: TelegramError) -> bool:
    return _TOO_LARGE in str(error).lower()


async def _show_action(messenger: Messenger, target: ChatTarget) -> None:
    """Shows that a video is on its way; whether that can be seen delays nothing."""
    try:
        await messenger.show_action(target, "upload_video")
    except TelegramError as error:
        log.info("not shown: %s", type(error).__name__)


async def _sent(messenger: Messenger, target: ChatTarget, message: Message) -> SentMessage:
    """Sends it in the first way that the chat takes."""
    while True:
        try:
            return await _sent_so(messenger, target, message)
        except BadRequest as error:
            is_topic = any(phrase in str(error).lower() for phrase in _NO_TOPIC)
            if target.thread_id is not None and is_topic:
                target = replace(target, thread_id=None)
            elif message.video is not None and not message.is_file:
                message = replace(message, is_file=True)
            else:
                raise
            log.info("the chat refuses, another way is tried: %s", error)


async def _sent_so(messenger: Messenger, target: ChatTarget, message: Message) -> SentMessage:
    if message.video is None:
        return await messenger.send(target, message.content, at_once=True)
    send = messenger.send_file if message.is_file else messenger.send_video
    return await send(target, message.video, message.content, at_once=True)
