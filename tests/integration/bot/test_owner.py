"""The owner's side of the whole bot: the first admin, who is let in, how everything stands."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import pytest

from bot.translations import translated_texts
from jobs.errors import EngineFailed
from jobs.queues.keys import log_key, prefix_of
from sandbox.server import Sandbox
from tests.integration.bot.parts import hurry
from tests.integration.bot.running import until
from tests.integration.bot.served_bot import ServedBot, serve_bot
from tests.integration.bot.talk import labels, text_of
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, FAMILY, Desk

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]
CONTACT = "The owner: @owner"


class Served(Protocol):
    """Serves the bot with other settings than the tests' usual ones."""

    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[ServedBot]: ...


@pytest.fixture
def served(sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path) -> Served:
    return lambda **settings: serve_bot(sandbox, valkey, desk, tmp_path, **settings)


@pytest.fixture
async def served_bot(served: Served) -> AsyncIterator[ServedBot]:
    async with served() as found:
        yield found


@pytest.fixture
async def private(served: Served) -> AsyncIterator[ServedBot]:
    """The bot as it is out of the box, but for its admin."""
    async with served(open=False) as found:
        yield found


# --- the first admin ------------------------------------------------------------------------------


async def test_link_of_the_first_start_makes_one_admin_and_no_second(served: Served) -> None:
    async with served(open=False, admins=()) as served_bot:
        (told,) = served_bot.told
        secret = told.partition("?start=")[2].split()[0]
        assert "https://t.me/animato_bot" in told
        await served_bot.says("/start claim_guessed", BOB)
        await served_bot.shows("was used already", BOB)
        await served_bot.says(f"/start {secret}", ALICE)
        await served_bot.shows("You are an admin", ALICE)
        await served_bot.says(f"/start {secret}", BOB)
        await until(lambda: has_heard(served_bot, BOB, 2))
        await served_bot.says("/status", ALICE)
        await served_bot.shows("New orders are accepted.", ALICE)
        assert await served_bot.people.admins() == {ALICE}
        shown = await served_bot.desk.get("commands", user_id=ALICE, chat_id=ALICE)
        assert "status" in str(shown)
    async with served(open=False, admins=()) as served_bot:
        assert served_bot.told == []


async def test_bot_with_an_admin_tells_no_link(served_bot: ServedBot) -> None:
    assert served_bot.told == []


async def has_heard(served_bot: ServedBot, person: int, times: int) -> bool:
    return len(await served_bot.said(person)) == times


# --- who is let in --------------------------------------------------------------------------------


async def test_stranger_hears_one_polite_line_and_nothing_is_begun(private: ServedBot) -> None:
    await private.says("hello?", ALICE)
    line = await private.shows("This bot is private.", ALICE)
    assert text_of(line).endswith(f"your id is {ALICE}. {CONTACT}")
    await private.says("hello?", ALICE)
    await private.says("/jobs", ALICE)
    await private.says("/status", ADMIN)
    await private.shows("Queues: nothing is waiting", ADMIN)
    assert len(await private.said(ALICE)) == 1


async def test_commands_for_another_bot_of_a_group_are_left_alone(private: ServedBot) -> None:
    for text in ("/weather@other_bot", "/weather", "/animate@other_bot"):
        await private.says(text, BOB, chat_id=FAMILY)
    await private.says("/animate@Animato_bot", BOB, chat_id=FAMILY)
    await private.shows("This bot is private.", FAMILY)
    assert len(await private.said(FAMILY)) == 1


async def test_server_of_ones_own_takes_larger_files_but_not_any(served: Served) -> None:
    async with served(bot_api_local=True) as served_bot:
        await served_bot.says("/help", ALICE)
        await served_bot.shows("up to 200 MB", ALICE)


async def test_strangers_photo_is_answered_even_right_after_a_text(private: ServedBot) -> None:
    await private.says("/start", ALICE)
    await private.shows("This bot is private.", ALICE)
    photo = await private.photo(ALICE)
    await until(lambda: has_heard(private, ALICE, 2))
    line = (await private.said(ALICE))[-1]
    assert line["reply_to_message"]["message_id"] == photo["message_id"]


async def test_person_who_is_let_in_is_told_once_or_the_admin_that_it_cannot_be(
    private: ServedBot,
) -> None:
    await private.says("/start", ALICE)
    await private.shows("This bot is private.", ALICE)
    await private.says(f"/allow {ALICE} {BOB}", ADMIN)
    await private.shows("You may use this bot now. Send me a photo.", ALICE)
    await private.shows(f"I could not notify {BOB}: they must write to me first.", ADMIN)
    await private.says(f"/allow {ALICE}", ADMIN)
    await until(lambda: has_heard(private, ADMIN, 2))
    assert len(await private.said(ALICE)) == 2


