"""Tells the admins what they should look at, each kind of message at most once an hour.

    worker lost or back | failures pile up | the disk fills | queue too long | paused for long
    videos cannot be signed | the owner's certificate expires

What was told is stored in Redis, so that neither a restart nor a second bot repeats it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Self

from pydantic import Field

from bot.owner.admin_notes import AdminNotes
from bot.owner.status_text import age_text
from bot.provenance.signing import Mode
from bot.record_store import BotRecord, RecordStore
from bot.services import Services
from bot.texts import msgid
from jobs.connection import queue_errors
from jobs.queues.heartbeats import Heartbeat, WorkerRegistry, WorkerState
from jobs.queues.keys import ALERTS_KEY, alert_key, is_engine_queue
from jobs.service_errors import StoreError

log = logging.getLogger(__name__)

CHECK_EVERY_S = 20.0
_HOUR_S = 3600
_DAY_S = 86_400.0
# A worker that restarts, also after a crash, is back sooner.
_LOST_S = 60.0
_MANY_FAILURES = 5  # in an hour
_LONG_QUEUE = 0.8  # of the limit
_OLD_ORDER_S = 1800.0
_LONG_PAUSE_S = 3600.0
_GB = 1_000_000_000

Text = Callable[[], str]


class Host(BotRecord):
    """The workers of a machine.

    Attributes:
        count: how many are expected: the most that were online at the same time.
        missing_s: since when there have been fewer, unix time; None: all are there.
        is_told: whether the admins know that.
    """

    count: int = 0
    missing_s: float | None = None
    is_told: bool = False

    def updated(self, here: int, now_s: float) -> Self:
        """Return the record after a check that found `here` workers."""
        is_given_up = self.missing_s is not None and now_s - self.missing_s > _DAY_S
        if here >= self.count or is_given_up:
            return type(self)(count=here)
        if self.missing_s is None:
            return self.model_copy(update={"missing_s": now_s})
        return self

    def is_lost(self, now_s: float) -> bool:
        """Whether workers have been missing for so long that they are not just restarting."""
        return self.missing_s is not None and now_s - self.missing_s >= _LOST_S


class Watched(BotRecord):
    """What the last check saw.

    Attributes:
        hosts: the machines with workers, by name.
        paused_s: since when orders have been paused, unix time; None: they are not.
    """

    hosts: dict[str, Host] = Field(default_factory=dict)
    paused_s: float | None = None


class Alerts:
    """Checks heartbeats, queues, statistics and disks."""

    def __init__(self, services: Services, notes: AdminNotes) -> None:
        self._services = services
        self._notes = notes
        self._workers = WorkerRegistry(services.queues.client)
        self._records = RecordStore(services.queues.client, services.queues.url, Watched.read)

    async def check(self) -> None:
        """Check everything once. Raises QueueUnavailable if Redis does not answer."""
        living = await self._workers.living()
        await self._check_workers(living)
        await self._check_failures()
        await self._check_disks(living)
        await self._check_queues()
        await self._check_pause()
        await self._check_signing()

    async def _check_workers(self, living: list[Heartbeat]) -> None:
        here, now_s = Counter(one.host for one in living), self._services.clock()
        before = Watched()

        def changed(watched: Watched) -> Watched:
            nonlocal before
            before = watched
            names = sorted({*watched.hosts, *here})
            hosts = {
                name: watched.hosts.get(name, Host()).updated(here[name], now_s) for name in names
            }
            known = {name: host for name, host in hosts.items() if host.count}
            return watched.model_copy(update={"hosts": known})

        after = await self._records.change_or_create(ALERTS_KEY, Watched(), changed)
        for name, host in after.hosts.items():
            was_told = before.hosts.get(name, Host()).is_told
            if host.is_lost(now_s) and not was_told:
                if await self._tell_lost(name, here[name], host.count):
                    await self._records.change(ALERTS_KEY, partial(_with_told, name=name))
            elif was_told and host.missing_s is None:
                await self._tell_back(name)

    async def _tell_lost(self, host: str, here: int, count: int) -> bool:
        _ = self._services.texts
        return await self._tell(
            f"lost:{host}",
            lambda: _(
                "A worker on {host} does not answer any more: {here} of {count} are online. Its "
                "orders go to other workers.",
                host=host,
                here=here,
                count=count,
            ),
        )

    async def _tell_back(self, host: str) -> None:
        _ = self._services.texts
        await self._tell(
            f"back:{host}", lambda: _("The workers on {host} are all back.", host=host)
        )

    async def _tell_short(self, host: str, free_gb: float) -> None:
        _ = self._services.texts
        await self._tell(
            f"disk:{host}",
            lambda: _(
                "The worker on {host} takes no orders: only {free_gb:.1f} GB are free.",
                host=host,
                free_gb=free_gb,
            ),
        )

    async def _check_failures(self) -> None:
        _, count = self._services.texts, await self._services.statistics.failures_in_last_hour()
        if count >= _MANY_FAILURES:
            await self._tell(
                "failures",
                lambda: _(
                    "Orders that failed within an hour: {count}. /jobs lists them.", count=count
                ),
            )

    async def _check_disks(self, living: list[Heartbeat]) -> None:
        _, store = self._services.texts, self._services.store
        for worker in living:
            if worker.state is WorkerState.PAUSED:
                await self._tell_short(worker.host, (worker.free_bytes or 0) / _GB)
        try:
            is_full = store.is_full()
        except StoreError as error:
            log.warning("%s", error)
            return
        if is_full:
            await self._tell(
                "store",
                lambda: _(
                    "The file store {store} is filling up: no more files are taken.",
                    store=store.place,
                ),
            )

    async def _check_queues(self) -> None:
        _, limit = self._services.texts, (await self._services.limits.now()).queue
        found = await self._services.queues.all_statistics()
        orders = {name: one for name, one in found.items() if is_engine_queue(name)}
        waiting = sum(one.unfinished for one in orders.values())
        now_s = self._services.clock()
        age_s = max((one.age_s(now_s) for one in orders.values()), default=0.0)
        if waiting >= _LONG_QUEUE * limit or age_s >= _OLD_ORDER_S:
            await self._tell(
                "queue",
                lambda: _(
                    "The queue is long. Orders that wait or are being made: {waiting} of at most "
                    "{limit}; the oldest for {age}. /status",
                    waiting=waiting,
                    age=age_text(age_s, _),
                    limit=limit,
                ),
            )

    async def _check_pause(self) -> None:
        _, now_s = self._services.texts, self._services.clock()
        is_paused = await self._services.people.is_paused()

        def changed(watched: Watched) -> Watched:
            since_s = (watched.paused_s or now_s) if is_paused else None
            return watched.model_copy(update={"paused_s": since_s})

        watched = await self._records.change_or_create(ALERTS_KEY, Watched(), changed)
        if watched.paused_s is None:
            return
        paused_s = now_s - watched.paused_s
        if paused_s >= _LONG_PAUSE_S:
            await self._tell(
                "paused",
                lambda: _(
                    "New orders have been paused for {age}. /resume", age=age_text(paused_s, _)
                ),
            )

    async def _check_signing(self) -> None:
        _, signing = self._services.texts, self._services.messenger.signing
        if signing is None:
            return
        if reason := signing.take_problem():
            text = (
                msgid("Videos cannot be signed, so they are not sent: {reason}.")
                if signing.mode is Mode.REQUIRED
                else msgid("Videos cannot be signed, so they are sent unsigned: {reason}.")
            )
            await self._tell("signing", lambda: _(text, reason=reason))
        chain = await asyncio.to_thread(signing.owners_chain)
        if chain is not None:
            await self._tell(
                "certificate",
                lambda: _(
                    "Your certificate for signing videos is valid until {date}. Replace {file}.",
                    date=f"{chain.expires:%Y-%m-%d}",
                    file=chain.path.name,
                ),
                _DAY_S,
            )

    async def _tell(self, name: str, text: Text, every_s: float = _HOUR_S) -> bool:
        """Write to the admins unless they were told this within `every_s`; return which."""
        with queue_errors(self._services.queues.url):
            client = self._services.queues.client
            is_new = await client.set(alert_key(name), "1", nx=True, ex=round(every_s))
        if is_new:
            await self._notes.send(text)
        return bool(is_new)


def _with_told(watched: Watched, name: str) -> Watched:
    """Return the record after the admins were told that a machine's workers are lost."""
    told = watched.hosts.get(name, Host()).model_copy(update={"is_told": True})
    return watched.model_copy(update={"hosts": {**watched.hosts, name: told}})
