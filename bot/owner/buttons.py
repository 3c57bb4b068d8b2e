"""The data of admins' buttons: an action, and what it is about."""

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
    BROADCAST = "send"  # that message
    STOP_BROADCAST = "stop"  # that message
    TEMPLATES = "list"  # the owner's movements
    PUBLISH = "publish"  # that movement, under its preview
    DISCARD = "discard"  # that movement, under its preview
    SHOW = "show"  # that movement, in the list
    HIDE = "hide"  # that movement, in the list
    ASK_TO_REMOVE = "ask"  # that movement, in the list
    REMOVE = "remove"  # that movement
    UNBLOCK = "unblock"  # the photo whose hash begins with that


def owner_button(text: str, action: OwnerAction, about: str = "") -> Button:
    """Return a button for admins; `about` is the order or the page."""
    return Button(text, ButtonData(ButtonAction.OWNER, argument=f"{action}{_SEPARATOR}{about}"))


def owner_action_of(tap: ButtonData) -> tuple[OwnerAction, str] | None:
    """Parse a button's action and its order or page; None for other buttons."""
    name, _, about = tap.argument.partition(_SEPARATOR)
    if tap.action is not ButtonAction.OWNER or name not in set(OwnerAction):
        return None
    return OwnerAction(name), about
