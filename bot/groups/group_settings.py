"""What the admins of a group have set for it."""

from enum import StrEnum

from redis.asyncio import Redis

from bot.record_store import BotRecord, RecordStore
from jobs.connection import queue_errors
from jobs.queues.keys import greeted_key, group_key, group_orders_key

_GREETED_S = 86_400


class WhoMayAsk(StrEnum):
    """Who may order videos in a group."""

    EVERYONE = "everyone"
    ADMINS = "admins"


class GroupSettings(BotRecord):
    """The settings of a group.

    Attributes:
        language: the language of the bot's messages there, or None for the default.
        is_on: whether the bot takes orders there.
        orders_per_day: how many orders it takes there within 24 hours, or None for no limit.
        who_may_ask: who may order.
    """

    language: str | None = None
    is_on: bool = True
    orders_per_day: int | None = None
    who_may_ask: WhoMayAsk = WhoMayAsk.EVERYONE

    @property
    def is_for_admins(self) -> bool:
        """Whether only the group's admins may order."""
        return self.who_may_ask is WhoMayAsk.ADMINS


class GroupSettingsStore:
    """Reads and changes the settings. Its methods raise QueueUnavailable if Redis fails."""

    def __init__(self, redis: Redis, url: str) -> None:
        self._redis = redis
        self._url = url
        self._records = RecordStore(redis, url, GroupSettings.read)

    async def read(self, chat_id: int) -> GroupSettings:
        """Return the settings of a group."""
        return await self._records.read(group_key(chat_id)) or GroupSettings()

    async def change(self, chat_id: int, **changes: object) -> GroupSettings:
        """Change fields of a group's settings and return them."""
        return await self._records.change_or_create(
            group_key(chat_id), GroupSettings(), lambda known: known.model_copy(update=changes)
        )

    async def move(self, old: int, new: int) -> None:
        """Move everything that is stored of a group to its new id; it may be repeated."""
        with queue_errors(self._url):
            for key_of in (group_key, group_orders_key, greeted_key):
                if await self._redis.exists(key_of(old)):
                    await self._redis.rename(key_of(old), key_of(new))

    async def is_greeted(self, chat_id: int) -> bool:
        """Whether the bot has explained itself in a group within a day."""
        with queue_errors(self._url):
            return bool(await self._redis.exists(greeted_key(chat_id)))

    async def note_greeting(self, chat_id: int) -> None:
        """Record that the bot has explained itself in a group."""
        with queue_errors(self._url):
            await self._redis.set(greeted_key(chat_id), "1", ex=_GREETED_S)
