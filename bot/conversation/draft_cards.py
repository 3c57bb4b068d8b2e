"""The cards of drafts: edited in place, or sent again if they are gone."""

from contextlib import suppress
from functools import partial
from typing import Any

from telegram.error import TelegramError

from bot.conversation.draft_text import (
    Choice,
    faces_content,
    grid_content,
    looking_content,
    movement_content,
    problem_content,
    shown_together,
)
from bot.conversation.more_page import draft_page
from bot.drafts.draft import Draft
from bot.gateway.messenger import CardMessage, MessageContent
from bot.orders.offers import Offer
from bot.services import Services
from bot.texts import speaking
from jobs.queues.waiting import Estimates
from jobs.service_errors import StoreError, error_from_dict
from jobs.templates import StoredTemplate
from jobs.wish import Movement

# For the time that an order would take: a movement of six seconds.
_ORDINARY_FRAMES = 150


class DraftCards:
    """Shows drafts."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._estimates = Estimates(services.queues.client)
        self._looked_at: set[str] = set()  # drafts whose cards say that a worker is at work

    async def tell_unattended(self) -> None:
        """If no worker is online any more, say so on the cards of photos that are looked at."""
        services = self._services
        for draft_id in tuple(self._looked_at):
            draft = await services.drafts.find(draft_id)
            if draft is None or draft.findings is not None or draft.problem is not None:
                self._looked_at.discard(draft_id)  # perhaps ordered already, and not shown again
            elif (await services.offers.now()).is_empty:
                with (
                    speaking(await services.languages.of(draft.chat_id, draft.person_id)),
                    suppress(TelegramError),
                ):
                    await self.show(draft_id)

    async def show(self, draft_id: str, page: int = 0) -> None:
        """Show what a draft needs next, unless its order is open.

        Args:
            draft_id: the draft.
            page: of the movements.

        Raises:
            TelegramError, QueueUnavailable: it is not shown.
        """
        async with self._services.drafts.editing_card(draft_id):
            await self._show(draft_id, page)

    async def _show(self, draft_id: str, page: int = 0) -> None:
        draft = await self._services.drafts.read(draft_id)
        # From the order on, the card shows its status (`bot/orders/status_cards.py`).
        if draft is None or await self.is_ordered(draft):
            return
        content = await self._content(draft, page)
        picture = await self._picture(draft)
        if picture is None:
            await self._put(draft, content)
        else:
            await self._put_picture(draft, picture, content)

    async def show_more(self, draft_id: str) -> None:
        """Show the page "More" of a draft, unless its order is open. Errors: see `show`."""
        async with self._services.drafts.editing_card(draft_id):
            await self._show_more(draft_id)

    async def _show_more(self, draft_id: str) -> None:
        draft = await self._services.drafts.read(draft_id)
        if draft is None or draft.findings is None or await self.is_ordered(draft):
            return
        offer = await self._services.offers.now()
        times = {
            name: await self._estimates.of_new_order(name, _ORDINARY_FRAMES)
            for name in _engines(draft, offer)
        }
        await self._put(draft, draft_page(draft, offer, times, self._services.texts))

    async def show_below(self, draft: Draft, *, asks_for_face: bool = False) -> None:
        """Show a draft's movements in a new message, and delete the earlier one.

        An earlier message that shows an order stays; further taps are another order.

        Args:
            draft: the draft.
            asks_for_face: whether the face is chosen again first.

        Raises:
            TelegramError, QueueUnavailable: see `show`.
        """
        services = self._services
        async with services.drafts.editing_card(draft.draft_id):
            has_order = await self.is_ordered(draft)

            def fresh(now: Draft) -> Draft:
                boxes = () if asks_for_face else now.face_boxes
                again = now.shown_again() if has_order else now
                return again.without_movement(card=None, face_boxes=boxes)

            if draft.card is not None and not has_order:
                await services.messenger.delete(draft.chat_id, draft.card.message_id)
            if await services.drafts.change(draft.draft_id, fresh) is not None:
                await self._show(draft.draft_id)

    async def adopt(self, draft: Draft, card: CardMessage) -> Draft:
        """Make a message of the bot the draft's card, and return the draft."""
        drafts = self._services.drafts
        await drafts.note_message(draft.chat_id, card.message_id, draft.draft_id)
        return await drafts.update(draft, card=card)

    async def is_ordered(self, draft: Draft) -> bool:
        """Whether the draft's number is an order's already, so that its card is that order's."""
        return await self._services.order_cards.read(draft.order_id) is not None

    def all_on_page(self, page: int) -> Movement:
        """Return the movement that shows all templates of a page in one video."""
        shown = shown_together(tuple(self._services.movements), page)
        return Movement(templates=tuple(one.name for one in shown))

    async def _put(self, draft: Draft, content: MessageContent) -> None:
        messenger = self._services.messenger
        if draft.card is None or not await messenger.edit(draft.chat_id, draft.card, content):
            await self._send(draft, content)

    async def _put_picture(self, draft: Draft, picture: bytes, content: MessageContent) -> None:
        messenger, card = self._services.messenger, None
        if draft.card is not None:
            card = await messenger.edit_media(draft.chat_id, draft.card, picture, content)
        if card is None:
            # Sent as a text first: a lost text can be told apart from a result (`CardSender`).
            sent = await self._send(draft, content)
            card = await messenger.edit_media(draft.chat_id, sent, picture, content) or sent
        await self.adopt(draft, card)

    async def _send(self, draft: Draft, content: MessageContent) -> CardMessage:
        send, note = self._services.card_sender.send, partial(self.adopt, draft)
        return await send(f"draft:{draft.draft_id}", draft.target, content, note)

    async def _content(self, draft: Draft, page: int) -> MessageContent:
        texts = self._services.texts
        self._looked_at.discard(draft.draft_id)
        if draft.problem is not None:
            error = error_from_dict(dict[str, Any](draft.problem.error))
            return problem_content(draft, error, texts)
        if draft.findings is None:
            is_attended = not (await self._services.offers.now()).is_empty
            if is_attended:
                self._looked_at.add(draft.draft_id)
            is_paused = await self._services.people.is_paused_for(draft.person_id)
            return looking_content(draft, texts, is_attended=is_attended, is_paused=is_paused)
        if not draft.face_boxes and draft.faces:
            return faces_content(draft, texts, (await self._services.offers.now()).max_faces)
        if not draft.face_boxes:
            return grid_content(draft, texts)
        return movement_content(draft, await self._choice(draft), texts, page)

    async def _choice(self, draft: Draft) -> Choice:
        """Return what can be chosen for a draft now."""
        offer = await self._services.offers.now()
        return Choice(
            templates=tuple(
                one
                for one in self._services.movements
                if offer.takes_own_templates or not isinstance(one, StoredTemplate)
            ),
            engines=_engines(draft, offer),
            shows_all=offer.shows_all is not None,
            takes_voices=offer.takes_voices,
            is_paused=await self._services.people.is_paused_for(draft.person_id),
        )

    async def _picture(self, draft: Draft) -> bytes | None:
        """Return the picture of numbered faces if the card needs it and does not show it yet."""
        is_asking = draft.findings is not None and not draft.face_boxes and draft.problem is None
        if draft.findings is None or not is_asking or (draft.card and draft.card.has_media):
            return None
        try:
            return await self._services.store.get(draft.findings.photo.sheet)
        except StoreError:
            return None  # the text is shown without it


def _engines(draft: Draft, offer: Offer) -> tuple[str, ...]:
    """Return the engines that can be chosen for a draft."""
    face_count = len(draft.face_boxes)
    return offer.choosable(offer.engine_or_default(draft.engine, face_count), face_count)
