"""How the server of the queues is reached, told by `jobs/connection.py`."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class ConnectionMetrics:
    """A `ServerWatch` that counts.

    Args:
        registry: where the metrics are found.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._is_missed = False
        self._up = Gauge(
            "animato_redis_up",
            "Whether the last word with the server of the queues was answered: 1 or 0.",
            registry=registry,
        )
        self._reconnects = Counter(
            "animato_redis_reconnects_total",
            "How often the server was there again after it had not answered.",
            registry=registry,
        )

    def missed(self) -> None:
        """The server did not answer."""
        self._is_missed = True
        self._up.set(0)

    def answered(self) -> None:
        """The server answered."""
        if self._is_missed:
            self._is_missed = False
            self._reconnects.inc()
        self._up.set(1)
