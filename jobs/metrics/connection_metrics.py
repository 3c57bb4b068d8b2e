"""Whether Redis is reachable, as reported by `jobs/connection.py`."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class ConnectionMetrics:
    """A `ServerWatch` that counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._is_missed = False
        self._up = Gauge(
            "animato_redis_up",
            "Whether Redis answered the last command: 1 or 0.",
            registry=registry,
        )
        self._reconnects = Counter(
            "animato_redis_reconnects_total",
            "How often Redis answered again after an outage.",
            registry=registry,
        )

    def on_no_answer(self) -> None:
        """The server did not answer."""
        self._is_missed = True
        self._up.set(0)

    def on_answer(self) -> None:
        """The server answered."""
        if self._is_missed:
            self._is_missed = False
            self._reconnects.inc()
        self._up.set(1)
