"""Whether a delivery was sent: noted before and after, so that one that begins again knows.

    NEW -begun-> SENDING -arrived-> SENT
                    | -refused-> NEW     Telegram has said that nothing was sent
                    v
    found like this: somebody died, or no answer came; whether it arrived, nobody knows

A video may so arrive twice, rarely, and never not at all without the admins being told.
"""

from enum import StrEnum

from jobs.connection import reaching
from jobs.orders import Record
from jobs.queues.durability import wait_until_durable
from jobs.queues.keys import sent_key
from jobs.queues.queues import Queues

UNCERTAIN_S = 60.0
MOST_TRIES = 5
_KEPT_S = 72 * 3600


class DeliveryState(StrEnum):
    """How far the sending of a delivery has come."""

    NEW = "new"
    SENDING = "sending"
    SENT = "sent"


class DeliveryRecord(Record):
    """What is noted of a delivery.

    Attributes:
        state: how far it is.
        since_s: since when it is being sent, unix time.
        tries: how often it was begun.
        message_id: of the message that arrived.
        file_id: Telegram's name of the video that arrived.
    """

    state: DeliveryState = DeliveryState.NEW
    since_s: float = 0.0
    tries: int = 0
    message_id: int | None = None
    file_id: str | None = None

    def begun(self, now_s: float) -> "DeliveryRecord":
        """The mark to write before sending."""
        return DeliveryRecord(state=DeliveryState.SENDING, since_s=now_s, tries=self.tries + 1)

    def refused(self) -> "DeliveryRecord":
        """The mark to write when Telegram has said that nothing was sent; no try is counted."""
        return DeliveryRecord(tries=max(0, self.tries - 1))

    def arrived(self, message_id: int, file_id: str | None = None) -> "DeliveryRecord":
        """The mark to write after sending."""
        return DeliveryRecord(
            state=DeliveryState.SENT, tries=self.tries, message_id=message_id, file_id=file_id
        )


class NextStep(StrEnum):
    """What to do with a delivery that begins."""

    SEND = "send"
    WAIT = "wait"  # it may still arrive
    SEND_AGAIN = "send again"  # it may arrive twice
    GIVE_UP = "give up"  # begun too often without ever an answer; tell the admins
    FINISH = "finish"  # it was sent


def next_step(mark: DeliveryRecord, now_s: float) -> tuple[NextStep, float]:
    """What to do, and for how long to wait, s.

    Args:
        mark: as it was found.
        now_s: unix time.
    """
    match mark.state:
        case DeliveryState.NEW:
            return NextStep.SEND, 0.0
        case DeliveryState.SENT:
            return NextStep.FINISH, 0.0
    left_s = mark.since_s + UNCERTAIN_S - now_s
    if left_s > 0:
        # Not longer than that, even if the clock was set back.
        return NextStep.WAIT, min(left_s, UNCERTAIN_S)
    return (NextStep.SEND_AGAIN if mark.tries < MOST_TRIES else NextStep.GIVE_UP), 0.0


async def read_record(queues: Queues, delivery_id: str) -> DeliveryRecord:
    """The mark of a delivery; one that says NEW if there is none.

    Raises:
        RecordError: it was written by another version of this program.
        QueueUnavailable: the server does not answer.
    """
    with reaching(queues.url):
        text = await queues.client.get(sent_key(delivery_id))
    return DeliveryRecord.read(text) if text else DeliveryRecord()


async def write_record(queues: Queues, delivery_id: str, mark: DeliveryRecord) -> None:
    """Notes how far a delivery is, so that the server's death does not undo it.

    Raises:
        QueueUnavailable: the server does not answer.
    """
    key, text = sent_key(delivery_id), mark.to_json()
    with reaching(queues.url):
        # Again, if the server has died in between and forgotten it.
        while await queues.client.get(key) != text:
            await queues.client.set(key, text, ex=_KEPT_S)
            await wait_until_durable(queues.client, queues.url)
