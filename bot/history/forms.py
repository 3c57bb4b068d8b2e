"""Sends results again, in the same or in another form.

    Forms.send -> Telegram knows the file:  queue `deliver` -> Forms.deliver
               -> a result as it is:        the same; it is uploaded again
               -> another form:             queue `media`, a worker -> Forms.receive

A file id that Telegram has lost is forgotten, and the file is uploaded or made again, as long as
the result is stored. Video notes and stickers have no caption: a text below says how they were
made. What arrives in the chat of the order is noted on its card: "Delete" under the result removes
it, too.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from telegram.error import Forbidden

from bot.error_text import error_text
from bot.gateway.messenger import ChatBusy, ChatTarget, MessageContent
from bot.gateway.outgoing import NO_CAPTION, OutgoingVideo, SentVideo
from bot.history.store import HistoryEntry, cached_as
from bot.orders.card_text import result_caption
from bot.orders.look_delivery import TellAdmins
from bot.orders.media_delivery import MediaOutcome
from bot.orders.media_requests import request_media
from bot.orders.result_files import ResultGone, fetch_files
from bot.orders.sending import DeliverySender, OutgoingMessage, Refused
from bot.services import Services
from bot.texts import msgid
from jobs.errors import AnimatoError, UnknownTemplate, UserError
from jobs.media_jobs import MediaJob
from jobs.media_tasks import Form, MakeForm
from jobs.metrics.order_metrics import DeliveryOutcome
from jobs.queues.assignment import Later
from jobs.queues.delivery_records import NextStep
from jobs.queues.keys import HISTORY
from jobs.queues.outbox import DeliveryJob, Resend, hand_in
from jobs.service_errors import FileGone

log = logging.getLogger(__name__)


class FormRefused(UserError):
    """A chat refuses a result in this form, for example a person who takes no video messages."""

    sentence = "Telegram does not allow me to send this here. Try another form."


class FormTooLarge(FormRefused):
    """Telegram takes no file as large as a result in this form."""

    sentence = "This is too large to be sent here. Try another form."


class FormUnsigned(FormRefused):
    """This form cannot be signed, and signatures are required."""

    sentence = "This form cannot be signed, and this bot sends only signed files. Try another form."


_SUFFIXES = {Form.GIF: "gif", Form.STICKER: "webm"}
_STORED = (Form.LOOP, Form.FILE)


@dataclass(frozen=True)
class _Sending:
    """A result that is being sent.

    Attributes:
        delivery_id: the delivery's.
        resend: what is sent, and where.
        entry: the result.
    """

    delivery_id: str
    resend: Resend
    entry: HistoryEntry

    @property
    def target(self) -> ChatTarget:
        """Where it is sent."""
        return ChatTarget(self.resend.chat, self.resend.thread_id, self.resend.reply_to)


class Forms:
    """Sends results again.

    Args:
        tell_admins: writes to the admins.
    """

    def __init__(self, services: Services, tell_admins: TellAdmins) -> None:
        self._services = services
        self._tell_admins = tell_admins
        self._sender = DeliverySender(services)

    async def send(self, entry: HistoryEntry, resend: Resend, tap: str) -> None:
        """Send a result, once for each tap.

        Args:
            entry: the result.
            resend: in which form, and where.
            tap: the callback query's id.

        Raises:
            ResultGone: its file is not stored any more, and Telegram has none.
            FormUnsigned: signatures are required, and this form has none.
            NobodyServes, TooManyMediaJobs: a worker would have to make it.
            QueueUnavailable, StoreUnavailable: a server does not answer.
        """
        is_known = entry.file_id(self._bot, resend.form) is not None
        if not is_known and not await self._services.store.exists(entry.key):
            raise ResultGone
        signing = self._services.messenger.signing
        if not is_known and signing and not signing.can_sign(f".{_suffix(resend.form)}"):
            raise FormUnsigned
        if is_known or resend.form in _STORED:
            job = DeliveryJob(
                queue=HISTORY, job_id=entry.order_id, finished_ms=0, tap=tap, resend=resend
            )
            await hand_in(self._services.queues, job)
        else:
            await self._request(entry, resend, tap)

    async def deliver(self, delivery: DeliveryJob) -> None:
        """Send what is known, or stored; see `Delivery.work` for the errors."""
        resend = delivery.resend or await self._resend_of_card(delivery.job_id)
        if resend is None:
            return
        history = await self._services.history.read(resend.person)
        entry = history.find(resend.draft, resend.number)
        if entry is None:  # deleted meanwhile, or delivered before there was a history
            if delivery.resend is None:
                await self._say(delivery.delivery_id, resend, ResultGone())
            return
        sending = _Sending(delivery.delivery_id, resend, entry)
        file_id = entry.file_id(self._bot, resend.form)
        try:
            if file_id is not None and await self._send(sending, self._video(sending, file_id)):
                return
            if resend.form in _STORED:
                await self._upload_result(sending)
            else:
                await self._request(entry, resend, delivery.tap)
        except UserError as error:
            await self._say(delivery.delivery_id, resend, error)

    async def receive(self, outcome: MediaOutcome) -> None:
        """Send what a worker has made, or say why that was impossible."""
        resend = Resend.model_validate_json(outcome.job.reference)
        history = await self._services.history.read(resend.person)
        entry = history.find(resend.draft, resend.number)
        if entry is None:
            return
        sending = _Sending(outcome.delivery_id, resend, entry)
        made = outcome.result
        if made is None:
            error = outcome.error or ResultGone()
            told = ResultGone() if isinstance(error, FileGone) else error
            await self._say(outcome.delivery_id, resend, told)
            return
        with TemporaryDirectory(prefix="animato-") as folder:
            paths = []
            for name in made.names:
                paths.append(Path(folder) / name)
                try:
                    await self._services.store.fetch(made.key_of(name), paths[-1])
                except FileGone:
                    # Nothing is said if it was delivered before.
                    await self._say(outcome.delivery_id, resend, ResultGone())
                    return
            video = OutgoingVideo(
                media=paths[0],
                width=made.width,
                height=made.height,
                duration_s=made.duration_s,
                has_sound=made.has_sound,
                file_name=_file_name(entry, resend.form),
                thumbnail=paths[1] if len(paths) > 1 else None,
                form=resend.form,
                origin=entry.origin,
            )
            try:
                await self._send(sending, video)
            except FormRefused as error:
                await self._say(outcome.delivery_id, resend, error)

    # --- inside -----------------------------------------------------------------------------------

    @property
    def _bot(self) -> int:
        return self._services.messenger.bot.id

    async def _resend_of_card(self, order_id: str) -> Resend | None:
        """Return what a tap on "As file" asked for before there was `DeliveryJob.resend`."""
        card = await self._services.order_cards.read(order_id)
        if card is None:
            return None
        return Resend(
            person=card.person_id,
            draft=card.draft_id,
            number=card.number,
            form=Form.FILE,
            chat=card.chat_id,
            thread_id=card.thread_id,
            reply_to=card.reply_to,
        )

    async def _request(self, entry: HistoryEntry, resend: Resend, tap: str) -> None:
        """Have a worker make a form."""
        takes_marks = (await self._services.offers.now()).takes_marks
        task = MakeForm(
            form=resend.form,
            video=entry.key,
            face_box=entry.face_box,
            other_faces=entry.other_faces if takes_marks else (),
            is_seamless=self._is_seamless(entry),
        )
        job = MediaJob(
            job_id=f"form-{entry.order_id}-{tap}",
            person=resend.person,
            chat=resend.chat,
            thread_id=resend.thread_id,
            reply_to=resend.reply_to,
            reference=resend.model_dump_json(),
            task=task,
        )
        await request_media(self._services, job)

    def _is_seamless(self, entry: HistoryEntry) -> bool:
        if not entry.movement or entry.has_voice:
            return False
        try:
            return self._services.movements.get(entry.movement).seamless
        except UnknownTemplate:
            return False

    async def _upload_result(self, sending: _Sending) -> None:
        """Send a result from the file store.

        Raises:
            ResultGone: it is not stored any more.
        """
        with TemporaryDirectory(prefix="animato-") as folder:
            entry, store = sending.entry, self._services.store
            try:
                path, thumbnail = await fetch_files(
                    store, entry.key, entry.thumbnail_key, Path(folder)
                )
            except FileGone as gone:
                raise ResultGone from gone
            await self._send(sending, replace(self._video(sending, path), thumbnail=thumbnail))

    def _video(self, sending: _Sending, media: Path | str) -> OutgoingVideo:
        entry, form = sending.entry, sending.resend.form
        return OutgoingVideo(
            media=media,
            width=entry.width,
            height=entry.height,
            duration_s=entry.duration_s,
            has_sound=entry.has_sound,
            file_name=_file_name(entry, form),
            form=form,
            origin=entry.origin,
        )

    async def _send(self, sending: _Sending, video: OutgoingVideo) -> bool:
        """Send a video and store its file id. Return False if Telegram does not know it.

        Raises:
            FormRefused: the chat refuses it.
        """
        services, entry, form = self._services, sending.entry, sending.resend.form
        caption = caption_of(entry, services)
        step, record = await self._sender.begin(sending.delivery_id)
        if step is NextStep.GIVE_UP:
            await self._give_up(sending)
            return True
        sent = SentVideo(record.message_id or 0)
        name = cached_as(self._bot, form)
        if step is not NextStep.FINISH:
            content = MessageContent("" if form in NO_CAPTION else caption)
            try:
                sent = await self._sender.send(
                    sending.delivery_id, record, sending.target, OutgoingMessage(content, video)
                )
            except Refused as refused:
                if isinstance(video.media, str) and refused.is_lost_file:
                    log.info("%s: Telegram has lost its file", entry.order_id)
                    await services.history.cache(sending.resend.person, entry, name, None)
                    return False
                if isinstance(refused.error, Forbidden):
                    raise refused.error from refused
                if refused.is_unsigned:
                    raise FormUnsigned from refused
                await self._note_refusal(sending, refused)
                raise (FormTooLarge if refused.is_too_large else FormRefused) from refused
            if sent.file_id is not None and sent.is_document is (form in (Form.FILE, Form.GIF)):
                await services.history.cache(sending.resend.person, entry, name, sent.file_id)
        label = None
        if form in NO_CAPTION:
            target = replace(sending.target, reply_to=sent.message_id)
            label = await self._send_text(f"{sending.delivery_id}-label", target, caption)
        card = await services.order_cards.read(entry.order_id)
        if card is not None and card.chat_id == sending.resend.chat:
            messages = [one for one in (sent.message_id, label) if one]
            await services.order_cards.note_files(entry.order_id, messages)
        return True

    async def _give_up(self, sending: _Sending) -> None:
        """Say that it is unknown whether a result has arrived."""
        _ = self._services.texts
        text = _(
            "{title}: Telegram did not confirm that it arrived. If you do not see it, tap the "
            "button again.",
            title=sending.entry.title,
        )
        content = MessageContent(text)
        try:
            await self._services.messenger.send(sending.target, content, droppable=True)
        except ChatBusy as busy:
            raise Later(busy.wait_s) from busy
        self._services.metrics.count_delivery(DeliveryOutcome.GIVEN_UP)
        note = msgid("It is unknown whether {order} was sent.")
        await self._tell_admins(note, order=sending.entry.order_id)

    async def _note_refusal(self, sending: _Sending, refused: Refused) -> None:
        """Count a refusal; tell the admins unless a person may have chosen to refuse the form."""
        order, form = sending.entry.order_id, sending.resend.form
        log.warning("%s: its chat refuses it as %s: %s", order, form, refused)
        outcome = DeliveryOutcome.GIVEN_UP if refused.is_too_large else DeliveryOutcome.GONE
        self._services.metrics.count_delivery(outcome)
        if form in _STORED:
            note = msgid("{order} could not be sent: {error}")
            await self._tell_admins(note, order=order, error=refused)

    async def _say(self, delivery_id: str, resend: Resend, error: AnimatoError) -> None:
        target = ChatTarget(resend.chat, resend.thread_id, resend.reply_to)
        await self._send_text(delivery_id, target, error_text(error, self._services.texts))

    async def _send_text(self, delivery_id: str, target: ChatTarget, text: str) -> int | None:
        """Send a text once; return its message, or None if that is not known."""
        step, record = await self._sender.begin(delivery_id)
        if step not in (NextStep.SEND, NextStep.SEND_AGAIN):
            return record.message_id
        message = OutgoingMessage(MessageContent(text))
        try:
            sent = await self._sender.send(delivery_id, record, target, message)
        except Refused as refused:
            raise refused.error from refused
        return sent.message_id


def caption_of(entry: HistoryEntry, services: Services) -> str:
    """Return what is said about a result wherever it is sent: its title, and how it was made."""
    return result_caption(entry.title, entry.label, services.texts, has_voice=entry.has_voice)


def _file_name(entry: HistoryEntry, form: Form) -> str:
    return f"{entry.file_stem}.{_suffix(form)}"


def _suffix(form: Form) -> str:
    return _SUFFIXES.get(form, "mp4")
