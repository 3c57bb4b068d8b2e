"""The button "Report" under results in groups, and what the owner does about a report.

A tap asks the person for the reason, in a message that only they can use. Then each admin gets the
video, which they see only because it was reported, and buttons to block the photo or the person.
"""

import asyncio
import logging
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from telegram.error import BadRequest, Forbidden

from bot.callback_data import ButtonData
from bot.drafts.draft import Draft
from bot.gateway.messenger import CardMessage, ChatBusy, ChatTarget, MessageContent
from bot.gateway.update_processor import release_if_allowed
from bot.gateway.updates import IncomingTap, TapAnswer
from bot.orders.ordering import Ordering
from bot.orders.result_files import ResultGone, delete_result_and_draft, fetch_result
from bot.owner.access import Admissions
from bot.owner.reports import (
    NOT_REPORTED,
    Question,
    Reason,
    Report,
    ReportAction,
    ReportStore,
    argument_of,
    note_content,
    question_content,
    report_id_of,
    why_blocked,
)
from bot.people import Role
from bot.provenance.signing import NotSigned, Unsignable
from bot.services import Services
from bot.texts import msgid, speaking
from jobs.service_errors import PhotoBlocked

log = logging.getLogger(__name__)

_GONE = msgid("This video is too old to be reported. An admin of the group can delete it.")
_OTHERS_QUESTION = msgid("Only the person who reports it can answer.")
_REPORTED = msgid("You have reported this video already.")
_FORGOTTEN = msgid("This report is not stored any more.")
_LEAST_PAUSE_S = 1.0


