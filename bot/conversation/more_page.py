"""The page "More" of a draft's card; that of a result is in `bot/orders/result_keyboard.py`.

It keeps the card's keyboard short; nobody needs it for a good video.
"""

from collections.abc import Iterable, Mapping

from bot.callback_data import ANOTHER_FACE, ButtonAction, ButtonData
from bot.conversation.draft_text import Choice
from bot.drafts.draft import Draft
from bot.gateway.messenger import Button, MessageContent
from bot.orders.card_text import time_text
from bot.orders.offers import Offer
from bot.orders.variations import variations
from bot.texts import Texts
from jobs.queues.waiting import TimeRange


def draft_page(
    draft: Draft, choice: Choice, offer: Offer, times: Mapping[str, TimeRange | None], _: Texts
) -> MessageContent:
    """The page of a draft.

    Args:
        draft: the draft.
        choice: what can be chosen.
        offer: what workers can do.
        times: how long an order would take now, by engine; None: unknown.
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
    if len(choice.engines) > 1:
        lines += _engine_lines(choice, times, _)
        rows.append(
            tuple(
                button(offer.label(name, choice.engine, _), ButtonAction.ENGINE, name)
                for name in choice.engines
            )
        )
    if len(draft.faces) > 1:
        rows.append((button(_("👥 Another face"), ButtonAction.AGAIN, ANOTHER_FACE),))
    back = button(_("« Back"), ButtonAction.PAGE, "0")
    return MessageContent("\n".join(lines), (*filter(None, rows), (back,)))


def _engine_lines(choice: Choice, times: Mapping[str, TimeRange | None], _: Texts) -> Iterable[str]:
    """What each engine is good at, and how long an order would take now."""
    for name in choice.engines:
        button, time = choice.buttons.get(name, ""), times.get(name)
        line = f"{_(button)}: {name}" if button else name
        yield _("{text} ({time})", text=line, time=time_text(time, _)) if time else line
