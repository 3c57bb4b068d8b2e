"""The parts of the history, and how they work together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from bot.callback_data import ButtonAction
from bot.gateway.updates import TapHandler
from bot.history.forms import Forms
from bot.history.inline import InlineResults
from bot.history.pages import HistoryPages
from bot.history.result_taps import ResultTaps
from bot.movements import Movements
from bot.orders.look_delivery import TellAdmins
from bot.orders.media_delivery import MediaReceiver
from bot.services import Services


@dataclass(frozen=True)
class HistoryParts:
    """The parts.

    Attributes:
        forms: sends results again.
        taps: the buttons under results.
        pages: `/history`.
        inline: inline mode.
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
        inline = InlineResults(services, catalogue, invites=invites)
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
