"""The owner's desk of the whole bot: limits, statistics, and messages to everybody."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest

from bot.gateway.command_lists import admin_commands
from bot.limits import ChangedLimits
from bot.texts import ENGLISH
from jobs.errors import EngineFailed
from jobs.media_tasks import DrawChart
from jobs.queues.keys import FAILURES_KEY, LIMITS_KEY
from sandbox.server import Sandbox
from tests.integration.bot.parts import hurry
from tests.integration.bot.running import left_in_inbox, until
from tests.integration.bot.served_bot import ServedBot, serve_bot
from tests.integration.bot.talk import labels, text_of
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, FAMILY, Desk, Part

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]
COMMANDS = [name for name, _ in admin_commands(ENGLISH)]
# What an admin writes after some of them, so that they would do something.
ARGUMENTS = {
    "allow": f" {BOB}",
    "ban": f" {BOB}",
    "unban": f" {BOB}",
    "limits": " day 7",
    "broadcast": " hello",
    "add_template": " wave",
}
ANYWHERE = ("allow", "ban", "unban")


class Served(Protocol):
    """Serves the bot with other settings than the tests' usual ones."""

    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[ServedBot]: ...


@pytest.fixture
def served(sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path) -> Served:
    return lambda **settings: serve_bot(sandbox, valkey, desk, tmp_path, **settings)


@pytest.fixture
async def served_bot(served: Served) -> AsyncIterator[ServedBot]:
    async with served(broadcast=True) as found:
        yield found


async def heard(served_bot: ServedBot, chat: int) -> int:
    return len(await served_bot.said(chat))


async def state_of(served_bot: ServedBot) -> list[str]:
    """The keys that commands could have written."""
    found = [str(key) async for key in served_bot.queues.client.scan_iter("animato:*")]
    passing = ("animato:inbox", "animato:seen", "animato:worker", "animato:bot:", "animato:claim")
    return sorted(key for key in found if not key.startswith(passing))


# --- who may ----------------------------------------------------------------------------------


@pytest.mark.parametrize("chat", [ALICE, FAMILY])
async def test_admins_commands_of_a_stranger_get_no_answer_and_change_nothing(
    served_bot: ServedBot, chat: int
) -> None:
    await served_bot.says("/start", ALICE)
    await served_bot.shows("Hello!", ALICE)
    before, said = await state_of(served_bot), await heard(served_bot, chat)
    for name in COMMANDS:
        await served_bot.says(f"/{name}{ARGUMENTS.get(name, '')}", ALICE, chat_id=chat)
        await served_bot.says(f"/{name}@animato_bot", ALICE, chat_id=chat)
    await until(lambda: is_all_handled(served_bot))
    assert await heard(served_bot, chat) == said
    assert await state_of(served_bot) == before
    assert await served_bot.people.allowed_or_banned() == {}


async def is_all_handled(served_bot: ServedBot) -> bool:
    return not await left_in_inbox(served_bot.queues.client)


async def test_admin_gets_an_answer_to_every_command_in_private_and_to_some_in_groups(
    served_bot: ServedBot,
) -> None:
    for number, name in enumerate(COMMANDS, start=1):
        await served_bot.says(f"/{name}", ADMIN)
        await until(partial(is_at_least, served_bot, ADMIN, number))
    for number, name in enumerate(ANYWHERE, start=1):
        await served_bot.says(f"/{name}@animato_bot", ADMIN, chat_id=FAMILY)
        await until(partial(is_at_least, served_bot, FAMILY, number))
    for name in set(COMMANDS) - set(ANYWHERE):
        await served_bot.says(f"/{name}@animato_bot", ADMIN, chat_id=FAMILY)
    await until(lambda: is_all_handled(served_bot))
    await served_bot.says("/help", ADMIN)
    listed = text_of(await served_bot.shows("Best is one face", ADMIN))
    assert [name for name in COMMANDS if f"/{name}: " not in listed] == []
    assert await heard(served_bot, FAMILY) == len(ANYWHERE)


async def is_at_least(served_bot: ServedBot, chat: int, count: int) -> bool:
    return await heard(served_bot, chat) >= count


async def test_help_of_others_lists_no_admins_commands(served_bot: ServedBot) -> None:
    await served_bot.says("/help", ALICE)
    listed = text_of(await served_bot.shows("Best is one face", ALICE))
    assert [name for name in COMMANDS if f"/{name}: " in listed] == []


# --- limits -----------------------------------------------------------------------------------


