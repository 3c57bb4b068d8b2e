"""A message to everybody that is interrupted."""

import asyncio

import pytest

from bot.gateway.messenger import ChatTarget
from bot.owner.broadcasts import Broadcast, Broadcasts, State
from jobs.queues.keys import BROADCAST_KEY, BROADCAST_PEOPLE_KEY
from jobs.tasks import end_tasks
from tests.integration.bot.parts import BotParts
from tests.integration.bot.running import until
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, Desk

pytestmark = pytest.mark.local_sockets
PEOPLE = (ALICE, BOB, ADMIN)


@pytest.fixture
async def begun(parts: BotParts, desk: Desk) -> str:
    """A message to three people that an admin has just confirmed; its name."""
    for person in PEOPLE:
        await desk.say("/start", user_id=person, chat_id=person)
        await parts.services.people.agree(person)
    broadcasts = Broadcasts(parts.services, is_on=True)
    await broadcasts.ask(ADMIN, ChatTarget(ADMIN), "news")
    name = (await known(parts)).name
    await broadcasts.send(name)
    await broadcasts.send(name)  # tapped twice
    return name


async def known(parts: BotParts) -> Broadcast:
    return Broadcast.read(await parts.services.queues.client.get(BROADCAST_KEY) or "")


async def heard(desk: Desk) -> list[int]:
    """How often each person has got it; the admin has seen it once before."""
    texts = [[one.get("text") for one in await desk.messages(person)] for person in PEOPLE]
    alice, bob, admin = (one.count("news") for one in texts)
    return [alice, bob, admin - 1]


async def test_bot_that_restarts_sends_the_rest_and_nothing_twice(
    parts: BotParts, desk: Desk, begun: str
) -> None:
    slow = asyncio.create_task(Broadcasts(parts.services, is_on=True, pause_s=3600).work())
    try:
        await until(lambda: has_sent(parts, 1))
    finally:
        await end_tasks([slow])
    assert sum(await heard(desk)) == 1
    # Another one dies before it has sent to the next person, who is left out.
    await parts.services.queues.client.lpop(BROADCAST_PEOPLE_KEY)
    await Broadcasts(parts.services, is_on=True, pause_s=0).work()
    assert sorted(await heard(desk)) == [0, 1, 1]
    ended = await known(parts)
    assert (ended.name, ended.state) == (begun, State.ENDED)
    assert (ended.total, ended.delivered) == (3, 2)
    await Broadcasts(parts.services, is_on=True, pause_s=0).work()
    assert sum(await heard(desk)) == 2


async def has_sent(parts: BotParts, count: int) -> bool:
    return (await known(parts)).delivered == count


async def test_stop_leaves_the_others_out(parts: BotParts, desk: Desk, begun: str) -> None:
    broadcasts = Broadcasts(parts.services, is_on=True, pause_s=3600)
    sending = asyncio.create_task(broadcasts.work())
    try:
        await until(lambda: has_sent(parts, 1))
        stopped = await Broadcasts(parts.services, is_on=True).stop(begun)
    finally:
        await end_tasks([sending])
    assert stopped.text == ("Stopped.\n1 of 3 delivered, 0 have blocked the bot, 0 failed.")
    await broadcasts.work()
    assert sum(await heard(desk)) == 1


async def test_person_who_wants_no_more_meanwhile_gets_none(
    parts: BotParts, desk: Desk, begun: str
) -> None:
    await parts.services.people.change(BOB, wants_news=False)
    await Broadcasts(parts.services, is_on=True, pause_s=0).work()
    assert await heard(desk) == [1, 0, 1]
    ended = await known(parts)
    assert (ended.name, ended.tried, ended.skipped) == (begun, 3, 1)


async def test_next_message_waits_for_the_end_of_the_last_one(
    parts: BotParts, desk: Desk, begun: str
) -> None:
    await Broadcasts(parts.services, is_on=True).ask(ADMIN, ChatTarget(ADMIN), "more")
    await desk.sees("The last message is still being sent.", ADMIN)
    assert (await known(parts)).name == begun


async def test_only_people_who_cannot_be_reached_at_all_get_no_more(
    parts: BotParts, desk: Desk, begun: str
) -> None:
    for reason in ("Bad Request: message is too long", "Bad Request: chat not found"):
        await desk.fault(method="sendMessage", code=400, description=reason)
    await Broadcasts(parts.services, is_on=True, pause_s=0).work()
    ended = await known(parts)
    assert (ended.name, ended.failed, ended.blocked, ended.delivered) == (begun, 1, 1, 1)
    found = [await parts.services.people.person(person) for person in PEOPLE]
    assert [person.has_blocked for person in found].count(True) == 1
