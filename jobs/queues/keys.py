"""The names of all Redis keys: BullMQ's that we read, and our own, which begin with `animato:`.

BullMQ's keys are never written, except for the fields named in `queues.py` and `queue_worker.py`;
`tests/integration/jobs/test_contract.py` checks each.
"""

import base64
from dataclasses import dataclass

from jobs.engines import FORMER_NAMES, current_name

INTAKE = "intake"
LOOK = "look"
DELIVER = "deliver"
MEDIA = "media"
# Only in deliveries: a result that was delivered before is sent again.
HISTORY = "history"
# Those whose jobs any worker takes, ahead of the engines' orders.
SHORT_QUEUES = (LOOK, MEDIA)
# The queues of jobs whose outcome is delivered, besides those of engines.
DELIVERED_QUEUES = (INTAKE, *SHORT_QUEUES)

CANCEL_CHANNEL = "animato:cancel"
WORKERS = "animato:workers"
KNOWN_ENGINES = "animato:engines"
PEOPLE_ADMINS_KEY = "animato:admins"
PEOPLE = "animato:person:"
CLAIM_KEY = "animato:claim"
PAUSED_KEY = "animato:paused"
LIMITS_KEY = "animato:limits"
FAILURES_KEY = "animato:failures"
ALERTS_KEY = "animato:alerts"
TEMPLATES_KEY = "animato:templates"
BROADCAST_KEY = "animato:broadcast"
BROADCAST_PEOPLE_KEY = "animato:broadcast:people"
OPEN_CARDS = "animato:cards"
BLOCKED_PHOTOS = "animato:blocked-photos"
WHY_BLOCKED = "animato:blocked-photos:why"
DUE_ALBUMS = "animato:albums"

_ENGINE_QUEUE = "animate-"
# Our own fields in BullMQ's hash of a job.
RESULT_FIELD = "animato:result"
BEAT_FIELD = "animato:beat"  # when its worker last reported, unix time in s by Redis' clock


@dataclass(frozen=True)
class JobRef:
    """A job's address.

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
        """The token of the worker that is running the job."""
        return f"{self.key}:lock"


def engine_queue(engine: str) -> str:
    """The queue of an engine's orders."""
    return f"{_ENGINE_QUEUE}{engine}"


def is_engine_queue(queue: str) -> bool:
    """Whether a queue holds orders of an engine."""
    return queue.startswith(_ENGINE_QUEUE)


def engine_queues(engine: str) -> tuple[str, ...]:
    """The queues whose orders an engine makes: its own, and those of its former names."""
    former = [old for old, name in FORMER_NAMES.items() if name == engine]
    return tuple(map(engine_queue, (engine, *former)))


def is_former_queue(queue: str) -> bool:
    """Whether a queue holds orders of an engine under a former name."""
    return queue_label(queue) in FORMER_NAMES


def queue_label(queue: str) -> str:
    """The short name of a queue: that of its engine, or other queues' own."""
    return queue.removeprefix(_ENGINE_QUEUE)


def engine_of(queue: str) -> str:
    """The metrics label `engine` of a queue's jobs: today's name of its engine."""
    return current_name(queue_label(queue))


def prefix_of(queue: str) -> str:
    """The prefix of BullMQ's keys of a queue; a job id or the name of a state follows."""
    return f"bull:{queue}:"


def client_name_of(queue: str, worker: str) -> str:
    """The name of a connection by which BullMQ's tools find the workers of a queue."""
    return f"bull:{base64.b64encode(queue.encode()).decode()}:w:{worker}"


def fair_key(queue: str) -> str:
    """The fair tags of a queue."""
    return f"animato:fair:{queue}"


def open_key(person: int) -> str:
    """The unfinished orders of a person."""
    return f"animato:open:{person}"


def photos_key(person: int) -> str:
    """The photos of a person that are being fetched or looked at, or wait for that."""
    return f"animato:photos:{person}"


def media_jobs_key(person: int) -> str:
    """The unfinished jobs of a person in the queue `media`."""
    return f"animato:media:{person}"


def day_key(person: int) -> str:
    """The orders of a person within the last 24 hours."""
    return f"animato:day:{person}"


def accepted_key(job_id: str) -> str:
    """Whether an order was accepted: `taken`, or `cancelled` before it began."""
    return f"animato:dd:{job_id}"


def accepting_key(job_id: str) -> str:
    """Set while an order is being added."""
    return f"animato:taking:{job_id}"


def cancel_key(job_id: str) -> str:
    """Set when an order is to be cancelled."""
    return f"animato:cancel:{job_id}"


