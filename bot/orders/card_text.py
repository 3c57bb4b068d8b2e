"""What an order's messages say, from the first status to the result, and when they are edited.

Telegram allows few edits: a status card changes when the order enters another phase, at large steps
of the work, or when its turn comes near.
"""

import math
from dataclasses import dataclass, field
from typing import Self

from bot.callback_data import ANOTHER_FACE, ButtonAction, ButtonData
from bot.drafts.choices import strength_of
from bot.error_text import error_text
from bot.gateway.messenger import Button, MessageContent
from bot.movements import Movements
from bot.orders.offers import NOTHING, Offer
from bot.orders.order_cards import FinalMessage, OrderCard
from bot.orders.sending import Refused
from bot.texts import DEFAULT_LANGUAGE, Texts, current_language
from jobs.errors import AnimatoError, BrokenTemplate, NoFaceInBox, UnknownTemplate, UserError
from jobs.model import Value
from jobs.orders import OrderState, Result, Stage
from jobs.queues.outcomes import CancelOutcome
from jobs.queues.status import Status
from jobs.queues.waiting import ShownPlace, TimeRange
from jobs.service_errors import FileGone
from jobs.templates import Template
from jobs.wish import Wish

# A worker reports every 2 s; one that does not is gone, or its machine is.
_SILENT_S = 10.0
_NEAR = 3  # places from here on are worth an edit each
_MINUTE_S, _HOUR_S = 60, 3600
_CAPTION_CHARACTERS = 1024


@dataclass(frozen=True)
class OrderStanding:
    """The state of an order, as its card shows it.

    Attributes:
        phase: `waiting`, `unattended` (no live worker for its engine), `retrying`, a `Stage`,
            `silent` (its worker does not answer), or `stopping`.
        place: in the queue.
        percent: of the work that is done.
        time: until it is done, or None if there is no estimate.
        others: engines of live workers that an unattended order could use instead.
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
        every_s: the least time between two edits.
        most: the most edits of one card.
        most_places: the most edits that only change the place in the queue.
        step: the progress that is worth an edit, per cent.
    """

    every_s: float
    most: int
    most_places: int
    step: int


PRIVATE = Policy(every_s=4, most=8, most_places=3, step=20)
GROUP = Policy(every_s=15, most=4, most_places=1, step=50)


def standing_of(card: OrderCard, status: Status, engines: tuple[str, ...]) -> OrderStanding:
    """Return an order's standing, without the time.

    Args:
        card: as it was shown last.
        status: of an order that has not ended.
        engines: those of live workers.
    """
    progress = status.progress
    if card.is_stopping:
        return OrderStanding("stopping", percent=card.shown_percent)
    if status.state is OrderState.RUNNING and status.silent_s > _SILENT_S:
        return OrderStanding("silent")
    if status.state is OrderState.RUNNING:
        stage = progress.stage if progress else Stage.PREPARING
        return OrderStanding(stage, percent=round(100 * progress.share) if progress else 0)
    place = card.shown.updated(status.ahead)
    if card.order.engine not in engines:
        # Only one engine can show all movements at once.
        others = () if card.order.wish.movement.templates else engines
        return OrderStanding("unattended", place, others=others)
    return OrderStanding("retrying" if status.state is OrderState.RETRYING else "waiting", place)


def is_worth_an_edit(card: OrderCard, standing: OrderStanding, now_s: float) -> bool:
    """Whether the standing differs enough from what the card shows."""
    is_new_phase = standing.phase != card.shown_phase
    if not card.edits or (is_new_phase and card.is_stopping):
        return True
    policy = GROUP if card.is_group else PRIVATE
    if card.edits >= policy.most or now_s - card.edited_s < policy.every_s:
        return False
    if is_new_phase or standing.percent - card.shown_percent >= policy.step:
        return True
    before, place = card.shown.place, standing.place.place
    if before is None or place is None or card.edits >= policy.most_places:
        return False
    return place < before and (place <= _NEAR or before - place >= _NEAR)


def status_content(
    card: OrderCard, standing: OrderStanding, _: Texts, offer: Offer = NOTHING
) -> MessageContent:
    """The status card of an order; `offer` names the engines."""
    lines = [card.title, *_lines(standing, _)]
    if standing.phase == "stopping":
        return MessageContent("\n".join(lines))
    others = [
        _button(card, _("Use {engine} instead", engine=label), ButtonAction.ENGINE, engine)
        for engine in standing.others
        for label in (offer.label(engine, None, _),)
    ]
    cancel = _button(card, _("✖️ Cancel"), ButtonAction.CANCEL)
    return MessageContent("\n".join(lines), tuple((button,) for button in (*others, cancel)))


