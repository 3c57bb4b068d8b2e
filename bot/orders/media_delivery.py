"""Delivers finished jobs of the queue `media`: each kind of task has a receiver of its own.

A receiver may be called again with the same job, after a crash or while a chat is busy. It sends
with `DeliverySender` under the delivery's id, so that nothing arrives twice.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bot.orders.look_delivery import TellAdmins
from bot.services import Services
from bot.texts import msgid, speaking
from jobs.connection import queue_errors
from jobs.errors import AnimatoError, UserError
from jobs.media_jobs import MediaJob, MediaResult
from jobs.orders import OrderState
from jobs.queues.outbox import DeliveryJob
from jobs.service_errors import FileGone, OrderFailed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MediaOutcome:
    """How a job of the queue `media` ended.

    Attributes:
        delivery_id: the id for `DeliverySender`.
        job: the job.
        result: what was made; None if it failed.
        error: why it failed; None if it did not.
    """

    delivery_id: str
    job: MediaJob
    result: MediaResult | None = None
    error: AnimatoError | None = None


MediaReceiver = Callable[[MediaOutcome], Awaitable[None]]


class MediaDelivery:
    """Hands finished jobs to the receivers.

    Args:
        receivers: by the kind of task.
        tell_admins: writes to the admins.
    """

    def __init__(
        self, services: Services, receivers: Mapping[str, MediaReceiver], tell_admins: TellAdmins
    ) -> None:
        self._services = services
        self._receivers = receivers
        self._tell_admins = tell_admins

    async def deliver(self, delivery: DeliveryJob) -> None:
        """Deliver the outcome of a job, then delete its files.

        Raises:
            Later: the chat is busy, or an earlier message may still arrive.
            TelegramError, QueueUnavailable, StoreError: try again.
            RecordError: it cannot be read.
        """
        services = self._services
        status = await services.queues.status(delivery.ref)
        with queue_errors(services.queues.url):
            text = await services.queues.client.hget(delivery.ref.key, "data")
        if status is None or text is None or not status.state.is_final:
            return
        job = MediaJob.read(text)
        result, error = None, status.error
        if status.state is OrderState.DONE and status.result is not None:
            result = MediaResult.read(status.result)
        elif error is None:
            error = OrderFailed(order=job.job_id)
        outcome = MediaOutcome(delivery.delivery_id, job, result, error)
        with speaking(await services.languages.of(job.chat, job.person)):
            try:
                await self._receivers[job.task.kind](outcome)
            except FileGone as gone:
                # It was delivered before, and its files were deleted; or they were kept too long.
                log.info("%s: nothing is left to deliver: %s", job.job_id, gone)
        if error is not None and not isinstance(error, UserError | FileGone):
            await self._tell_admins(msgid("{job} failed: {error}"), job=job.job_id, error=error)
        with queue_errors(services.queues.url):
            await services.retention.forget_media(job.job_id, services.clock())
