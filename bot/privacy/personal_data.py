"""Finds and deletes what Redis and the file store hold about a person.

A person's drafts and order cards lead to everything else: files, jobs, results, messages. They are
found by reading all of them, which takes a moment, but misses none.
"""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.drafts.draft import Draft
from bot.drafts.draft_store import forget_draft
from bot.orders.order_cards import OrderCard
from bot.services import Services
from jobs.connection import queue_errors
from jobs.queues.keys import (
    DELIVER,
    INTAKE,
    LOOK,
    OPEN_CARDS,
    JobRef,
    accepted_key,
    accepting_key,
    cancel_key,
    card_key,
    conversation_key,
    counted_key,
    draft_key,
    drafts_key,
    failed_update_key,
    history_key,
    log_key,
    messages_key,
    photos_key,
    prefix_of,
    sending_key,
    sent_key,
    shown_key,
    texts_key,
)
from jobs.service_errors import RecordError
from jobs.store.keys import result_folder
from jobs.store.retention import EXPIRY_KEY

_BATCH = 500
_OF_PERSON = (drafts_key, texts_key, sending_key, messages_key, history_key, photos_key)

Found = TypeVar("Found")


@dataclass(frozen=True)
class PersonalData:
    """A person's drafts and orders, in all chats."""

    person_id: int
    drafts: tuple[Draft, ...]
    cards: tuple[OrderCard, ...]

    @property
    def draft_ids(self) -> frozenset[str]:
        """The ids of the drafts, and of those that the orders were made from."""
        of_cards = (card.draft_id for card in self.cards)
        return frozenset([*(draft.draft_id for draft in self.drafts), *of_cards])

    @property
    def groups(self) -> frozenset[int]:
        """The groups that they belong to."""
        chats = [*(one.chat_id for one in self.drafts), *(one.chat_id for one in self.cards)]
        return frozenset(chat for chat in chats if chat < 0)


class PersonalDataStore:
    """Finds and deletes it.

    Its methods raise QueueUnavailable and StoreUnavailable; then some of it may be deleted, and
    the same call continues.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._redis = services.queues.client

    async def find(self, person_id: int) -> PersonalData:
        """Return a person's drafts and orders."""
        drafts = [one async for one in self._records(draft_key("*"), Draft.read)]
        cards = [one async for one in self._records(card_key("*"), OrderCard.read)]
        return PersonalData(
            person_id,
            tuple(one for one in drafts if one.person_id == person_id),
            tuple(one for one in cards if one.person_id == person_id),
        )

    async def messages(self, data: PersonalData) -> dict[int, list[int]]:
        """Return the bot's messages that can be deleted, by chat.

        They are all of the private chat, and those about the person's photos in groups.
        """
        sent, private = self._services.messenger.sent_messages, data.person_id
        if sent is None:
            return {}
        found = {private: await sent.in_chat(private)}
        for group in sorted(data.groups):
            candidates = await sent.in_chat(group)
            with queue_errors(self._services.queues.url):
                keys = [shown_key(group, message) for message in candidates]
                shown = await self._redis.mget(keys) if keys else []
            owned = zip(candidates, map(str, shown), strict=True)
            found[group] = [message for message, draft in owned if draft in data.draft_ids]
        return found

    async def delete(self, data: PersonalData) -> None:
        """Delete the person's files, jobs and records; not what limits and bans need."""
        services = self._services
        for card in data.cards:
            found = [
                file.key async for file in services.store.listing(result_folder(card.order_id))
            ]
            await services.store.delete(found)
            await self._delete_job(card.ref)
        for draft_id in sorted(data.draft_ids):
            await forget_draft(services, draft_id)
        for draft in data.drafts:
            for revision in range(1, draft.revision + 1):
                of_revision = draft.model_copy(update={"revision": revision})
                for queue in (INTAKE, LOOK):
                    await self._delete_job(of_revision.job(queue))
        with queue_errors(services.queues.url):
            await self._delete_events(data)
            await self._delete_keys(data)
        await services.people.forget(data.person_id)

    # --- inside -----------------------------------------------------------------------------------

    async def _delete_job(self, ref: JobRef) -> None:
        """Delete a job that has ended, with its delivery, log and marks."""
        await self._services.queues.remove(ref)
        prefix = prefix_of(DELIVER)
        with queue_errors(self._services.queues.url):
            async for key in self._redis.scan_iter(f"{prefix}[df]-{ref.job_id}-*", count=_BATCH):
                delivery_id = str(key).removeprefix(prefix).partition(":")[0]
                await self._services.queues.remove(JobRef(DELIVER, delivery_id))
                await self._redis.delete(sent_key(delivery_id), counted_key(delivery_id))
            marks = (log_key, accepted_key, accepting_key, cancel_key)
            await self._redis.delete(*(key(ref.job_id) for key in marks))

    async def _delete_events(self, data: PersonalData) -> None:
        """Delete the queues' events about the person's jobs; BullMQ keeps the last thousands."""
        about = (*(card.order_id for card in data.cards), *data.draft_ids)
        queues = {INTAKE, LOOK, DELIVER, *(card.ref.queue for card in data.cards)}
        for stream in (f"{prefix_of(queue)}events" for queue in queues):
            events: Any = await self._redis.xrange(stream)
            found = [
                event_id
                for event_id, fields in events
                if any(one in str(fields.get("jobId", "")) for one in about)
            ]
            if found:
                await self._redis.xdel(stream, *found)

    async def _delete_keys(self, data: PersonalData) -> None:
        person_id, redis = data.person_id, self._redis
        keys = [key(person_id) for key in _OF_PERSON]
        keys += [card_key(card.order_id) for card in data.cards]
        async for key in redis.scan_iter(conversation_key("*", person_id), count=_BATCH):
            keys.append(str(key))
        async for key in redis.scan_iter(shown_key("*", "*"), count=_BATCH):
            if str(await redis.get(key)) in data.draft_ids:
                keys.append(str(key))
        async for key in redis.scan_iter(failed_update_key("*"), count=_BATCH):
            if _is_from(person_id, str(await redis.get(key))):
                keys.append(str(key))
        await redis.delete(*keys)
        if data.cards:
            orders = [card.order_id for card in data.cards]
            await redis.srem(OPEN_CARDS, *orders)
            await redis.zrem(EXPIRY_KEY, *map(result_folder, orders))
        for group in data.groups:
            await redis.srem(drafts_key(group), *data.draft_ids)

    async def _records(
        self, pattern: str, read: Callable[[str | bytes], Found]
    ) -> AsyncIterator[Found]:
        """Yield the records under keys of a pattern; skip those of another version."""
        with queue_errors(self._services.queues.url):
            async for key in self._redis.scan_iter(pattern, count=_BATCH):
                try:
                    record = read(await self._redis.get(key) or "")
                except RecordError:
                    continue
                yield record


def _is_from(person_id: int, failed_update: str) -> bool:
    """Whether a stored update that could not be handled came from a person."""
    try:
        update = json.loads(json.loads(failed_update)["update"])
    except (ValueError, KeyError, TypeError):
        return False
    senders = (part.get("from", {}) for part in update.values() if isinstance(part, dict))
    return any(sender.get("id") == person_id for sender in senders if isinstance(sender, dict))
