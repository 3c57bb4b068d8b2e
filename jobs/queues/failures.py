"""Why a job failed, as BullMQ stores it (one line of text) and as an error of ours."""

import json

from jobs import media_errors  # noqa: F401 - makes its errors known to `from_dict`
from jobs.errors import AnimatoError, Cancelled
from jobs.service_errors import OrderFailed, OrderStalled

CANCELLED = "cancelled"
# BullMQ's own words for a job whose workers died or froze too often.
STALLED = "job stalled more than allowable limit"


def reason_of(error: AnimatoError) -> str:
    """The text that stands for an error."""
    return CANCELLED if isinstance(error, Cancelled) else json.dumps(error.to_dict())


def error_of(reason: str, order: str) -> AnimatoError:
    """The error that a text stands for; `order` is the id that people are told."""
    if reason == CANCELLED:
        return Cancelled()
    if reason == STALLED:
        return OrderStalled(order=order)
    try:
        return AnimatoError.from_dict(json.loads(reason))
    except (ValueError, KeyError, TypeError):
        return OrderFailed(order=order)
