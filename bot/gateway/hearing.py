"""How long the bot has fetched nothing from Telegram."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge

DEAF_AFTER_S = 60.0


class Hearing:
    """Remembers when updates were last fetched.

    Args:
        clock: a steady clock, s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard_s: float | None = None

    def heard(self) -> None:
        """Note that Telegram answered, or that fetching begins now."""
        self._heard_s = self._clock()

    def silence_s(self) -> float:
        """How long ago Telegram last answered, s; 0 while updates are not fetched."""
        return 0.0 if self._heard_s is None else self._clock() - self._heard_s

    def measure(self, registry: CollectorRegistry) -> None:
        """Add the silence to the metrics."""
        gauge = Gauge(
            "animato_telegram_silence_seconds",
            "How long ago updates were last fetched from Telegram, s; 0 if they are pushed.",
            registry=registry,
        )
        gauge.set_function(self.silence_s)

    def is_deaf(self) -> bool:
        """Whether nothing could be fetched for a minute."""
        return self.silence_s() > DEAF_AFTER_S
