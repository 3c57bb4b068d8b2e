"""Requests small jobs from workers: another form of a result, a sheet of pictures.

request -> queue `media` -> a worker -> queue `deliver` -> MediaDelivery -> the task's receiver
"""

from bot.services import Services
from jobs.connection import queue_errors
from jobs.errors import UserError
from jobs.media_jobs import MediaJob
from jobs.queues.admission import MEDIA_LIMITS


class NobodyServes(UserError):
    """No live worker takes such tasks."""

    sentence = "No worker is online that can do this. Please try again later."


async def request_media(services: Services, job: MediaJob) -> bool:
    """Add a job to the queue `media`, once; return whether it is new.

    Raises:
        NobodyServes: no live worker takes such tasks, or one does not know them yet.
        TooManyMediaJobs: the person has too many unfinished ones.
        QueueUnavailable: Redis does not answer.
    """
    if job.task.kind not in (await services.offers.now()).media_tasks:
        raise NobodyServes
    with queue_errors(services.queues.url):
        await services.retention.touch_media(job.job_id, services.clock())
    return await services.queues.send(job.ref, job, job.person, MEDIA_LIMITS)
