"""What becomes of a photo: the look's findings, or why it cannot be used, go into its draft.

A wish that is settled already (a link to a movement, files that had to be fetched again) becomes an
order at once; else the draft's card shows what is to be chosen.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from bot.gateway.messenger import ChatBusy, ChatTarget, MessageContent
from bot.orders.ordering import Ordering
from bot.services import Services
from bot.wording import sentence_of
from jobs.drafts import Draft, DraftProblem
from jobs.errors import AnimatoError, MediaError, UserError
from jobs.orders import LookResult, OrderState
from jobs.queues.assignment import Later
from jobs.queues.keys import LOOK, JobRef
from jobs.queues.status import Status
from jobs.service_errors import OrderFailed
from jobs.tasks import end_tasks
from jobs.wish import Movement

log = logging.getLogger(__name__)

# A chat that has no room for longer is tried again, so that it delays no other.
_PATIENCE_S = 5.0
# So many looks of a chat are told at once, so that those of a busy chat, which wait for room there,
# leave the other places of deliveries to others. Further ones come again after a moment.
_MOST_OF_A_CHAT = 2
_NEXT_S = 1.0
_LOOK_EVERY_S = 1.0

Show = Callable[[str], Coroutine[Any, Any, None]]
TellAdmins = Callable[[str], Coroutine[Any, Any, None]]


class LookResults:
    """Delivers how looks and the fetching of files ended.

    Args:
        office: the parts of the bot.
        ordering: takes orders.
        show: draws the card of the draft with that id.
        tell_admins: writes to the admins.
    """

    def __init__(
        self, services: Services, ordering: Ordering, show: Show, tell_admins: TellAdmins
    ) -> None:
        self._services = services
        self._ordering = ordering
        self._show = show
        self._tell_admins = tell_admins
        self._chats: Counter[int] = Counter()  # of the looks that are being told

    async def deliver(self, ref: JobRef) -> None:
        """Tells how a job of the queues `intake` or `look` ended.

        Raises:
            Later: the chat has no room for it right now, or others of its looks are told.
            TelegramError, QueueUnavailable, StoreUnavailable: it is to be tried again.
        """
        name, revision = draft_of(ref.job_id)
        status = await self._services.queues.status(ref)
        news = _news_of(ref, status) if status is not None and status.state.is_final else None
        draft = await self._services.drafts.read(name)
        if news is None or draft is None or draft.revision != revision:
            return
        if self._chats[draft.chat] == _MOST_OF_A_CHAT:
            raise Later(_NEXT_S)
        self._chats[draft.chat] += 1
        try:
            await self._tell(ref, draft, news)
        finally:
            self._chats -= Counter((draft.chat,))

    async def _tell(self, ref: JobRef, before: Draft, news: LookResult | AnimatoError) -> None:
        is_settled = False

        def told(draft: Draft) -> Draft:
            nonlocal is_settled
            is_told = draft.look is not None or draft.trouble is not None
            if draft.revision != before.revision or is_told:
                return draft
            changed = with_look(draft, news) if isinstance(news, LookResult) else _hurt(draft, news)
            # A face that was chosen before is one whose warnings were read before.
            is_settled = draft.face_box is not None or not (changed.look and changed.look.warnings)
            return changed

        draft = await self._services.drafts.change(before.draft, told)
        if draft is None or draft.revision != before.revision:
            return
        wished = draft.with_wish_number()
        if await self._services.cards.read(wished.order_id) is not None:
            return  # this is the second time, and the card is its order's already
        if isinstance(news, UserError) and draft.trouble is not None and not draft.trouble.is_clip:
            await self._services.drafts.detach_draft(draft)
        if not (is_settled and is_ready(draft) and await self._is_placed(wished)):
            await self._shown(draft)
        if isinstance(news, AnimatoError) and not isinstance(news, UserError):
            facts = {"job": ref.job_id, "error": news}
            await self._tell_admins(self._services.texts("{job} came to nothing: {error}", **facts))

    async def _is_placed(self, draft: Draft) -> bool:
        """Whether the draft's wish has become an order; if not, its person knows why."""
        try:
            return (await self._ordering.place(draft)).card is not None
        except UserError as error:
            log.info("%s: %s", draft.order_id, error)
            place = ChatTarget(draft.chat, draft.thread_id, draft.message_id)
            try:
                words = MessageContent(sentence_of(error, self._services.texts))
                await self._services.messenger.send(place, words, at_once=True)
            except ChatBusy:
                log.info("%s: nobody was told", draft.order_id)
            await self._services.drafts.change(draft.draft, Draft.without_wish)
            return False

    async def _shown(self, draft: Draft) -> None:
        self._see_room(draft)
        showing = asyncio.ensure_future(self._show(draft.draft))
        try:
            while not showing.done():
                await asyncio.wait({showing}, timeout=_LOOK_EVERY_S)
                if not showing.done():
                    self._see_room(draft)
            showing.result()
        finally:
            await end_tasks([showing])

    def _see_room(self, draft: Draft) -> None:
        wait_s = self._services.messenger.closed_s(draft.chat)
        if wait_s > _PATIENCE_S:
            raise Later(wait_s)


def draft_of(job_id: str) -> tuple[str, int]:
    """Draft and revision of a job's id, `look-<draft>-<revision>` or `in-<draft>-<revision>`."""
    _, draft, revision = job_id.split("-")
    return draft, int(revision)


def is_ready(draft: Draft) -> bool:
    """Whether nothing is left to be chosen."""
    is_wanted = draft.motion is not None or draft.is_all_wanted
    return is_wanted and draft.look is not None and draft.face_box is not None


def with_look(draft: Draft, look: LookResult) -> Draft:
    """The draft with what the gate found: a single face is chosen, a clip's new key is taken."""
    changes: dict[str, Any] = {"look": look}
    if draft.face_box is None and len(look.faces) == 1:
        changes["face_box"] = look.faces[0].box
    if draft.motion is not None and draft.motion.clip is not None:
        changes["motion"] = Movement.of_clip(look.clip) if look.clip else None
    return draft.model_copy(update=changes)


def _news_of(ref: JobRef, status: Status) -> LookResult | AnimatoError | None:
    """What the gate found, or what went wrong; None if there is nothing to tell."""
    if status.state is OrderState.FAILED:
        return status.error or OrderFailed(order=ref.job_id)
    if status.state is OrderState.DONE and status.result is not None and ref.queue == LOOK:
        return LookResult.read(status.result)
    return None


def _hurt(draft: Draft, error: AnimatoError) -> Draft:
    """The draft with its trouble, told with the file's own name."""
    name = str(error.fields.get("name", ""))
    clip = draft.clip
    is_clip = clip is not None and (name.startswith("clip-") or name == clip.name)
    file = clip if is_clip else draft.photo
    if isinstance(error, MediaError) and file is not None:
        error = type(error)(**{**error.fields, "name": file.name})
    return draft.model_copy(
        update={"trouble": DraftProblem(error=error.to_dict(), is_clip=is_clip)}
    )
