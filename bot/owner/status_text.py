"""The message of /status."""

from bot.gateway.messenger import Keyboard, MessageContent
from bot.owner.buttons import OwnerAction, owner_button
from bot.owner.overview import LiveWorker, Overview
from bot.texts import Texts
from jobs.queues.keys import queue_label

_MOST_WORKERS = 15
_MINUTE_S, _HOUR_S = 60, 3600
_MB, _GB = 1_000_000, 1_000_000_000


def status_content(overview: Overview, _: Texts) -> MessageContent:
    """The state of the service, and the admin's buttons."""
    is_paused = overview.is_paused
    paused = _("Paused: no new orders.") if is_paused else _("New orders are accepted.")
    sections = (
        [paused],
        _queue_lines(overview, _),
        _worker_lines(overview, _),
        [
            _(
                "Orders within 24 hours: {ended} ended, {failed} of them failed.",
                ended=overview.ended,
                failed=overview.failed,
            )
        ],
        _room_lines(overview, _),
    )
    text = "\n\n".join("\n".join(lines) for lines in sections)
    return MessageContent(text, _keyboard(_, is_paused=is_paused))


def age_text(seconds: float, _: Texts) -> str:
    """A duration in s, min or h."""
    if seconds < 2 * _MINUTE_S:
        return _("{seconds} s", seconds=round(seconds))
    if seconds < 2 * _HOUR_S:
        return _("{minutes} min", minutes=round(seconds / _MINUTE_S))
    return _("{hours} h", hours=round(seconds / _HOUR_S))


def _keyboard(_: Texts, *, is_paused: bool) -> Keyboard:
    pause = owner_button(_("⏸ Pause"), OwnerAction.PAUSE)
    resume = owner_button(_("▶️ Resume"), OwnerAction.RESUME)
    return (
        (
            owner_button(_("📋 Jobs"), OwnerAction.JOBS, "0"),
            owner_button(_("🔄 Refresh"), OwnerAction.STATUS),
        ),
        (resume if is_paused else pause,),
    )


def _queue_lines(overview: Overview, _: Texts) -> list[str]:
    lines = []
    for name, statistics in overview.queues.items():
        counts = statistics.counts
        waiting = counts["wait"] + counts["prioritized"]
        if waiting or counts["active"] or counts["delayed"]:
            line = _(
                "{name}: {waiting} waiting, {running} running, {retrying} to retry; the oldest "
                "for {age}",
                name=queue_label(name),
                waiting=waiting,
                running=counts["active"],
                retrying=counts["delayed"],
                age=age_text(statistics.age_s(overview.now_s), _),
            )
            lines.append(line)
    return [_("Queues:"), *lines] if lines else [_("Queues: nothing is waiting or running.")]


def _worker_lines(overview: Overview, _: Texts) -> list[str]:
    workers = overview.workers
    if not workers:
        return [_("No worker is online: start `animato worker` with the same ANIMATO_REDIS_URL.")]
    lines = [_("Workers:"), *(_worker_line(one, _) for one in workers[:_MOST_WORKERS])]
    if len(workers) > _MOST_WORKERS:
        lines.append(_("and {count} more", count=len(workers) - _MOST_WORKERS))
    return lines


def _worker_line(worker: LiveWorker, _: Texts) -> str:
    heartbeat = worker.heartbeat
    state = _(heartbeat.state.value)
    if heartbeat.job is not None:
        state = _with_speed(heartbeat.job, heartbeat.frames_per_second, _)
    return _(
        "{host}, {device}: {state}; {engines}; last heartbeat {age} ago",
        host=heartbeat.host,
        device=heartbeat.device,
        state=state,
        engines=", ".join(_with_speed(name, speed, _) for name, speed in worker.speeds.items()),
        age=age_text(worker.age_s, _),
    )


def _with_speed(name: str, speed: float | None, _: Texts) -> str:
    return name if speed is None else _("{name} {speed:.1f} fps", name=name, speed=speed)


def _room_lines(overview: Overview, _: Texts) -> list[str]:
    lines = [_("Files: {store}", store=overview.store)]
    if overview.free_bytes is not None:
        free_gb = overview.free_bytes / _GB
        lines = [_("Files: {store}, {free_gb:.1f} GB free", store=overview.store, free_gb=free_gb)]
    if overview.store_problem is not None:
        lines.append(f"⚠️ {overview.store_problem}")
    memory_mb = overview.memory_bytes / _MB
    lines.append(_("Redis memory: {memory_mb:.0f} MB", memory_mb=memory_mb))
    return lines
