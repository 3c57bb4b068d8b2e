"""The names of all that the queues keep in Redis: BullMQ's keys that we read, and our own.

Our own begin with `animato:`. BullMQ's are read and never written, except for the fields and scores
named in `admission.py` and `queue_worker.py`; `test_contract.py` checks each.
"""

from dataclasses import dataclass

INTAKE = "intake"
LOOK = "look"
DELIVER = "deliver"

CANCEL_CHANNEL = "animato:cancel"
WORKERS = "animato:workers"
KNOWN_ENGINES = "animato:engines"
PEOPLE_ADMINS_KEY = "animato:admins"
PEOPLE = "animato:person:"
CLAIM_KEY = "animato:claim"
PAUSED_KEY = "animato:paused"
OPEN_CARDS = "animato:cards"
DUE_ALBUMS = "animato:albums"

_ENGINE_QUEUE = "animate-"
# A field of our own in BullMQ's hash of a job.
RESULT_FIELD = "animato:result"


@dataclass(frozen=True)
class JobRef:
    """Where a job is found.

    Attributes:
        queue: the queue's name.
        job_id: its id there.
    """

    queue: str
    job_id: str

    @property
    def key(self) -> str:
        """BullMQ's hash of the job."""
        return prefix_of(self.queue) + self.job_id

    @property
    def lock_key(self) -> str:
        """Whose job it is while it runs: the token of the worker's start."""
        return f"{self.key}:lock"


def engine_queue(engine: str) -> str:
    """The queue of the orders that an engine makes."""
    return f"{_ENGINE_QUEUE}{engine}"


def is_engine_queue(queue: str) -> bool:
    """Whether a queue holds orders of an engine."""
    return queue.startswith(_ENGINE_QUEUE)


def prefix_of(queue: str) -> str:
    """What BullMQ's keys of a queue begin with; a job's id or the name of a state follows."""
    return f"bull:{queue}:"


def fair_key(queue: str) -> str:
    """The fair tags of a queue."""
    return f"animato:fair:{queue}"


def open_key(person: int) -> str:
    """The unfinished orders of a person."""
    return f"animato:open:{person}"


def photos_key(person: int) -> str:
    """The photos of a person that are being fetched or looked at, or wait for it."""
    return f"animato:photos:{person}"


def day_key(person: int) -> str:
    """The orders of a person within the last 24 hours."""
    return f"animato:day:{person}"


def taken_key(job_id: str) -> str:
    """The mark of an order that was taken: `taken`, or `cancelled` before it began."""
    return f"animato:dd:{job_id}"


def taking_key(job_id: str) -> str:
    """The mark of an order that somebody is adding in this moment."""
    return f"animato:taking:{job_id}"


def cancel_key(job_id: str) -> str:
    """The wish that an order be cancelled."""
    return f"animato:cancel:{job_id}"


def sent_key(delivery_id: str) -> str:
    """How far a delivery has come."""
    return f"animato:sent:{delivery_id}"


def log_key(order_id: str) -> str:
    """The last words about an order: a list of lines, the newest one last."""
    return f"animato:log:{order_id}"


def inbox_key(bot: int) -> str:
    """The updates of a bot that are not handled yet."""
    return f"animato:inbox:{bot}"


def failed_update_key(place: str) -> str:
    """An update that was put aside; `place` is where it was in the inbox."""
    return f"animato:inbox:failed:{place}"


def seen_key(bot: int, update: int) -> str:
    """The mark of an update that has come: its place in the inbox."""
    return f"animato:seen:{bot}:{update}"


def speed_key(device: str, kind: str) -> str:
    """How fast a kind of device is at a kind of work."""
    return f"animato:ewma:{device}:{kind}"


def worker_key(worker: str) -> str:
    """The heartbeat of a worker."""
    return f"animato:worker:{worker}"


def bot_key(host: str) -> str:
    """The sign of life of the bot on a machine."""
    return f"animato:bot:{host}"


def draft_key(draft: str) -> str:
    """A draft of the conversation."""
    return f"animato:draft:{draft}"


def drafts_key(chat: int) -> str:
    """The drafts of a chat."""
    return f"animato:drafts:{chat}"


def desk_key(chat: int, person: int) -> str:
    """What a person has in hand in a chat."""
    return f"animato:desk:{chat}:{person}"


def shown_key(chat: int, message_id: int) -> str:
    """Whose card a message is."""
    return f"animato:shown:{chat}:{message_id}"


def sending_key(chat: int) -> str:
    """The cards of a chat that are being sent, and may have arrived."""
    return f"animato:sending:{chat}"


def texts_key(chat: int) -> str:
    """The ids of the bot's newest texts in a chat."""
    return f"animato:texts:{chat}"


def album_key(album: str) -> str:
    """What came of an album."""
    return f"animato:album:{album}"


def person_key(person: int) -> str:
    """Consent and standing of a person."""
    return f"{PEOPLE}{person}"


def refused_key(chat: int, person: int, kind: str) -> str:
    """The mark of a person whose message of a kind was just answered: the bot is private."""
    return f"animato:refused:{chat}:{person}:{kind}"


def card_key(order: str) -> str:
    """The status card of an order."""
    return f"animato:card:{order}"


def show_all_key(person: int) -> str:
    """The orders of a person within the last 24 hours that showed all movements."""
    return f"animato:all:{person}"
