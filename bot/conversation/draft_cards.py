"""The card of a draft: drawn from what the draft needs now, edited in place, sent anew if gone."""

from functools import partial
from typing import Any

from bot.conversation.draft_text import (
    Choice,
    faces_words,
    grid_words,
    looking_words,
    movement_words,
    trouble_words,
)
from bot.gateway.messenger import ChatTarget, MessageContent
from bot.services import Services
from jobs.drafts import Card, Draft
from jobs.service_errors import StoreError
from jobs.stored_errors import error_from_dict
from jobs.templates import Catalogue


class DraftCards:
    """Shows drafts.

    Args:
        office: the parts of the bot.
        catalogue: the movements.
    """

    def __init__(self, services: Services, catalogue: Catalogue) -> None:
        self._services = services
        self._catalogue = catalogue

    async def show(self, draft_id: str, page: int = 0) -> None:
        """Draws what a draft needs now: nothing, if it is not known, or if its order is open.

        Args:
            draft_id: which draft.
            page: of the movements.

        Raises:
            TelegramError, QueueUnavailable: it is not shown.
        """
        draft = await self._services.drafts.read(draft_id)
        # From a wish on the card shows how its order stands (`bot/orders/status_cards.py`).
        if draft is None or await self.is_ordered(draft):
            return
        words = await self._words(draft, page)
        picture = await self._picture(draft)
        if picture is None:
            await self._put(draft, words)
        else:
            await self._put_picture(draft, picture, words)

    async def show_below(self, draft: Draft) -> None:
        """Shows the movements for a draft in a new message; the one before goes.

        It stays if it shows how an order stands; what is tapped from now on is another order.

        Raises:
            TelegramError, QueueUnavailable: as of `show`.
        """
        services, has_order = self._services, await self.is_ordered(draft)
        if draft.card is not None and not has_order:
            await services.messenger.delete(draft.chat, draft.card.message_id)

        def fresh(now: Draft) -> Draft:
            return (now.shown_again() if has_order else now).without_wish(card=None)

        if await services.drafts.change(draft.draft, fresh) is not None:
            await self.show(draft.draft)

    async def adopt(self, draft: Draft, card: Card) -> Draft:
        """Makes a message of the bot's the draft's card; the draft with it."""
        drafts, update = self._services.drafts, {"card": card}
        await drafts.note_card(draft.chat, card.message_id, draft.draft)
        changed = await drafts.change(draft.draft, lambda now: now.model_copy(update=update))
        return changed or draft.model_copy(update=update)

    async def is_ordered(self, draft: Draft) -> bool:
        """Whether the draft's number is an order's already, so that its card is that order's."""
        return await self._services.cards.read(draft.order_id) is not None

    async def _put(self, draft: Draft, words: MessageContent) -> None:
        messenger = self._services.messenger
        if draft.card is None or not await messenger.edit(draft.chat, draft.card, words):
            await self._send(draft, words)

    async def _put_picture(self, draft: Draft, picture: bytes, words: MessageContent) -> None:
        messenger, card = self._services.messenger, None
        if draft.card is not None:
            card = await messenger.edit_media(draft.chat, draft.card, picture, words)
        if card is None:
            # First as a text: one that nobody knows to have arrived can be told from a result.
            sent = await self._send(draft, words)
            card = await messenger.edit_media(draft.chat, sent, picture, words) or sent
        await self.adopt(draft, card)

    async def _send(self, draft: Draft, words: MessageContent) -> Card:
        send, note = self._services.new_cards.send, partial(self.adopt, draft)
        return await send(f"draft:{draft.draft}", place_of(draft), words, note)

    async def _words(self, draft: Draft, page: int) -> MessageContent:
        texts = self._services.texts
        if draft.trouble is not None:
            error = error_from_dict(dict[str, Any](draft.trouble.error))
            return trouble_words(draft, error, texts)
        if draft.look is None:
            is_attended = not (await self._services.offers.now()).is_empty
            return looking_words(draft, texts, is_attended=is_attended)
        if draft.face_box is None:
            ask = faces_words if draft.faces else grid_words
            return ask(draft, texts)
        return movement_words(draft, await self._choice(draft), texts, page)

    async def _choice(self, draft: Draft) -> Choice:
        """What can be chosen for a draft right now."""
        offer = await self._services.offers.now()
        chosen = offer.chosen(draft.engine)
        return Choice(
            templates=tuple(self._catalogue),
            engines=tuple(
                name for name in offer.engines if name == chosen or offer.is_for_people(name)
            ),
            buttons={name: info.button for name, info in offer.known.items()},
            engine=chosen,
            shows_all=offer.shows_all is not None,
        )

    async def _picture(self, draft: Draft) -> bytes | None:
        """The numbered sheet, if a face is to be chosen and the card does not show it yet."""
        is_asking = draft.look is not None and draft.face_box is None and draft.trouble is None
        if draft.look is None or not is_asking or (draft.card and draft.card.has_media):
            return None
        try:
            return await self._services.store.get(draft.look.sheet_key)
        except StoreError:
            return None  # the words alone must do


def place_of(draft: Draft) -> ChatTarget:
    """Where a draft's messages go: to its photo, in its topic."""
    return ChatTarget(draft.chat, draft.thread_id, draft.message_id)
