"""Takes photos, clips and recordings, before and after the person agrees to the terms.

A photo begins a draft, whose id is made from its message, so that a repeated update begins no
second one. A clip or a recording is its lead: it leads the face. It belongs to the photo that
it replies to, else to the one whose lead was asked for, else to the last photo if that is recent
and has no movement yet; else it waits for the next photo, and a button gives it to the last one.
"""

from dataclasses import dataclass
from functools import partial

from bot.callback_data import ButtonAction, ButtonData
from bot.conversation.draft_cards import DraftCards
from bot.conversation.draft_text import WAITING_LEAD, consent_content, thanks_content
from bot.drafts.choices import Choices
from bot.drafts.draft import Draft, DraftProblem
from bot.drafts.draft_store import Conversation, InChat, new_draft
from bot.drafts.intake import Intake, check_size
from bot.error_text import error_text
from bot.gateway.messenger import Button, CardMessage, MessageContent
from bot.gateway.updates import (
    IncomingMessage,
    IncomingTap,
    LeadMedia,
    Media,
    MediaFile,
    PhotoMedia,
)
from bot.services import Services
from jobs.errors import ClipTooLong, SoundTooLong, UserError
from jobs.findings import VOICE_MAX_S
from jobs.queues.admission import MOST_PHOTOS
from jobs.service_errors import TooManyPhotos, VoicesNotTaken

# Clips longer than this many times the part that is used are refused, as sent by mistake.
LONG_CLIP = 4
# A lead sent within this time after a photo belongs to it.
_FRESH_S = 600.0


@dataclass(frozen=True)
class ServiceTerms:
    """What the service accepts and keeps.

    Attributes:
        owner: the owner's contact; may be empty.
        retain_input_h: how long photos, clips and recordings are kept after the last tap, h.
        retain_result_h: how long results are kept after they were sent, h.
        backup_days: how long the owner keeps backups; 0: there are none.
        file_bytes: the size of the largest file.
    """

    owner: str
    retain_input_h: float
    retain_result_h: float
    file_bytes: int
    backup_days: int = 0

    def check(self, file: MediaFile, clip_s: float) -> None:
        """Raise if a file is refused before it is downloaded.

        Args:
            file: the file.
            clip_s: the part of a clip that is used, s.

        Raises:
            MediaTooLarge, ClipTooLong, SoundTooLong: it is too large or too long.
        """
        check_size(file, file.size_bytes or 0, self.file_bytes)
        duration_s, limit_s = file.duration_s or 0.0, LONG_CLIP * clip_s
        if file.is_voice and duration_s > VOICE_MAX_S:
            raise SoundTooLong(name=file.name, limit_s=VOICE_MAX_S)
        if not file.is_voice and duration_s > limit_s:
            raise ClipTooLong(name=file.name, duration_s=duration_s, limit_s=limit_s)


