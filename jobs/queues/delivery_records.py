"""How far a delivery is, written before and after sending, so that a restart does not send twice.

    NEW -begun-> SENDING -arrived-> SENT
                    | -refused-> NEW     Telegram has said that nothing was sent
                    v
    found in this state: the bot died, or no answer came; the message may have arrived or not

A video may rarely arrive twice. It is never lost without a message to the admins.
"""

from enum import StrEnum

from jobs.connection import queue_errors
from jobs.old_records import delivery_before
from jobs.orders import Record
from jobs.queues.durability import wait_until_durable
from jobs.queues.keys import sent_key
from jobs.queues.queues import Queues

UNCERTAIN_S = 60.0
MOST_TRIES = 5
_KEPT_S = 72 * 3600


class DeliveryState(StrEnum):
    """The state of a delivery."""

    NEW = "new"
    SENDING = "sending"
    SENT = "sent"


class DeliveryRecord(Record):
    """What is stored about a delivery.

    Attributes:
        state: how far it is.
        since_s: when the current attempt began, unix time.
        tries: how often it was attempted.
        message_id: of the message that arrived.
    """

    schema_version: int = 2
    _convert = delivery_before

    state: DeliveryState = DeliveryState.NEW
    since_s: float = 0.0
    tries: int = 0
    message_id: int | None = None

    def begun(self, now_s: float) -> "DeliveryRecord":
        """Return the record to write before sending."""
        return DeliveryRecord(state=DeliveryState.SENDING, since_s=now_s, tries=self.tries + 1)

    def refused(self) -> "DeliveryRecord":
        """Return the record to write when Telegram sent nothing; the attempt is not counted."""
        return DeliveryRecord(tries=max(0, self.tries - 1))

    def arrived(self, message_id: int) -> "DeliveryRecord":
        """Return the record to write after sending."""
        return DeliveryRecord(state=DeliveryState.SENT, tries=self.tries, message_id=message_id)


class NextStep(StrEnum):
    """What to do with a delivery that begins."""

    SEND = "send"
    WAIT = "wait"  # it may still arrive
    SEND_AGAIN = "send again"  # it may arrive twice
    GIVE_UP = "give up"  # attempted too often without an answer; tell the admins
    FINISH = "finish"  # it was sent


def next_step(record: DeliveryRecord, now_s: float) -> tuple[NextStep, float]:
    """Return what to do, and how long to wait, s.

    Args:
        record: as it is stored.
        now_s: unix time.
    """
    match record.state:
        case DeliveryState.NEW:
            return NextStep.SEND, 0.0
        case DeliveryState.SENT:
            return NextStep.FINISH, 0.0
    left_s = record.since_s + UNCERTAIN_S - now_s
    if left_s > 0:
        # Not longer than that, even if the clock was set back.
        return NextStep.WAIT, min(left_s, UNCERTAIN_S)
    return (NextStep.SEND_AGAIN if record.tries < MOST_TRIES else NextStep.GIVE_UP), 0.0


async def read_record(queues: Queues, delivery_id: str) -> DeliveryRecord:
    """Return the record of a delivery; one in state NEW if there is none.

    Raises:
        RecordError: it was written by another version of this program.
        QueueUnavailable: Redis does not answer.
    """
    with queue_errors(queues.client):
        text = await queues.client.get(sent_key(delivery_id))
    return DeliveryRecord.read(text) if text else DeliveryRecord()


async def write_record(queues: Queues, delivery_id: str, record: DeliveryRecord) -> None:
    """Write the record of a delivery so that it survives a crash of Redis.

    Raises:
        QueueUnavailable: Redis does not answer.
    """
    key, text = sent_key(delivery_id), record.to_json()
    with queue_errors(queues.client):
        # Repeat if Redis has crashed in between and lost it.
        while await queues.client.get(key) != text:
            await queues.client.set(key, text, ex=_KEPT_S)
            await wait_until_durable(queues.client)
