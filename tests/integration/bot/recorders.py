"""What the parts of a bot have done that nobody else sees."""

import time
from collections.abc import Awaitable, Callable

from bot.texts import ENGLISH
from jobs.metrics.order_metrics import DeliveryOutcome, OrderMetrics


class Clock:
    """Real time and what a test adds."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


class ShownDrafts:
    """Draws no cards, but notes which were to be drawn."""

    def __init__(self) -> None:
        self.drafts: list[str] = []
        self.before: Callable[[str], Awaitable[None]] | None = None

    async def __call__(self, draft: str) -> None:
        if self.before is not None:
            await self.before(draft)
        self.drafts.append(draft)


class SeenNotes:
    """An admin's ear."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    async def __call__(self, message: str, **fields: object) -> None:
        self.notes.append(ENGLISH(message, **fields))


class RecordedMetrics(OrderMetrics):
    """Metrics that a test can ask."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: list[DeliveryOutcome] = []
        self.shared = 0

    def count_delivery(self, outcome: DeliveryOutcome) -> None:
        self.outcomes.append(outcome)

    def count_shared(self) -> None:
        self.shared += 1