async def test_limits_are_shown_changed_and_reset(served_bot: ServedBot) -> None:
    await served_bot.says("/limits", ADMIN)
    shown = text_of(await served_bot.shows("Limits:", ADMIN))
    assert "open = 3: unfinished orders of a person\n" in shown
    assert "group = no limit: orders from a group in 24 hours\n" in shown
    await served_bot.says("/limits day 7", ADMIN)
    await served_bot.shows("day = 7: orders of a person in 24 hours (changed)", ADMIN)
    await served_bot.says("/limits clip 99", ADMIN)
    await served_bot.shows("clip takes a whole number from 1 to 15, or reset.", ADMIN)
    await served_bot.says("/limits nonsense", ADMIN)
    await served_bot.shows("/limits day 50 changes a limit", ADMIN)
    changed = str(await served_bot.queues.client.get(LIMITS_KEY))
    assert ChangedLimits.read(changed) == ChangedLimits(per_day=7)
    await served_bot.says("/limits reset", ADMIN)
    await served_bot.says("/limits open 9", ADMIN)
    open_only = "open = 9: unfinished orders of a person (changed)\nday = 30: orders of a person"
    await served_bot.shows(open_only, ADMIN)


async def test_reset_repairs_limits_that_cannot_be_read(served_bot: ServedBot) -> None:
    await served_bot.queues.client.set(LIMITS_KEY, '{"schema_version": null}')
    await served_bot.says("/limits reset", ADMIN)
    await served_bot.shows("day = 30: orders of a person in 24 hours\n", ADMIN)


async def test_changed_limit_applies_to_the_next_order_and_a_persons_own_comes_first(
    served_bot: ServedBot,
) -> None:
    await served_bot.says("/limits day 1", ADMIN)
    await served_bot.shows("day = 1:", ADMIN)
    await ordered(served_bot)
    assert "You have reached your limit: 1 in 24 hours." in (await ordered(served_bot))["text"]
    await served_bot.says(f"/limits {ALICE} day 5", ADMIN)
    await served_bot.shows(f"{ALICE}: open 3, day 5", ADMIN)
    assert not (await ordered(served_bot)).get("text")
    await served_bot.says("/limits", ADMIN)
    listed = text_of(await served_bot.shows("People with limits of their own:", ADMIN))
    assert f"\n{ALICE}: open 3, day 5\n" in listed
    await served_bot.says(f"/limits {ALICE} reset", ADMIN)
    await served_bot.shows(f"{ALICE}: open 3, day 1", ADMIN)


async def test_limit_on_clips_reaches_the_look(served_bot: ServedBot) -> None:
    await served_bot.people.agree(ALICE)
    await served_bot.says("/limits clip 4", ADMIN)
    await served_bot.shows("clip = 4 s: how much of a clip is used (changed)", ADMIN)
    async with served_bot.working():
        await served_bot.desk.send(
            Part("video", media.clip(), "clip.mp4"), user_id=ALICE, chat_id=ALICE
        )
        await served_bot.photo(ALICE)
        await served_bot.shows("Your clip, or another movement?", ALICE)
    assert served_bot.worker.looks[-1].clip_s == 4
    await served_bot.says("/help", ALICE)
    await served_bot.shows("I use the first 4 s", ALICE)


async def ordered(served_bot: ServedBot, person: int = ALICE) -> Any:
    """Somebody sends a photo and taps a movement; the answer. No worker makes the video."""
    await served_bot.people.agree(person)
    async with served_bot.working():
        photo = await served_bot.photo(person)
        card = await served_bot.shows("Which movement?", person, after=photo)
    return await served_bot.tap("😊", card, person)


# --- statistics -------------------------------------------------------------------------------


async def test_statistics_count_orders_people_engines_and_failures(served_bot: ServedBot) -> None:
    await ordered(served_bot)
    async with served_bot.working():
        await served_bot.shows("done in", ALICE)  # it is counted by then
    await ordered(served_bot, BOB)
    served_bot.worker.errors += [EngineFailed(name="mesh", reason="the wheel came off")] * 3
    async with served_bot.working():
        await until(lambda: failed(served_bot))
        await served_bot.shows("went wrong on our side", BOB)
        await until(lambda: served_bot.queues.client.zcard(FAILURES_KEY))
    await served_bot.says("/stats", ADMIN)
    text = text_of(await served_bot.shows("Today (UTC):", ADMIN))
    today, week = text.split("\n\n")
    assert today.splitlines()[1:] == week.splitlines()[1:]
    assert today.splitlines()[1:4] == ["Orders: 2, people: 2", "Done: 1", "Failed: 1"]
    assert today.splitlines()[4].startswith("Waiting: half began within ")
    assert today.splitlines()[5:] == ["Engines: mesh 1"]


