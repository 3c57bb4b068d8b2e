"""Nothing is kept longer than promised, and `/delete_me` leaves nothing behind."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from redis.asyncio import Redis

from bot.gateway.sent_messages import SentMessages
from bot.people import Person
from jobs.cleaning import Cleaning
from jobs.queues.assignment import Assignment
from jobs.queues.keys import (
    LOOK,
    day_key,
    failed_update_key,
    messages_key,
    open_key,
    person_key,
    show_all_key,
    texts_key,
)
from jobs.queues.outbox import Outbox
from tests.integration.bot import talk as talks
from tests.integration.bot.parts import BotParts
from tests.integration.bot.running import until
from tests.integration.bot.talk import Talk, text_of
from tests.integration.bot.test_taps import ordered
from tests.integration.sandbox.desk import ALICE, BOB

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk

# What counts against the limits of the last 24 hours, and what admins have decided.
LIMITS = {day_key(ALICE), show_all_key(ALICE), open_key(ALICE), person_key(ALICE)}
# The id of the message that says that everything is deleted.
KEPT = LIMITS | {texts_key(ALICE), messages_key(ALICE)}


async def stored_files(parts: BotParts) -> list[str]:
    return [file.key async for file in parts.services.store.listing("")]


async def keys_about(client: Redis, person: int) -> list[str]:
    """The keys whose name or content names a person, by id or by chat."""
    own = re.compile(rf'(?<![0-9])c{person}-|[:"](person|person_id|chat|chat_id)":{person}[,}}]')
    found = []
    async for name in client.scan_iter("*"):
        key = str(name)
        read: dict[str, Callable[[str], Awaitable[object]]] = {
            "string": client.get,
            "hash": client.hgetall,
            "set": client.smembers,
            "zset": lambda name: client.zrange(name, 0, -1),
            "list": lambda name: client.lrange(name, 0, -1),
            "stream": client.xrange,
        }
        kind = str(await client.type(key))
        content = ""
        with suppress(UnicodeDecodeError, KeyError):  # a HyperLogLog; a key that has just expired
            content = str(await read[kind](key))
        is_of_person = re.search(rf":{person}(:|$)", key) is not None
        if is_of_person or own.search(key) or own.search(content):
            found.append(key)
    return sorted(found)


async def delete_everything(talk: Talk) -> None:
    await talk.desk.say("/delete_me", user_id=ALICE, chat_id=ALICE)
    await talk.tap("Delete everything", await talk.shows("Shall I delete everything about you?"))
    await talk.shows("Everything is deleted here")


# --- /delete_me -----------------------------------------------------------------------------------


async def test_everything_is_deleted_in_the_store_in_redis_and_in_the_chat(
    talk: Talk, redis: Redis
) -> None:
    video = await ordered(talk)
    await talk.tap("Another movement", video)
    await talk.shows("Which movement?")
    await talk.tap("As file", video)
    assert await stored_files(talk.parts)
    await delete_everything(talk)
    assert await stored_files(talk.parts) == []
    assert set(await keys_about(redis, ALICE)) <= KEPT
    assert not (await talk.parts.services.people.person(ALICE)).has_agreed
    assert [text_of(one)[:10] for one in await talk.said()] == ["Everything"]
    # The next photo begins anew.
    await talk.photo()
    await talk.shows("Before we begin")


async def test_running_order_is_cancelled_and_leaves_nothing(talk: Talk, redis: Redis) -> None:
    begun = asyncio.Event()

    async def until_cancelled(assignment: Assignment) -> None:
        begun.set()
        await assignment.wait_for_stop()

    talk.worker.before_video = until_cancelled
    await talk.photo()
    await talk.tap("😊", await talk.shows("Which movement?"))
    await begun.wait()
    await delete_everything(talk)
    assert await stored_files(talk.parts) == []
    assert set(await keys_about(redis, ALICE)) <= KEPT


async def test_what_others_have_and_what_admins_decided_stays(talk: Talk, redis: Redis) -> None:
    await talk.agree(BOB)
    await talk.photo(BOB, seed=1)
    await talk.shows("Which movement?", BOB)
    await ordered(talk)
    await talk.parts.services.people.change(ALICE, is_allowed=True, language="ru")
    of_bob = await keys_about(redis, BOB)
    await delete_everything(talk)
    assert await keys_about(redis, BOB) == of_bob
    assert await talk.parts.services.people.person(ALICE) == Person(is_allowed=True)


async def test_update_that_could_not_be_handled_goes_too(talk: Talk, redis: Redis) -> None:
    for place, person in (("1-0", ALICE), ("2-0", BOB)):
        update = f'{{"update_id":1,"message":{{"from":{{"id":{person}}},"text":"secret"}}}}'
        record = json.dumps({"update": update, "error": "it broke"})
        await redis.set(failed_update_key(place), record)
    await delete_everything(talk)
    assert not await redis.exists(failed_update_key("1-0"))
    assert await redis.exists(failed_update_key("2-0"))


async def test_keeping_it_deletes_only_the_question(talk: Talk) -> None:
    photo = await talk.photo()
    await talk.shows("Which movement?")
    await talk.desk.say("/delete_me", user_id=ALICE, chat_id=ALICE)
    question = await talk.shows("Shall I delete everything about you?")
    await talk.tap("Keep it", question)
    await talk.gone(question)
    assert (await talk.draft_of(photo)).findings is not None


async def test_nobody_deletes_for_another(talk: Talk) -> None:
    await talk.agree(BOB)
    photo = await talk.photo()
    await talk.shows("Which movement?")
    await talk.tap_data("v1|D||0|yes", BOB)
    await talk.shows("Everything is deleted here", BOB)
    assert (await talk.draft_of(photo)).findings is not None


async def test_messages_older_than_48_hours_are_not_listed(redis: Redis, valkey: str) -> None:
    now_s = 1_000_000.0
    sent = SentMessages(redis, valkey, lambda: now_s)
    await sent.note(ALICE, 5)
    now_s += 47 * 3600
    await sent.note(ALICE, 6)
    assert await sent.in_chat(ALICE) == [5, 6]
    now_s += 3600
    assert await sent.in_chat(ALICE) == [6]


# --- retention ------------------------------------------------------------------------------------


async def test_a_minute_after_its_deadline_nothing_is_stored(talk: Talk) -> None:
    await ordered(talk)
    await talk.clip()
    await talk.tap("Use the last photo", await talk.shows("I have your clip"))
    await talk.shows("Your clip, or another movement?")
    services = talk.parts.services
    await until(lambda: _is_settled(talk))
    queues = services.queues
    # As after a restart: nothing but Redis and the store knows what is due.
    cleaning = Cleaning(queues, Outbox(queues, [LOOK, *queues.engine_queues]), services.retention)
    now_s = services.clock()
    await cleaning.sweep(now_s + 3600 - 60)
    assert await stored_files(talk.parts)
    await cleaning.sweep(now_s + 3600 + 60)
    assert await stored_files(talk.parts) == []


async def _is_settled(talk: Talk) -> bool:
    return not await talk.parts.services.order_cards.all_unsettled()
