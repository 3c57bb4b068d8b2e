"""What must hold after a soak test, and its figures."""

import asyncio
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from bot.orders.order_cards import OrderCard
from jobs.engines import AnyEngineName
from jobs.orders import OrderState
from jobs.queues.admission import OrderLimits
from jobs.queues.keys import card_key
from jobs.queues.queues import Queues
from jobs.store.retention import EXPIRY_KEY
from tests.soak.people import Message, Person, result_of
from tests.soak.service import Service
from tests.soak.trouble import UNCERTAIN

# How long after trouble a second copy may still come: until it is known that nobody sends.
_WINDOW_S = 180.0
_GROWTH, _GROWTH_MB = 1.3, 40.0
_LIMITS = OrderLimits(open_orders=0, per_day=0, queue=0)


@dataclass
class Report:
    """The figures, and what did not hold.

    Attributes:
        ends: how many orders ended how.
        reasons: of those that failed, how many for which reason.
        doubles: results that came twice.
        memory_mb: by kind of program, the median of the middle and of the end.
        faults: what did not hold; empty if all is well.
    """

    ends: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    doubles: int = 0
    memory_mb: dict[str, tuple[float, float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


async def order_cards(redis: Redis) -> dict[str, OrderCard]:
    """Return the cards of all orders that were accepted, by order id."""
    keys = [key async for key in redis.scan_iter(match=card_key("*"), count=1000)]
    texts = await redis.mget(keys) if keys else []
    cards = [OrderCard.read(text) for text in texts if text]
    return {card.order_id: card for card in cards}


async def all_ended(redis: Redis, known: set[str], patience_s: float) -> dict[str, OrderCard]:
    """Return the cards when all orders have ended, or after this time."""
    deadline = time.monotonic() + patience_s
    while True:
        cards = await order_cards(redis)
        known.update(cards)
        open_cards = [card for card in cards.values() if card.ended is None]
        if not open_cards or time.monotonic() > deadline:
            return cards
        await asyncio.sleep(1)


class Verdict:
    """Looks at everything after the trouble is over.

    Args:
        service: it still runs.
        people: what they sent.
        trouble: what happened when.
    """

    def __init__(
        self,
        service: Service,
        people: Sequence[Person],
        trouble: Sequence[tuple[str, float, float]],
    ) -> None:
        self._service = service
        self._people = people
        self._trouble = trouble
        self.report = Report()

    async def look(self, cards: dict[str, OrderCard], known: set[str]) -> None:
        """Look at the orders and at every chat."""
        faults = self.report.faults
        faults += [f"lost: {order}" for order in sorted(known - set(cards))]
        faults += [f"never ended: {name}" for name, card in cards.items() if card.ended is None]
        states = await self._states(cards)
        self.report.ends.update(states.values())
        results: dict[tuple[str, str], list[Message]] = defaultdict(list)
        for person in self._people:
            messages = await self._service.desk.messages(person.number)
            self._answered(person, messages)
            for message in messages:
                if (order := result_of(message)) is not None:
                    results[order].append(message)
        for name, state in states.items():
            card = cards[name]
            found = results.pop((card.draft_id, str(card.number)), [])
            if state == OrderState.DONE and not found:
                faults.append(f"done, but never sent: {name}")
            if len(found) > 1:
                self._doubled(name, found)
        faults += [f"a video of no order: {order}" for order in results]

    async def _states(self, cards: dict[str, OrderCard]) -> dict[str, str]:
        engines: set[AnyEngineName] = {card.order.engine for card in cards.values()}
        url = self._service.redis.url
        found: dict[str, str] = {}
        async with Queues(url, sorted(engines), _LIMITS) as queues:
            for name, card in cards.items():
                status = await queues.status(card.ref)
                # An order that was cancelled before a worker took it leaves no job.
                found[name] = OrderState.CANCELLED if status is None else status.state
                if status is not None and status.state is OrderState.FAILED:
                    self.report.reasons[type(status.error).__name__] += 1
        return found

    def _answered(self, person: Person, messages: list[Message]) -> None:
        answers = {
            message["reply_to_message"]["message_id"]
            for message in messages
            if message["from"]["is_bot"] and message.get("reply_to_message")
        }
        for asked in person.asked:
            if asked not in answers:
                self.report.faults.append(f"{person.number} got no answer to message {asked}")

    def _doubled(self, name: str, found: list[Message]) -> None:
        """Count a result that came several times; it must have a known cause."""
        self.report.doubles += 1
        first_s, last_s = found[0]["date"], found[-1]["date"]
        causes = [
            what
            for what, begun_s, ended_s in self._trouble
            if what in UNCERTAIN and begun_s <= last_s and ended_s >= first_s - _WINDOW_S
        ]
        if not causes or len(found) > 3:
            self.report.faults.append(f"{name} came {len(found)} times, without a known cause")

    def look_at_memory(self) -> None:
        """Compare the memory of the middle with that of the end."""
        for kind, taken_mb in self._service.memory_mb.items():
            half = len(taken_mb) // 2
            quarter = max(1, len(taken_mb) // 4)
            middle = statistics.median(taken_mb[half : half + quarter] or taken_mb)
            end = statistics.median(taken_mb[-quarter:])
            self.report.memory_mb[kind] = (middle, end)
            if end > _GROWTH * middle + _GROWTH_MB:
                self.report.faults.append(f"{kind}: {middle:.0f} MB became {end:.0f} MB")

    async def nothing_is_left(self, redis: Redis, patience_s: float) -> None:
        """Wait until the files' time is over, and list what is left then."""
        store, deadline = self._service.store, time.monotonic() + patience_s
        while left := [path for path in store.rglob("*") if path.is_file()]:
            if time.monotonic() > deadline:
                found: Any = await redis.zrange(EXPIRY_KEY, 0, -1, withscores=True)
                dues: dict[str, float] = dict(found)
                for folder in sorted({str(path.parent.relative_to(store)) for path in left}):
                    due = dues.get(folder)
                    when = "never" if due is None else f"{time.time() - due:.0f} s ago"
                    self.report.faults.append(f"files are left in {folder}, due {when}")
                return
            await asyncio.sleep(2)
