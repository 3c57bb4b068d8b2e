"""The buttons "More" and "Other forms" under a result, and those of the forms."""

from dataclasses import replace
from functools import partial

from bot.callback_data import ButtonAction, ButtonData
from bot.drafts.draft import Draft
from bot.error_text import error_text
from bot.gateway.messenger import Keyboard
from bot.gateway.updates import IncomingTap, TapAnswer
from bot.history.forms import Forms
from bot.history.store import HistoryEntry
from bot.orders.follow_up_orders import as_ordered
from bot.orders.permissions import may_remove, may_use
from bot.orders.result_keyboard import ResultButtons, ResultPage
from bot.services import Services
from jobs.errors import UserError
from jobs.media_tasks import Form
from jobs.queues.outbox import Resend
from jobs.queues.waiting import Estimates

_TOO_OLD = "This video is too old for that. Send the photo again."
_NOT_YOURS = "Only the person who asked can use these buttons."
_NOT_YOURS_IN_GROUP = "Only the person who asked, or an admin of this group, can use these buttons."


class ResultTaps:
    """Handles taps on the buttons under results."""

    def __init__(self, services: Services, forms: Forms) -> None:
        self._services = services
        self._forms = forms
        self._estimates = Estimates(services.queues.client)

    async def more(self, incoming: IncomingTap) -> TapAnswer:
        """Show another page of buttons under a result."""
        button = ButtonData.decode(incoming.data)
        if button is None or button.argument not in set(ResultPage):
            return self._refuse(_TOO_OLD)
        draft = await self._services.drafts.find(button.draft_id)
        if draft is None or draft.chat_id != incoming.chat_id:
            return self._refuse(_TOO_OLD)
        # "Delete" is behind "More".
        if not await may_remove(self._services, draft, incoming.person_id):
            return self._refuse_other(incoming)
        keyboard = await self._keyboard(draft, button)
        if keyboard is None:
            return self._refuse(_TOO_OLD)
        edit = self._services.messenger.edit_keyboard
        show = partial(edit, incoming.chat_id, incoming.message_id, keyboard)
        return TapAnswer(then=show, only_shows=True)

    async def form(self, incoming: IncomingTap) -> TapAnswer:
        """Send a result in the form of the button."""
        button = ButtonData.decode(incoming.data)
        if button is not None and button.action is ButtonAction.AS_FILE:
            button = replace(button, argument=Form.FILE)
        if button is None or button.argument not in set(Form):
            return self._refuse(_TOO_OLD)
        owner, entry = await self._entry_of(incoming, button)
        if entry is None:
            return self._refuse(_TOO_OLD) if owner is not None else self._refuse_other(incoming)
        return await self.send(incoming, entry, Form(button.argument), owner)

    async def send(
        self,
        incoming: IncomingTap,
        entry: HistoryEntry,
        form: Form,
        owner: int | None = None,
    ) -> TapAnswer:
        """Send a result to the chat of a tap.

        Args:
            incoming: the tap.
            entry: the result.
            form: in which form.
            owner: whose result it is; None: the person's who tapped.
        """
        resend = Resend(
            person=owner or incoming.person_id,
            draft=entry.draft,
            number=entry.number,
            form=form,
            chat=incoming.chat_id,
            thread_id=incoming.thread_id,
            reply_to=incoming.message_id,
        )
        try:
            await self._forms.send(entry, resend, incoming.query_id)
        except UserError as error:
            return TapAnswer(error_text(error, self._services.texts), is_alert=True)
        return TapAnswer(self._services.texts("It is on its way."))

    async def _entry_of(
        self, incoming: IncomingTap, button: ButtonData
    ) -> tuple[int | None, HistoryEntry | None]:
        """Return whose result a button is about, if the person may use it, and the result."""
        history, place = self._services.history, (button.draft_id, button.number)
        person = incoming.person_id
        if (entry := (await history.read(person)).find(*place)) is not None:
            return person, entry
        draft = await self._services.drafts.find(button.draft_id)
        if draft is None or draft.chat_id != incoming.chat_id or draft.person_id == person:
            return person, None
        if not await may_use(self._services, draft, person):
            return None, None
        return draft.person_id, (await history.read(draft.person_id)).find(*place)

    async def _keyboard(self, draft: Draft, button: ButtonData) -> Keyboard | None:
        services = self._services
        card = await services.order_cards.read(draft.order_id_of(button.number))
        if card is None:
            return None
        offer, again = await services.offers.now(), as_ordered(draft, card)
        wish, times = card.order.wish, {}
        if button.argument == ResultPage.MORE:
            for name in offer.choosable(card.order.engine, wish.face_count):
                times[name] = await self._estimates.of_new_order(name, wish.cost_frames)
        can_share = services.messenger.is_inline
        buttons = ResultButtons(card, draft.number, offer, can_share, again, times)
        return buttons.page(ResultPage(button.argument), services.texts)

    def _refuse_other(self, incoming: IncomingTap) -> TapAnswer:
        return self._refuse(_NOT_YOURS_IN_GROUP if incoming.chat_id < 0 else _NOT_YOURS)

    def _refuse(self, sentence: str) -> TapAnswer:
        return TapAnswer(self._services.texts(sentence), is_alert=True)
