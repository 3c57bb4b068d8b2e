"""The movements on offer: those of the catalogue, and those that the owner has added.

The owner's are stored in Redis, their files in the file store. They are read again every two
seconds, so that all bot processes offer them without a restart.
"""

from collections.abc import Iterator
from enum import StrEnum

from redis.asyncio import Redis

from bot.record_store import BotRecord
from jobs.connection import queue_errors
from jobs.errors import UnknownTemplate
from jobs.queues.keys import TEMPLATES_KEY
from jobs.service_errors import RecordError
from jobs.templates import Catalogue, StoredTemplate, Template

REFRESH_EVERY_S = 2.0


class TemplateState(StrEnum):
    """Who may choose a movement of the owner's."""

    NEW = "new"  # nobody: the owner has not decided yet
    PUBLISHED = "published"
    HIDDEN = "hidden"  # nobody; orders that know it are still made


class OwnTemplate(BotRecord):
    """A movement of the owner's.

    Attributes:
        template: the movement.
        state: who may choose it.
        added_s: when it was added, unix time.
    """

    template: StoredTemplate
    state: TemplateState = TemplateState.NEW
    added_s: float


class OfferedMovements:
    """The catalogue's movements, then the published ones of the owner.

    Methods that await raise QueueUnavailable if Redis does not answer.
    """

    def __init__(self, catalogue: Catalogue, redis: Redis, url: str) -> None:
        self.catalogue = catalogue
        self._redis = redis
        self._url = url
        self._own: dict[str, OwnTemplate] = {}

    def __iter__(self) -> Iterator[Template]:
        yield from self.catalogue
        for one in self._own.values():
            if one.state is TemplateState.PUBLISHED:
                yield one.template

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def get(self, name: str) -> Template:
        """Return the movement with a name; a hidden one too, as it may have been chosen before.

        Raises:
            UnknownTemplate: there is none.
            BrokenTemplate: it is broken, or the whole catalogue is.
        """
        own = self._own.get(name)
        if own is not None and own.state is not TemplateState.NEW:
            return own.template
        try:
            return self.catalogue.get(name)
        except UnknownTemplate as error:
            known = ", ".join(template.name for template in self) or "(none)"
            raise UnknownTemplate(name=name, known=known) from error

    async def refresh(self) -> None:
        """Read what the owner has added."""
        self._own = {one.template.name: one for one in await self.own()}

    async def own(self) -> list[OwnTemplate]:
        """Return the owner's movements in all states, the oldest first."""
        with queue_errors(self._url):
            texts = await self._redis.hvals(TEMPLATES_KEY)
        found = []
        for text in texts:
            try:
                found.append(OwnTemplate.read(text))
            except RecordError:
                continue  # written by another version of this program
        return sorted(found, key=lambda one: one.added_s)

    async def own_named(self, name: str) -> OwnTemplate | None:
        """Return the owner's movement with a name, or None."""
        return next((one for one in await self.own() if one.template.name == name), None)

    async def put(self, own: OwnTemplate) -> None:
        """Store a movement of the owner's."""
        with queue_errors(self._url):
            await self._redis.hset(TEMPLATES_KEY, own.template.name, own.to_json())
        await self.refresh()

    async def remove(self, name: str) -> None:
        """Remove a movement of the owner's; its files stay."""
        with queue_errors(self._url):
            await self._redis.hdel(TEMPLATES_KEY, name)
        await self.refresh()


Movements = Catalogue | OfferedMovements
