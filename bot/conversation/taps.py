"""The buttons: each tap is answered at once, and does its work once however often it arrives."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bot.callback_data import ButtonAction, ButtonData
from bot.conversation.draft_cards import DraftCards, place_of
from bot.conversation.draft_text import FOLLOW, WAITING_CLIP, WITHOUT_CLIP
from bot.conversation.media_handler import MediaHandler
from bot.drafts.draft_store import draft_id
from bot.gateway.messenger import ChatTarget, MessageContent
from bot.gateway.updates import IncomingMessage, IncomingTap, TapAnswer
from bot.orders.ordering import Ordering
from bot.orders.placing import PlacedOrder
from bot.orders.result_files import ResultFiles
from bot.people import Role
from bot.services import Services
from bot.wording import cancelling_words, sentence_of
from jobs.connection import queue_errors
from jobs.drafts import Card, Draft, MediaFile
from jobs.errors import UserError
from jobs.model import CropBox, grid_box, whole_box
from jobs.orders import Motion
from jobs.service_errors import RecordError

_OLD_BUTTON = "This button is too old. Send the photo again."
_DRAFT_GONE = "This photo is not kept any more. Send it again."
_OTHERS_CARD = "Only the person who asked can use these buttons."
_OTHERS_CARD_IN_GROUP = (
    "Only the person who asked, or an admin of this group, can use these buttons."
)
_ORDERED = "You have ordered this already."
_OLD_KEYBOARD = "These buttons are from before: use the newest ones for this photo."
# On an earlier keyboard these would be another wish than the one that is shown.
_OF_THIS_KEYBOARD = {
    ButtonAction.FACE,
    ButtonAction.CELL,
    ButtonAction.PAGE,
    ButtonAction.SHOW_ALL,
    ButtonAction.CONTINUE,
}
_OF_A_KEYBOARD = {*_OF_THIS_KEYBOARD, ButtonAction.TEMPLATE, ButtonAction.OWN_CLIP}
_WITHOUT_DRAFT = (ButtonAction.CONSENT, ButtonAction.PROFILE_PHOTO)


@dataclass(frozen=True)
class DraftTap:
    """A tap on a draft's button, and the draft."""

    tapped: IncomingTap
    tap: ButtonData
    draft: Draft


MayTap = Callable[[Draft, int], Awaitable[bool]]


