"""What admins' buttons say: a deed and, where it needs one, an order or a page."""

from enum import StrEnum

from bot.callback_data import Tap, Verb
from bot.gateway.messenger import Button

_SEPARATOR = ":"


class Deed(StrEnum):
    """What an admin's button does."""

    STATUS = "status"
    PAUSE = "pause"
    RESUME = "resume"
    JOBS = "jobs"  # that page of them
    JOB = "job"  # that order
    CANCEL = "cancel"  # that order
    RETRY = "retry"  # that order


def owner_button(text: str, deed: Deed, about: str = "") -> Button:
    """A button for admins.

    Args:
        text: its label.
        deed: what it does.
        about: which order or page.
    """
    return Button(text, Tap(Verb.OWNER, argument=f"{deed}{_SEPARATOR}{about}"))


def deed_of(tap: Tap) -> tuple[Deed, str] | None:
    """What a tap on such a button is to do, and about what; None if nobody knows."""
    name, _, about = tap.argument.partition(_SEPARATOR)
    if tap.verb is not Verb.OWNER or name not in set(Deed):
        return None
    return Deed(name), about
