"""What can be ordered now: the engines of the live workers.

Any of several workers may get an order, so an engine's options are those that all of them support.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.texts import Texts
from jobs.engines import MARK, OWN_TEMPLATES, PARTS, VOICE, EngineInfo
from jobs.errors import UserError
from jobs.queues.heartbeats import DEAD_AFTER_S, WorkerRegistry
from jobs.queues.known_engines import KnownEngine, KnownEngines
from jobs.wish import MAX_FACES

AUTO = "auto"
# Options of engines that can start from the clip frame whose pose is nearest the photo's.
FIND_BEST_FRAME = "find_best_frame"
BEST_FRAME_RANK = "best_frame_rank"
_KEPT_S = 2.0


class NoEngine(UserError):
    """No worker has ever offered an engine for this."""

    sentence = "No worker can make this yet. Please try again later."


@dataclass(frozen=True)
class Offer:
    """What live workers offer.

    Attributes:
        engines: those that people may choose, the best first.
        default: the engine of the settings, or `auto`.
        understood: the options of each engine that all its workers support.
        known: all engines that any worker has ever advertised, by name.
        last: those that people could choose when a worker was last online, the best first.
        media_tasks: the kinds of tasks that all workers of the queue `media` take; none if there
            is no such worker.
    """

    engines: tuple[str, ...]
    default: str = AUTO
    understood: Mapping[str, frozenset[str]] = field(default_factory=dict)
    known: Mapping[str, EngineInfo] = field(default_factory=dict)
    last: tuple[str, ...] = ()
    media_tasks: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether no worker is online."""
        return not self.engines

    @property
    def shows_all(self) -> str | None:
        """The engine that shows all movements at once, or None."""
        return next(filter(self._can_show_all, self.engines), None)

    @property
    def takes_voices(self) -> bool:
        """Whether all workers can look at voices and animate them."""
        return self._all_take(VOICE)

    @property
    def takes_parts(self) -> bool:
        """Whether all workers can show a part of a photo, and use a later part of a clip."""
        return self._all_take(PARTS)

    @property
    def takes_marks(self) -> bool:
        """Whether all workers can draw the visible mark."""
        return self._all_take(MARK)

    @property
    def takes_own_templates(self) -> bool:
        """Whether all workers can make videos of the owner's movements."""
        return self._all_take(OWN_TEMPLATES)

    def _all_take(self, option: str) -> bool:
        """Whether all workers support an option; if none is online, those that were last."""
        options = self.understood.values() or [self.known[name].options for name in self.last]
        return all(option in one for one in options)

    def options(self, engine: str) -> frozenset[str]:
        """Return the options that every worker with that engine supports."""
        return self.understood.get(engine, frozenset())

    def is_for_people(self, engine: str) -> bool:
        """Whether people may choose an engine even if it is not the default."""
        return engine not in self.known or self.known[engine].preference > 0

    @property
    def max_faces(self) -> int:
        """How many faces the best of the engines moves in one video."""
        names = self.known.keys() & (self.engines or self.last)
        return min(MAX_FACES, max((self.known[name].max_faces for name in names), default=1))

    def choosable(self, chosen: str | None, face_count: int = 1) -> tuple[str, ...]:
        """Return the engines that people may choose for so many faces, the chosen one included."""
        return tuple(
            name
            for name in self.engines
            if (name == chosen or self.is_for_people(name)) and self.moves(name, face_count)
        )

    def label(self, engine: str, chosen: str | None, _: Texts) -> str:
        """Return the text of an engine's button: what it does, or its name."""
        button = self.known[engine].button if engine in self.known else ""
        label = _(button) if button else engine
        return f"✓ {label}" if engine == chosen else label

    def moves(self, engine: str, face_count: int) -> bool:
        """Whether an engine can move `face_count` faces in one video."""
        info = self.known.get(engine)
        return face_count <= (1 if info is None else info.max_faces)

    def engine_or_default(self, wanted: str | None = None, face_count: int = 1) -> str | None:
        """Return the wanted engine, else that of the settings, else the best one; or None.

        No worker need offer it now. Engines that cannot move that many faces are skipped.
        """
        setting = None if self.default == AUTO else self.default
        ranked = filter(None, (wanted, setting, *self.engines, *self.last))
        return next((name for name in ranked if self.moves(name, face_count)), None)

    def engine_for(
        self, wanted: str | None, *, is_all_wanted: bool = False, face_count: int = 1
    ) -> str:
        """Return the engine for an order: the chosen one, or one that can make it.

        Args:
            wanted: the chosen one, or None.
            is_all_wanted: whether it shows all movements at once; then one face is shown.
            face_count: how many faces move.

        Raises:
            NoEngine: no worker has ever offered one.
        """
        engine = self.engine_or_default(wanted, face_count)
        if is_all_wanted:
            engine = self.shows_all or next(filter(self._can_show_all, self.last), None)
        if engine is None:
            raise NoEngine
        return engine

    def _can_show_all(self, engine: str) -> bool:
        info = self.known.get(engine)
        return info is not None and info.evaluates_motions and info.preference > 0


