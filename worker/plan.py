"""The configuration of a worker."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from inference.process.engine_process import EngineLimits
from inference.process.offer import EngineOffer
from inference.process.setup import EngineSetup
from jobs.errors import EngineUnavailable
from jobs.metrics.worker_metrics import WorkerMetrics
from jobs.queues.heartbeats import BEAT_EVERY_S, Heartbeat
from jobs.queues.queue_worker import WorkRules
from jobs.store.files import MIN_FREE_BYTES, FileStore

log = logging.getLogger(__name__)

# Several, so that a photo need not wait for clips; few, because each takes memory.
MAX_CONCURRENT_LOOKS = 3
# An idle queue worker is woken by new jobs; it polls only now and then.
_RENDER_RULES = WorkRules(idle_s=5.0)
_LOOK_RULES = WorkRules(max_concurrent=MAX_CONCURRENT_LOOKS, idle_s=5.0)
# One at a time, so that looks are not kept waiting.
_MEDIA_RULES = WorkRules(idle_s=5.0)


@dataclass(frozen=True)
class WorkerPlan:
    """The configuration of a worker.

    Attributes:
        url: the Redis address.
        store: the file store.
        place: the parent of the folders of this machine's workers.
        setup: what the engine process is started with.
        limits: time limits of the engine process.
        engines: those it offers; empty: all that are ready.
        clip_max_s: longer clips are cut to this, s.
        min_free_bytes: with less disk space left than this, it takes no orders.
        grace_s: at shutdown, an order that will be done within this time is finished.
        beat_s: time between heartbeats.
        is_once: whether it ends as soon as nothing waits.
        render_rules: how the queues of videos are worked on.
        look_rules: how the queue of looks is worked on.
        media_rules: how the queue `media` is worked on.
        metrics: where its work is counted.
        on_heartbeat: called with each heartbeat that was written.
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
    media_rules: WorkRules = _MEDIA_RULES
    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)
    on_heartbeat: Callable[[Heartbeat], object] = lambda _: None


def only_ready(offer: EngineOffer) -> EngineOffer:
    """Return the offer without the engines that would have to download something first.

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
