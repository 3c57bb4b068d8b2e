"""`animato worker`: render queued videos."""

import logging
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry

from animato.logs import set_up_log
from animato.movements import check_movements
from animato.signals import until_signal
from inference.engine_names import check_engine_names
from inference.process.engine_process import EngineLimits
from inference.process.setup import EngineSetup
from jobs.connection import check_server
from jobs.errors import BadSettings, UnknownEngine
from jobs.metrics.health import Health, worker_words
from jobs.metrics.serving import serve_metrics
from jobs.metrics.worker_metrics import WorkerMetrics
from jobs.service_errors import StoreFull
from jobs.settings import BOT_SECRETS, Settings
from jobs.store.files import FileStore
from jobs.tasks import Shutdown
from worker.agent import run_agent
from worker.plan import WorkerPlan
from worker.work_folder import JobIdFilter

_FORMAT = "%(asctime)s %(levelname)s %(name)s [%(job_id)s]: %(message)s"


def run_worker(*, engines: tuple[str, ...], device: str | None, is_once: bool) -> None:
    """Work until a signal comes; on Ctrl-C, raise KeyboardInterrupt once no job is in progress.

    Args:
        engines: those that are offered; empty: those of the settings.
        device: the device for networks; None: that of the settings.
        is_once: whether to exit when the queues are empty.

    Raises:
        BadSettings: a setting cannot be used, or there is no Redis address.
        QueueUnavailable, StoreError: Redis or the file store cannot be used.
        OperatorError, UnknownEngine: an engine or the device cannot.
    """
    settings = Settings.load(Path(".env"), without=BOT_SECRETS)
    url = settings.redis_url.get_secret_value()
    if not url:
        reason = "A worker needs Redis or Valkey, the same as the bot: set ANIMATO_REDIS_URL."
        raise BadSettings(reason=reason)
    set_up_log(settings.log_format, _FORMAT, ("inference", "jobs", "worker"))
    for handler in logging.getLogger().handlers:
        handler.addFilter(JobIdFilter())
    check_movements(settings.templates_dir)
    check_engine_names(engines)
    try:
        check_engine_names(() if engines else settings.engines)
    except UnknownEngine as error:
        raise BadSettings(reason=f"ANIMATO_ENGINES cannot be used: {error}") from error
    plan = WorkerPlan(
        url=url,
        store=FileStore.open(settings.store_address, min_free_bytes=settings.min_free_bytes),
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
        engines=engines or settings.engines,
        clip_max_s=settings.clip_max_s,
        min_free_bytes=settings.min_free_bytes,
        is_once=is_once,
    )
    ending = Shutdown()
    place = settings.metrics_host, settings.metrics_port
    until_signal(_serve_and_run(plan, place, ending), ending.ask)


async def _serve_and_run(plan: WorkerPlan, place: tuple[str, int | None], ending: Shutdown) -> None:
    """Run the worker, and serve its metrics and its health at a host and port."""
    registry = CollectorRegistry()
    health = Health(plan.url, plan.store, worker_words)
    plan = replace(plan, metrics=WorkerMetrics(registry), on_heartbeat=health.note_heartbeat)
    with serve_metrics(registry, *place, health):
        await check_server(plan.url)
        try:
            await plan.store.check()
        except StoreFull as error:
            # It starts anyway, and takes orders once there is space.
            logging.getLogger(__name__).warning("%s", error)
        await run_agent(plan, ending)
