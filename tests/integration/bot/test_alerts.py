"""What admins are told without asking: each kind of message at most once an hour."""

import time

import pytest

from bot.owner.admin_notes import AdminNotes
from bot.owner.alerts import Alerts, Host
from bot.statistics import FAILED, Ended
from jobs.queues.heartbeats import DEAD_AFTER_S, WorkerRegistry, WorkerState
from jobs.queues.keys import LIMITS_KEY, WORKERS, alert_key, worker_key
from tests.integration.bot.parts import BotParts, heartbeat
from tests.integration.sandbox.desk import ADMIN, Desk

pytestmark = pytest.mark.local_sockets


@pytest.fixture
async def alerts(parts: BotParts, desk: Desk) -> Alerts:
    await desk.say("/start", user_id=ADMIN, chat_id=ADMIN)
    return Alerts(parts.services, AdminNotes(parts.services))


async def told(desk: Desk) -> list[str]:
    """What the admin has been told."""
    return [str(one["text"]) for one in await desk.messages(ADMIN) if one["from"]["is_bot"]]


async def hour_later(parts: BotParts) -> None:
    """Everything may be told again."""
    client = parts.services.queues.client
    async for key in client.scan_iter(alert_key("*")):
        await client.delete(key)


async def test_lost_worker_is_told_after_a_minute_and_so_is_its_return(
    parts: BotParts, desk: Desk, alerts: Alerts
) -> None:
    client, workers = parts.services.queues.client, WorkerRegistry(parts.services.queues.client)
    await workers.beat(heartbeat("mesh"), time.time())
    await alerts.check()
    await client.delete(worker_key("maker-mesh"))
    await alerts.check()
    parts.clock.ahead_s = 59
    await alerts.check()
    assert await told(desk) == []
    parts.clock.ahead_s = 61
    await alerts.check()
    # Another bot, or this one after its restart.
    await Alerts(parts.services, AdminNotes(parts.services)).check()
    (lost,) = await told(desk)
    assert lost.startswith("A worker on here does not answer any more: 0 of 1 are online.")
    await workers.beat(heartbeat("mesh"), time.time())
    await alerts.check()
    await alerts.check()
    assert (await told(desk))[1:] == ["The workers on here are all back."]


async def test_second_loss_within_an_hour_is_told_when_it_is_over(
    parts: BotParts, desk: Desk, alerts: Alerts
) -> None:
    client, workers = parts.services.queues.client, WorkerRegistry(parts.services.queues.client)
    for start_s in (0, 200):
        parts.clock.ahead_s = start_s
        await workers.beat(heartbeat("mesh"), parts.clock())
        await alerts.check()
        await client.delete(worker_key("maker-mesh"))
        for later_s in (1, 70):
            parts.clock.ahead_s = start_s + later_s
            await alerts.check()
    assert len(await told(desk)) == 2, "the loss, and the return"
    await hour_later(parts)
    await alerts.check()
    await alerts.check()
    assert (await told(desk))[2].startswith("A worker on here does not answer any more")
    assert len(await told(desk)) == 3


def test_worker_that_restarts_is_not_lost_and_one_that_stays_away_is_forgotten() -> None:
    host = Host().updated(2, 0).updated(1, 10).updated(2, 50).updated(1, 60)
    assert host.updated(1, 110) == Host(count=2, missing_s=60)
    lost = host.updated(1, 130)
    assert not host.is_lost(110)
    assert lost.is_lost(130)
    assert lost.updated(1, 90_000) == Host(count=1)
    assert DEAD_AFTER_S < 60
    assert WORKERS == "animato:workers"


async def test_many_failures_are_told_once_an_hour(
    parts: BotParts, desk: Desk, alerts: Alerts
) -> None:
    statistics = parts.services.statistics
    for number in range(4):
        await statistics.count_end(f"d-{number}", Ended(FAILED, "mesh"))
        await statistics.count_end(f"d-{number}", Ended(FAILED, "mesh"))
    await alerts.check()
    assert await told(desk) == []
    await statistics.count_end("d-4", Ended(FAILED, "mesh"))
    await alerts.check()
    await alerts.check()
    assert (await statistics.of_last_days(1)).counts[FAILED] == 5
    assert await told(desk) == ["Orders that failed within an hour: 5. /jobs lists them."]
    await hour_later(parts)
    await alerts.check()
    assert len(await told(desk)) == 2
    parts.clock.ahead_s = 3601
    await hour_later(parts)
    await alerts.check()
    assert len(await told(desk)) == 2


async def test_worker_without_disk_space_and_long_pause_are_told(
    parts: BotParts, desk: Desk, alerts: Alerts
) -> None:
    short = {"state": WorkerState.PAUSED, "free_bytes": 300_000_000}
    workers = WorkerRegistry(parts.services.queues.client)
    await workers.beat(heartbeat("mesh").model_copy(update=short), time.time())
    await parts.services.people.pause(is_paused=True)
    await alerts.check()
    await alerts.check()
    assert await told(desk) == ["The worker on here takes no orders: only 0.3 GB are free."]
    parts.clock.ahead_s = 3601
    await alerts.check()
    assert (await told(desk))[1:] == ["New orders have been paused for 60 min. /resume"]
    await parts.services.people.pause(is_paused=False)
    await hour_later(parts)
    await workers.leave("maker-mesh")
    parts.clock.ahead_s = 3602
    await alerts.check()
    assert len(await told(desk)) == 2


async def test_old_order_in_the_queue_is_told(parts: BotParts, desk: Desk, alerts: Alerts) -> None:
    client = parts.services.queues.client
    old_ms = round((time.time() - 1801) * 1000)
    await client.hset("bull:animate-mesh:c7-a-1", mapping={"timestamp": old_ms, "name": "x"})
    await client.zadd("bull:animate-mesh:prioritized", {"c7-a-1": 1})
    await alerts.check()
    (long,) = await told(desk)
    assert long == (
        "The queue is long. Orders that wait or are being made: 1 of at most 500; the oldest for "
        "30 min. /status"
    )
    assert await client.exists(LIMITS_KEY) == 0
