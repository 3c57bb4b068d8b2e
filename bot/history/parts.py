"""The parts of the history, and how they work together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from bot.history.forms import Forms
from bot.history.inline import InlineResults
from bot.history.pages import HistoryPages
from bot.history.result_taps import ResultTaps
from bot.movements import Movements
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
    def create(cls, services: Services, catalogue: Movements, *, invites: bool) -> Self:
        """Create them; see `InlineResults` for `invites`."""
        forms = Forms(services, catalogue)
        taps = ResultTaps(services, forms)
        inline = InlineResults(services, catalogue, invites=invites)
        return cls(forms, taps, HistoryPages(services, taps), inline)

    @property
    def receivers(self) -> Mapping[str, MediaReceiver]:
        """Who gets what workers have made, by the kind of task."""
        return {"form": self.forms.receive, "sheet": self.pages.receive}
