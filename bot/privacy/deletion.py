"""`/delete_me`: cancels a person's orders and deletes what is stored about the person.

It asks first. A repeated tap continues a deletion that was interrupted.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from functools import partial

from bot.callback_data import ButtonAction, ButtonData
from bot.conversation.commands import backups_text
from bot.gateway.messenger import Button, ChatTarget, MessageContent
from bot.gateway.updates import IncomingMessage, IncomingTap, TapAnswer
from bot.history.store import KEPT_S
from bot.orders.ordering import Ordering
from bot.privacy.personal_data import PersonalData, PersonalDataStore
from bot.services import Services
from jobs.connection import queue_errors
from jobs.queues.keys import DELIVER, JobRef
from jobs.queues.outbox import DeliveryJob

DELETE, KEEP = "yes", "no"
_POLL_S = 0.2
_DAY_S = 86_400
# A cancelled order stops after a few frames; a worker that hangs is killed within this time.
_LONGEST_WAIT_S = 60.0


class Deletion:
    """Handles `/delete_me`.

    Args:
        services: the services.
        ordering: cancels orders.
        backup_days: how long the owner keeps backups; 0: there are none.
        longest_wait_s: how long to wait for running jobs, s.
    """

    def __init__(
        self,
        services: Services,
        ordering: Ordering,
        backup_days: int,
        longest_wait_s: float = _LONGEST_WAIT_S,
    ) -> None:
        self._services = services
        self._ordering = ordering
        self._backup_days = backup_days
        self._longest_wait_s = longest_wait_s
        self._data = PersonalDataStore(services)

    async def ask(self, incoming: IncomingMessage) -> None:
        """Ask whether the person is sure."""
        _ = self._services.texts
        text = _(
            "Shall I delete everything about you? Your open orders are cancelled; your photos, "
            "clips, recordings, videos, settings and your consent are deleted, and so are my "
            "messages here of the last 48 hours."
        )
        row = (
            Button(_("🗑 Delete everything"), ButtonData(ButtonAction.FORGET, argument=DELETE)),
            Button(_("Keep it"), ButtonData(ButtonAction.FORGET, argument=KEEP)),
        )
        await self._services.messenger.send(incoming.target, MessageContent(text, (row,)))

    async def tap(self, tap: IncomingTap) -> TapAnswer:
        """Handle the answer; only in the person's private chat."""
        button = ButtonData.decode(tap.data)
        if button is None or tap.chat_id != tap.person_id:
            return TapAnswer()
        if button.argument == DELETE:
            return TapAnswer(then=partial(self.delete, tap.person_id))
        delete = self._services.messenger.delete
        return TapAnswer(then=partial(delete, tap.chat_id, tap.message_id))

    async def delete(self, person_id: int) -> None:
        """Delete everything, and say what remains.

        Raises:
            QueueUnavailable, StoreUnavailable, TelegramError: some of it may be deleted.
        """
        services = self._services
        for card in await self._ordering.open_orders(person_id):
            await self._ordering.cancel_order(card)
        before = await self._data.find(person_id)
        await self._until_ended(before)
        after = await self._data.find(person_id)  # with what has arrived since
        data = replace(after, jobs=tuple(dict.fromkeys((*before.jobs, *after.jobs))))
        for chat_id, message_ids in (await self._data.messages(data)).items():
            await services.messenger.delete_all(chat_id, message_ids)
        await self._data.delete(data)
        await services.messenger.send(ChatTarget(person_id), MessageContent(self._done_text()))

    async def _until_ended(self, data: PersonalData) -> None:
        """Wait until workers have stopped and outcomes are delivered: then nothing is stored."""
        queues = self._services.queues
        refs = [job.ref for job in data.jobs if not job.is_outcome]
        for ref in refs:
            status = await queues.status(ref)
            if status is not None and not status.state.is_final:
                await queues.cancel(ref)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._longest_wait_s):
                for ref in refs:
                    while not await self._has_ended(ref):
                        await asyncio.sleep(_POLL_S)

    async def _has_ended(self, ref: JobRef) -> bool:
        services, status = self._services, await self._services.queues.status(ref)
        if status is None or status.finished_s is None or ref.queue == DELIVER:
            return status is None or status.state.is_final
        finished_ms = round(status.finished_s * 1000)
        delivery = DeliveryJob(queue=ref.queue, job_id=ref.job_id, finished_ms=finished_ms)
        key = JobRef(DELIVER, delivery.delivery_id).key
        with queue_errors(services.queues.url):
            return bool(await services.queues.client.hexists(key, "finishedOn"))

    def _done_text(self) -> str:
        _ = self._services.texts
        parts = [
            _(
                "Everything is deleted here. What I cannot delete: my messages that are older "
                "than 48 hours, what you or others have forwarded, and what Telegram keeps "
                "itself. A ban, an access and limits that the owner gave you, and the number of "
                "your orders of the last 24 hours stay; reports of your videos stay for {days:g} "
                "days.",
                days=KEPT_S / _DAY_S,
            )
        ]
        if self._backup_days:
            parts.append(backups_text(self._backup_days, _))
        return "\n\n".join(parts)