def sent_key(delivery_id: str) -> str:
    """The record of a delivery (`delivery_records.py`)."""
    return f"animato:sent:{delivery_id}"


def forgotten_key(job_id: str) -> str:
    """Set while a worker has a job whose person has deleted everything."""
    return f"animato:forgotten:{job_id}"


def log_key(order_id: str) -> str:
    """The last log lines about an order, the newest one last."""
    return f"animato:log:{order_id}"


def inbox_key(bot: int) -> str:
    """The updates of a bot that have not been handled yet."""
    return f"animato:inbox:{bot}"


def failed_update_key(place: str) -> str:
    """An update whose handling failed; `place` is its position in the inbox."""
    return f"animato:inbox:failed:{place}"


def lease_key(bot: int) -> str:
    """The name of the process that serves a bot behind a webhook."""
    return f"animato:lease:{bot}"


def seen_key(bot: int, update: int) -> str:
    """Set when an update was received: its position in the inbox."""
    return f"animato:seen:{bot}:{update}"


def speed_key(device: str, kind: str) -> str:
    """The seconds per frame of a kind of device at a kind of work."""
    return f"animato:ewma:{device}:{kind}"


def worker_key(worker: str) -> str:
    """The heartbeat of a worker."""
    return f"animato:worker:{worker}"


def bot_key(host: str) -> str:
    """The heartbeat of the bot on a machine."""
    return f"animato:bot:{host}"


def draft_key(draft: str) -> str:
    """A draft of the conversation."""
    return f"animato:draft:{draft}"


def drafts_key(chat: int) -> str:
    """The drafts of a chat."""
    return f"animato:drafts:{chat}"


def conversation_key(chat: int | str, person: int) -> str:
    """The state of the conversation with a person in a chat."""
    return f"animato:desk:{chat}:{person}"


def shown_key(chat: int | str, message_id: int | str) -> str:
    """The draft that a message of the bot belongs to."""
    return f"animato:shown:{chat}:{message_id}"


def sending_key(chat: int) -> str:
    """The cards of a chat that are being sent and may have arrived."""
    return f"animato:sending:{chat}"


def messages_key(chat: int) -> str:
    """The bot's messages in a chat of the last 48 hours."""
    return f"animato:messages:{chat}"


def texts_key(chat: int) -> str:
    """The ids of the bot's newest texts in a chat."""
    return f"animato:texts:{chat}"


def album_key(album: str) -> str:
    """The parts of an album that have arrived."""
    return f"animato:album:{album}"


def person_key(person: int) -> str:
    """Consent and access of a person."""
    return f"{PEOPLE}{person}"


def refused_key(chat: int, person: int, kind: str) -> str:
    """Set after a message of this kind was answered with "the bot is private"."""
    return f"animato:refused:{chat}:{person}:{kind}"


def card_key(order: str) -> str:
    """The status card of an order."""
    return f"animato:card:{order}"


def show_all_key(person: int) -> str:
    """The show-all orders of a person within the last 24 hours."""
    return f"animato:all:{person}"


def group_key(chat: int) -> str:
    """The settings of a group."""
    return f"animato:group:{chat}"


def history_key(person: int) -> str:
    """The last results of a person."""
    return f"animato:history:{person}"


def group_orders_key(chat: int) -> str:
    """The orders of a group within the last 24 hours."""
    return f"animato:group-day:{chat}"


def greeted_key(chat: int) -> str:
    """Set after the bot has explained itself in a group."""
    return f"animato:greeted:{chat}"


def statistics_key(day: str) -> str:
    """The counters of a day, such as 2026-01-31."""
    return f"animato:stats:{day}"


def people_of_day_key(day: str) -> str:
    """How many people ordered on a day."""
    return f"animato:people:{day}"


def counted_key(delivery_id: str) -> str:
    """Set when the end of an order was counted."""
    return f"animato:counted:{delivery_id}"


def alert_key(name: str) -> str:
    """Set when the admins were told something."""
    return f"animato:alerts:{name}"


def report_key(report: str) -> str:
    """A report of a result."""
    return f"animato:report:{report}"


def reported_key(order: str) -> str:
    """Who has reported the result of an order."""
    return f"animato:reported:{order}"


def asked_report_key(order: str, person: int) -> str:
    """Set while a person is asked why they report a result: which messages hold both."""
    return f"animato:reporting:{order}:{person}"


def adding_key(admin: int) -> str:
    """The name of the movement whose clip an admin is about to send."""
    return f"animato:adding:{admin}"
