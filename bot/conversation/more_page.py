"""The page "More" of a draft's card; that of a result is in `bot/orders/result_keyboard.py`.

It keeps the card's own keyboard short.
"""

from collections.abc import Iterable, Mapping

from bot.callback_data import ANOTHER_FACE, ButtonAction, ButtonData
from bot.drafts.draft import Draft
from bot.gateway.messenger import Button, MessageContent
from bot.orders.card_text import time_text
from bot.orders.offers import Offer
from bot.orders.variations import variations
from bot.texts import Texts
from jobs.queues.waiting import TimeRange


def draft_page(
    draft: Draft, offer: Offer, times: Mapping[str, TimeRange | None], _: Texts
) -> MessageContent:
    """The page of a draft.

    Args:
        draft: the draft.
        offer: what workers can do.
        times: the engines that can be chosen, with the time that an order would take now; None:
            unknown.
        _: the texts.
    """

    def button(label: str, action: ButtonAction, argument: str = "") -> Button:
        return Button(label, ButtonData(action, draft.draft_id, draft.number, argument))

    rows = [
        tuple(button(one.text, ButtonAction.OPTION, one.argument) for one in row)
        for row in variations(draft, None, offer, _)
    ]
    lines = [_("These choices apply to your next videos of this photo.")]
    if draft.choices.strength != 1:
        percent = round(100 * draft.choices.strength)
        lines.append(_("Strength of the movement: {percent} %", percent=percent))
    if len(times) > 1:
        lines += _engine_lines(offer, times, _)
        chosen = offer.engine_or_default(draft.engine, len(draft.face_boxes))
        rows.append(
            tuple(button(offer.label(name, chosen, _), ButtonAction.ENGINE, name) for name in times)
        )
    if len(draft.faces) > 1:
        rows.append((button(_("👥 Another face"), ButtonAction.AGAIN, ANOTHER_FACE),))
    back = button(_("« Back"), ButtonAction.PAGE, "0")
    return MessageContent("\n".join(lines), (*filter(None, rows), (back,)))


def _engine_lines(offer: Offer, times: Mapping[str, TimeRange | None], _: Texts) -> Iterable[str]:
    """What each engine is good at, and how long an order would take now."""
    for name, time in times.items():
        label = offer.label(name, None, _)
        line = name if label == name else f"{label}: {name}"
        yield _("{text} ({time})", text=line, time=time_text(time, _)) if time else line
