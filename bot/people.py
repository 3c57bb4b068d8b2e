"""Who may use the bot: admins, allowed people, everybody if the owner wants it; and who agreed.

Admins of the settings are admins for good; one who opened the link of the first start is stored.
"""

import time
from enum import StrEnum

from redis.asyncio import Redis
from redis.exceptions import WatchError

from jobs.connection import queue_errors
from jobs.orders import Record
from jobs.queues.keys import PAUSED_KEY, PEOPLE, PEOPLE_ADMINS_KEY, person_key

# It rises when the terms change: then everybody is asked again.
CONSENT_VERSION = 1


class Role(StrEnum):
    """What a person may do here."""

    ADMIN = "admin"
    GUEST = "guest"  # is served
    STRANGER = "stranger"  # is not: the bot is private
    BANNED = "banned"


class Person(Record):
    """What is stored of a person.

    Attributes:
        consent_version: the terms that were agreed to; 0: none.
        consent_s: when, unix time.
        is_allowed: whether an admin has let the person in.
        is_banned: whether an admin has shut the person out.
    """

    consent_version: int = 0
    consent_s: float = 0.0
    is_allowed: bool = False
    is_banned: bool = False

    @property
    def has_agreed(self) -> bool:
        """Whether the person agreed to the terms as they are now."""
        return self.consent_version == CONSENT_VERSION


class People:
    """The book of people. All its methods raise QueueUnavailable if the server does not answer.

    Args:
        redis: the server of the queues.
        url: its address.
        admins: those of the settings.
        is_open: whether everybody is served.
    """

    def __init__(self, redis: Redis, url: str, admins: frozenset[int], *, is_open: bool) -> None:
        self._redis = redis
        self._url = url
        self._admins = admins
        self._is_open = is_open

    async def person(self, person: int) -> Person:
        """What is stored of a person."""
        with queue_errors(self._url):
            text = await self._redis.get(person_key(person))
        return Person.read(text) if text else Person()

    async def change(self, person: int, **changes: object) -> Person:
        """Changes it. Nobody else's change is lost: an admin may do so while the person agrees."""
        key = person_key(person)
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                while True:
                    await pipe.watch(key)
                    text = await pipe.get(key)
                    known = Person.read(text) if text else Person()
                    changed = known.model_copy(update=changes)
                    pipe.multi()  # type: ignore[no-untyped-call]  # redis-py
                    pipe.set(key, changed.to_json())
                    try:
                        await pipe.execute()
                    except WatchError:
                        continue
                    return changed

    async def listed(self) -> dict[int, Person]:
        """Those whom admins have let in or shut out; all who are stored are looked through."""
        found = {}
        with queue_errors(self._url):
            async for key in self._redis.scan_iter(match=f"{PEOPLE}*", count=1000):
                person = int(str(key).removeprefix(PEOPLE))
                known = await self.person(person)
                if known.is_allowed or known.is_banned:
                    found[person] = known
        return dict(sorted(found.items()))

    async def agree(self, person: int) -> None:
        """Notes that a person agreed to the terms."""
        await self.change(person, consent_version=CONSENT_VERSION, consent_s=time.time())

    async def role(self, person: int) -> Role:
        """What a person may do."""
        if person in await self.admins():
            return Role.ADMIN
        known = await self.person(person)
        if known.is_banned:
            return Role.BANNED
        return Role.GUEST if self._is_open or known.is_allowed else Role.STRANGER

    async def admins(self) -> frozenset[int]:
        """Those of the settings, and those who claimed the bot."""
        with queue_errors(self._url):
            stored = await self._redis.smembers(PEOPLE_ADMINS_KEY)
        return self._admins | {int(one) for one in stored}

    async def is_paused(self) -> bool:
        """Whether an admin has stopped the taking of orders."""
        with queue_errors(self._url):
            return bool(await self._redis.exists(PAUSED_KEY))

    async def pause(self, *, is_paused: bool) -> None:
        """Stops the taking of orders, or goes on."""
        with queue_errors(self._url):
            if is_paused:
                await self._redis.set(PAUSED_KEY, "1")
            else:
                await self._redis.delete(PAUSED_KEY)