async def test_admins_commands_of_others_are_met_with_silence(served_bot: ServedBot) -> None:
    for command in ("/status", "/pause", f"/ban {BOB}", "/jobs"):
        await served_bot.says(command, ALICE)
    await served_bot.says("/help", ALICE)
    await served_bot.shows("Best is one face", ALICE)
    assert len(await served_bot.said(ALICE)) == 1
    assert not await served_bot.people.is_paused()
    assert await served_bot.people.allowed_or_banned() == {}


async def test_allowed_person_is_served_and_a_banned_one_is_not_any_more(
    private: ServedBot,
) -> None:
    await private.says(f"/allow {ALICE}", ADMIN)
    await private.shows(f"Allowed: {ALICE}", ADMIN)
    await private.says("/start", ALICE)
    await private.shows("Hello!", ALICE)
    await private.says(f"/ban {ALICE} {ADMIN}", ADMIN)
    assert "Admins cannot be banned." in text_of(await private.shows(f"Banned: {ALICE}", ADMIN))
    await private.says("/start", ALICE)
    await private.shows("has banned you", ALICE)
    await private.says("/allow", ADMIN)
    await private.shows("Allowed: nobody", ADMIN)


async def test_ban_takes_back_what_was_ordered(served_bot: ServedBot) -> None:
    order = await ordered(served_bot)
    await served_bot.says(f"/ban {ALICE}", ADMIN)
    await served_bot.shows("cancelled.", ALICE)
    assert order not in await listed(served_bot)


async def test_allow_in_answer_to_a_message_is_about_its_writer(private: ServedBot) -> None:
    there = {"chat_id": FAMILY}
    hello = await private.says("hello", BOB, **there)
    await private.says("/allow@animato_bot", ADMIN, **there, reply_to=hello["message_id"])
    await private.shows(f"Allowed: {BOB}", FAMILY)


async def test_tap_of_a_person_who_was_banned_is_refused_but_deletes(served_bot: ServedBot) -> None:
    await served_bot.people.agree(ALICE)
    async with served_bot.working():
        await served_bot.photo(ALICE)
        card = await served_bot.shows("Which movement?", ALICE)
    await served_bot.people.change(ALICE, is_banned=True)
    refused = await served_bot.tap("😊", card, ALICE)
    assert refused["show_alert"] is True
    assert "has banned you" in refused["text"]
    await served_bot.tap("Cancel", card, ALICE)
    await served_bot.shows("deleted", ALICE)


# --- how everything stands ------------------------------------------------------------------------


async def ordered(served_bot: ServedBot) -> str:
    """Alice orders a video, and no worker is there to make it; the order's id."""
    await served_bot.people.agree(ALICE)
    async with served_bot.working():
        await served_bot.photo(ALICE)
        card = await served_bot.shows("Which movement?", ALICE)
    await served_bot.tap("😊", card, ALICE)
    await until(lambda: listed(served_bot))
    (order,) = await listed(served_bot)
    return order


async def listed(served_bot: ServedBot) -> list[str]:
    """The orders that wait."""
    waiting = f"{prefix_of('animate-mesh')}prioritized"
    return list(map(str, await served_bot.queues.client.zrange(waiting, 0, -1)))


async def test_status_leads_to_an_order_which_can_be_cancelled(served_bot: ServedBot) -> None:
    order = await ordered(served_bot)
    await served_bot.says("/status", ADMIN)
    status = await served_bot.shows("mesh: 1 waiting", ADMIN)
    assert "maker-mesh" not in text_of(status)
    assert "here, cpu: idle; mesh" in text_of(status)
    await served_bot.tap("Jobs", status, ADMIN)
    jobs = await served_bot.shows(f": smile by mesh, person {ALICE}", ADMIN)
    assert text_of(jobs).startswith("1. place 1, ")
    lines = ("2026-11-23 10:00:00 the last words", "Traceback (most recent call last):")
    await served_bot.queues.client.rpush(log_key(order), *lines)
    await served_bot.tap("1", jobs, ADMIN)
    detail = await served_bot.shows("the last words", ADMIN)
    assert f"{order}\nPerson {ALICE}, chat {ALICE}" in text_of(detail)
    assert "Traceback" not in text_of(detail)
    assert (await served_bot.tap("Cancel", detail, ADMIN))["text"] == "Cancelled."
    await served_bot.shows("cancelled.", ALICE)
    await served_bot.shows("cancelled; ordered", ADMIN)
    assert len(await served_bot.said(ADMIN)) == 1


async def test_failed_order_is_listed_with_its_error_and_tried_again(served_bot: ServedBot) -> None:
    await ordered(served_bot)
    served_bot.worker.errors += [EngineFailed(name="mesh", reason="the wheel came off")] * 3
    async with served_bot.working():
        await until(lambda: failed(served_bot))
        await served_bot.says("/jobs", ADMIN)
        jobs = await served_bot.shows("1. failed, ", ADMIN)
        await served_bot.tap("1", jobs, ADMIN)
        detail = await served_bot.shows(" frames", ADMIN)
        assert "the wheel came off" in text_of(detail)
        assert (await served_bot.tap("Try again", detail, ADMIN))[
            "text"
        ] == "It will be tried again."
        await served_bot.video(ALICE)


