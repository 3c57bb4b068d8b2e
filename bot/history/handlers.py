"""Creates and registers the handlers of `/history` and of inline mode."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from telegram import Message, Update
from telegram.ext import (
    ChosenInlineResultHandler,
    CommandHandler,
    InlineQueryHandler,
    filters,
)

from bot.callback_data import ButtonAction
from bot.gateway.application import AnyApplication, Context, on_message
from bot.gateway.updates import TapHandler, incoming_message
from bot.history.forms import Forms
from bot.history.inline import InlineResults
from bot.history.pages import HistoryPages
from bot.history.result_taps import ResultTaps
from bot.movements import Movements
from bot.orders.look_delivery import TellAdmins
from bot.orders.media_delivery import MediaReceiver
from bot.services import Services


@dataclass(frozen=True)
class HistoryHandlers:
    """What answers commands, buttons and inline queries about the history.

    Attributes:
        forms: sends results again.
        taps: the buttons under results.
        pages: `/history`.
        inline: answers inline queries.
    """

    forms: Forms
    taps: ResultTaps
    pages: HistoryPages
    inline: InlineResults

    @classmethod
    def create(
        cls, services: Services, catalogue: Movements, tell_admins: TellAdmins, *, invites: bool
    ) -> Self:
        """Create them; see `Forms` and `InlineResults` for the arguments."""
        forms = Forms(services, catalogue, tell_admins)
        taps = ResultTaps(services, forms)
        inline = InlineResults(services, invites=invites)
        return cls(forms, taps, HistoryPages(services, taps), inline)

    @property
    def taps_by_action(self) -> Mapping[ButtonAction, TapHandler]:
        """What handles the buttons."""
        return {
            ButtonAction.MORE: self.taps.more,
            ButtonAction.FORM: self.taps.form,
            ButtonAction.AS_FILE: self.taps.form,
            ButtonAction.HISTORY: self.pages.tap,
        }

    @property
    def receivers(self) -> Mapping[str, MediaReceiver]:
        """Who gets what workers have made, by the kind of task."""
        return {"form": self.forms.receive, "sheet": self.pages.receive}


def add_history_handlers(application: AnyApplication, handlers: HistoryHandlers) -> None:
    """Register them, before `add_conversation_handlers`; for the buttons see `add_tap_handlers`."""
    private = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE

    async def history(message: Message) -> None:
        await handlers.pages.show(incoming_message(message))

    async def query(update: Update, _context: Context) -> None:
        if update.inline_query is not None:
            await handlers.inline.answer(update.inline_query)

    async def chosen(_update: Update, _context: Context) -> None:
        handlers.inline.count_chosen()

    application.add_handler(CommandHandler("history", on_message(history), filters=private))
    application.add_handler(InlineQueryHandler(query))
    application.add_handler(ChosenInlineResultHandler(chosen))
