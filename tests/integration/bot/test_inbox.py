"""The inbox alone, with a real Redis: what is put in is never lost and never twice."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from telegram import Bot, Update

from bot.gateway.inbox import Inbox, UnreadableUpdate
from jobs.queues.keys import failed_update_key, inbox_key, seen_key
from tests.integration.bot.running import BOT, PATIENCE_S, text_of, until
from tests.integration.jobs.servers import valkey_server
from tests.integration.jobs.test_written import Forgetful

pytestmark = pytest.mark.local_sockets


@pytest.fixture
def bot() -> Bot:
    return Bot("4242:sandbox")


def message(number: int, text: str = "hello") -> Update:
    person = {"id": 7, "is_bot": False, "first_name": "Alice"}
    content = {
        "message_id": number,
        "date": 1_700_000_000,
        "chat": {"id": 7, "type": "private"},
        "from": person,
        "text": text,
    }
    return Update.de_json({"update_id": number, "message": content}, None)


async def entries(client: Redis) -> list[Any]:
    """Places and fields of what lies in the inbox."""
    return list(await client.xrange(inbox_key(BOT)) or [])


async def texts_in(inbox: Inbox) -> list[str]:
    found = []
    while not inbox.empty():
        update = await inbox.get()
        assert isinstance(update, Update)
        found.append(text_of(update))
    return found


async def test_update_is_in_redis_when_put_returns(redis: Redis) -> None:
    await Inbox(redis, BOT).put(message(1, "kept"))
    ((_, fields),) = await entries(redis)
    assert Update.de_json(json.loads(fields["update"]), None) == message(1)
    assert "kept" in fields["update"]


async def test_update_that_the_server_has_forgotten_is_written_again(valkey: str) -> None:
    async with Forgetful.from_url(valkey, decode_responses=True) as forgetful:
        await Inbox(forgetful, BOT).put(message(1, "kept"))
        ((_, fields),) = await entries(forgetful)
    assert "kept" in fields["update"]


async def test_what_was_not_handled_comes_first_and_in_order(redis: Redis, bot: Bot) -> None:
    before = Inbox(redis, BOT)
    for number in range(1200):
        await before.put(message(number, str(number)))
    await before.done(message(3))
    after = Inbox(redis, BOT)
    assert await after.restore(bot) == 1199
    await after.put(message(5000, "new"))
    expected = [str(number) for number in range(1200) if number != 3]
    assert await texts_in(after) == [*expected, "new"]


async def test_restored_update_knows_its_bot(redis: Redis, bot: Bot) -> None:
    await Inbox(redis, BOT).put(message(1))
    inbox = Inbox(redis, BOT)
    await inbox.restore(bot)
    update = inbox.get_nowait()
    assert isinstance(update, Update)
    assert update.message is not None
    assert update.message.get_bot() is bot


async def test_repeated_update_is_dropped_before_and_after_it_is_handled(redis: Redis) -> None:
    inbox = Inbox(redis, BOT)
    await inbox.put(message(1))
    await inbox.put(message(1))
    assert inbox.qsize() == 1
    await inbox.done(message(1))
    await inbox.put(message(1))
    assert inbox.qsize() == 1
    assert await redis.xlen(inbox_key(BOT)) == 0
    after_restart = Inbox(redis, BOT)
    await after_restart.put(message(1))
    assert after_restart.empty()


async def test_number_of_an_update_is_known_for_48_hours(redis: Redis) -> None:
    await Inbox(redis, BOT).put(message(1))
    assert 0 <= 48 * 3600 - await redis.ttl(seen_key(BOT, 1)) < 60


async def test_update_that_was_written_without_an_answer_is_taken_up_when_it_comes_again(
    redis: Redis,
) -> None:
    writer = Inbox(redis, BOT)
    await writer.put(message(1, "hello"))
    del writer
    # As after a lost answer, or a put that was cancelled in the middle.
    inbox = Inbox(redis, BOT)
    await inbox.put(message(1, "hello"))
    assert await texts_in(inbox) == ["hello"]


async def test_other_bots_updates_are_others(redis: Redis, bot: Bot) -> None:
    await Inbox(redis, BOT).put(message(1))
    other = Inbox(redis, 99)
    assert await other.restore(bot) == 0
    await other.put(message(1))
    assert other.qsize() == 1


async def test_update_that_is_put_aside_is_kept_for_a_week_and_out_of_the_way(
    redis: Redis, bot: Bot
) -> None:
    inbox = Inbox(redis, BOT)
    await inbox.put(message(1, "poison"))
    ((place, _),) = await entries(redis)
    await inbox.put_aside(message(1, "poison"), ValueError("cannot be"))
    assert await Inbox(redis, BOT).restore(bot) == 0
    record = json.loads(await redis.get(failed_update_key(place)) or "")
    assert record["error"] == "ValueError: cannot be"
    assert json.loads(record["update"])["message"]["text"] == "poison"
    assert 0 <= 7 * 24 * 3600 - await redis.ttl(failed_update_key(place)) < 60


async def test_entry_that_cannot_be_read_stops_nobody(
    redis: Redis, bot: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    far = json.loads(message(2, "in a far future").to_json())
    far["message"]["date"] = 10**20
    for text in ("{", "3", '{"message": 5}', "null", json.dumps(far)):
        await redis.xadd(inbox_key(BOT), {"update": text})
    await Inbox(redis, BOT).put(message(1, "good"))
    inbox = Inbox(redis, BOT)
    assert await inbox.restore(bot) == 1
    unreadable = [inbox.get_nowait() for _ in range(5)]
    assert all(isinstance(one, UnreadableUpdate) for one in unreadable)
    assert await texts_in(inbox) == ["good"]
    assert caplog.text.count("cannot be read and is set aside") == 5
    assert "in a far future" not in caplog.text + repr(unreadable)
    assert await Inbox(redis, BOT).restore(bot) == 1


@pytest.mark.usefixtures("valkey_for_all")  # where there is none, there is none to start
async def test_nothing_is_confirmed_while_redis_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = Redis.from_url(f"unix://{tmp_path / 'redis.sock'}", decode_responses=True)
    inbox = Inbox(client, BOT)
    putting = asyncio.create_task(inbox.put(message(1)))
    await until(lambda: "updates wait" in caplog.text)
    assert not putting.done()
    with valkey_server(tmp_path):
        async with asyncio.timeout(PATIENCE_S):
            await putting
        assert inbox.qsize() == await client.xlen(inbox_key(BOT)) == 1
        await client.aclose()
    assert caplog.text.count("updates wait") == 1
