"""What a worker is to do, with what, and until when."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from inference.process.engine_process import EngineLimits
from inference.process.offer import EngineOffer
from inference.process.setup import EngineSetup
from jobs.errors import EngineUnavailable
from jobs.metrics.worker_metrics import WorkerMetrics
from jobs.queues.heartbeats import BEAT_EVERY_S
from jobs.queues.queue_worker import WorkRules
from jobs.store.files import MIN_FREE_BYTES, FileStore

log = logging.getLogger(__name__)

# Some, so that a photo does not wait for people's clips; few, for each takes memory.
LOOKS_AT_ONCE = 3
# A station that finds nothing is told when something comes; by itself it asks seldom.
_RENDER_RULES = WorkRules(idle_s=5.0)
_LOOK_RULES = WorkRules(at_once=LOOKS_AT_ONCE, idle_s=5.0)


@dataclass(frozen=True)
class WorkerPlan:
    """What a worker is to do and with what.

    Attributes:
        url: the server of the queues.
        store: the file store.
        place: the folder where workers of this machine have their own folders.
        setup: what the engine process is told.
        limits: how long an engine is waited for.
        engines: those it offers; empty: all that are ready.
        clip_max_s: longer clips are cut to this, s.
        min_free_bytes: with less room left than this, it takes no orders.
        grace_s: an order that will be done within this time is finished when the worker ends.
        beat_s: how often it gives a sign of life.
        is_once: whether it ends as soon as nothing waits.
        render_rules: how videos are worked on.
        look_rules: how looks are.
        metrics: where its work is counted.
    """

    url: str
    store: FileStore
    place: Path
    setup: EngineSetup
    limits: EngineLimits
    engines: tuple[str, ...] = ()
    clip_max_s: float = 15.0
    min_free_bytes: int = MIN_FREE_BYTES
    grace_s: float = 20.0
    beat_s: float = BEAT_EVERY_S
    is_once: bool = False
    render_rules: WorkRules = _RENDER_RULES
    look_rules: WorkRules = _LOOK_RULES
    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)


def without_lacking(offer: EngineOffer) -> EngineOffer:
    """The offer without the engines that would have to fetch something first.

    Raises:
        EngineUnavailable: none is left.
    """
    for engine in offer.engines:
        if engine.missing_files:
            log.warning("%s is not offered: %s", engine.name, "; ".join(engine.missing_files))
    found = tuple(engine for engine in offer.engines if not engine.missing_files)
    if not found:
        raise EngineUnavailable(name="auto", needs="an engine that can run on this machine")
    return offer.model_copy(update={"engines": found})
