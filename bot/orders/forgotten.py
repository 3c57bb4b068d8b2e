"""Jobs that a worker had when their person deleted everything: they are not delivered."""

from bot.services import Services
from jobs.connection import queue_errors
from jobs.queues.keys import MEDIA, forgotten_key, is_engine_queue, log_key
from jobs.queues.outbox import DeliveryJob

_KEPT_S = 30 * 86_400  # a job may wait that long for a worker


async def mark_forgotten(services: Services, job_id: str) -> None:
    """Record that nothing of a job is to be delivered."""
    with queue_errors(services.queues.url):
        await services.queues.client.set(forgotten_key(job_id), "1", ex=_KEPT_S)


async def is_forgotten(services: Services, job_id: str) -> bool:
    """Whether nothing of a job is to be delivered."""
    with queue_errors(services.queues.url):
        return bool(await services.queues.client.exists(forgotten_key(job_id)))


async def delete_late(services: Services, delivery: DeliveryJob) -> None:
    """Delete a finished job, and its files, instead of delivering it."""
    now_s = services.clock()
    with queue_errors(services.queues.url):
        if is_engine_queue(delivery.queue):
            await services.retention.record_delivery(delivery.job_id, now_s)
        elif delivery.queue == MEDIA:
            await services.retention.forget_media(delivery.job_id, now_s)
        await services.queues.client.delete(log_key(delivery.job_id))
    await services.queues.remove(delivery.ref)