class Taps:
    """Answers taps.

    Args:
        office: the parts of the bot.
        reception: takes photos.
        ordering: takes orders.
        cards: shows drafts.
        may_tap: whether a person who is not the draft's may use its buttons all the same.
    """

    def __init__(
        self,
        services: Services,
        reception: MediaHandler,
        ordering: Ordering,
        cards: DraftCards,
        may_tap: MayTap | None = None,
    ) -> None:
        self._services = services
        self._reception = reception
        self._ordering = ordering
        self._cards = cards
        self._may_tap = may_tap
        self._files = ResultFiles(services)
        self._verbs: dict[ButtonAction, Callable[[DraftTap], Awaitable[TapAnswer]]] = {
            ButtonAction.FACE: self._choose_face,
            ButtonAction.CELL: self._choose_cell,
            ButtonAction.PAGE: self._turn_page,
            ButtonAction.TEMPLATE: self._choose_movement,
            ButtonAction.ONE_OF_ALL: self._choose_one_of_all,
            ButtonAction.OWN_CLIP: self._choose_clip,
            ButtonAction.SHOW_ALL: self._show_all,
            ButtonAction.ENGINE: self._choose_engine,
            ButtonAction.CONTINUE: self._look_again,
            ButtonAction.DROP: self._drop,
            ButtonAction.CANCEL: self._cancel,
            ButtonAction.AGAIN: self._again,
            ButtonAction.BEST_FRAME: self._another_frame,
            ButtonAction.AS_FILE: self._as_file,
            ButtonAction.DELETE: self._delete,
            ButtonAction.RETRY: self._retry,
        }

    async def tap(self, tapped: IncomingTap) -> TapAnswer:
        """What a tap is answered; part of what it does is left to be done after that.

        Raises:
            QueueUnavailable, StoreUnavailable, TelegramError: it is to be done again.
        """
        tap = ButtonData.decoded(tapped.data)
        if tap is None or tap.verb not in (*self._verbs, *_WITHOUT_DRAFT):
            return self._refused(_OLD_BUTTON)
        try:
            draft = await self._services.drafts.read(tap.draft) if tap.draft else None
        except RecordError:
            draft = None
        if draft is not None and _is_open_keyboard(tapped, tap, draft):
            draft = draft.model_copy(update={"number": tap.number})
        refusal = await self._refusal(tapped, tap, draft) if draft else None
        if refusal is not None:
            return self._refused(refusal)
        if draft is None or tap.verb in _WITHOUT_DRAFT:
            return self._without_draft(tapped, tap)
        return await self._of_draft(DraftTap(tapped, tap, draft))

    async def _of_draft(self, sheet: DraftTap) -> TapAnswer:
        try:
            answer = await self._verbs[sheet.tap.verb](sheet)
        except UserError as error:
            return TapAnswer(sentence_of(error, self._services.texts), is_alert=True)
        if answer.then is None:
            return answer
        return replace(answer, then=partial(self._finish, sheet.draft, answer.then))

    async def _finish(self, draft: Draft, work: Callable[[], Awaitable[object]]) -> None:
        """Does what is left; if it cannot be done, says so."""
        try:
            await work()
        except UserError as error:
            words = MessageContent(sentence_of(error, self._services.texts))
            await self._services.messenger.send(place_of(draft), words)

    def _refused(self, sentence: str) -> TapAnswer:
        return TapAnswer(self._services.texts(sentence), is_alert=True)

    async def _refusal(self, tapped: IncomingTap, tap: ButtonData, draft: Draft) -> str | None:
        """Why a tap does nothing, a msgid; None: it does."""
        if (
            tap.verb in (ButtonAction.CANCEL, ButtonAction.CONSENT)
            and draft.person == tapped.person
        ):
            return None  # wherever it was ordered: /cancel lists all of a person's orders
        if draft.chat != tapped.chat:
            return _DRAFT_GONE
        if tap.verb is ButtonAction.CONSENT:
            return _OTHERS_CARD
        if not await self._may_use(draft, tapped.person):
            return _OTHERS_CARD_IN_GROUP if draft.is_group else _OTHERS_CARD
        is_old = tap.verb in _OF_THIS_KEYBOARD and tap.number != draft.number
        return _OLD_KEYBOARD if is_old else None

    async def _may_use(self, draft: Draft, person: int) -> bool:
        if draft.person == person or await self._services.people.role(person) is Role.ADMIN:
            return True
        return self._may_tap is not None and await self._may_tap(draft, person)

    # --- before there is a draft ------------------------------------------------------------------

    def _without_draft(self, tapped: IncomingTap, tap: ButtonData) -> TapAnswer:
        """Of a button that needs no draft, or whose draft is gone."""
        _ = self._services.texts
        match tap.verb:
            case ButtonAction.CONSENT:
                place = ChatTarget(tapped.chat, tapped.thread_id)
                agreed = partial(self._reception.agreed, place, tapped.person, tapped.message_id)
                return TapAnswer(_("Thank you."), then=agreed)
            case ButtonAction.PROFILE_PHOTO:
                return TapAnswer(then=partial(self._take_profile_photo, tapped))
            case ButtonAction.DROP | ButtonAction.DELETE:
                return TapAnswer(_("It is deleted already."))
        return self._refused(_DRAFT_GONE)

    async def _take_profile_photo(self, tapped: IncomingTap) -> None:
        incoming = IncomingMessage(tapped.chat, tapped.person, tapped.message_id, tapped.thread_id)
        file_id = await self._services.messenger.profile_photo(tapped.person)
        if file_id is None:
            _ = self._services.texts
            text = _("You have no profile picture that I can see. Send me a photo instead.")
            await self._reception.say(incoming, text)
            return
        known = await self._services.drafts.read(draft_id(incoming.chat, incoming.message_id))
        if known is not None and known.look is not None:
            await self._cards.show_below(known)
            return
        photo = MediaFile(file_id=file_id, name="profile picture.jpg")
        await self._reception.begin(incoming, photo)

    # --- what is to be seen -----------------------------------------------------------------------

    async def _choose_face(self, sheet: DraftTap) -> TapAnswer:
        chosen = [face.box for face in sheet.draft.faces if str(face.number) == sheet.tap.argument]
        return await self._settle_face(sheet, chosen[0]) if chosen else TapAnswer()

    async def _choose_cell(self, sheet: DraftTap) -> TapAnswer:
        look, cell = sheet.draft.look, sheet.tap.argument
        if look is None or cell not in set("0123456789"):
            return TapAnswer()
        box = whole_box(look.width, look.height)
        if cell != "0":
            box = grid_box(look.width, look.height, int(cell))
        return await self._settle_face(sheet, box)

    async def _settle_face(self, sheet: DraftTap, box: CropBox) -> TapAnswer:
        draft = await self._changed(sheet.draft, face_box=box)
        if draft.motion is not None or draft.is_all_wanted:
            return await self._place(draft.with_wish_number())
        return self._showing(draft)

    async def _turn_page(self, sheet: DraftTap) -> TapAnswer:
        page = int(sheet.tap.argument) if sheet.tap.argument.isdecimal() else 0
        return self._showing(sheet.draft, page)

    async def _choose_engine(self, sheet: DraftTap) -> TapAnswer:
        draft, engine = sheet.draft, sheet.tap.argument
        if await self._services.cards.read(draft.order_id_of(sheet.tap.number)) is not None:
            placed = await self._ordering.use_engine(draft, sheet.tap.number, engine)
            return self._told(draft, placed)
        return self._showing(await self._changed(draft, engine=engine))

    async def _look_again(self, sheet: DraftTap) -> TapAnswer:
        """At the photo alone, or at all of it once more."""
        if sheet.tap.argument == WITHOUT_CLIP:
            return TapAnswer(then=partial(self._reception.add_clip, sheet.draft, None))
        return TapAnswer(then=partial(self._reception.retry, sheet.draft))

    def _showing(self, draft: Draft, page: int = 0) -> TapAnswer:
        return TapAnswer(then=partial(self._cards.show, draft.draft, page), only_shows=True)

    # --- clips ------------------------------------------------------------------------------------

    async def _choose_clip(self, sheet: DraftTap) -> TapAnswer:
        """Follows the clip that is there, takes the one that waits, or asks for one."""
        draft, _ = sheet.draft, self._services.texts
        if sheet.tap.argument == WAITING_CLIP:
            desk = await self._services.drafts.desk(draft.chat, draft.person)
            if desk.clip is None:
                return TapAnswer(_("This clip is in use already, or too old. Send it again."))
            return TapAnswer(then=partial(self._take_waiting_clip, draft, desk.clip))
        if sheet.tap.number != draft.number:
            return self._refused(_OLD_KEYBOARD)
        key = draft.look.clip_key if draft.look else None
        if key is not None and sheet.tap.argument == FOLLOW:
            return await self._place(_wishing(draft, motion=Motion(clip_key=key)))
        return TapAnswer(then=partial(self._ask_for_clip, draft))

    async def _take_waiting_clip(self, draft: Draft, clip: MediaFile) -> None:
        await self._reception.add_clip(draft, clip)
        await self._services.drafts.update_conversation(draft.chat, draft.person, clip=None)

    async def _ask_for_clip(self, draft: Draft) -> None:
        drafts, _ = self._services.drafts, self._services.texts
        await drafts.update_conversation(draft.chat, draft.person, wants_clip=draft.draft)
        seconds = self._reception.limits.clip_s
        text = _(
            "Send me the clip: a video, a round video or a GIF with one face seen from the front. "
            "The first {seconds:g} s are used.",
            seconds=seconds,
        )
        if draft.is_group:
            text = _(
                "Answer to this message with the clip: a video or a GIF with one face seen from "
                "the front. The first {seconds:g} s are used.",
                seconds=seconds,
            )
        sent = await self._services.messenger.send(place_of(draft), MessageContent(text))
        await drafts.note_card(draft.chat, sent.message_id, draft.draft)

    # --- orders -----------------------------------------------------------------------------------

    async def _choose_movement(self, sheet: DraftTap) -> TapAnswer:
        draft, number = sheet.draft, sheet.tap.number
        wish = _wishing(draft, motion=Motion(template=sheet.tap.argument))
        if number != draft.number:
            known = await self._services.cards.read(draft.order_id_of(number))
            if known is not None:
                return TapAnswer(self._services.texts(_ORDERED))
            return self._refused(_OLD_KEYBOARD)
        return await self._place(wish)

    async def _choose_one_of_all(self, sheet: DraftTap) -> TapAnswer:
        draft, tap = sheet.draft, sheet.tap
        return self._told(draft, await self._ordering.one_of_all(draft, tap.number, tap.argument))

    async def _show_all(self, sheet: DraftTap) -> TapAnswer:
        return await self._place(_wishing(sheet.draft, is_all_wanted=True))

    async def _again(self, sheet: DraftTap) -> TapAnswer:
        """The movements once more, in a new message below."""
        return TapAnswer(then=partial(self._cards.show_below, sheet.draft))

    async def _another_frame(self, sheet: DraftTap) -> TapAnswer:
        placed = await self._ordering.another_frame(sheet.draft, sheet.tap.number)
        return self._told(sheet.draft, placed)

    async def _retry(self, sheet: DraftTap) -> TapAnswer:
        card = Card(message_id=sheet.tapped.message_id)
        placed = await self._ordering.retry(sheet.draft, sheet.tap.number, card)
        return self._told(sheet.draft, placed)

    async def _cancel(self, sheet: DraftTap) -> TapAnswer:
        became = await self._ordering.cancel(sheet.draft, sheet.tap.number)
        return TapAnswer(cancelling_words(became, self._services.texts))

    async def _place(self, draft: Draft) -> TapAnswer:
        if draft.look is not None and draft.face_box is None:
            return self._showing(draft)
        placed = await self._ordering.place(draft)
        desk = await self._services.drafts.desk(draft.chat, draft.person)
        if desk.clip is not None and desk.clip == draft.clip:
            # It was meant for this photo: the next one gets none.
            await self._services.drafts.update_conversation(draft.chat, draft.person, clip=None)
        return self._told(draft, placed)

    def _told(self, draft: Draft, placed: PlacedOrder) -> TapAnswer:
        _ = self._services.texts
        if placed.card is None:
            show = partial(self._cards.show, draft.draft)
            return TapAnswer(_("One moment: the photo is fetched again."), then=show)
        return TapAnswer("" if placed.is_new else _(_ORDERED))

    # --- the end ----------------------------------------------------------------------------------

    async def _drop(self, sheet: DraftTap) -> TapAnswer:
        """Takes a card away; with it the photo, if nothing was ever ordered from it."""
        draft = sheet.draft
        if sheet.tap.number == draft.number and await self._cards.is_ordered(draft):
            return await self._cancel(sheet)
        if draft.number == 1:
            return TapAnswer(then=partial(self._forget, draft))
        delete = self._services.messenger.delete
        return TapAnswer(then=partial(delete, draft.chat, sheet.tapped.message_id))

    async def _as_file(self, sheet: DraftTap) -> TapAnswer:
        await self._files.wish(sheet.draft, sheet.tap.number, sheet.tapped.query)
        return TapAnswer(self._services.texts("The file is on its way."))

    async def _delete(self, sheet: DraftTap) -> TapAnswer:
        tapped, _ = sheet.tapped, self._services.texts
        card = await self._services.cards.read(sheet.draft.order_id_of(sheet.tap.number))
        messages = (tapped.message_id, *(card.files if card else ()))
        if await self._files.delete(sheet.draft, sheet.tap.number):
            text = _("Deleted: the video here, and photo and clip on the server.")
        else:
            text = _(
                "The video is deleted. Photo and clip stay while another order of yours needs them."
            )
        return TapAnswer(text, then=partial(self._delete_messages, tapped.chat, messages))

    async def _delete_messages(self, chat: int, messages: Sequence[int]) -> None:
        for message_id in messages:
            await self._services.messenger.delete(chat, message_id)

    async def _forget(self, draft: Draft) -> None:
        services, _ = self._services, self._services.texts
        if draft.card is not None:
            words = MessageContent(
                _("Forgotten, and the photo is deleted. Send another one at any time.")
            )
            await services.messenger.edit(draft.chat, draft.card, words)
        desk = await services.drafts.desk(draft.chat, draft.person)
        if draft.draft in (desk.draft, desk.wants_clip):
            await services.drafts.update_conversation(
                draft.chat, draft.person, draft=None, wants_clip=None
            )
        await services.drafts.forget(draft.draft)
        with queue_errors(services.queues.url):
            await services.retention.forget(draft.draft, services.clock())

    async def _changed(self, draft: Draft, **changes: Any) -> Draft:
        changed = await self._services.drafts.change(
            draft.draft, lambda now: now.model_copy(update=changes)
        )
        return changed or draft.model_copy(update=changes)


def _is_open_keyboard(tapped: IncomingTap, tap: ButtonData, draft: Draft) -> bool:
    """Whether a tap is on the draft's card, whatever numbers were taken since it was shown."""
    is_card = draft.card is not None and draft.card.message_id == tapped.message_id
    return is_card and tap.verb in _OF_A_KEYBOARD and 0 < tap.number < draft.number


def _wishing(draft: Draft, **wish: Any) -> Draft:
    """The draft with one wish, and no other."""
    return draft.model_copy(update={"motion": None, "is_all_wanted": False, **wish})
