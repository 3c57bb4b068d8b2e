"""The page "More" of a draft's card and of a result: what can be chosen there.

It keeps the ordinary keyboards short; nobody needs it for a good video.
"""

from collections.abc import Iterable, Mapping

from bot.callback_data import ANOTHER_FACE, ButtonAction, ButtonData
from bot.conversation.draft_text import Choice
from bot.drafts.draft import Draft
from bot.gateway.messenger import Button, Keyboard, MessageContent
from bot.orders.card_text import time_text
from bot.orders.offers import BEST_FRAME_RANK, FIND_BEST_FRAME, Offer
from bot.orders.order_cards import OrderCard
from bot.orders.variations import ENGINE, Variation, variations
from bot.texts import Texts
from jobs.queues.waiting import TimeRange

BACK = "back"  # an argument of MORE


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
        tuple(button(_label(one), ButtonAction.OPTION, one.argument) for one in row)
        for row in variations(draft, None, offer, _)
    ]
    lines = [_("These hold for the next videos of this photo.")]
    if draft.choices.strength != 1:
        percent = round(100 * draft.choices.strength)
        lines.append(_("Strength of the movement: {percent} %", percent=percent))
    if len(choice.engines) > 1:
        lines += _engine_lines(choice, times, _)
        rows.append(
            tuple(
                button(_engine_label(name, choice, _), ButtonAction.ENGINE, name)
                for name in choice.engines
            )
        )
    if len(draft.faces) > 1:
        rows.append((button(_("👥 Another face"), ButtonAction.AGAIN, ANOTHER_FACE),))
    return MessageContent("\n".join(lines), _with_back(rows, button(_("◀️ Back"), *_BACK)))


def result_page(again: Draft, card: OrderCard, choice: Choice, offer: Offer, _: Texts) -> Keyboard:
    """The page of a result: each tap orders a new video.

    Args:
        again: the draft with the order's choices.
        card: the order's card.
        choice: what can be chosen for it.
        offer: what workers can do.
        _: the texts.
    """

    def button(label: str, action: ButtonAction, argument: str = "") -> Button:
        return Button(label, ButtonData(action, card.draft_id, card.number, argument))

    rows = [
        tuple(button(_label(one), ButtonAction.OPTION, one.argument) for one in row)
        for row in variations(again, card.order.wish.movement, offer, _)
    ]
    options = offer.options(card.order.engine)
    if card.order.wish.clip is not None and {FIND_BEST_FRAME, BEST_FRAME_RANK} <= options:
        rows.append((button(_("🎯 From another frame"), ButtonAction.BEST_FRAME),))
    if len(choice.engines) > 1:
        rows.append(
            tuple(
                button(_engine_label(name, choice, _), ButtonAction.OPTION, f"{ENGINE}{name}")
                for name in choice.engines
            )
        )
    if len(again.faces) > 1:
        rows.append((button(_("👥 Another face"), ButtonAction.AGAIN, ANOTHER_FACE),))
    return _with_back(rows, button(_("◀️ Back"), *_BACK))


_BACK = (ButtonAction.MORE, BACK)


def _label(one: Variation) -> str:
    return f"✓ {one.label}" if one.is_chosen else one.label


def _engine_label(name: str, choice: Choice, _: Texts) -> str:
    label = _(choice.buttons[name]) if choice.buttons.get(name) else name
    return f"✓ {label}" if name == choice.engine else label


def _engine_lines(choice: Choice, times: Mapping[str, TimeRange | None], _: Texts) -> Iterable[str]:
    """What each engine is good at, and how long an order would take now."""
    for name in choice.engines:
        button, time = choice.buttons.get(name, ""), times.get(name)
        line = f"{_(button)}: {name}" if button else name
        yield _("{text} ({time})", text=line, time=time_text(time, _)) if time else line


def _with_back(rows: Iterable[tuple[Button, ...]], back: Button) -> Keyboard:
    return (*filter(None, rows), (back,))
