"""What can be ordered right now: the engines of the workers that live.

Nobody is offered what no worker can do. Of several workers, any may get an order; so only those
options are offered that all of them understand.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from jobs.queues.workers import Workers

AUTO = "auto"
# The livelier first. Whichever else a worker brings follows by name.
PREFERENCE = ("fomm", "flow")
# It moves nothing: for tests and dry runs, unless the owner makes it the default.
NOT_FOR_PEOPLE = "still"
# Every worker has it, for it needs nothing; orders wait there when nobody is known.
FALLBACK = "flow"
_KEPT_S = 2.0


@dataclass(frozen=True)
class Offer:
    """What live workers can do.

    Attributes:
        engines: those that people may choose, the best first.
        default: the engine of the settings, or `auto`.
        understood: the options of each engine.
    """

    engines: tuple[str, ...]
    default: str = AUTO
    understood: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether no worker is there for any of them."""
        return not self.engines

    def options(self, engine: str) -> frozenset[str]:
        """The options that every worker with that engine understands."""
        return self.understood.get(engine, frozenset())

    def chosen(self, wanted: str | None = None) -> str:
        """The engine whose queue an order goes to: a choice is kept, even if nobody is there."""
        setting = None if self.default == AUTO else self.default
        return wanted or setting or next(iter(self.engines), FALLBACK)


class Offers:
    """Tells what is offered.

    Args:
        workers: the book of those that live.
        default: the engine of the settings, or `auto`.
        clock: a steady clock, s.
    """

    def __init__(
        self, workers: Workers, default: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._workers = workers
        self._default = default
        self._clock = clock
        self._known: Offer | None = None
        self._known_at_s = 0.0

    async def now(self) -> Offer:
        """What is offered; asked anew every two seconds.

        Raises:
            QueueUnavailable: the server does not answer.
        """
        if self._known is None or self._clock() - self._known_at_s >= _KEPT_S:
            self._known = await self._asked()
            self._known_at_s = self._clock()
        return self._known

    async def _asked(self) -> Offer:
        understood: dict[str, frozenset[str]] = {}
        for worker in await self._workers.living():
            for engine in filter(worker.serves, worker.engines):
                options = frozenset(worker.options.get(engine, ()))
                understood[engine] = understood.get(engine, options) & options
        names = [name for name in understood if name in (*PREFERENCE, self._default)]
        names += [name for name in understood if name not in (*names, NOT_FOR_PEOPLE)]
        return Offer(tuple(sorted(names, key=_rank)), self._default, understood)


def _rank(engine: str) -> tuple[int, str]:
    place = PREFERENCE.index(engine) if engine in PREFERENCE else len(PREFERENCE)
    return place, engine
