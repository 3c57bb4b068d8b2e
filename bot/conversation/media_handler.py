"""What people send: photos and clips, in any order, before and after they agreed to the terms.

A photo begins a draft, whose id is made of its message: the same update, come again, begins none. A
clip belongs to the photo that it answers, else to the one that asked for it, else to the last one
if that has just come and waits for a movement; else it waits for the next photo, and a button gives
it to the last one.
"""

from dataclasses import dataclass
from functools import partial

from bot.callback_data import ButtonAction, ButtonData
from bot.conversation.consent import agreed_words, consent_words
from bot.conversation.draft_cards import DraftCards, place_of
from bot.conversation.draft_text import WAITING_CLIP
from bot.drafts.draft_store import Conversation, draft_id
from bot.drafts.intake import Intake
from bot.gateway.messenger import Button, ChatTarget, MessageContent
from bot.gateway.updates import DrivingClip, IncomingMessage, Media, SourcePhoto
from bot.services import Services
from bot.wording import sentence_of
from jobs.drafts import Card, Draft, DraftProblem, MediaFile
from jobs.errors import AnimatoError, ClipTooLong, MediaTooLarge
from jobs.queues.admission import MOST_PHOTOS
from jobs.service_errors import TooManyPhotos
from jobs.wish import Movement

_MB = 1_000_000
# So many times as long as what is used of it: much longer ones are sent by mistake.
LONG_CLIP = 4
# A clip that follows a photo within this time is meant for it.
_FRESH_S = 600.0


