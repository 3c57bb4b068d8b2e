"""Who may use the bot, and who has agreed to the terms.

Admins come from the settings, or are stored after they opened the link of the first start.
"""

import time
from collections.abc import Callable
from enum import StrEnum

from redis.asyncio import Redis

from bot.record_store import RecordStore
from jobs.connection import queue_errors
from jobs.orders import Record
from jobs.queues.keys import PAUSED_KEY, PEOPLE, PEOPLE_ADMINS_KEY, person_key

# Increased when the terms change: then everybody is asked again.
CONSENT_VERSION = 1


class Role(StrEnum):
    """What a person may do."""

    ADMIN = "admin"
    GUEST = "guest"  # may use the bot
    STRANGER = "stranger"  # may not: the bot is private
    BANNED = "banned"


class Person(Record):
    """What is stored of a person.

    Attributes:
        consent_version: the version of the terms that the person agreed to; 0: none.
        consent_s: when, unix time.
        is_allowed: whether an admin has given access.
        is_banned: whether an admin has banned the person.
        language: the chosen language, or None.
        client_language: the language of the person's Telegram, as last seen, or None.
        orders_per_day: how many orders an admin allows the person, or None for the usual number.
        open_orders: same for the orders that may be open at the same time.
        wants_news: whether the person gets the owner's messages to everybody.
        has_blocked: whether the person has blocked the bot.
    """

    consent_version: int = 0
    consent_s: float = 0.0
    is_allowed: bool = False
    is_banned: bool = False
    language: str | None = None
    client_language: str | None = None
    orders_per_day: int | None = None
    open_orders: int | None = None
    wants_news: bool = True
    has_blocked: bool = False

    @property
    def is_reachable(self) -> bool:
        """Whether the person uses the bot, and gets the owner's messages to everybody."""
        wants = self.consent_version > 0 and self.wants_news
        return wants and not (self.is_banned or self.has_blocked)

    @property
    def has_agreed(self) -> bool:
        """Whether the person agreed to the current terms."""
        return self.consent_version == CONSENT_VERSION


class People:
    """Reads and changes people. Its methods raise QueueUnavailable if Redis does not answer.

    Args:
        admins: those of the settings.
        is_open: whether everybody may use the bot.
    """

    def __init__(self, redis: Redis, url: str, admins: frozenset[int], *, is_open: bool) -> None:
        self._redis = redis
        self._url = url
        self._people = RecordStore(redis, url, Person.read)
        self._admins = admins
        self._is_open = is_open

    async def person(self, person_id: int) -> Person:
        """Return what is stored of a person."""
        return await self._people.read(person_key(person_id)) or Person()

    async def change(self, person_id: int, **changes: object) -> Person:
        """Change fields of a person and return it."""
        return await self._people.change_or_create(
            person_key(person_id), Person(), lambda known: known.model_copy(update=changes)
        )

    async def change_known(self, person_id: int, **changes: object) -> None:
        """Change fields of a person, unless nothing is stored of them."""
        key = person_key(person_id)
        await self._people.change(key, lambda known: known.model_copy(update=changes))

    async def allowed_or_banned(self) -> dict[int, Person]:
        """Return the people whom admins have allowed or banned. It scans all stored people."""
        return await self._scan(lambda known: known.is_allowed or known.is_banned)

    async def with_own_limits(self) -> dict[int, Person]:
        """Return the people whose limits admins have changed. It scans all stored people."""
        return await self._scan(
            lambda known: known.open_orders is not None or known.orders_per_day is not None
        )

    async def reachable(self) -> list[int]:
        """Return who has used the bot and may be written to. It scans all stored people."""
        found = await self._scan(lambda known: known.is_reachable)
        return [person for person in found if person > 0]

    async def _scan(self, is_wanted: Callable[[Person], bool]) -> dict[int, Person]:
        found = {}
        with queue_errors(self._url):
            async for key in self._redis.scan_iter(match=f"{PEOPLE}*", count=1000):
                person_id = int(str(key).removeprefix(PEOPLE))
                known = await self.person(person_id)
                if is_wanted(known):
                    found[person_id] = known
        return dict(sorted(found.items()))

    async def agree(self, person_id: int) -> None:
        """Record that a person agreed to the terms."""
        await self.change(person_id, consent_version=CONSENT_VERSION, consent_s=time.time())

    async def forget(self, person_id: int) -> None:
        """Delete what is stored of a person, but not what admins have decided."""
        usual = Person()
        kept = ("is_allowed", "is_banned", "orders_per_day", "open_orders")
        fresh = {name: getattr(usual, name) for name in Person.model_fields if name not in kept}
        if await self.person(person_id) != usual:
            changed = await self.change(person_id, **fresh)
            if changed == usual:
                with queue_errors(self._url):
                    await self._redis.delete(person_key(person_id))

    async def role(self, person_id: int) -> Role:
        """Return what a person may do."""
        if person_id in await self.admins():
            return Role.ADMIN
        known = await self.person(person_id)
        if known.is_banned:
            return Role.BANNED
        return Role.GUEST if self._is_open or known.is_allowed else Role.STRANGER

    async def admins(self) -> frozenset[int]:
        """Return the admins of the settings, and those who claimed the bot."""
        with queue_errors(self._url):
            stored = await self._redis.smembers(PEOPLE_ADMINS_KEY)
        return self._admins | {int(one) for one in stored}

    async def is_paused(self) -> bool:
        """Whether an admin has paused new orders."""
        with queue_errors(self._url):
            return bool(await self._redis.exists(PAUSED_KEY))

    async def is_paused_for(self, person_id: int) -> bool:
        """Whether no orders are taken from a person because of the pause; admins' are."""
        return await self.is_paused() and person_id not in await self.admins()

    async def pause(self, *, is_paused: bool) -> None:
        """Pause or resume new orders."""
        with queue_errors(self._url):
            if is_paused:
                await self._redis.set(PAUSED_KEY, "1")
            else:
                await self._redis.delete(PAUSED_KEY)
