"""The buttons under a result: a short row, and the pages behind "More".

SHORT    Share, More, Another movement
MORE     variations, each a new order; other forms, as file, delete
FORMS    the forms

In groups, each page has Report.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.callback_data import ANOTHER_FACE, ButtonAction, ButtonData
from bot.drafts.draft import Draft
from bot.gateway.messenger import Button, Keyboard, in_rows
from bot.orders.card_text import time_text
from bot.orders.offers import BEST_FRAME_RANK, FIND_BEST_FRAME, NOTHING, Offer
from bot.orders.order_cards import OrderCard
from bot.orders.variations import ENGINE, variations
from bot.texts import Texts
from jobs.media_tasks import Form
from jobs.orders import Order
from jobs.queues.waiting import TimeRange

_NUMBERS_IN_A_ROW = 3  # as in the animation


class ResultPage(StrEnum):
    """What the buttons under a result show."""

    SHORT = "short"
    MORE = "more"
    FORMS = "forms"


@dataclass(frozen=True)
class ResultButtons:
    """The buttons under a result.

    Attributes:
        card: the order's card.
        number: the draft's current number: the next order from it; None if the draft is gone.
        offer: what workers can do.
        can_share: whether the bot is in inline mode.
        again: the draft as it was for this order; None: no variations are offered.
        times: how long the same order would take now, by engine, as far as that is known.
    """

    card: OrderCard
    number: int | None
    offer: Offer = NOTHING
    can_share: bool = True
    again: Draft | None = None
    times: Mapping[str, TimeRange | None] = field(default_factory=dict)

    def page(self, page: ResultPage, _: Texts) -> Keyboard:
        """Return one of the pages."""
        match page:
            case ResultPage.MORE:
                return (*self._more_rows(_), self._back_row(ResultPage.SHORT, _))
            case ResultPage.FORMS:
                order = self.card.order
                has_face = not self._is_of_several and order.wish.face_count == 1
                forms = form_rows(order.draft, order.number, _, has_face=has_face)
                return (*forms, self._back_row(ResultPage.MORE, _))
        share = (share_button(self.card.title, _),) if self.can_share else ()
        first = (*share, self._turn(_("⋯ More"), ResultPage.MORE))
        number = self.card.number + 1 if self.number is None else self.number
        again = ButtonData(ButtonAction.AGAIN, self.card.draft_id, number)
        numbers = numbers_keyboard(self.card.order) if self.number is not None else ()
        last = Button(_("🔁 Another movement"), again)
        return (*numbers, first, (last, *self._report(_)))

    @property
    def _is_of_several(self) -> bool:
        return bool(self.card.order.wish.movement.templates)

    def _back_row(self, page: ResultPage, _: Texts) -> tuple[Button, ...]:
        # Whoever reports a result may not turn its pages.
        return (self._turn(_("« Back"), page), *self._report(_))

    def _report(self, _: Texts) -> tuple[Button, ...]:
        is_group = self.card.is_group
        return (self._button(_("⚠️ Report"), ButtonAction.REPORT),) if is_group else ()

    def _more_rows(self, _: Texts) -> Keyboard:
        rows = self._variation_rows(self.again, _) if self.again is not None else []
        rows.append((self._turn(_("🎞 Other forms"), ResultPage.FORMS),))
        as_file = self._button(_("📄 As file"), ButtonAction.FORM, Form.FILE)
        return (*rows, (as_file, self._button(_("🗑 Delete"), ButtonAction.DELETE)))

    def _variation_rows(self, again: Draft, _: Texts) -> list[tuple[Button, ...]]:
        """The buttons that order the same again with one change."""
        order, offer = self.card.order, self.offer
        rows = [
            tuple(self._button(one.text, ButtonAction.OPTION, one.argument) for one in row)
            for row in variations(again, order.wish.movement, offer, _)
        ]
        options = offer.options(order.engine)
        if order.wish.clip is not None and {FIND_BEST_FRAME, BEST_FRAME_RANK} <= options:
            rows.append((self._button(_("🎯 From another frame"), ButtonAction.BEST_FRAME),))
        engines = offer.choosable(order.engine, order.wish.face_count)
        if len(engines) > 1 and not self._is_of_several:
            rows += [(self._engine(name, _),) for name in engines]
        if len(again.faces) > 1:
            rows.append((self._button(_("👥 Another face"), ButtonAction.AGAIN, ANOTHER_FACE),))
        return [row for row in rows if row]

    def _engine(self, name: str, _: Texts) -> Button:
        """The button that orders the same from an engine: what it does, and how long it takes."""
        label, time = self.offer.label(name, self.card.order.engine, _), self.times.get(name)
        if time is not None:
            label = _("{text} ({time})", text=label, time=time_text(time, _))
        return self._button(label, ButtonAction.OPTION, f"{ENGINE}{name}")

    def _turn(self, label: str, page: ResultPage) -> Button:
        return self._button(label, ButtonAction.MORE, page)

    def _button(self, label: str, action: ButtonAction, argument: str = "") -> Button:
        data = ButtonData(action, self.card.draft_id, self.card.number, argument)
        return Button(label, data)


def numbers_keyboard(order: Order) -> Keyboard:
    """The numbered buttons under an animation of all movements; none under others."""
    buttons = [
        Button(str(number), ButtonData(ButtonAction.ONE_OF_ALL, order.draft, order.number, name))
        for number, name in enumerate(order.wish.movement.templates, start=1)
    ]
    return tuple(in_rows(buttons, _NUMBERS_IN_A_ROW))


def form_rows(draft: str, number: int, _: Texts, *, has_face: bool) -> Keyboard:
    """The buttons that ask for another form of a result; round ones need a single face."""
    labels = {Form.VIDEO: _("🎬 Video"), Form.GIF: _("🖼 GIF file")}
    if has_face:
        labels |= {Form.ROUND: _("⭕️ Round video"), Form.STICKER: _("✨ Sticker")}
    buttons = [
        Button(label, ButtonData(ButtonAction.FORM, draft, number, form))
        for form, label in labels.items()
    ]
    return tuple(in_rows(buttons, 2))


def share_button(title: str, _: Texts) -> Button:
    """The button that offers the person's results of this movement in another chat.

    Args:
        title: the result's.
        _: the texts.
    """
    emoji, _space, name = title.partition(" ")
    if any(map(str.isalnum, emoji)):
        name = title
    return Button(_("↗️ Share"), share=name.partition(",")[0])
