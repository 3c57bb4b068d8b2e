"""Handles taps on buttons: each is answered at once, and takes effect once if it is repeated."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bot.callback_data import ANOTHER_FACE, ButtonAction, ButtonData
from bot.conversation.draft_cards import DraftCards
from bot.conversation.draft_text import (
    ALL_FACES,
    ASK_FOR_VOICE,
    FOLLOW,
    WAITING_LEAD,
    WITHOUT_LEAD,
    ask_for_clip,
    ask_for_voice,
)
from bot.conversation.media_handler import MediaHandler
from bot.conversation.tap_permissions import (
    DRAFT_GONE,
    OLD_KEYBOARD,
    ONLY_ON_NEWEST_KEYBOARD,
    is_of_chat,
    refusal_of,
)
from bot.drafts.draft import Draft
from bot.drafts.draft_store import draft_id_of, forget_draft
from bot.error_text import error_text
from bot.gateway.messenger import CardMessage, MessageContent
from bot.gateway.updates import IncomingMessage, IncomingTap, MediaFile, TapAnswer
from bot.orders.card_text import cancel_text
from bot.orders.follow_up_orders import FollowUpOrders, as_ordered
from bot.orders.offers import NoEngine
from bot.orders.ordering import Ordering, PlacedOrder
from bot.orders.result_files import delete_result_and_draft
from bot.orders.variations import is_new_look, varied
from bot.services import Services
from jobs.engines import current_name
from jobs.errors import UserError
from jobs.model import CropBox, grid_box, whole_box
from jobs.wish import Movement

_OLD_BUTTON = "This button is too old. Send the photo again."
_ORDERED = "You have ordered this already."
# TEMPLATE and OWN_LEAD check the number themselves.
_ON_DRAFT_KEYBOARD = {*ONLY_ON_NEWEST_KEYBOARD, ButtonAction.TEMPLATE, ButtonAction.OWN_LEAD}
_WITHOUT_DRAFT = (ButtonAction.CONSENT, ButtonAction.PROFILE_PHOTO)


@dataclass(frozen=True)
class DraftTap:
    """A tap on a draft's button, after it was checked who taps, and the draft."""

    incoming: IncomingTap
    button: ButtonData
    draft: Draft


