"""What the bot counts of the orders that it hands in and of their delivery."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter

from jobs.errors import AnimatoError
from jobs.metrics.connection_metrics import ConnectionMetrics
from jobs.metrics.worker_metrics import engine_of
from jobs.orders import Lane
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
    """What became of an attempt to deliver."""

    SENT = "sent"
    AGAIN = "again"  # it did not work, and is tried again
    GONE = "gone"  # there is no chat any more, or the bot may not write to it
    GIVEN_UP = "given_up"  # it was tried for a day


class OrderMetrics:
    """Counts of orders that come in and of results that go out.

    Args:
        registry: where the metrics are found; None: one of their own.

    Attributes:
        connection: of the server of the queues.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self.connection = ConnectionMetrics(registry)
        self._submitted = Counter(
            "animato_jobs_submitted_total",
            "Orders that were taken.",
            ("engine", "lane"),
            registry=registry,
        )
        self._refused = Counter(
            "animato_jobs_refused_total",
            "Orders that were not taken.",
            ("reason",),
            registry=registry,
        )
        self._rebases = Counter(
            "animato_rebase_total",
            "How often the fair tags of a queue were lowered.",
            ("engine",),
            registry=registry,
        )
        self._deliveries = Counter(
            "animato_deliver_total",
            "Attempts to deliver.",
            ("outcome",),
            registry=registry,
        )
        # Prometheus sees no rise in what appears as 1.
        for reason in ("dup", *_REASONS.values()):
            self._refused.labels(reason)
        for outcome in DeliveryOutcome:
            self._deliveries.labels(outcome)

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """A stretch of code that hands in an order: why it is refused is counted and raised on."""
        try:
            yield
        except (OrderRefused, QueueUnavailable, StoreError) as error:
            self._refused.labels(_reason_of(error)).inc()
            raise

    def submitted(self, queue: str, lane: Lane, *, is_new: bool) -> None:
        """An order was handed in; it was taken, or had been before."""
        if is_new:
            self._submitted.labels(engine_of(queue), lane).inc()
        else:
            self._refused.labels("dup").inc()

    def rebased(self, queue: str) -> None:
        """The fair tags of a queue were lowered."""
        self._rebases.labels(engine_of(queue)).inc()

    def delivered(self, outcome: DeliveryOutcome) -> None:
        """An attempt to deliver has ended."""
        self._deliveries.labels(outcome).inc()


def _reason_of(error: AnimatoError) -> str:
    """The label of a refusal."""
    return next((word for kind, word in _REASONS.items() if isinstance(error, kind)), "other")
