"""Why a job failed: BullMQ's `failedReason` (one line of text) to our errors, and back."""

import json

from jobs.errors import AnimatoError, Cancelled
from jobs.service_errors import OrderFailed, OrderStalled, error_from_dict

CANCELLED = "cancelled"
# BullMQ's own text for a job whose workers died or froze too often.
STALLED = "job stalled more than allowable limit"


def reason_of(error: AnimatoError) -> str:
    """Return the text that BullMQ stores for an error."""
    return CANCELLED if isinstance(error, Cancelled) else json.dumps(error.to_dict())


def error_of(reason: str, order: str) -> AnimatoError:
    """Return the error that a stored text stands for; `order` is the id shown to people."""
    if reason == CANCELLED:
        return Cancelled()
    if reason == STALLED:
        return OrderStalled(order=order)
    try:
        return error_from_dict(json.loads(reason))
    except (ValueError, KeyError, TypeError):
        return OrderFailed(order=order)