class Taps:
    """Handles taps."""

    def __init__(
        self,
        services: Services,
        media_handler: MediaHandler,
        ordering: Ordering,
        follow_up_orders: FollowUpOrders,
        draft_cards: DraftCards,
    ) -> None:
        self._services = services
        self._media_handler = media_handler
        self._ordering = ordering
        self._follow_up_orders = follow_up_orders
        self._draft_cards = draft_cards
        self._handlers: dict[ButtonAction, Callable[[DraftTap], Awaitable[TapAnswer]]] = {
            ButtonAction.FACE: self._choose_face,
            ButtonAction.CELL: self._choose_cell,
            ButtonAction.PAGE: self._turn_page,
            ButtonAction.TEMPLATE: self._choose_movement,
            ButtonAction.ONE_OF_ALL: self._choose_one_of_all,
            ButtonAction.OWN_LEAD: self._choose_lead,
            ButtonAction.SHOW_ALL: self._show_all,
            ButtonAction.ENGINE: self._choose_engine,
            ButtonAction.OPTION: self._choose_variation,
            ButtonAction.STRENGTH: self._choose_variation,
            ButtonAction.CONTINUE: self._look_again,
            ButtonAction.DROP: self._drop,
            ButtonAction.CANCEL: self._cancel,
            ButtonAction.AGAIN: self._again,
            ButtonAction.BEST_FRAME: self._another_frame,
            ButtonAction.DELETE: self._delete,
            ButtonAction.RETRY: self._retry,
        }

    async def tap(self, incoming: IncomingTap) -> TapAnswer:
        """Handle a tap, and return the answer with the work that is left.

        Raises:
            QueueUnavailable, StoreUnavailable, TelegramError: try again later.
        """
        button = ButtonData.decode(incoming.data)
        if button is None or button.action not in (*self._handlers, *_WITHOUT_DRAFT):
            return self._refuse(_OLD_BUTTON)
        draft = await self._services.drafts.find(button.draft_id)
        if draft is not None and _is_on_current_card(incoming, button, draft):
            # The number has risen since, but this keyboard is still the draft's card: the tap
            # counts as its order.
            draft = draft.model_copy(update={"number": button.number})
        refusal = await refusal_of(self._services, incoming, button, draft) if draft else None
        if refusal is not None:
            return self._refuse(refusal)
        if draft is not None and is_of_chat(draft):
            # Whoever taps agrees for the anonymous admin, or the channel, that asked.
            incoming = replace(incoming, person_id=draft.person_id)
        if draft is None or button.action in _WITHOUT_DRAFT:
            return self._without_draft(incoming, button)
        return await self._of_draft(DraftTap(incoming, button, draft))

    async def _of_draft(self, tap: DraftTap) -> TapAnswer:
        try:
            answer = await self._handlers[tap.button.action](tap)
        except UserError as error:
            return TapAnswer(error_text(error, self._services.texts), is_alert=True)
        if answer.then is None:
            return answer
        return replace(answer, then=partial(self._finish, tap.draft, answer.then))

    async def _finish(self, draft: Draft, work: Callable[[], Awaitable[object]]) -> None:
        """Do the work that is left, or tell the person why it is impossible."""
        try:
            await work()
        except UserError as error:
            content = MessageContent(error_text(error, self._services.texts))
            await self._services.messenger.send(draft.target, content)

    def _refuse(self, sentence: str) -> TapAnswer:
        return TapAnswer(self._services.texts(sentence), is_alert=True)

    # --- without a draft --------------------------------------------------------------------------

    def _without_draft(self, incoming: IncomingTap, button: ButtonData) -> TapAnswer:
        """Handle a button that needs no draft, or whose draft is gone."""
        _ = self._services.texts
        match button.action:
            case ButtonAction.CONSENT:
                agreed = partial(self._media_handler.accept_terms, incoming)
                return TapAnswer(_("Thank you."), then=agreed)
            case ButtonAction.PROFILE_PHOTO if incoming.chat_id == incoming.person_id:
                return TapAnswer(then=partial(self._take_profile_photo, incoming))
            case ButtonAction.DROP | ButtonAction.DELETE:
                return TapAnswer(_("It is already deleted."))
        return self._refuse(DRAFT_GONE)

    async def _take_profile_photo(self, incoming: IncomingTap) -> None:
        message = IncomingMessage(
            incoming.chat_id, incoming.person_id, incoming.message_id, incoming.thread_id
        )
        file_id = await self._services.messenger.profile_photo(incoming.person_id)
        if file_id is None:
            _ = self._services.texts
            text = _("You have no profile picture that I can see. Send me a photo instead.")
            await self._media_handler.say(message, text)
            return
        known = await self._services.drafts.read(draft_id_of(message.chat_id, message.message_id))
        if known is not None and known.findings is not None:
            await self._draft_cards.show_below(known)
            return
        photo = MediaFile(file_id=file_id, name="profile picture.jpg")
        await self._media_handler.begin(message, photo)

    # --- face, page, engine and variation ---------------------------------------------------------

    async def _choose_face(self, tap: DraftTap) -> TapAnswer:
        faces, chosen = tap.draft.faces, tap.button.argument
        if chosen == ALL_FACES:
            max_faces = (await self._services.offers.now()).max_faces
            if max_faces == 1:
                raise NoEngine  # its worker has left
            faces = faces[:max_faces]
        else:
            faces = tuple(face for face in faces if str(face.number) == chosen)
        return await self._settle_faces(tap, *(face.box for face in faces))

    async def _choose_cell(self, tap: DraftTap) -> TapAnswer:
        findings, cell = tap.draft.findings, tap.button.argument
        if findings is None or cell not in set("0123456789"):
            return TapAnswer()
        photo = findings.photo
        box = whole_box(photo.width, photo.height)
        if cell != "0":
            box = grid_box(photo.width, photo.height, int(cell))
        return await self._settle_faces(tap, box)

    async def _settle_faces(self, tap: DraftTap, *boxes: CropBox) -> TapAnswer:
        draft = await self._services.drafts.update(tap.draft, face_boxes=boxes)
        if draft.movement is not None:
            return await self._place(draft.with_reserved_number())
        return self._show(draft)

    async def _turn_page(self, tap: DraftTap) -> TapAnswer:
        return self._show(tap.draft, _page_of(tap.button))

    async def _choose_engine(self, tap: DraftTap) -> TapAnswer:
        draft, engine = tap.draft, current_name(tap.button.argument)
        if await self._services.order_cards.read(draft.order_id_of(tap.button.number)) is not None:
            placed = await self._follow_up_orders.use_engine(draft, tap.button.number, engine)
            return self._answer(draft, placed)
        draft = await self._services.drafts.update(draft, engine=engine)
        return self._show_more(draft)

    async def _choose_variation(self, tap: DraftTap) -> TapAnswer:
        """Keep a draft's variation for its next orders; that of a delivered order is a new order.

        Anything else shows the page "More".
        """
        draft, argument = tap.draft, tap.button.argument
        changed = varied(draft.choices, argument)
        card = await self._services.order_cards.read(draft.order_id_of(tap.button.number))
        if changed is not None and is_new_look(argument):
            again = as_ordered(draft, card) if card is not None else draft
            look = partial(self._media_handler.set_lead, draft, again.lead)
            part = varied(again.choices, argument)
            return TapAnswer(then=partial(look, part, orders=card is not None))
        if card is not None:  # a result is tapped
            placed = await self._follow_up_orders.varied(draft, tap.button.number, argument)
            return self._answer(draft, placed)
        if changed is not None:
            await self._services.drafts.update(draft, choices=changed)
        return self._show_more(draft)

    def _show_more(self, draft: Draft) -> TapAnswer:
        show = partial(self._draft_cards.show_more, draft.draft_id)
        return TapAnswer(then=show, only_shows=True)

    async def _look_again(self, tap: DraftTap) -> TapAnswer:
        """Look at the photo without the clip, or at the same files again."""
        if tap.button.argument == WITHOUT_LEAD:
            return TapAnswer(then=partial(self._media_handler.set_lead, tap.draft, None))
        return TapAnswer(then=partial(self._media_handler.retry, tap.draft))

    def _show(self, draft: Draft, page: int = 0) -> TapAnswer:
        return TapAnswer(
            then=partial(self._draft_cards.show, draft.draft_id, page), only_shows=True
        )

    # --- clips and recordings ---------------------------------------------------------------------

    async def _choose_lead(self, tap: DraftTap) -> TapAnswer:
        """Follow the draft's clip or recording, take the one that waits, or ask for one."""
        draft, _ = tap.draft, self._services.texts
        if tap.button.argument == WAITING_LEAD:
            conversation = await self._services.drafts.conversation(draft)
            if conversation.lead is None:
                return TapAnswer(_("It is in use already, or too old. Send it again."))
            return TapAnswer(then=partial(self._take_waiting_lead, draft, conversation.lead))
        if tap.button.number != draft.number:
            return self._refuse(OLD_KEYBOARD)
        movement = draft.findings.own_movement if draft.findings else None
        if movement is not None and tap.button.argument == FOLLOW:
            return await self._place(_choosing(draft, movement))
        is_voice = tap.button.argument == ASK_FOR_VOICE
        return TapAnswer(then=partial(self._ask_for_lead, draft, is_voice=is_voice))

    async def _take_waiting_lead(self, draft: Draft, lead: MediaFile) -> None:
        await self._media_handler.set_lead(draft, lead)
        await self._services.drafts.update_conversation(draft, lead=None)

    async def _ask_for_lead(self, draft: Draft, *, is_voice: bool) -> None:
        drafts, _ = self._services.drafts, self._services.texts
        await drafts.update_conversation(draft, wants_lead=draft.draft_id)
        if is_voice:
            text = ask_for_voice(_, in_group=draft.is_group)
        else:
            seconds = (await self._services.limits.now()).clip_s
            text = ask_for_clip(seconds, _, in_group=draft.is_group)
        sent = await self._services.messenger.send(draft.target, MessageContent(text))
        await drafts.note_message(draft.chat_id, sent, draft.draft_id)

    # --- orders -----------------------------------------------------------------------------------

    async def _choose_movement(self, tap: DraftTap) -> TapAnswer:
        draft, number = tap.draft, tap.button.number
        if number != draft.number:
            known = await self._services.order_cards.read(draft.order_id_of(number))
            if known is not None:
                return TapAnswer(self._services.texts(_ORDERED))
            return self._refuse(OLD_KEYBOARD)
        movement = Movement(template=tap.button.argument)
        return await self._place(_choosing(draft, movement))

    async def _choose_one_of_all(self, tap: DraftTap) -> TapAnswer:
        draft, button = tap.draft, tap.button
        return self._answer(
            draft, await self._follow_up_orders.one_of_all(draft, button.number, button.argument)
        )

    async def _show_all(self, tap: DraftTap) -> TapAnswer:
        movement = self._draft_cards.all_on_page(_page_of(tap.button))
        return await self._place(_choosing(tap.draft, movement))

    async def _again(self, tap: DraftTap) -> TapAnswer:
        """Show the movements again, or first the faces, in a new message."""
        show = self._draft_cards.show_below
        asks_for_face = tap.button.argument == ANOTHER_FACE
        return TapAnswer(then=partial(show, tap.draft, asks_for_face=asks_for_face))

    async def _another_frame(self, tap: DraftTap) -> TapAnswer:
        placed = await self._follow_up_orders.another_frame(tap.draft, tap.button.number)
        return self._answer(tap.draft, placed)

    async def _retry(self, tap: DraftTap) -> TapAnswer:
        card = CardMessage(message_id=tap.incoming.message_id)
        placed = await self._follow_up_orders.retry(tap.draft, tap.button.number, card)
        return self._answer(tap.draft, placed)

    async def _cancel(self, tap: DraftTap) -> TapAnswer:
        outcome = await self._ordering.cancel(tap.draft, tap.button.number)
        return TapAnswer(cancel_text(outcome, self._services.texts))

    async def _place(self, draft: Draft) -> TapAnswer:
        if draft.findings is not None and not draft.face_boxes:
            return self._show(draft)
        placed = await self._ordering.place(draft)
        conversation = await self._services.drafts.conversation(draft)
        if conversation.lead is not None and conversation.lead == draft.lead:
            # It is used now, so the next photo does not get it.
            await self._services.drafts.update_conversation(draft, lead=None)
        return self._answer(draft, placed)

    def _answer(self, draft: Draft, placed: PlacedOrder) -> TapAnswer:
        """Return the answer to a tap that orders."""
        _ = self._services.texts
        if placed.card is None:
            show = partial(self._draft_cards.show, draft.draft_id)
            return TapAnswer(_("One moment: I am fetching the photo again."), then=show)
        return TapAnswer("" if placed.is_new else _(_ORDERED))

    # --- the end ----------------------------------------------------------------------------------

    async def _drop(self, tap: DraftTap) -> TapAnswer:
        """Remove a card, and also the photo if nothing was ever ordered from it."""
        draft = tap.draft
        if tap.button.number == draft.number and await self._draft_cards.is_ordered(draft):
            return await self._cancel(tap)
        if draft.number == 1:
            return TapAnswer(then=partial(self._forget, draft))
        delete = self._services.messenger.delete
        return TapAnswer(then=partial(delete, draft.chat_id, tap.incoming.message_id))

    async def _delete(self, tap: DraftTap) -> TapAnswer:
        incoming, _ = tap.incoming, self._services.texts
        card = await self._services.order_cards.read(tap.draft.order_id_of(tap.button.number))
        messages = (incoming.message_id, *(card.files if card else ()))
        if await delete_result_and_draft(self._services, tap.draft, tap.button.number):
            text = _("Deleted: the video here, and its files on the server.")
        else:
            text = _(
                "The video is deleted. Its files stay while another order of yours needs them."
            )
        return TapAnswer(text, then=partial(self._delete_messages, incoming.chat_id, messages))

    async def _delete_messages(self, chat_id: int, messages: Sequence[int]) -> None:
        for message_id in messages:
            await self._services.messenger.delete(chat_id, message_id)

    async def _forget(self, draft: Draft) -> None:
        services, _ = self._services, self._services.texts
        async with services.drafts.editing_card(draft.draft_id):
            draft = await services.drafts.read(draft.draft_id) or draft
            if await self._draft_cards.is_ordered(draft):
                return  # meanwhile; its card shows the order, with Cancel
            if draft.card is not None:
                content = MessageContent(_("The photo is deleted. Send another one at any time."))
                await services.messenger.edit(draft.chat_id, draft.card, content)
            conversation = await services.drafts.conversation(draft)
            if draft.draft_id in (conversation.draft_id, conversation.wants_lead):
                await services.drafts.update_conversation(draft, draft_id=None, wants_lead=None)
            await forget_draft(services, draft.draft_id)


def _is_on_current_card(incoming: IncomingTap, button: ButtonData, draft: Draft) -> bool:
    """Whether the tapped message is still the draft's card, though its number has risen since."""
    is_card = draft.card is not None and draft.card.message_id == incoming.message_id
    return is_card and button.action in _ON_DRAFT_KEYBOARD and 0 < button.number < draft.number


def _page_of(button: ButtonData) -> int:
    return int(button.argument) if button.argument.isdecimal() else 0


def _choosing(draft: Draft, movement: Movement) -> Draft:
    return draft.model_copy(update={"movement": movement})