class ReportTaps:
    """Handles taps on the buttons of reports."""

    def __init__(self, services: Services, ordering: Ordering) -> None:
        self._services = services
        self._store = ReportStore(services.queues.client, services.queues.url)
        self._ordering = ordering
        self._admissions = Admissions(services, ordering)

    async def tap(self, tap: IncomingTap) -> TapAnswer:
        """Handle a tap.

        Raises:
            QueueUnavailable, StoreUnavailable, TelegramError: try again later.
        """
        button = ButtonData.decode(tap.data)
        if button is None:
            return TapAnswer()
        name, about = argument_of(button)
        if name in set(ReportAction):
            return await self._act(tap, ReportAction(name), about)
        draft = await self._services.drafts.find(button.draft_id)
        if draft is None or draft.chat_id != tap.chat_id:
            return self._alert(_GONE)
        if not name:
            return await self._ask(tap, draft, button.number)
        if about != str(tap.person_id):
            return self._alert(_OTHERS_QUESTION)
        return await self._answer(tap, draft, button.number, name)

    # --- in the group -----------------------------------------------------------------------------

    async def _ask(self, tap: IncomingTap, draft: Draft, number: int) -> TapAnswer:
        order_id, person_id = draft.order_id_of(number), tap.person_id
        if await self._store.has_reported(order_id, person_id):
            return self._alert(_REPORTED)
        content = question_content(draft.draft_id, number, person_id, self._services.texts)
        return TapAnswer(then=partial(self._send_question, tap, order_id, content))

    async def _send_question(
        self, tap: IncomingTap, order_id: str, content: MessageContent
    ) -> None:
        """Ask for the reason, once: an earlier question may be far above, or deleted."""
        earlier = await self._store.asked(order_id, tap.person_id)
        if earlier is not None:
            await self._services.messenger.delete(tap.chat_id, earlier.message_id)
        target = ChatTarget(tap.chat_id, tap.thread_id, tap.message_id)
        sent = await self._services.messenger.send(target, content)
        # Only now: a question that was not sent must not be waited for.
        question = Question(result_id=tap.message_id, message_id=sent)
        await self._store.note_asked(order_id, tap.person_id, question)

    async def _answer(self, tap: IncomingTap, draft: Draft, number: int, name: str) -> TapAnswer:
        """Handle the reason that was tapped."""
        order_id = draft.order_id_of(number)
        question = await self._store.asked(order_id, tap.person_id)
        if question is None or name not in {*Reason, NOT_REPORTED}:
            return self._alert(_GONE)
        if name == NOT_REPORTED:
            return TapAnswer(then=partial(self._end_question, order_id, tap))
        report = await self._report(tap, draft, number, question.result_id)
        report = report.model_copy(update={"reason": Reason(name)})
        text = self._services.texts("Thank you. The owner of this bot will get your report.")
        tell = partial(self._tell, report, tap)
        return TapAnswer(text, is_alert=True, then=tell, only_shows=True)

    async def _report(self, tap: IncomingTap, draft: Draft, number: int, message_id: int) -> Report:
        """Return the report, without its reason."""
        order_id, digest = draft.order_id_of(number), ""
        card = await self._services.order_cards.read(order_id)
        if card is not None:
            photo = card.order.wish.photo.file
            digest = await self._services.blocked_photos.digest_of(photo)
        return Report(
            report_id=report_id_of(order_id, tap.person_id),
            order_id=order_id,
            draft_id=draft.draft_id,
            number=number,
            chat_id=tap.chat_id,
            message_id=message_id,
            group=tap.chat_title,
            reporter_id=tap.person_id,
            reason=Reason.OTHER,
            person_id=draft.person_id,
            photo_digest=digest,
        )

    async def _tell(self, new: Report, tap: IncomingTap) -> None:
        """Send a report to each admin once; then remove the question."""
        report = await self._store.add(new)
        for admin in sorted(await self._services.people.admins()):
            if admin in report.told:
                continue
            with speaking(await self._services.languages.of(admin, admin)):
                content = note_content(report, self._services.texts)
            try:
                await self._send(ChatTarget(admin), report, content)
            except (BadRequest, Forbidden) as error:
                log.warning("an admin did not get a report: %s", type(error).__name__)
            await self._store.note_told(report.report_id, admin)
        await self._store.note_reported(report.order_id, report.reporter_id)
        await self._end_question(report.order_id, tap)

    async def _send(self, target: ChatTarget, report: Report, content: MessageContent) -> None:
        """Send the reported video, or only the text if it is gone or may not be sent unsigned."""
        messenger = self._services.messenger
        card = await self._services.order_cards.read(report.order_id)
        if card is not None:
            with TemporaryDirectory(prefix="animato-") as folder:
                try:
                    video = await fetch_result(self._services, card, Path(folder))
                except ResultGone:
                    pass
                else:
                    while True:
                        try:
                            await messenger.send_video(target, video, content)
                        except ChatBusy as busy:
                            release_if_allowed()  # the group need not wait
                            await asyncio.sleep(max(_LEAST_PAUSE_S, busy.wait_s))
                        except (NotSigned, Unsignable):
                            break
                        else:
                            return
        await messenger.send(target, content)

    async def _end_question(self, order_id: str, tap: IncomingTap) -> None:
        await self._services.messenger.delete(tap.chat_id, tap.message_id)
        await self._store.end_question(order_id, tap.person_id)

    def _alert(self, sentence: str) -> TapAnswer:
        return TapAnswer(self._services.texts(sentence), is_alert=True)

    # --- the owner --------------------------------------------------------------------------------

    async def _act(self, tap: IncomingTap, action: ReportAction, report_id: str) -> TapAnswer:
        if await self._services.people.role(tap.person_id) is not Role.ADMIN:
            return TapAnswer()
        report = await self._store.read(report_id)
        if report is None:
            return self._alert(_FORGOTTEN)
        return TapAnswer(then=partial(self._do, tap, action, report))

    async def _do(self, tap: IncomingTap, action: ReportAction, report: Report) -> None:
        if action is ReportAction.BLOCK:
            await self._block(report)
        elif action is ReportAction.UNBLOCK:
            await self._services.blocked_photos.unblock(report.photo_digest)
        elif action is ReportAction.BAN:
            await self._admissions.ban([report.person_id])
        done = await self._store.note_done(report.report_id, action)
        # The message has a video, unless that was gone.
        for has_media in (True, False):
            card = CardMessage(message_id=tap.message_id, has_media=has_media)
            content = note_content(done or report, self._services.texts)
            try:
                await self._services.messenger.edit(tap.chat_id, card, content)
            except BadRequest:
                continue
            return

    async def _block(self, report: Report) -> None:
        """Block the photo, cancel its orders, and delete the reported video everywhere."""
        services = self._services
        if report.photo_digest:
            why = why_blocked(report, services.clock())
            await services.blocked_photos.block(report.photo_digest, why)
            await self._cancel_orders()
        for entry in (await services.history.read(report.person_id)).entries:
            if entry.draft == report.draft_id:
                await services.history.remove(report.person_id, entry.order_id)
        card = await services.order_cards.read(report.order_id)
        for message_id in (report.message_id, *(card.files if card else ())):
            try:
                await services.messenger.delete(report.chat_id, message_id)
            except (BadRequest, Forbidden) as error:
                log.warning("a reported video was not deleted: %s", error)
        draft = await services.drafts.read(report.draft_id)
        if draft is not None:
            await delete_result_and_draft(services, draft, report.number)

    async def _cancel_orders(self) -> None:
        """Cancel the orders of blocked photos."""
        for card in await self._services.order_cards.all_open():
            try:
                await self._services.blocked_photos.check(card.order.wish.photo.file)
            except PhotoBlocked:
                await self._ordering.cancel_order(card)
