"""The names of all that the queues keep in Redis: BullMQ's keys that we read, and our own.

Our own begin with `animato:`. BullMQ's are read and never written, but for the fields and scores
that `admission.py` and `work.py` say; `tests/integration/jobs/test_contract.py` watches each.
"""

from dataclasses import dataclass

INTAKE = "intake"
LOOK = "look"
DELIVER = "deliver"

CANCEL_CHANNEL = "animato:cancel"
WORKERS = "animato:workers"

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
    return f"animate-{engine}"


def prefix_of(queue: str) -> str:
    """What BullMQ's keys of a queue begin with; a job's id or the name of a state follows."""
    return f"bull:{queue}:"


def fair_key(queue: str) -> str:
    """The fair tags of a queue."""
    return f"animato:fair:{queue}"


def open_key(person: int) -> str:
    """The unfinished orders of a person."""
    return f"animato:open:{person}"


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


def speed_key(device: str, kind: str) -> str:
    """How fast a kind of device is at a kind of work."""
    return f"animato:ewma:{device}:{kind}"


def worker_key(worker: str) -> str:
    """The heartbeat of a worker."""
    return f"animato:worker:{worker}"
