"""Who may tap which button of a draft, its orders and its results."""

from bot.callback_data import ButtonAction, ButtonData
from bot.drafts.draft import Draft
from bot.gateway.updates import IncomingTap
from bot.orders.permissions import may_remove, may_use
from bot.services import Services
from bot.texts import msgid

DRAFT_GONE = msgid("This photo is not kept any more. Send it again.")
OLD_KEYBOARD = msgid("These buttons are out of date: use the newest ones for this photo.")
_OTHERS_CARD = msgid("Only the person who asked can use these buttons.")
_OTHERS_CARD_IN_GROUP = msgid(
    "Only the person who asked, or an admin of this group, can use these buttons."
)
# Taps on these are refused if their keyboard is not the newest one.
ONLY_ON_NEWEST_KEYBOARD = {
    ButtonAction.FACE,
    ButtonAction.CELL,
    ButtonAction.PAGE,
    ButtonAction.SHOW_ALL,
    ButtonAction.CONTINUE,
}
# What the author of the photo may do even if somebody else asked.
_OF_PHOTO_AUTHOR = {ButtonAction.CANCEL, ButtonAction.DROP, ButtonAction.DELETE}


def is_of_chat(draft: Draft) -> bool:
    """Whether an anonymous admin or a channel asked, which have no person's id."""
    return draft.person_id < 0


async def refusal_of(
    services: Services, incoming: IncomingTap, button: ButtonData, draft: Draft
) -> str | None:
    """Return why a tap is refused, a msgid; None if it is not."""
    if (
        button.action in (ButtonAction.CANCEL, ButtonAction.CONSENT)
        and draft.person_id == incoming.person_id
    ):
        return None  # in any chat: /cancel lists all orders of a person
    if draft.chat_id != incoming.chat_id:
        return DRAFT_GONE
    is_personal = button.action is ButtonAction.CONSENT and not is_of_chat(draft)
    if is_personal and draft.person_id != incoming.person_id:
        return _OTHERS_CARD
    may = may_remove if button.action in _OF_PHOTO_AUTHOR else may_use
    if not await may(services, draft, incoming.person_id):
        return _OTHERS_CARD_IN_GROUP if draft.is_group else _OTHERS_CARD
    is_old = button.action in ONLY_ON_NEWEST_KEYBOARD and button.number != draft.number
    return OLD_KEYBOARD if is_old else None
