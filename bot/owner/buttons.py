"""What admins' buttons say: a deed and, where it needs one, an order or a page."""

from enum import StrEnum

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import Button

_SEPARATOR = ":"


class OwnerAction(StrEnum):
    """What an admin's button does."""

    STATUS = "status"
    PAUSE = "pause"
    RESUME = "resume"
    JOBS = "jobs"  # that page of them
    JOB = "job"  # that order
    CANCEL = "cancel"  # that order
    RETRY = "retry"  # that order


def owner_button(text: str, action: OwnerAction, about: str = "") -> Button:
    """A button for admins.

    Args:
        text: its label.
        action: what it does.
        about: which order or page.
    """
    return Button(text, ButtonData(ButtonAction.OWNER, argument=f"{action}{_SEPARATOR}{about}"))


def owner_action_of(tap: ButtonData) -> tuple[OwnerAction, str] | None:
    """What a tap on such a button is to do, and about what; None if nobody knows."""
    name, _, about = tap.argument.partition(_SEPARATOR)
    if tap.action is not ButtonAction.OWNER or name not in set(OwnerAction):
        return None
    return OwnerAction(name), about
