"""Jobs of the queue `media`: small works beside the videos, such as another form of a result.

    MediaJob -> worker/media_jobs.py -> MediaResult -> bot/orders/media_delivery.py

All their files, given and made, are in the folder `media/<job>`, or they are results; what is made
is deleted after its delivery.
"""

from pydantic import Field

from jobs.media_tasks import FileName, Made, MediaTask
from jobs.orders import JobId, Record
from jobs.queues.keys import MEDIA, JobRef
from jobs.store.keys import media_key


class MediaJob(Record):
    """A small job for any worker that serves the queue `media`.

    Attributes:
        job_id: its id in the queue.
        person: who asked for it.
        chat: where the result goes.
        thread_id: the topic there, or None.
        reply_to: the message that the result replies to, or None.
        reference: what the receiver of the result needs; workers ignore it.
        task: what to make.
    """

    job_id: JobId
    person: int
    chat: int
    thread_id: int | None = None
    reply_to: int | None = None
    reference: str = Field(default="", max_length=300)
    task: MediaTask

    @property
    def ref(self) -> JobRef:
        """Where it waits."""
        return JobRef(MEDIA, self.job_id)


class MediaResult(Record, Made):
    """What a worker has made and stored.

    Attributes:
        job_id: the job.
    """

    job_id: JobId

    @property
    def key(self) -> str:
        """The key of the main file in the file store."""
        return self.key_of(self.names[0])

    def key_of(self, name: FileName) -> str:
        """Return the key of one of its files in the file store."""
        return media_key(self.job_id, name)