async def test_chart_of_the_week_comes_into_the_message_with_the_numbers(
    served_bot: ServedBot,
) -> None:
    await ordered(served_bot)
    async with served_bot.working():
        await served_bot.shows("done in", ALICE)  # it is counted by then
        await served_bot.says("/stats", ADMIN)
        message = await served_bot.shows("Each day: 🟦 done", ADMIN)
    assert message["photo"]
    assert await heard(served_bot, ADMIN) == 1
    (job,) = served_bot.worker.media_jobs
    assert isinstance(job.task, DrawChart)
    assert [day.parts for day in job.task.days] == [(0, 0, 0)] * 6 + [(1, 0, 0)]
    assert job.task.days[-1].people == 1


async def failed(served_bot: ServedBot) -> bool:
    await hurry(served_bot.queues.client, "animate-mesh")
    return bool(await served_bot.queues.dead_letters())


# --- messages to everybody --------------------------------------------------------------------


async def test_broadcast_is_off_unless_the_settings_allow_it(served: Served) -> None:
    async with served() as served_bot:
        await served_bot.says("/broadcast hello", ADMIN)
        await served_bot.shows("Broadcasts are off. ANIMATO_BROADCAST=true", ADMIN)
        assert await heard(served_bot, ADMIN) == 1


async def knows(served_bot: ServedBot, *people: int) -> None:
    """These people have begun a chat with the bot and have agreed to its terms."""
    for person in people:
        await served_bot.says("/start", person)
        await served_bot.shows("Hello!", person)
        await served_bot.people.agree(person)


async def test_broadcast_asks_first_and_reaches_who_uses_the_bot(served_bot: ServedBot) -> None:
    await knows(served_bot, ALICE, BOB)
    await served_bot.people.change(4444, consent_version=1)  # has blocked the bot, unnoticed
    await served_bot.people.change(5555, consent_version=1, wants_news=False)
    await served_bot.people.change(6666, is_allowed=True)  # has never written
    await served_bot.says("/broadcast New today: seven movements.\nTry them!", ADMIN)
    asked = await served_bot.shows("Send this message to 3 people?", ADMIN)
    preview = (await served_bot.said(ADMIN))[0]
    assert text_of(preview) == "New today: seven movements.\nTry them!"
    assert [len(await served_bot.said(person)) for person in (ALICE, BOB)] == [1, 1]
    await served_bot.tap("Send", asked, ADMIN)
    for person in (ALICE, BOB):
        assert labels(await served_bot.shows("New today", person)) == [["🔕 Stop these messages"]]
    await served_bot.shows("Sent.\n2 of 3 delivered, 1 have blocked the bot, 0 failed.", ADMIN)
    assert (await served_bot.people.person(4444)).has_blocked


async def test_person_who_wants_no_more_or_blocks_the_bot_is_left_out(
    served_bot: ServedBot,
) -> None:
    await knows(served_bot, ALICE, BOB)
    await served_bot.says("/broadcast first", ADMIN)
    await served_bot.tap("Send", await served_bot.shows("to 2 people?", ADMIN), ADMIN)
    message = await served_bot.shows("first", ALICE)
    answer = await served_bot.tap("Stop these", message, ALICE)
    assert answer["text"].startswith("You will get no more of these messages.")
    await served_bot.shows("Sent.\n2 of 2 delivered", ADMIN)
    await served_bot.desk.post("block", user_id=BOB)
    await until(lambda: has_blocked(served_bot, BOB))
    await served_bot.says("/broadcast second", ADMIN)
    await served_bot.shows("Send this message to 0 people?", ADMIN)
    await served_bot.desk.post("unblock", user_id=BOB)
    await until(lambda: is_back(served_bot, BOB))


async def has_blocked(served_bot: ServedBot, person: int) -> bool:
    return (await served_bot.people.person(person)).has_blocked


async def is_back(served_bot: ServedBot, person: int) -> bool:
    return not await has_blocked(served_bot, person)


async def test_broadcast_can_be_stopped_or_not_begun(served_bot: ServedBot) -> None:
    await knows(served_bot, ALICE)
    await served_bot.says("/broadcast never", ADMIN)
    asked = await served_bot.shows("Send this message to 1 person?", ADMIN)
    await served_bot.tap("Cancel", asked, ADMIN)
    await served_bot.shows("Not sent.", ADMIN)
    assert await heard(served_bot, ALICE) == 1
