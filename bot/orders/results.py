"""What stands under a result, a failure or a cancelled order; pure functions."""

from collections.abc import Iterable

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import Button, Keyboard, MessageContent
from bot.orders.order_cards import FinalMessage, OrderCard
from bot.orders.sending import Refused
from bot.texts import Texts
from bot.wording import sentence_of
from jobs.errors import AnimatoError, UserError
from jobs.orders import Order, Result
from jobs.service_errors import FileGone
from jobs.templates import Template

# Options of engines that know the frame of a clip whose pose is nearest the photo's.
FIND_BEST_FRAME = "find_best_frame"
BEST_FRAME_RANK = "best_frame_rank"

_CAPTION_CHARACTERS = 1024
_MINUTE_S = 60


def title_of(template: Template, language: str = "en") -> str:
    """A movement as people read it."""
    return f"{template.emoji} {template.title.get(language, template.title['en'])}"


def caption(title: str, result: Result, _: Texts) -> str:
    """What was made, and how, truthfully: the engine's own words."""
    return "\n".join((title, _(result.label)))[:_CAPTION_CHARACTERS]


def result_buttons(order: Order, number: int, options: Iterable[str], _: Texts) -> Keyboard:
    """What can be done with a result.

    Args:
        order: that it was made for.
        number: of the draft, now that the next order is a new wish.
        options: those that the engine understands.
        _: the sentences.
    """
    rows: list[tuple[Button, ...]] = [
        (Button(_("🔁 Another movement"), ButtonData(ButtonAction.AGAIN, order.draft, number)),)
    ]
    if order.wish.clip is not None and {FIND_BEST_FRAME, BEST_FRAME_RANK} <= set(options):
        rows.append(
            (
                Button(
                    _("🎯 From another frame"),
                    ButtonData(ButtonAction.BEST_FRAME, order.draft, order.number),
                ),
            )
        )
    rows.append(
        (
            Button(_("📄 As file"), ButtonData(ButtonAction.AS_FILE, order.draft, order.number)),
            Button(_("🗑 Delete"), ButtonData(ButtonAction.DELETE, order.draft, order.number)),
        )
    )
    return tuple(rows)


def failure_words(card: OrderCard, error: AnimatoError, number: int, _: Texts) -> MessageContent:
    """Why an order came to nothing, and what to do next.

    Args:
        card: of the order.
        error: why.
        number: of the draft, now that the next order is a new wish.
        _: the sentences.
    """
    again = Button(_("🔁 Another movement"), ButtonData(ButtonAction.AGAIN, card.draft, number))
    if isinstance(error, UserError):
        text = _("{title}: {reason}", title=card.title, reason=sentence_of(error, _))
        return MessageContent(text, ((again,),))
    retry = Button(_("↻ Try again"), ButtonData(ButtonAction.RETRY, card.draft, card.number))
    if isinstance(error, FileGone):
        text = _(
            "{title}: a file for this is not there any more; files are kept for a limited time. "
            "Tap Try again, and it is made anew.",
            title=card.title,
        )
    else:
        text = _(
            "{title}: something went wrong on our side (order {order}). The owner can see it. Tap "
            "Try again; if it fails once more, try another movement.",
            title=card.title,
            order=card.order_id,
        )
    return MessageContent(text, ((retry,), (again,)))


def done_ending(card: OrderCard, now_s: float, _: Texts) -> FinalMessage:
    """The card's last words when the result has been sent."""
    seconds = max(1, round(now_s - card.begun_s))
    if seconds < 2 * _MINUTE_S:
        return FinalMessage(
            text=_("{title}: done in {seconds} s.", title=card.title, seconds=seconds)
        )
    minutes = round(seconds / _MINUTE_S)
    return FinalMessage(
        text=_("{title}: done in {minutes} min.", title=card.title, minutes=minutes)
    )


def failed_ending(card: OrderCard, _: Texts) -> FinalMessage:
    """The card's last words when the failure has been told in a message of its own."""
    return FinalMessage(text=_("{title}: this one did not work out.", title=card.title))


def refused_ending(card: OrderCard, refused: Refused, _: Texts) -> FinalMessage:
    """The card's last words when its chat did not take what was sent."""
    if refused.is_too_large:
        text = _(
            "{title}: it is done, but the file is too large to be sent here. Choose a shorter "
            "clip, or another movement.",
            title=card.title,
        )
    else:
        text = _("{title} could not be sent here: {reason}.", title=card.title, reason=refused)
    return FinalMessage(text=text, offers_more=True)


def lost_ending(card: OrderCard, _: Texts) -> FinalMessage:
    """The card's last words when the order is in no queue."""
    text = _(
        "{title}: this order got lost on our side, and nothing is being made. Tap Another movement "
        "to order it again.",
        title=card.title,
    )
    return FinalMessage(text=text, offers_more=True)


def refused_again_ending(card: OrderCard, reason: str, _: Texts) -> FinalMessage:
    """The card's last words when the queues have lost the order and do not take it again."""
    return FinalMessage(
        text=_("{title}: {reason}", title=card.title, reason=reason), offers_more=True
    )


def cancelled_ending(card: OrderCard, _: Texts) -> FinalMessage:
    """The card's last words when the order was cancelled, or replaced by another one."""
    if card.replaced_by is not None:
        text = _("{title}: moved as you wished. The message below shows it.", title=card.title)
        return FinalMessage(text=text)
    return FinalMessage(text=_("{title}: cancelled.", title=card.title), offers_more=True)
