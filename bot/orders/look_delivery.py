"""Delivers what the gate found in a photo, or why the photo cannot be used, to its draft.

A draft whose movement and face are chosen already (a link to a movement, files that were fetched
again) becomes an order at once; else its card shows what to choose.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from bot.drafts.draft import Draft, DraftProblem, draft_of_job
from bot.drafts.intake import is_lead_in_store
from bot.error_text import error_text
from bot.gateway.messenger import ChatBusy, MessageContent
from bot.orders.ordering import Ordering
from bot.services import Services
from bot.texts import msgid, speaking
from jobs.connection import queue_errors
from jobs.errors import AnimatoError, MediaError, UserError
from jobs.model import MediaWarning
from jobs.orders import LookResult, OrderState
from jobs.queues.assignment import Later
from jobs.queues.keys import LOOK, JobRef
from jobs.queues.outbox import DeliveryJob
from jobs.queues.status import Status
from jobs.service_errors import OrderFailed, PhotoBlocked
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

# A chat that is busy for longer is tried again later, so that it delays no other.
_LONGEST_WAIT_S = 5.0
# At most this many results per chat are delivered at the same time, so that a busy chat leaves room
# for others. Others of the same chat are tried again a second later.
_MOST_OF_A_CHAT = 2
_NEXT_S = 1.0
_CHECK_EVERY_S = 1.0

Show = Callable[[str], Coroutine[Any, Any, None]]


class TellAdmins(Protocol):
    """Writes to the admins, to each in their language: a msgid and its fields."""

    def __call__(
        self, message: str, *, once: str = "", **fields: object
    ) -> Coroutine[Any, Any, None]:
        """Write a note; of those with the same name `once`, only the first."""


class LookDelivery:
    """Delivers the outcome of looks and of fetching files.

    Args:
        ordering: places orders.
        show: shows the draft with that id.
        tell_admins: writes to the admins.
    """

    def __init__(
        self, services: Services, ordering: Ordering, show: Show, tell_admins: TellAdmins
    ) -> None:
        self._services = services
        self._ordering = ordering
        self._show = show
        self._tell_admins = tell_admins
        self._chats: Counter[int] = Counter()  # of the results that are being delivered

    async def deliver(self, delivery: DeliveryJob) -> None:
        """Deliver the outcome of a job of the queues `intake` or `look`.

        Raises:
            Later: the chat is busy, or other results of it are being delivered.
            TelegramError, QueueUnavailable, StoreUnavailable: try again.
        """
        ref = delivery.ref
        draft_id, revision = draft_of_job(ref.job_id)
        status = await self._services.queues.status(ref)
        outcome = _outcome_of(ref, status) if status is not None and status.state.is_final else None
        draft = await self._services.drafts.read(draft_id)
        if outcome is None or draft is None or draft.revision != revision:
            return
        language = await self._services.languages.of(draft.chat_id, draft.person_id)
        if self._chats[draft.chat_id] == _MOST_OF_A_CHAT:
            raise Later(_NEXT_S)
        if isinstance(outcome, LookResult):
            try:
                await self._services.blocked_photos.check(outcome.photo.file)
            except PhotoBlocked as error:
                outcome = error
        self._chats[draft.chat_id] += 1
        try:
            with speaking(language):
                await self._deliver(ref, draft, outcome)
        finally:
            self._chats -= Counter((draft.chat_id,))

    async def _deliver(
        self, ref: JobRef, before: Draft, outcome: LookResult | AnimatoError
    ) -> None:
        if isinstance(outcome, LookResult) and outcome.clip is not None:
            services, clip = self._services, outcome.clip.file
            with queue_errors(services.queues.url):
                await services.retention.hold(before.draft_id, clip, services.clock())
        has_nothing_to_read = False

        def updated(draft: Draft) -> Draft:
            nonlocal has_nothing_to_read
            if draft.revision != before.revision or draft.problem is not None:
                return draft
            if draft.findings is not None:  # delivered before, though perhaps not to its end
                has_nothing_to_read = not draft.findings.warnings
                return draft
            changed = (
                with_look(draft, outcome)
                if isinstance(outcome, LookResult)
                else _with_problem(draft, outcome)
            )
            has_nothing_to_read = not _unread_warnings(draft, changed.findings)
            return changed

        draft = await self._services.drafts.change(before.draft_id, updated)
        if draft is None or draft.revision != before.revision:
            return
        numbered = draft.with_reserved_number()
        if await self._services.order_cards.read(numbered.order_id) is not None:
            return  # delivered before: the card shows the order already
        if (
            isinstance(outcome, UserError)
            and draft.problem is not None
            and not draft.problem.is_lead
        ):
            await self._services.drafts.detach_draft(draft)
        if not (has_nothing_to_read and is_ready(draft) and await self._place_or_refuse(numbered)):
            await self._show_when_free(draft)
        if isinstance(outcome, AnimatoError) and not isinstance(outcome, UserError):
            note = msgid("{job} failed: {error}")
            await self._tell_admins(note, job=ref.job_id, error=outcome)

    async def _place_or_refuse(self, draft: Draft) -> bool:
        """Place the draft's order, or tell the person why it is refused.

        Raises:
            Later: the chat is busy, so the person is not told yet.
        """
        try:
            return (await self._ordering.place(draft)).card is not None
        except UserError as error:
            log.info("%s: %s", draft.order_id, error)
            try:
                content = MessageContent(error_text(error, self._services.texts))
                await self._services.messenger.send(draft.target, content, droppable=True)
            except ChatBusy as busy:
                raise Later(max(_NEXT_S, busy.wait_s)) from busy
            await self._services.drafts.change(draft.draft_id, Draft.without_movement)
            return False

    async def _show_when_free(self, draft: Draft) -> None:
        self._check_room(draft)
        showing = asyncio.ensure_future(self._show(draft.draft_id))
        try:
            while not showing.done():
                await asyncio.wait({showing}, timeout=_CHECK_EVERY_S)
                if not showing.done():
                    self._check_room(draft)
            showing.result()
        finally:
            await end_tasks([showing])

    def _check_room(self, draft: Draft) -> None:
        wait_s = self._services.messenger.closed_s(draft.chat_id)
        if wait_s > _LONGEST_WAIT_S:
            raise Later(wait_s)


def is_ready(draft: Draft) -> bool:
    """Whether face and movement are chosen."""
    return draft.movement is not None and draft.findings is not None and bool(draft.face_boxes)


def with_look(draft: Draft, look: LookResult) -> Draft:
    """Return the draft with what the gate found; a single face is chosen."""
    changes: dict[str, Any] = {"findings": look, "orders_lead": False}
    if not draft.face_boxes and len(look.faces) == 1:
        changes["face_boxes"] = (look.faces[0].box,)
    if draft.orders_lead or (draft.movement is not None and draft.movement.files):
        changes["movement"] = look.own_movement
    return draft.model_copy(update=changes)


def _unread_warnings(draft: Draft, found: LookResult | None) -> tuple[MediaWarning, ...]:
    """Return the warnings that the person has not seen: they are shown before an order.

    With a chosen face, those of the photo are known; those of a lead are not if it is a new one.
    """
    if found is None or (draft.face_boxes and not draft.orders_lead):
        return ()
    lead = found.voice or found.clip
    return lead.warnings if draft.face_boxes and lead is not None else found.warnings


def _outcome_of(ref: JobRef, status: Status) -> LookResult | AnimatoError | None:
    """Return what the gate found or what went wrong; None if there is nothing to deliver."""
    if status.state is OrderState.FAILED:
        return status.error or OrderFailed(order=ref.job_id)
    if status.state is OrderState.DONE and status.result is not None and ref.queue == LOOK:
        return LookResult.read(status.result)
    return None


def _with_problem(draft: Draft, error: AnimatoError) -> Draft:
    """Return the draft with its problem, which names the person's file."""
    name = str(error.fields.get("name", ""))
    lead = draft.lead
    is_lead = lead is not None and (is_lead_in_store(name) or name == lead.name)
    file = lead if is_lead else draft.photo
    if isinstance(error, MediaError) and file is not None:
        error = type(error)(**{**error.fields, "name": file.name})
    return draft.model_copy(
        update={"problem": DraftProblem(error=error.to_dict(), is_lead=is_lead)}
    )