def time_text(time: TimeRange, _: Texts) -> str:
    """A range of time, rounded to minutes or hours."""
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
            lines = [_("Starting now.")]
        case Stage.ANIMATING:
            text = _("Animating: {percent} %", percent=standing.percent)
            lines = [_with_time(text, standing, _)]
        case Stage.STORING:
            lines = [_("Almost done ...")]
        case "silent":
            lines = [
                _("The worker stopped answering. Your order waits for another one, in first place.")
            ]
        case "unattended":
            lines = [_("No worker is online for this right now. Your place is kept.")]
            if standing.others:
                lines.append(_("Another engine is available:"))
        case "retrying":
            lines = [_("Something went wrong. Retrying.")]
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
        lines.append(_("People with fewer recent videos go first."))
    return lines


def _with_time(text: str, standing: OrderStanding, _: Texts) -> str:
    if standing.time is None:
        return text
    text = text.removesuffix(".")
    return _("{text} ({time})", text=text, time=time_text(standing.time, _))


def _button(card: OrderCard, label: str, action: ButtonAction, argument: str = "") -> Button:
    return Button(label, ButtonData(action, card.draft_id, card.number, argument))


# --- results ------------------------------------------------------------------------------------


def title_of(template: Template) -> str:
    """A movement's emoji and title."""
    title = template.title.get(current_language()) or template.title[DEFAULT_LANGUAGE]
    return f"{template.emoji} {title}"


class TitleParts(Value):
    """What the title of an order or a result is made of.

    Attributes:
        template: the movement's name; empty for a clip, a voice alone, or several movements.
        template_count: how many movements are shown side by side, or 0.
        has_voice: whether the face says a recording.
        face_count: how many faces move.
        strength: of the movement.
    """

    template: str = ""
    template_count: int = 0
    has_voice: bool = False
    face_count: int = 1
    strength: float = 1.0

    @classmethod
    def of(cls, wish: Wish) -> Self:
        """Return those of an order."""
        return cls(
            template=wish.movement.template or "",
            template_count=len(wish.movement.templates),
            has_voice=wish.voice is not None,
            face_count=wish.face_count,
            strength=strength_of(wish),
        )


def order_title(parts: TitleParts, catalogue: Movements, _: Texts) -> str:
    """What an order makes.

    Raises:
        UnknownTemplate, BrokenTemplate: its movement is not offered any more.
    """
    if count := parts.template_count:
        if count == len(catalogue):
            return _("✨ All movements")
        return _.plural("✨ {count} movement", "✨ {count} movements", count)
    if parts.template:
        title = title_of(catalogue.get(parts.template))
    else:
        title = _("🎤 Speaking") if parts.has_voice else _("🎬 Your clip")
    if (count := parts.face_count) > 1:
        title = _.plural("{title}, {count} face", "{title}, {count} faces", count, title=title)
    if parts.strength != 1:
        percent = round(100 * parts.strength)
        title = _("{title}, strength {percent} %", title=title, percent=percent)
    return title


def current_title(parts: TitleParts, stored: str, catalogue: Movements, _: Texts) -> str:
    """Return a title in the current language; `stored` if its movement is not offered any more."""
    try:
        return order_title(parts, catalogue, _)
    except (UnknownTemplate, BrokenTemplate):
        return stored


def with_title(card: OrderCard, catalogue: Movements, texts: Texts) -> OrderCard:
    """Return a card with its title in the current language, if its movement is still offered."""
    title = current_title(TitleParts.of(card.order.wish), card.title, catalogue, texts)
    return card.model_copy(update={"title": title})


def caption(card: OrderCard, result: Result, _: Texts) -> str:
    """The caption of an order's result."""
    return result_caption(card.title, result.label, _, has_voice=card.order.wish.voice is not None)


def result_caption(title: str, label: str, _: Texts, *, has_voice: bool) -> str:
    """The caption of a result: its title, and how picture and sound were made."""
    lines = [title, _(label)]
    if has_voice:
        lines.append(
            _(
                "The voice comes from the recording that was sent; it moves the lips. Nothing was "
                "cloned."
            )
        )
    return "\n".join(lines)[:_CAPTION_CHARACTERS]


