"""`animato worker`: makes the videos that wait in the queues."""

import asyncio
import logging
import signal
from pathlib import Path

from inference.engine_process.job_log import JobIdFilter
from inference.engine_process.process import EngineLimits
from inference.engine_process.render_job import EngineSetup
from inference.worker.agent import work
from inference.worker.plan import Ending, WorkerPlan
from jobs.connection import check_server
from jobs.errors import BadSettings
from jobs.service_errors import StoreFull
from jobs.settings import Settings
from jobs.store.files import FileStore

_FORMAT = "%(asctime)s %(levelname)s %(name)s [%(job_id)s]: %(message)s"


def run_worker(*, engines: tuple[str, ...], device: str | None, is_once: bool) -> None:
    """Works until a signal comes; on Ctrl-C, raises KeyboardInterrupt when all is given back.

    Args:
        engines: those that are offered; empty: all that are ready.
        device: what networks compute on; None: as the settings say.
        is_once: whether to end as soon as nothing waits.

    Raises:
        BadSettings: a setting cannot be used, or the server of the queues is not set.
        QueueUnavailable, StoreError: the server or the file store cannot be used.
        OperatorError, UnknownEngine: an engine or the device cannot.
    """
    settings = Settings.load(Path(".env"))
    url = settings.redis_url.get_secret_value()
    if not url:
        reason = (
            "A worker needs the server of the queues, the same as the bot's: set ANIMATO_REDIS_URL."
        )
        raise BadSettings(reason=reason)
    _log_each_order()
    plan = WorkerPlan(
        url=url,
        store=_store_of(settings),
        place=settings.data_dir / "work",
        setup=EngineSetup(
            templates_dir=settings.templates_dir,
            checkpoints_dir=settings.checkpoints_dir,
            device=device or settings.device,
            weights_mirror=settings.weights_mirror,
            is_offline=settings.offline,
        ),
        limits=EngineLimits(
            load_s=settings.engine_load_timeout_s, frame_s=settings.engine_frame_timeout_s
        ),
        engines=engines,
        clip_max_s=settings.clip_max_s,
        min_free_bytes=_min_free_bytes(settings),
        is_once=is_once,
    )
    if asyncio.run(_work(plan)) is signal.SIGINT:
        raise KeyboardInterrupt


async def _work(plan: WorkerPlan) -> signal.Signals | None:
    """Works; returns the first signal that came, if one did."""
    ending = Ending()
    came: list[signal.Signals] = []

    def hear(number: signal.Signals) -> None:
        came.append(number)
        ending.ask()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # `nohup` has it ignored, and means it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, hear, number)
    await check_server(plan.url)
    try:
        await plan.store.check()
    except StoreFull as error:
        # It begins all the same, takes nothing, and goes on when there is room.
        logging.getLogger(__name__).warning("%s", error)
    await work(plan, ending)
    return came[0] if came else None


def _store_of(settings: Settings) -> FileStore:
    url = settings.store_url.get_secret_value() or str(settings.data_dir / "files")
    return FileStore.open(url, min_free_bytes=_min_free_bytes(settings))


def _min_free_bytes(settings: Settings) -> int:
    return round(settings.min_free_gb * 1_000_000_000)


def _log_each_order() -> None:
    """Has the log tell what begins and ends, and to which order a line belongs."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(JobIdFilter())
        handler.setFormatter(logging.Formatter(_FORMAT))
    for room in ("inference", "jobs"):
        logger = logging.getLogger(room)
        logger.setLevel(min(logging.INFO, logger.getEffectiveLevel()))
