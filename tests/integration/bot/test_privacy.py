"""Nothing is kept longer than promised, and `/delete_me` leaves nothing behind."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.gateway.sent_messages import SentMessages
from bot.people import Person
from bot.privacy.deletion import Deletion
from jobs.cleaning import Cleaning
from jobs.media_jobs import MediaJob
from jobs.media_tasks import DrawSheet
from jobs.queues.admission import MEDIA_LIMITS
from jobs.queues.assignment import Assignment
from jobs.queues.delivery_records import UNCERTAIN_S
from jobs.queues.keys import (
    BROADCAST_PEOPLE_KEY,
    DELIVER,
    DELIVERED_QUEUES,
    DUE_ALBUMS,
    FAILURES_KEY,
    MEDIA,
    JobRef,
    adding_key,
    card_key,
    day_key,
    failed_update_key,
    history_key,
    messages_key,
    person_key,
    prefix_of,
    show_all_key,
    texts_key,
)
from jobs.queues.outbox import Outbox
from jobs.store.keys import media_key, result_key
from jobs.store.retention import EXPIRY_KEY
from sandbox.server import Sandbox
from tests.integration.bot import talk as talks
from tests.integration.bot.parts import BotParts, Maker, delivering, hurry
from tests.integration.bot.running import until
from tests.integration.bot.talk import Message, Talk, labels, text_of
from tests.integration.bot.test_delivery import finished, killed_at, results, settled
from tests.integration.bot.test_history import entry_of
from tests.integration.bot.test_taps import ordered
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ALICE, BOB, FAMILY, Desk, Part

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk


# What counts against the limits of the last 24 hours, and what admins have decided.
# And the id of the message that says that everything is deleted.
def kept_of(person: int) -> set[str]:
    keys = (day_key, show_all_key, person_key, texts_key, messages_key)
    return {key(person) for key in keys}


KEPT = kept_of(ALICE)


async def stored_files(parts: BotParts) -> list[str]:
    return [file.key async for file in parts.services.store.listing("")]


async def keys_about(client: Redis, person: int, *names: str) -> list[str]:
    """The keys whose name or content names a person, by id, by chat, or by other names."""
    fields = "person|person_id|chat|chat_id|reporter_id"
    also = "".join(f"|{name}" for name in names)
    own = re.compile(rf"(?<![0-9])c{person}-|[:\"]({fields})\":{person}[,}}]|'u:{person}'{also}")
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


async def album_of_alice(talk: Talk) -> None:
    """Photos that wait for her choice."""
    await talk.desk.send(*(Part("photo", media.photo(seed=seed)) for seed in (1, 2)))
    await talk.shows("You sent 2 photos. Which one should I animate?")


async def offering(talk: Talk, label: str) -> Message:
    """The message with a button, as soon as there is one."""
    found: list[Message] = []

    async def is_there() -> bool:
        found[:] = [one for one in await talk.said() if label in str(labels(one))]
        return bool(found)

    await until(is_there)
    return found[-1]


async def delete_everything(talk: Talk) -> None:
    await talk.desk.say("/delete_me", user_id=ALICE, chat_id=ALICE)
    await talk.tap("Delete everything", await talk.shows("Shall I delete everything about you?"))
    await talk.shows("Everything is deleted here")


# --- /delete_me -----------------------------------------------------------------------------------


async def test_everything_is_deleted_in_the_store_in_redis_and_in_the_chat(
    talk: Talk, redis: Redis
) -> None:
    video = await ordered(talk)
    await talk.another(video)
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


async def test_albums_forms_and_what_was_sent_again_leave_nothing(talk: Talk, redis: Redis) -> None:
    video = await ordered(talk)
    await talk.shows("done in")
    await album_of_alice(talk)
    await talk.tap("Other forms", video)
    await talk.tap("Round video", await offering(talk, "Round video"))
    await talk.shows("Made with AI", count=2)
    await talk.desk.say("/history")
    await talk.tap("1", await talk.shows("Your last videos"))
    await talk.tap("Send again", await offering(talk, "Send again"))
    await talk.videos(count=2)
    (entry,) = (await talk.parts.services.history.read(ALICE)).entries
    # Its card, and its delivery, are deleted long before it.
    await redis.delete(card_key(entry.order_id))
    await redis.rpush(BROADCAST_PEOPLE_KEY, BOB, ALICE)
    await redis.set(adding_key(ALICE), "nod")
    await redis.zadd(FAILURES_KEY, {f"d-{entry.order_id}-1": 1, "d-c8-other-1-1": 1})
    await delete_everything(talk)
    assert await stored_files(talk.parts) == []
    # Files of the draft that a worker may still store are deleted in an hour.
    assert set(await keys_about(redis, ALICE, entry.draft)) <= KEPT | {EXPIRY_KEY}
    assert await redis.zcard(DUE_ALBUMS) == 0
    assert await redis.lrange(BROADCAST_PEOPLE_KEY, 0, -1) == [str(BOB)]
    assert await redis.zrange(FAILURES_KEY, 0, -1) == ["d-c8-other-1-1"]


async def test_form_that_no_worker_has_made_yet_is_cancelled(talk: Talk, redis: Redis) -> None:
    await ordered(talk)
    await talk.shows("done in")
    services = talk.parts.services
    job = MediaJob(job_id="sheet-5-7", person=ALICE, chat=ALICE, task=DrawSheet(pictures=(None,)))
    await redis.hset(f"{prefix_of(MEDIA)}meta", "paused", "1")
    await services.queues.send(job.ref, job, ALICE, MEDIA_LIMITS)
    await services.store.put(media_key(job.job_id, "given.png"), b"a picture")
    await delete_everything(talk)
    assert await stored_files(talk.parts) == []
    assert set(await keys_about(redis, ALICE, job.job_id)) <= KEPT


async def test_order_that_its_worker_does_not_let_go_of_is_never_delivered(
    parts: BotParts, maker: Maker, desk: Desk, redis: Redis
) -> None:
    (draft,) = await finished(parts, maker, desk, ALICE)
    card = await parts.services.order_cards.read(draft.order_id)
    assert card is not None
    await redis.set(card.ref.lock_key, "a token")  # its worker is about to report the end
    await Deletion(parts.services, parts.ordering, 0, longest_wait_s=0.1).delete(ALICE)
    result = result_key(draft.order_id, 1)
    await parts.services.store.put(result, b"late")
    await redis.delete(card.ref.lock_key)
    async with delivering(parts):
        await until(lambda: is_gone(parts, card.ref))
        await settled(parts)
    assert await results(desk) == []
    assert await stored_files(parts) == []
    assert not await redis.exists(history_key(ALICE), card_key(draft.order_id))


async def test_what_ends_late_begins_no_deleted_history_anew(parts: BotParts, redis: Redis) -> None:
    history = parts.services.history
    await history.cache(ALICE, entry_of(1), "4242:loop", "an id")
    await history.remove(ALICE, "c7-d1-1")
    assert not await redis.exists(history_key(ALICE))


async def is_gone(parts: BotParts, ref: JobRef) -> bool:
    return await parts.services.queues.status(ref) is None


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


async def test_nothing_is_deleted_from_a_group(talk: Talk) -> None:
    photo = await talk.photo()
    await talk.shows("Which movement?")
    for _ in range(2):  # the second is answered after the first has taken effect
        await talk.tap_data("v1|D||0|yes", ALICE, FAMILY)
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
    video = await ordered(talk)
    await talk.tap("Other forms", video)
    await talk.tap("Round video", await offering(talk, "Round video"))
    await talk.shows("Made with AI", count=2)
    await talk.clip()
    await talk.tap("Use the last photo", await talk.shows("I have your clip"))
    await talk.shows("Your clip, or another movement?")
    services = talk.parts.services
    await settled(talk.parts)
    assert not [key for key in await stored_files(talk.parts) if key.startswith("media/")]
    now_s = services.clock()
    # As of a job that a worker has made, and whose delivery a crash has lost.
    await services.retention.touch_media("lost", now_s)
    await services.store.put(media_key("lost", "form.mp4"), b"a form")
    await all_is_kept_for_an_hour_and_no_longer(talk.parts, now_s)


@pytest.mark.parametrize("point", ["after", "noted"])
async def test_result_goes_in_time_though_the_bot_died_after_sending_it(
    parts: BotParts, maker: Maker, desk: Desk, sandbox: Sandbox, tmp_path: Path, point: str
) -> None:
    await finished(parts, maker, desk, ALICE)
    # `after`: before it has recorded that the video arrived; `noted`: before the order's end.
    await killed_at(point, parts, sandbox, tmp_path / "store")
    parts.clock.ahead_s = UNCERTAIN_S + 1
    async with delivering(parts):
        await until(lambda: is_recorded(parts))
    assert await results(desk)
    await all_is_kept_for_an_hour_and_no_longer(parts, parts.services.clock())


async def is_recorded(parts: BotParts) -> bool:
    await hurry(parts.services.queues.client, DELIVER)
    return not await parts.services.order_cards.all_unsettled()


async def all_is_kept_for_an_hour_and_no_longer(parts: BotParts, now_s: float) -> None:
    """The files of results go, though the results stay in the history."""
    services, queues = parts.services, parts.services.queues
    (entry,) = (await services.history.read(ALICE)).entries
    # As after a restart: nothing but Redis and the store knows what is due.
    outbox = Outbox(queues, [*DELIVERED_QUEUES, *queues.engine_queues])
    cleaning = Cleaning(queues, outbox, services.retention)
    await cleaning.sweep(now_s + 3600 - 600)
    assert await services.store.exists(entry.key)
    await cleaning.sweep(now_s + 3600 + 60)
    assert await stored_files(parts) == []