NOTHING = Offer(())


class Offers:
    """Reads what is offered, at most every two seconds.

    Args:
        workers: the live workers.
        engines: the known engines.
        default: the engine of the settings, or `auto`.
        clock: a monotonic clock, s.
    """

    def __init__(
        self,
        workers: WorkerRegistry,
        engines: KnownEngines,
        default: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workers = workers
        self._engines = engines
        self._default = default
        self._clock = clock
        self._known: Offer | None = None
        self._known_at_s = 0.0

    async def now(self) -> Offer:
        """Return what is offered, at most two seconds old; an empty offer is never kept.

        Raises:
            QueueUnavailable: Redis does not answer.
        """
        is_old = self._clock() - self._known_at_s >= _KEPT_S
        # A worker may just have started: a tap must not be refused because of an older answer.
        if self._known is None or self._known.is_empty or is_old:
            self._known = await self._read()
            self._known_at_s = self._clock()
        return self._known

    async def _read(self) -> Offer:
        understood: dict[str, frozenset[str]] = {}
        # A machine with a GPU prefers other engines than one without.
        preferred: dict[str, int] = {}
        workers = await self._workers.living()
        tasks = [worker.media_tasks for worker in workers if worker.media_tasks]
        for worker in workers:
            for engine in worker.engines:
                if worker.serves(engine.name):
                    options = frozenset(engine.options)
                    understood[engine.name] = understood.get(engine.name, options) & options
                    most = max(preferred.get(engine.name, 0), engine.preference)
                    preferred[engine.name] = most
        known = await self._engines.all()
        infos = {
            one.info.name: one.info.model_copy(
                update={"preference": preferred.get(one.info.name, one.info.preference)}
            )
            for one in known
        }
        return Offer(
            engines=self._choosable([infos[name] for name in understood if name in infos]),
            default=self._default,
            understood=understood,
            known=infos,
            last=self._choosable(_seen_last(known)),
            media_tasks=frozenset.intersection(*tasks) if tasks else frozenset(),
        )

    def _choosable(self, engines: Sequence[EngineInfo]) -> tuple[str, ...]:
        """Return the names of those that people may choose, the best first."""
        chosen = [one for one in engines if one.preference or one.name == self._default]
        return tuple(one.name for one in sorted(chosen, key=_rank))


def _seen_last(known: Sequence[KnownEngine]) -> list[EngineInfo]:
    """Return the engines that were offered when a worker was last online."""
    last_s = max((one.seen_s for one in known), default=0.0)
    return [one.info for one in known if one.seen_s and one.seen_s >= last_s - DEAD_AFTER_S]


def _rank(engine: EngineInfo) -> tuple[int, str]:
    return -engine.preference, engine.name