async def failed(served_bot: ServedBot) -> bool:
    """Whether an order has come to nothing; its further attempts come at once."""
    await hurry(served_bot.queues.client, "animate-mesh")
    return bool(await served_bot.queues.dead_letters())


async def test_pause_stops_orders_of_others_until_resume(served_bot: ServedBot) -> None:
    await served_bot.says("/status", ADMIN)
    status = await served_bot.shows("New orders are accepted.", ADMIN)
    assert labels(status) == [["📋 Jobs", "🔄 Refresh"], ["⏸ Pause"]]
    await served_bot.tap("Pause", status, ADMIN)
    paused = await served_bot.shows("Paused", ADMIN)
    assert await served_bot.people.is_paused()
    await served_bot.tap("Resume", paused, ADMIN)
    await served_bot.shows("New orders are accepted.", ADMIN)
    assert not await served_bot.people.is_paused()


async def test_pause_is_told_before_a_photo_is_sent_and_on_its_card(served_bot: ServedBot) -> None:
    await served_bot.people.agree(ALICE)
    await served_bot.people.agree(ADMIN)
    await served_bot.people.pause(is_paused=True)
    await served_bot.says("/start", ALICE)
    await served_bot.shows("⏸ The owner has paused new videos.", ALICE)
    await served_bot.says("/start tpl_wink", ALICE)
    said = text_of(await served_bot.shows("Now send me a photo for it.", ALICE))
    assert "⏸ The owner has paused" in said
    await served_bot.says("hello", ALICE)
    said = text_of(await served_bot.shows("Send me a photo with a face", ALICE))
    assert "⏸ The owner has paused" in said
    await served_bot.says("/templates", ALICE)
    assert "⏸ The owner has paused" in text_of(await served_bot.shows("The movements:", ALICE))
    await served_bot.says("/help@animato_bot", ALICE, chat_id=FAMILY)
    await served_bot.shows("⏸ The owner has paused", FAMILY)
    async with served_bot.working():
        await served_bot.says("/start", ADMIN)
        assert "⏸" not in text_of(await served_bot.shows("Hello!", ADMIN))
        await served_bot.photo(BOB)
        await served_bot.people.agree(BOB)
        await served_bot.photo(BOB)
        card = text_of(await served_bot.shows("Which movement?", BOB))
        assert card.startswith("⏸ The owner has paused new videos. You can choose a movement now")
        await served_bot.photo(ADMIN)
        assert "⏸" not in text_of(await served_bot.shows("Which movement?", ADMIN))


async def test_admins_buttons_do_nothing_for_who_is_no_admin_any_more(served: Served) -> None:
    async with served() as served_bot:
        await served_bot.says("/status", ADMIN)
        status = await served_bot.shows("New orders are accepted.", ADMIN)
    async with served(admins=(BOB,)) as served_bot:
        assert not (await served_bot.tap("Pause", status, ADMIN)).get("text")
        assert not await served_bot.people.is_paused()


# --- what Telegram shows --------------------------------------------------------------------------


async def test_command_lists_are_written_once_and_then_left_alone(served: Served) -> None:
    # Three of all chats in each language and in the default one, and the admin's own.
    languages = translated_texts().languages
    lists = 3 * (len(languages) + 1) + 1
    async with served(command_lists=True) as served_bot:
        await until(lambda: describe_error(served_bot))
        # The admin's own list comes last.
        await until(lambda: wrote_commands(served_bot, lists))
        shown = str(await served_bot.desk.get("commands", user_id=ALICE, chat_id=FAMILY))
        assert "animate" in shown
        assert "status" not in str(await served_bot.desk.get("commands", user_id=BOB, chat_id=BOB))
    async with served(command_lists=True) as served_bot:
        await until(lambda: asked(served_bot, 2 * lists))
        assert await wrote_commands(served_bot, lists)
        # English is the default language too, so it is not set twice.
        assert len(await served_bot.desk.calls("setMyDescription")) == len(languages)


async def describe_error(served_bot: ServedBot) -> bool:
    return bool(await served_bot.desk.calls("setMyShortDescription")) and await asked(served_bot, 3)


async def wrote_commands(served_bot: ServedBot, count: int) -> bool:
    return len(await served_bot.desk.calls("setMyCommands")) == count


async def asked(served_bot: ServedBot, times: int) -> bool:
    """Whether the lists of commands were asked for so often, the last one answered."""
    return len(await served_bot.desk.calls("getMyCommands")) >= times