class MediaHandler:
    """Handles photos, clips and recordings."""

    def __init__(
        self, services: Services, intake: Intake, draft_cards: DraftCards, terms: ServiceTerms
    ) -> None:
        self._services = services
        self._intake = intake
        self._draft_cards = draft_cards
        self.terms = terms
        self._continuing: set[str] = set()

    async def take(self, incoming: IncomingMessage, media: Media) -> None:
        """Handle a photo, a clip or a recording, or say why it cannot be used."""
        if isinstance(media, LeadMedia):
            await self.take_lead(incoming, media.file)
        elif media.clip is not None and await self._asking_draft(incoming):
            await self.take_lead(incoming, media.clip)
        elif isinstance(media, PhotoMedia):
            await self.begin(incoming, media.file)
        else:
            await self.say(incoming, self._services.texts(media.sentence, name=media.name))

    async def begin(
        self, incoming: IncomingMessage, photo: MediaFile, lead: MediaFile | None = None
    ) -> None:
        """Begin a draft with a photo, and with the lead or movement that waits for one.

        Args:
            incoming: the photo's message.
            photo: the photo.
            lead: the clip or recording of the same album.
        """
        drafts = self._services.drafts
        conversation = await drafts.conversation(incoming)
        new = new_draft(incoming, photo, lead or conversation.lead, conversation.template)
        draft = await drafts.begin(new)
        is_repeated = conversation.draft_id == draft.draft_id
        earlier_id = conversation.earlier_draft_id if is_repeated else conversation.draft_id
        await drafts.update_conversation(
            incoming,
            draft_id=draft.draft_id,
            earlier_draft_id=earlier_id,
            photo_s=self._services.clock(),
            lead=None,
            template=None,
            wants_lead=None,
        )
        await self.look_at(draft)

    async def look_at(self, draft: Draft) -> None:
        """Have a draft's files looked at, after its person has agreed to the terms."""
        if not (await self._services.people.person(draft.person_id)).has_agreed:
            await self._ask_to_agree(draft)
            return
        for file, is_lead in ((draft.photo, False), (draft.lead, True)):
            try:
                if file is not None:
                    await self._check(file)
            except UserError as error:
                await self._refuse(draft, error, is_lead=is_lead)
                return
        await self._draft_cards.show(draft.draft_id)
        try:
            await self._intake.begin(draft)
        except TooManyPhotos as error:
            await self._refuse(draft, error)

    async def accept_terms(self, tap: IncomingTap) -> None:
        """Record that a person agrees, and continue with the drafts that waited.

        The tapped message becomes the card of the last photo. Others that asked are deleted.
        """
        services, chat_id, question_id = self._services, tap.chat_id, tap.message_id
        await services.people.agree(tap.person_id)
        conversation = await services.drafts.change_conversation(
            tap, lambda now: _with_questions(now, without=(question_id,))
        )
        waiting = conversation.unagreed
        last = await services.drafts.read(waiting[-1] if waiting else None)
        shown = await services.drafts.draft_of_message(chat_id, question_id)
        card = CardMessage(message_id=question_id)
        if shown is not None and shown.card is not None and shown.card.message_id == question_id:
            pass  # a second tap: the message is that draft's card already
        elif last is None:
            await services.messenger.edit(chat_id, card, thanks_content(services.texts))
        elif last.card is None:
            await self._draft_cards.adopt(last, card)
        else:
            await services.messenger.delete(chat_id, question_id)
        await self._continue_agreed(tap)

    async def take_lead(self, incoming: IncomingMessage, lead: MediaFile) -> None:
        """Give a lead to the photo that it belongs to, or keep it for the next one."""
        services, _ = self._services, self._services.texts
        try:
            await self._check(lead)
        except UserError as error:
            await self.say(incoming, error_text(error, _, lead))
            return
        conversation = await services.drafts.conversation(incoming)
        asked = await self._asking_draft(incoming)
        draft = asked or await self._fresh_draft(conversation)
        if draft is not None:
            is_wanted = conversation.wants_lead == draft.draft_id
            await self.set_lead(draft, lead, orders=is_wanted)
            # A lead that was not asked for may also be meant for the next photo.
            kept = None if asked else lead
            await services.drafts.update_conversation(
                incoming, draft_id=draft.draft_id, wants_lead=None, lead=kept
            )
            return
        await services.drafts.update_conversation(incoming, lead=lead)
        await self._ask_for_photo(incoming, conversation, lead)

    async def set_lead(
        self,
        draft: Draft,
        lead: MediaFile | None,
        choices: Choices | None = None,
        *,
        orders: bool = False,
    ) -> None:
        """Replace or remove a draft's lead and look at it again; its card moves to the bottom.

        Args:
            draft: the draft.
            lead: its clip or recording; None: none any more.
            choices: the draft's new choices, perhaps another part of the clip; None: the defaults
                for a new clip.
            orders: whether it is ordered as soon as it is looked at, as it was asked for.
        """
        services = self._services
        wanted = choices or draft.choices.model_copy(update={"clip_start_s": 0.0})
        if draft.lead != lead or draft.choices != wanted:
            has_order = await self._draft_cards.is_ordered(draft)
            if draft.card is not None and not has_order:
                await services.messenger.delete(draft.chat_id, draft.card.message_id)

            def with_lead(now: Draft) -> Draft:
                if now.lead == lead and now.choices == wanted:
                    return now
                fresh = now.shown_again() if has_order else now
                # The photo is the same, and so is the chosen face.
                return fresh.renewed(
                    lead=lead,
                    choices=wanted,
                    card=None,
                    movement=None,
                    orders_lead=orders,
                    reserved_number=None,
                    reserved_choices=None,
                    face_boxes=now.face_boxes,
                )

            draft = await services.drafts.change(draft.draft_id, with_lead) or draft
        await self.look_at(draft)

    async def retry(self, draft: Draft) -> None:
        """Look at the same photo and lead again."""

        def renewed(now: Draft) -> Draft:
            return now.renewed() if now.revision == draft.revision else now

        await self.look_at(await self._services.drafts.change(draft.draft_id, renewed) or draft)

    async def say(self, incoming: IncomingMessage, text: str) -> None:
        """Reply to a message."""
        await self._services.messenger.send(incoming.target, MessageContent(text))

    # --- inside -----------------------------------------------------------------------------------

    async def _check(self, file: MediaFile) -> None:
        """Raise `UserError` if a file is refused before it is downloaded."""
        if file.is_voice and not (await self._services.offers.now()).takes_voices:
            raise VoicesNotTaken
        self.terms.check(file, (await self._services.limits.now()).clip_s)

    async def _continue_agreed(self, owner: InChat) -> None:
        """Continue the drafts that waited for the terms, and delete the remaining questions."""
        drafts = self._services.drafts
        conversation = await drafts.conversation(owner)
        # Another task may handle the same draft. More photos of an album may still arrive.
        while draft_ids := [one for one in conversation.unagreed if one not in self._continuing]:
            self._continuing.add(draft_ids[0])
            try:
                draft = await drafts.read(draft_ids[0])
                if draft is not None:
                    await self.look_at(draft)
                conversation = await drafts.change_conversation(
                    owner, partial(_without_waiting, draft_id=draft_ids[0])
                )
            finally:
                self._continuing.discard(draft_ids[0])
        questions = (await drafts.conversation(owner)).questions
        for question in questions:
            await self._services.messenger.delete(owner.chat_id, question)
        await drafts.change_conversation(owner, partial(_with_questions, without=questions))

    async def _ask_to_agree(self, draft: Draft) -> None:
        """Keep a draft until its person agrees; there is one question, below the last photo."""
        services = self._services

        def with_draft(now: Conversation) -> Conversation:
            waiting = tuple(dict.fromkeys((*now.unagreed, draft.draft_id)))[:MOST_PHOTOS]
            return now.model_copy(update={"unagreed": waiting})

        conversation = await services.drafts.change_conversation(draft, with_draft)
        if draft.draft_id not in conversation.unagreed:
            await self._refuse(draft, TooManyPhotos(count=MOST_PHOTOS))
            return
        for question in conversation.questions:
            await services.messenger.delete(draft.chat_id, question)
        content = consent_content(draft.draft_id, self.terms.retain_input_h, services.texts)

        async def note(card: CardMessage) -> None:
            def asked(now: Conversation) -> Conversation:
                return _with_questions(now, without=conversation.questions, new=(card.message_id,))

            await services.drafts.change_conversation(draft, asked)

        await services.card_sender.send(f"terms:{draft.person_id}", draft.target, content, note)
        if (await services.people.person(draft.person_id)).has_agreed:
            # An earlier question was tapped while this one was being sent.
            await self._continue_agreed(draft)

    async def _refuse(self, draft: Draft, error: UserError, *, is_lead: bool = False) -> None:
        problem = DraftProblem(error=error.to_dict(), is_lead=is_lead)
        await self._services.drafts.update(draft, problem=problem)
        if not is_lead and not isinstance(error, TooManyPhotos):
            await self._services.drafts.detach_draft(draft)
        await self._draft_cards.show(draft.draft_id)

    async def _asking_draft(self, incoming: IncomingMessage) -> Draft | None:
        """Return the draft that was replied to, or whose lead was asked for."""
        drafts = self._services.drafts
        found = await drafts.draft_of_message(incoming.chat_id, incoming.reply_to)
        if found is not None and found.person_id == incoming.person_id:
            return found
        return await drafts.read((await drafts.conversation(incoming)).wants_lead)

    async def _fresh_draft(self, conversation: Conversation) -> Draft | None:
        """Return the last photo's draft if the photo is recent and nothing was ordered from it."""
        last = await self._services.drafts.read(conversation.draft_id)
        is_old = self._services.clock() - conversation.photo_s > _FRESH_S
        if last is None or is_old or last.number > 1 or await self._draft_cards.is_ordered(last):
            return None
        is_unusable = last.problem is not None and not last.problem.is_lead
        return None if is_unusable else last

    async def _ask_for_photo(
        self, incoming: IncomingMessage, conversation: Conversation, lead: MediaFile
    ) -> None:
        _ = self._services.texts
        text = _("I have your clip. Now send me the photo that should follow it.")
        if lead.is_voice:
            text = _("I have your recording. Now send me the photo that should say it.")
        last = await self._services.drafts.read(conversation.draft_id)
        row: tuple[Button, ...] = ()
        if last is not None:
            tap = ButtonData(ButtonAction.OWN_LEAD, last.draft_id, 0, WAITING_LEAD)
            row = (Button(_("Use the last photo"), tap),)
        await self._services.messenger.send(incoming.target, MessageContent(text, (row,)))


def _without_waiting(conversation: Conversation, draft_id: str) -> Conversation:
    """Return the conversation without a draft that waited for the terms."""
    left = tuple(waiting for waiting in conversation.unagreed if waiting != draft_id)
    return conversation.model_copy(update={"unagreed": left})


def _with_questions(
    conversation: Conversation, without: tuple[int, ...], new: tuple[int, ...] = ()
) -> Conversation:
    """Return the conversation with other questions about the terms."""
    left = [question for question in conversation.questions if question not in without]
    return conversation.model_copy(update={"questions": (*left, *new)})