def failure_content(card: OrderCard, error: AnimatoError, number: int, _: Texts) -> MessageContent:
    """Why an order failed, and what to do next.

    Args:
        card: the order's card.
        error: why it failed.
        number: the draft's current number: the next order from it.
        _: the texts.
    """
    again = _another_movement(card, number, _)
    if isinstance(error, NoFaceInBox):
        again_data = ButtonData(ButtonAction.AGAIN, card.draft_id, number, ANOTHER_FACE)
        again = Button(_("🔁 Another part"), again_data)
    if isinstance(error, UserError):
        text = _("{title}: {reason}", title=card.title, reason=error_text(error, _))
        return MessageContent(text, ((again,),))
    if isinstance(error, FileGone):
        text = _(
            "{title}: a file it needs was deleted; files are kept for a limited time. Tap Try "
            "again to make it once more.",
            title=card.title,
        )
    else:
        text = _(
            "{title}: something went wrong on our side (order {order}). The owner can see it. Tap "
            "Try again; if it fails once more, try another movement.",
            title=card.title,
            order=card.order_id,
        )
    return MessageContent(text, ((_button(card, _("↻ Try again"), ButtonAction.RETRY),), (again,)))


def final_content(card: OrderCard, message: FinalMessage, _: Texts) -> MessageContent:
    """The status card after the end of its order."""
    row = (_another_movement(card, card.number + 1, _),) if message.offers_more else ()
    return MessageContent(message.text, (row,))


def _another_movement(card: OrderCard, number: int, _: Texts) -> Button:
    return Button(_("🔁 Another movement"), ButtonData(ButtonAction.AGAIN, card.draft_id, number))


def done_message(card: OrderCard, now_s: float, _: Texts) -> FinalMessage:
    """The card's final message after the result was sent."""
    seconds = max(1, round(now_s - card.begun_s))
    text = _("{title}: done in {seconds} s.", title=card.title, seconds=seconds)
    if seconds >= 2 * _MINUTE_S:
        minutes = round(seconds / _MINUTE_S)
        text = _("{title}: done in {minutes} min.", title=card.title, minutes=minutes)
    return FinalMessage(text=text)


def failed_message(card: OrderCard, _: Texts) -> FinalMessage:
    """The card's final message after the failure was sent as a separate message."""
    return FinalMessage(text=_("{title} failed.", title=card.title))


def refused_message(card: OrderCard, refused: Refused, _: Texts) -> FinalMessage:
    """The card's final message if its chat refused the result."""
    if refused.is_too_large:
        text = _(
            "{title}: it is done, but the file is too large to be sent here. Choose a shorter "
            "clip or recording, or another movement.",
            title=card.title,
        )
    elif refused.is_unsigned:
        text = _(
            "{title}: it is done, but it could not be signed, and this bot sends only signed "
            "videos. Please order it again.",
            title=card.title,
        )
    else:
        text = _("{title} could not be sent: Telegram does not allow it here.", title=card.title)
    return FinalMessage(text=text, offers_more=True)


def lost_message(card: OrderCard, _: Texts) -> FinalMessage:
    """The card's final message if no queue has the order."""
    text = _(
        "{title}: this order was lost on our side. Tap Another movement to order it again.",
        title=card.title,
    )
    return FinalMessage(text=text, offers_more=True)


def error_message(card: OrderCard, reason: str, _: Texts) -> FinalMessage:
    """The card's final message if the queues have lost the order and refuse it now."""
    return FinalMessage(
        text=_("{title}: {reason}", title=card.title, reason=reason), offers_more=True
    )


def cancelled_message(card: OrderCard, _: Texts) -> FinalMessage:
    """The card's final message if the order was cancelled, or replaced by another one."""
    if card.replaced_by is not None:
        text = _("{title}: see the video below.", title=card.title)
        return FinalMessage(text=text)
    return FinalMessage(text=_("{title}: cancelled.", title=card.title), offers_more=True)


def cancel_text(outcome: CancelOutcome, _: Texts) -> str:
    """What the person reads after asking to cancel."""
    match outcome:
        case CancelOutcome.REMOVED:
            return _("Cancelled.")
        case CancelOutcome.TOLD:
            return _("It stops in a moment.")
        case CancelOutcome.TOO_LATE:
            return _("Too late: it has ended already.")
        case CancelOutcome.UNKNOWN:
            return _("There is nothing to cancel any more.")
