"""The buttons under a result: a short row, and the pages behind "More".

SHORT    Share, More, Another movement
MORE     stronger, weaker, from another frame, other forms, as file, delete
FORMS    the forms
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import Button, Keyboard, in_rows
from bot.orders.offers import BEST_FRAME_RANK, FIND_BEST_FRAME
from bot.orders.order_cards import OrderCard
from bot.orders.strength import LESS, MORE, STRENGTH, next_strength
from bot.texts import Texts
from jobs.media_tasks import Form
from jobs.orders import Order

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
        options: those that the engine supports.
        can_share: whether the bot is in inline mode.
    """

    card: OrderCard
    number: int | None
    options: Iterable[str] = ()
    can_share: bool = True

    def page(self, page: ResultPage, _: Texts) -> Keyboard:
        """Return one of the pages."""
        match page:
            case ResultPage.MORE:
                return (*self._more_rows(_), (self._turn(_("« Back"), ResultPage.SHORT),))
            case ResultPage.FORMS:
                order = self.card.order
                has_face = not self._is_of_several and order.wish.face_count == 1
                forms = form_rows(order.draft, order.number, _, has_face=has_face)
                return (*forms, (self._turn(_("« Back"), ResultPage.MORE),))
        share = (share_button(self.card.title, _),) if self.can_share else ()
        first = (*share, self._turn(_("⋯ More"), ResultPage.MORE))
        number = self.card.number + 1 if self.number is None else self.number
        again = ButtonData(ButtonAction.AGAIN, self.card.draft_id, number)
        numbers = numbers_keyboard(self.card.order) if self.number is not None else ()
        return (*numbers, first, (Button(_("🔁 Another movement"), again),))

    @property
    def _is_of_several(self) -> bool:
        return bool(self.card.order.wish.movement.templates)

    def _more_rows(self, _: Texts) -> Keyboard:
        wish, options = self.card.order.wish, set(self.options)
        rows: list[tuple[Button, ...]] = []
        if wish.clip is not None and {FIND_BEST_FRAME, BEST_FRAME_RANK} <= options:
            rows.append((self._button(_("🎯 From another frame"), ButtonAction.BEST_FRAME),))
        if STRENGTH in options and not self._is_of_several:
            labels = {LESS: _("🔽 A little less"), MORE: _("🔼 A little more")}
            rows.append(
                tuple(
                    self._button(label, ButtonAction.STRENGTH, step)
                    for step, label in labels.items()
                    if next_strength(wish, step) is not None
                )
            )
        rows.append((self._turn(_("🎞 Other forms"), ResultPage.FORMS),))
        as_file = self._button(_("📄 As file"), ButtonAction.AS_FILE)
        return (*rows, (as_file, self._button(_("🗑 Delete"), ButtonAction.DELETE)))

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