@dataclass(frozen=True)
class MediaLimits:
    """What is taken; told before anything is downloaded.

    Attributes:
        file_bytes: of one file.
        clip_s: so much of a clip is used, s.
        retain_h: photos and clips are kept so long after the last tap, h.
    """

    file_bytes: int
    clip_s: float
    retain_h: float

    def refusal(self, file: MediaFile) -> AnimatoError | None:
        """Why a file is not taken, or None."""
        size_bytes, limit_bytes = file.size_bytes or 0, self.file_bytes
        if size_bytes > limit_bytes:
            size_mb = f"{size_bytes / _MB:.1f}"
            return MediaTooLarge(name=file.name, size_mb=size_mb, limit_mb=limit_bytes // _MB)
        duration_s, limit_s = file.duration_s or 0.0, LONG_CLIP * self.clip_s
        if duration_s > limit_s:
            return ClipTooLong(name=file.name, duration_s=duration_s, limit_s=limit_s)
        return None


class MediaHandler:
    """Takes what people send.

    Args:
        office: the parts of the bot.
        intake: fetches files.
        cards: shows drafts.
        limits: what is taken.
    """

    def __init__(
        self, services: Services, intake: Intake, cards: DraftCards, limits: MediaLimits
    ) -> None:
        self._services = services
        self._intake = intake
        self._cards = cards
        self.limits = limits
        self._going_on: set[str] = set()

    async def take(self, incoming: IncomingMessage, media: Media) -> None:
        """Takes a photo or a clip, or says why not."""
        if isinstance(media, DrivingClip):
            await self.take_clip(incoming, media.file)
        elif media.clip is not None and await self._is_clip_wanted(incoming):
            await self.take_clip(incoming, media.clip)
        elif isinstance(media, SourcePhoto):
            await self.begin(incoming, media.file)
        else:
            await self.say(incoming, self._services.texts(media.sentence, name=media.name))

    async def begin(
        self, incoming: IncomingMessage, photo: MediaFile, clip: MediaFile | None = None
    ) -> None:
        """Begins a draft with a photo, and a clip and a movement that waited for one.

        Args:
            incoming: the photo's message.
            photo: the photo.
            clip: one that came with it.
        """
        drafts = self._services.drafts
        desk = await drafts.desk(incoming.chat, incoming.person)
        draft = await drafts.begin(
            Draft(
                draft=draft_id(incoming.chat, incoming.message_id),
                chat=incoming.chat,
                person=incoming.person,
                message_id=incoming.message_id,
                thread_id=incoming.thread_id,
                photo=photo,
                clip=clip or desk.clip,
                motion=Movement(template=desk.template) if desk.template else None,
            )
        )
        await drafts.update_conversation(
            incoming.chat,
            incoming.person,
            draft=draft.draft,
            earlier=desk.earlier if desk.draft == draft.draft else desk.draft,
            photo_s=self._services.clock(),
            clip=None,
            template=None,
            wants_clip=None,
        )
        await self.go_on(draft)

    async def go_on(self, draft: Draft) -> None:
        """Has a draft looked at; or asks its person to agree to the terms first."""
        if not (await self._services.people.person(draft.person)).has_agreed:
            await self._ask_to_agree(draft)
            return
        for file, is_clip in ((draft.photo, False), (draft.clip, True)):
            refused = self.limits.refusal(file) if file else None
            if refused is not None:
                await self._refuse(draft, DraftProblem(error=refused.to_dict(), is_clip=is_clip))
                return
        await self._cards.show(draft.draft)
        try:
            await self._intake.begin(draft)
        except TooManyPhotos as error:
            await self._refuse(draft, DraftProblem(error=error.to_dict()))

    async def agreed(self, place: ChatTarget, person: int, terms: int) -> None:
        """Notes that a person agrees, and goes on with what waited.

        Args:
            place: where.
            person: who.
            terms: the message that asked for it; it becomes the card of the last photo. All others
                that ask for it are deleted.
        """
        services = self._services
        await services.people.agree(person)
        desk = await services.drafts.change_conversation(
            place.chat, person, lambda now: _with_questions(now, without=(terms,))
        )
        last = await services.drafts.read(desk.unagreed[-1]) if desk.unagreed else None
        shown = await services.drafts.answered(place.chat, terms)
        card = Card(message_id=terms)
        if shown is not None and shown.card is not None and shown.card.message_id == terms:
            pass  # a second tap: the message is that draft's card already
        elif last is None:
            await services.messenger.edit(place.chat, card, agreed_words(services.texts))
        elif last.card is None:
            await self._cards.adopt(last, card)
        else:
            await services.messenger.delete(place.chat, terms)
        await self._go_on_agreed(place.chat, person)

    async def take_clip(self, incoming: IncomingMessage, clip: MediaFile) -> None:
        """Gives a clip to the photo that it belongs to, or keeps it for the next one."""
        services, _ = self._services, self._services.texts
        refused = self.limits.refusal(clip)
        if refused is not None:
            await self.say(incoming, sentence_of(refused, _, is_clip=True))
            return
        desk = await services.drafts.desk(incoming.chat, incoming.person)
        asked = await self._asking_draft(incoming, desk)
        draft = asked or await self._fresh_draft(desk)
        if draft is not None:
            await self.add_clip(draft, clip)
            # Where nobody asked for it, it may just as well be meant for the photo that comes next.
            kept = None if asked else clip
            await services.drafts.update_conversation(
                incoming.chat, incoming.person, draft=draft.draft, wants_clip=None, clip=kept
            )
            return
        await services.drafts.update_conversation(incoming.chat, incoming.person, clip=clip)
        await self._ask_for_photo(incoming, desk)

    async def add_clip(self, draft: Draft, clip: MediaFile | None) -> None:
        """Gives a draft a clip or takes it away, and has it looked at; its card comes below."""
        services = self._services
        if draft.clip != clip:
            has_order = await self._cards.is_ordered(draft)
            if draft.card is not None and not has_order:
                await services.messenger.delete(draft.chat, draft.card.message_id)

            def with_clip(now: Draft) -> Draft:
                if now.clip == clip:
                    return now
                fresh = now.shown_again() if has_order else now
                # The photo is the same, and so is the chosen face.
                return fresh.renewed(
                    clip=clip, card=None, motion=None, wish_number=None, face_box=now.face_box
                )

            draft = await services.drafts.change(draft.draft, with_clip) or draft
        await self.go_on(draft)

    async def retry(self, draft: Draft) -> None:
        """Has the same photo and clip looked at once more."""

        def untroubled(now: Draft) -> Draft:
            return now.renewed() if now.revision == draft.revision else now

        await self.go_on(await self._services.drafts.change(draft.draft, untroubled) or draft)

    async def say(self, incoming: IncomingMessage, text: str) -> None:
        """Answers to a message."""
        await self._services.messenger.send(incoming.place, MessageContent(text))

    # --- inside -----------------------------------------------------------------------------------

    async def _go_on_agreed(self, chat: int, person: int) -> None:
        """Goes on with all that waited for the terms, and deletes the questions that are left."""
        drafts = self._services.drafts
        desk = await drafts.desk(chat, person)
        # Another task may be at the same draft. Photos of an album may still come to wait.
        while names := [name for name in desk.unagreed if name not in self._going_on]:
            self._going_on.add(names[0])
            try:
                draft = await drafts.read(names[0])
                if draft is not None:
                    await self.go_on(draft)
                desk = await drafts.change_conversation(
                    chat, person, partial(_gone_on, name=names[0])
                )
            finally:
                self._going_on.discard(names[0])
        questions = (await drafts.desk(chat, person)).questions
        for question in questions:
            await self._services.messenger.delete(chat, question)
        await drafts.change_conversation(chat, person, partial(_with_questions, without=questions))

    async def _ask_to_agree(self, draft: Draft) -> None:
        """Keeps a draft until its person agrees; the question is there once, below the last one."""
        services = self._services

        def with_draft(now: Conversation) -> Conversation:
            waiting = tuple(dict.fromkeys((*now.unagreed, draft.draft)))[:MOST_PHOTOS]
            return now.model_copy(update={"unagreed": waiting})

        desk = await services.drafts.change_conversation(draft.chat, draft.person, with_draft)
        if draft.draft not in desk.unagreed:
            error = TooManyPhotos(count=MOST_PHOTOS)
            await self._refuse(draft, DraftProblem(error=error.to_dict()))
            return
        for question in desk.questions:
            await services.messenger.delete(draft.chat, question)
        words = consent_words(draft.draft, self.limits.retain_h, services.texts)

        async def note(card: Card) -> None:
            def asked(now: Conversation) -> Conversation:
                return _with_questions(now, without=desk.questions, new=(card.message_id,))

            await services.drafts.change_conversation(draft.chat, draft.person, asked)

        await services.new_cards.send(f"terms:{draft.person}", place_of(draft), words, note)
        if (await services.people.person(draft.person)).has_agreed:
            # The tap on an earlier question came while this one was on its way.
            await self._go_on_agreed(draft.chat, draft.person)

    async def _refuse(self, draft: Draft, trouble: DraftProblem) -> None:
        await self._services.drafts.change(
            draft.draft, lambda now: now.model_copy(update={"trouble": trouble})
        )
        is_useless = trouble.error["error"] != TooManyPhotos.__name__
        if is_useless and not trouble.is_clip:
            await self._services.drafts.detach_draft(draft)
        await self._cards.show(draft.draft)

    async def _is_clip_wanted(self, incoming: IncomingMessage) -> bool:
        desk = await self._services.drafts.desk(incoming.chat, incoming.person)
        return await self._asking_draft(incoming, desk) is not None

    async def _asking_draft(self, incoming: IncomingMessage, desk: Conversation) -> Draft | None:
        """The draft whose photo or card was answered, or that asked for a clip."""
        drafts = self._services.drafts
        found = (
            await drafts.answered(incoming.chat, incoming.reply_to) if incoming.reply_to else None
        )
        if found is not None and found.person == incoming.person:
            return found
        return await drafts.read(desk.wants_clip) if desk.wants_clip else None

    async def _fresh_draft(self, desk: Conversation) -> Draft | None:
        """The last photo's draft, if the photo has just come and nothing was ordered from it."""
        last = await self._services.drafts.read(desk.draft) if desk.draft else None
        is_old = self._services.clock() - desk.photo_s > _FRESH_S
        if last is None or is_old or last.number > 1 or await self._cards.is_ordered(last):
            return None
        is_useless = last.trouble is not None and not last.trouble.is_clip
        return None if is_useless else last

    async def _ask_for_photo(self, incoming: IncomingMessage, desk: Conversation) -> None:
        _ = self._services.texts
        text = _("I have your clip. Now send me the photo that is to follow it.")
        last = await self._services.drafts.read(desk.draft) if desk.draft else None
        row: tuple[Button, ...] = ()
        if last is not None:
            tap = ButtonData(ButtonAction.OWN_CLIP, last.draft, 0, WAITING_CLIP)
            row = (Button(_("Use the last photo"), tap),)
        await self._services.messenger.send(incoming.place, MessageContent(text, (row,)))


def _gone_on(desk: Conversation, name: str) -> Conversation:
    """A desk without a draft that waited for the terms."""
    left = tuple(waiting for waiting in desk.unagreed if waiting != name)
    return desk.model_copy(update={"unagreed": left})


def _with_questions(
    desk: Conversation, without: tuple[int, ...], new: tuple[int, ...] = ()
) -> Conversation:
    """A desk with other questions about the terms: some gone, some new."""
    left = [question for question in desk.questions if question not in without]
    return desk.model_copy(update={"questions": (*left, *new)})
