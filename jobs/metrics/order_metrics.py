"""What the bot counts: orders that are submitted, and their delivery."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial

from prometheus_client import CollectorRegistry, Counter

from jobs.errors import AnimatoError
from jobs.metrics.connection_metrics import ConnectionMetrics
from jobs.queues.keys import engine_of
from jobs.service_errors import (
    OrderRefused,
    QueueFull,
    QueueUnavailable,
    StoreError,
    TooManyOpenOrders,
    TooManyOrdersToday,
)

_REASONS: dict[type[AnimatoError], str] = {
    TooManyOpenOrders: "user_limit",
    TooManyOrdersToday: "day_limit",
    QueueFull: "full",
    QueueUnavailable: "server",
    StoreError: "storage",
}


class DeliveryOutcome(StrEnum):
    """The outcome of an attempt to deliver."""

    SENT = "sent"
    AGAIN = "again"  # it failed and is retried
    GONE = "gone"  # the chat is gone, or the bot may not write to it
    GIVEN_UP = "given_up"  # it was retried for a day


class OrderMetrics:
    """Counts submitted orders and deliveries.

    Args:
        registry: where the metrics are registered; None: an unserved one.

    Attributes:
        connection: metrics of the Redis connection.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        counter = partial(Counter, registry=registry)
        self.connection = ConnectionMetrics(registry)
        self._submitted = counter(
            "animato_jobs_submitted_total", "Orders that were accepted.", ("engine", "lane")
        )
        self._refused = counter(
            "animato_jobs_refused_total", "Orders that were not accepted.", ("reason",)
        )
        self._deliveries = counter("animato_deliver_total", "Attempts to deliver.", ("outcome",))
        self._shared = counter(
            "animato_shared_total", "Results that were sent to other chats in inline mode."
        )
        self._unsigned = counter("animato_unsigned_total", "Attempts to sign a file that failed.")
        # Prometheus sees no rise in a counter that first appears as 1.
        for reason in ("dup", *_REASONS.values()):
            self._refused.labels(reason)
        for outcome in DeliveryOutcome:
            self._deliveries.labels(outcome)

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Count and re-raise the error when the block's order is refused."""
        try:
            yield
        except (OrderRefused, QueueUnavailable, StoreError) as error:
            reasons = (word for kind, word in _REASONS.items() if isinstance(error, kind))
            self._refused.labels(next(reasons, "other")).inc()
            raise

    def count_submission(self, queue: str, lane: str, *, is_new: bool) -> None:
        """Count an order that was accepted now, or had been before."""
        if is_new:
            self._submitted.labels(engine_of(queue), lane).inc()
        else:
            self._refused.labels("dup").inc()

    def count_shared(self) -> None:
        """Count a result that was chosen in inline mode."""
        self._shared.inc()

    def count_unsigned(self) -> None:
        """Count a file that could not be signed."""
        self._unsigned.inc()

    def count_delivery(self, outcome: DeliveryOutcome) -> None:
        """Count an attempt to deliver."""
        self._deliveries.labels(outcome).inc()
