"""What a status card says, and when it is worth an edit; pure functions.

Telegram allows few edits, and people look now and then: a card changes when the order begins
something else, at large steps of the work, or when its turn comes near.
"""

import math
from dataclasses import dataclass, field

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import Button, MessageContent
from bot.orders.order_cards import OrderCard
from bot.texts import Texts
from jobs.orders import OrderState, Stage
from jobs.queues.status import Status
from jobs.queues.waiting import ShownPlace, TimeRange

_NEAR = 3  # places from here on are worth an edit each
_MINUTE_S, _HOUR_S = 60, 3600


@dataclass(frozen=True)
class OrderStanding:
    """How an order stands.

    Attributes:
        phase: `waiting`, `unattended` (no live worker for its engine), `retrying`, a `Stage`, or
            `stopping`.
        place: as the card is to show it.
        percent: of the work that is done.
        time: until it is done, or None if that cannot be told.
        others: engines of workers that live, for an order that nobody attends to.
    """

    phase: str
    place: ShownPlace = field(default_factory=ShownPlace)
    percent: int = 0
    time: TimeRange | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """How often a card is edited.

    Attributes:
        every_s: not more often.
        most: so many edits of an order in all.
        most_places: of these, so many for its place.
        step: so many per cent are worth one.
    """

    every_s: float
    most: int
    most_places: int
    step: int


PRIVATE = Policy(every_s=4, most=8, most_places=3, step=20)
GROUP = Policy(every_s=15, most=4, most_places=1, step=50)


def standing_of(card: OrderCard, status: Status, engines: tuple[str, ...]) -> OrderStanding:
    """How an order stands, without the time.

    Args:
        card: as it was shown last.
        status: of an order that is not at its end.
        engines: of the workers that live.
    """
    progress = status.progress
    if card.is_stopping:
        return OrderStanding("stopping", percent=card.shown_percent)
    if status.state is OrderState.RUNNING:
        stage = progress.stage if progress else Stage.PREPARING
        return OrderStanding(stage, percent=round(100 * progress.share) if progress else 0)
    place = card.shown.updated(status.ahead)
    if card.order.engine not in engines:
        # All movements at once are made by one engine alone.
        others = () if card.order.wish.movement.templates else engines
        return OrderStanding("unattended", place, others=others)
    return OrderStanding("retrying" if status.state is OrderState.RETRYING else "waiting", place)


def is_worth_an_edit(card: OrderCard, standing: OrderStanding, now_s: float) -> bool:
    """Whether the card should be written again, going by what it shows.

    Args:
        card: as it was shown last.
        standing: how its order stands.
        now_s: unix time.
    """
    is_news = standing.phase != card.shown_phase
    if not card.edits or (is_news and card.is_stopping):
        return True
    policy = GROUP if card.is_group else PRIVATE
    if card.edits >= policy.most or now_s - card.edited_s < policy.every_s:
        return False
    if is_news or standing.percent - card.shown_percent >= policy.step:
        return True
    before, place = card.shown.place, standing.place.place
    if before is None or place is None or card.edits >= policy.most_places:
        return False
    return place < before and (place <= _NEAR or before - place >= _NEAR)


def status_words(card: OrderCard, standing: OrderStanding, _: Texts) -> MessageContent:
    """The card's text and its buttons."""
    lines = [card.title, *_lines(standing, _)]
    if standing.phase == "stopping":
        return MessageContent("\n".join(lines))
    others = tuple(
        Button(_("Use {engine} instead", engine=engine), _tap(card, ButtonAction.ENGINE, engine))
        for engine in standing.others
    )
    cancel = (Button(_("✖️ Cancel"), _tap(card, ButtonAction.CANCEL)),)
    return MessageContent("\n".join(lines), (*((one,) for one in others), cancel))


def time_words(time: TimeRange, _: Texts) -> str:
    """A range of time, roughly: nobody can tell it to the second."""
    if time.high_s <= _MINUTE_S:
        return _("less than a minute")
    unit_s = _MINUTE_S if time.high_s < 2 * _HOUR_S else _HOUR_S
    low, high = max(1, round(time.low_s / unit_s)), math.ceil(time.high_s / unit_s)
    if unit_s == _HOUR_S:
        return _("{low} to {high} h", low=low, high=high)
    if low == high:
        return _("about {count} min", count=high)
    return _("{low} to {high} min", low=low, high=high)


def _lines(standing: OrderStanding, _: Texts) -> list[str]:
    match standing.phase:
        case "stopping":
            lines = [_("Stopping ...")]
        case Stage.PREPARING:
            lines = [_("Your turn: it begins now.")]
        case Stage.ANIMATING:
            text = _("Animating: {percent} %", percent=standing.percent)
            lines = [_with_time(text, standing, _)]
        case Stage.STORING:
            lines = [_("Almost done ...")]
        case "unattended":
            lines = [_("No worker is online for this right now. Your place is kept.")]
            if standing.others:
                lines.append(_("Another way of animating is available:"))
        case "retrying":
            lines = [_("Something went wrong; it is tried again.")]
        case _waiting:
            lines = _waiting_lines(standing, _)
    return lines


def _waiting_lines(standing: OrderStanding, _: Texts) -> list[str]:
    place = standing.place
    if place.place is None:
        return [_("In the queue.")]
    text = _("You are next.")
    if place.place > 1:
        text = _("Your place in the queue: {place}", place=place.place)
    lines = [_with_time(text, standing, _)]
    if place.others_passed:
        lines.append(_("People who had fewer videos made went before you."))
    return lines


def _with_time(text: str, standing: OrderStanding, _: Texts) -> str:
    if standing.time is None:
        return text
    return _("{text} ({time})", text=text, time=time_words(standing.time, _))


def _tap(card: OrderCard, verb: ButtonAction, argument: str = "") -> ButtonData:
    return ButtonData(verb, card.draft, card.number, argument)
