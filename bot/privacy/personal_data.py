"""Finds and deletes what Redis and the file store hold about a person.

A person's drafts, order cards, history and jobs lead to everything else: files, results, messages.
They are found by reading the records of everybody.
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bot.drafts.draft import Draft
from bot.drafts.draft_store import Conversation, forget_draft
from bot.history.store import HistoryEntry
from bot.orders.order_cards import OrderCard
from bot.privacy.personal_jobs import PersonalJob, PersonalJobs, names_any
from bot.services import Services
from jobs.connection import queue_errors
from jobs.orders import order_id
from jobs.queues.keys import (
    BROADCAST_PEOPLE_KEY,
    DUE_ALBUMS,
    FAILURES_KEY,
    MEDIA,
    OPEN_CARDS,
    JobRef,
    adding_key,
    album_key,
    asked_report_key,
    cancel_key,
    card_key,
    conversation_key,
    draft_key,
    drafts_key,
    failed_update_key,
    fair_key,
    forgotten_key,
    history_key,
    is_engine_queue,
    media_jobs_key,
    messages_key,
    open_key,
    photos_key,
    refused_key,
    report_key,
    reported_key,
    sending_key,
    shown_key,
    texts_key,
)
from jobs.service_errors import RecordError
from jobs.store.keys import media_folder, result_folder
from jobs.store.retention import EXPIRY_KEY

_BATCH = 500
_OF_PERSON = (
    adding_key,
    drafts_key,
    history_key,
    media_jobs_key,
    messages_key,
    open_key,
    photos_key,
    sending_key,
    texts_key,
)

Found = TypeVar("Found")


@dataclass(frozen=True)
class PersonalData:
    """What leads to everything about a person, in all chats.

    Attributes:
        person_id: the person.
        drafts: their drafts.
        cards: their orders.
        history: their results.
        questions: the messages that ask them for consent: chat and id.
        jobs: their jobs, and the deliveries of these.
    """

    person_id: int
    drafts: tuple[Draft, ...]
    cards: tuple[OrderCard, ...]
    history: tuple[HistoryEntry, ...]
    questions: tuple[tuple[int, int], ...]
    jobs: tuple[PersonalJob, ...] = ()

    @property
    def draft_ids(self) -> frozenset[str]:
        """The ids of the drafts, and of those that the orders were made from."""
        of_orders = [card.draft_id for card in self.cards] + [one.draft for one in self.history]
        of_jobs = [job.draft for job in self.jobs if job.draft]
        return frozenset([*(draft.draft_id for draft in self.drafts), *of_orders, *of_jobs])

    @property
    def names(self) -> frozenset[str]:
        """The parts of order ids that belong to the person: of drafts, and of the private chat."""
        private = order_id(self.person_id, "", 0).partition("-")[0]
        return self.draft_ids | {private}

    @property
    def order_ids(self) -> frozenset[str]:
        """The ids of the orders."""
        known = [card.order_id for card in self.cards] + [one.order_id for one in self.history]
        jobs = (job.ref for job in self.jobs)
        return frozenset([*known, *(ref.job_id for ref in jobs if is_engine_queue(ref.queue))])

    @property
    def groups(self) -> frozenset[int]:
        """The groups where they have drafts, orders or jobs."""
        of_orders = [one.chat_id for one in self.cards] + [one.chat for one in self.history]
        chats = [*(one.chat_id for one in self.drafts), *of_orders]
        chats += [chat for chat, _ in self.questions] + [job.chat for job in self.jobs]
        return frozenset(chat for chat in chats if chat < 0)

    @property
    def messages(self) -> Iterator[tuple[int, int]]:
        """The messages that their records name: chat and id."""
        yield from self.questions
        for draft in self.drafts:
            if draft.card is not None:
                yield draft.chat_id, draft.card.message_id
        for card in self.cards:
            if card.message is not None:
                yield card.chat_id, card.message.message_id
            for file in card.files:
                yield card.chat_id, file
        for entry in self.history:
            if entry.message_id is not None:
                yield entry.chat, entry.message_id


class PersonalDataStore:
    """Finds and deletes personal data.

    Its methods raise QueueUnavailable and StoreUnavailable. Some of the data may be deleted then;
    calling the method again continues.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._redis = services.queues.client
        self._jobs = PersonalJobs(services)

    async def find(self, person_id: int) -> PersonalData:
        """Return what leads to everything about a person."""
        drafts = [one async for _, one in self._records(draft_key("*"), Draft.read)]
        cards = [one async for _, one in self._records(card_key("*"), OrderCard.read)]
        questions = [
            (int(key.split(":")[-2]), question)
            async for key, one in self._records(conversation_key("*", person_id), Conversation.read)
            for question in one.questions
        ]
        found = PersonalData(
            person_id,
            tuple(one for one in drafts if one.person_id == person_id),
            tuple(one for one in cards if one.person_id == person_id),
            (await self._services.history.read(person_id)).entries,
            tuple(questions),
        )
        return replace(found, jobs=tuple(await self._jobs.find(person_id, found.names)))

    async def messages(self, data: PersonalData) -> dict[int, list[int]]:
        """Return the bot's messages that can be deleted, by chat.

        They are all of the private chat, and those about the person's photos in groups.
        """
        sent, private = self._services.messenger.sent_messages, data.person_id
        if sent is None:
            return {}
        found = {private: await sent.in_chat(private)}
        known: defaultdict[int, set[int]] = defaultdict(set)
        for chat, message in (*data.messages, *await self._jobs.messages(data.jobs)):
            known[chat].add(message)
        for group in sorted(data.groups):
            candidates = await sent.in_chat(group)
            with queue_errors(self._services.queues.url):
                keys = [shown_key(group, message) for message in candidates]
                shown = await self._redis.mget(keys) if keys else []
            found[group] = [
                message
                for message, draft in zip(candidates, map(str, shown), strict=True)
                if draft in data.draft_ids or message in known[group]
            ]
        return found

    async def delete(self, data: PersonalData) -> None:
        """Delete the person's files, jobs and records, except what limits and bans need."""
        services = self._services
        media = [job.ref.job_id for job in data.jobs if job.ref.queue == MEDIA]
        folders = [*map(result_folder, data.order_ids), *map(media_folder, media)]
        for folder in sorted(folders):
            await services.store.delete([file.key async for file in services.store.listing(folder)])
        left = await self._jobs.delete(data.jobs)
        for draft_id in sorted(data.draft_ids):
            await forget_draft(services, draft_id)
        with queue_errors(services.queues.url):
            await self._jobs.delete_events(data.jobs, data.names)
            if folders:
                await self._redis.zrem(EXPIRY_KEY, *folders)
            await self._delete_keys(data, left)
            await self._delete_albums(data.person_id)
            await self._delete_members(data, left)
            await self._delete_reports(data.person_id)
        await services.people.forget(data.person_id)

    # --- inside -----------------------------------------------------------------------------------

    async def _delete_keys(self, data: PersonalData, left: list[JobRef]) -> None:
        """Delete keys that are about the person."""
        person_id, redis, names = data.person_id, self._redis, data.names
        keys = {key(person_id) for key in _OF_PERSON}
        keys |= {refused_key(person_id, person_id, kind) for kind in ("text", "file")}
        for pattern in (conversation_key("*", person_id), asked_report_key("*", person_id)):
            keys |= {str(key) async for key in redis.scan_iter(pattern, count=_BATCH)}
        # What is stored about orders and deliveries has their ids in its name.
        async for key in redis.scan_iter("animato:*", count=_BATCH):
            if names_any(names, str(key)):
                keys.add(str(key))
        async for key in redis.scan_iter(shown_key("*", "*"), count=_BATCH):
            if str(await redis.get(key)) in data.draft_ids:
                keys.add(str(key))
        async for key in redis.scan_iter(failed_update_key("*"), count=_BATCH):
            if _is_from(person_id, str(await redis.get(key))):
                keys.add(str(key))
        for ref in left:
            keys -= {cancel_key(ref.job_id)}
        keys = {key for key in keys if not key.startswith(forgotten_key(""))}
        await redis.delete(*sorted(keys))

    async def _delete_albums(self, person_id: int) -> None:
        """Delete the albums that the person has sent."""
        async for key in self._redis.scan_iter(album_key("*"), count=_BATCH):
            parts: Any = await self._redis.hvals(key)
            if any(_field(part, "person") == person_id for part in parts):
                await self._redis.zrem(DUE_ALBUMS, str(key).removeprefix(album_key("")))
                await self._redis.delete(key)

    async def _delete_members(self, data: PersonalData, left: list[JobRef]) -> None:
        """Delete the person's orders from keys that are also about others."""
        redis, person_id = self._redis, data.person_id
        if data.order_ids:
            await redis.srem(OPEN_CARDS, *data.order_ids)
        await redis.lrem(BROADCAST_PEOPLE_KEY, 0, str(person_id))
        failures: Any = await redis.zrange(FAILURES_KEY, 0, -1)
        if own := [one for one in failures if names_any(data.names, one)]:
            await redis.zrem(FAILURES_KEY, *own)
        for group in data.groups:
            if data.draft_ids:
                await redis.srem(drafts_key(group), *data.draft_ids)
            names = data.names | {str(person_id)}
            fields: Any = await redis.hkeys(sending_key(group))
            if own := [one for one in fields if names_any(names, one)]:
                await redis.hdel(sending_key(group), *own)
        busy = {ref.queue for ref in left}
        async for key in redis.scan_iter(fair_key("*"), count=_BATCH):
            if str(key).removeprefix(fair_key("")) not in busy:
                await redis.hdel(str(key), f"u:{person_id}")

    async def _delete_reports(self, person_id: int) -> None:
        """Delete the reports by the person; those about the person's videos stay."""
        async for key in self._redis.scan_iter(report_key("*"), count=_BATCH):
            if _field(str(await self._redis.get(key)), "reporter_id") == person_id:
                await self._redis.delete(str(key))
        async for key in self._redis.scan_iter(reported_key("*"), count=_BATCH):
            await self._redis.srem(str(key), str(person_id))

    async def _records(
        self, pattern: str, read: Callable[[str | bytes], Found]
    ) -> AsyncIterator[tuple[str, Found]]:
        """Yield the keys of a pattern and their records; skip those of another version."""
        with queue_errors(self._services.queues.url):
            async for key in self._redis.scan_iter(pattern, count=_BATCH):
                try:
                    record = read(await self._redis.get(key) or "")
                except RecordError:
                    continue
                yield str(key), record


def _field(text: str, name: str) -> object:
    """Return a field of a stored record; None if it has none, or the text is no record."""
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return record.get(name) if isinstance(record, dict) else None


def _is_from(person_id: int, failed_update: str) -> bool:
    """Whether a stored update that could not be handled came from a person."""
    try:
        update = json.loads(json.loads(failed_update)["update"])
    except (ValueError, KeyError, TypeError):
        return False
    senders = (part.get("from", {}) for part in update.values() if isinstance(part, dict))
    return any(sender.get("id") == person_id for sender in senders if isinstance(sender, dict))
