"""Reports of results in groups: one question, one note to the owner, and what the owner does."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from jobs.queues.assignment import Assignment
from jobs.queues.keys import BLOCKED_PHOTOS, WHY_BLOCKED
from sandbox.server import Sandbox
from tests.integration.bot.running import until
from tests.integration.bot.served_bot import Message, ServedBot, serve_bot
from tests.integration.bot.talk import labels, text_of
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, FAMILY, Desk
from tests.integration.sandbox.raw_bot import RawBot
from tests.unit.bot.provenance.test_certificates import owners

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]
HERE = {"chat_id": FAMILY}


@pytest.fixture
async def served_bot(
    sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path
) -> AsyncIterator[ServedBot]:
    """The private bot and a worker; Bob may use it, and Alice may not."""
    serving = serve_bot(sandbox, valkey, desk, tmp_path, open=False)
    async with serving as found, found.working():
        await found.people.change(BOB, is_allowed=True)
        await found.people.agree(BOB)
        await found.says("/start", ADMIN)
        await found.shows("Hello!", ADMIN)
        yield found


async def made(served_bot: ServedBot) -> Message:
    """The video that Bob makes of a photo of Alice's."""
    photo = await served_bot.photo(ALICE, **HERE)
    where = {**HERE, "reply_to": photo["message_id"]}
    await served_bot.says("/animate@animato_bot smile", BOB, **where)
    return await served_bot.video(FAMILY)


async def reported(served_bot: ServedBot, video: Message) -> Message:
    """The note to the owner after a report by Alice."""
    await served_bot.tap("Report", video, ALICE)
    question = await served_bot.shows("Report this video", FAMILY)
    thanks = await served_bot.tap("It shows me without my consent", question, ALICE)
    assert "The owner of this bot will get your report." in thanks["text"]
    return await served_bot.shows(
        "Report from Family (-1001): It shows me without my consent.", ADMIN
    )


async def test_owner_gets_reason_and_video_and_the_group_no_trace(served_bot: ServedBot) -> None:
    video = await made(served_bot)
    note = await reported(served_bot, video)
    assert note["animation"]
    assert f"Reported by {ALICE}; ordered by {BOB}, order " in text_of(note)
    assert labels(note) == [["🚫 Block this photo"], ["⛔ Ban the person"], ["✓ Dismiss"]]

    async def is_gone() -> bool:
        said = await served_bot.said(FAMILY)
        return not any("Report this video" in text_of(one) for one in said)

    await until(is_gone)
    again = await served_bot.tap("Report", video, ALICE)
    assert again["text"] == "You have reported this video already."
    assert len([one for one in await served_bot.said(ADMIN) if one.get("animation")]) == 1


async def test_question_is_for_whoever_reports_and_may_be_taken_back(
    served_bot: ServedBot,
) -> None:
    video = await made(served_bot)
    await served_bot.tap("Report", video, ALICE)
    question = await served_bot.shows("Report this video", FAMILY)
    assert question["reply_to_message"]["message_id"] == video["message_id"]
    refused = await served_bot.tap("It is offensive", question, BOB)
    assert refused["text"] == "Only the person who reports it can answer."
    await served_bot.tap("Report", video, ALICE)

    async def is_asked_anew() -> bool:
        ids = [
            one["message_id"]
            for one in await served_bot.said(FAMILY)
            if "Report this video" in text_of(one)
        ]
        return len(ids) == 1 and ids != [question["message_id"]]

    await until(is_asked_anew)
    question = await served_bot.shows("Report this video", FAMILY)
    await served_bot.tap("Do not report", question, ALICE)
    await served_bot.tap("Report", video, ALICE)
    await served_bot.shows("Report this video", FAMILY)
    assert not any("Report from" in text_of(one) for one in await served_bot.said(ADMIN))


async def test_blocked_photo_is_refused_with_whom_to_ask_and_its_video_is_gone(
    served_bot: ServedBot,
) -> None:
    video = await made(served_bot)
    note = await reported(served_bot, video)
    await served_bot.tap("Block this photo", note, ADMIN)
    note = await served_bot.shows("The photo is blocked, and the video is deleted.", ADMIN)
    assert labels(note) == [["↩️ Unblock this photo"], ["⛔ Ban the person"]]

    async def is_gone() -> bool:
        return not any(one.get("animation") for one in await served_bot.said(FAMILY))

    await until(is_gone)
    photo = await served_bot.photo(ALICE, **HERE)
    where = {**HERE, "reply_to": photo["message_id"]}
    await served_bot.says("/animate@animato_bot", BOB, **where)
    said = await served_bot.shows("has blocked it. If that is a mistake, ask the owner.", FAMILY)
    assert text_of(said).endswith("The owner: @owner")
    await served_bot.tap("Unblock this photo", note, ADMIN)
    note = await served_bot.shows("The photo may be used again.", ADMIN)
    assert labels(note) == [["🚫 Block this photo"], ["⛔ Ban the person"]]
    await served_bot.says("/animate@animato_bot", BOB, **where)
    await served_bot.shows("Which movement?", FAMILY)
    # The report is kept for 30 days; /unban knows the photo for longer.
    await served_bot.tap("Block this photo", note, ADMIN)
    await served_bot.shows("The photo is blocked", ADMIN)
    await served_bot.says("/unban", ADMIN)
    listed = await served_bot.shows("Banned: nobody", ADMIN)
    ((unblock,),) = labels(listed)
    digest = unblock.removeprefix("Unblock photo ")
    assert f"\nSHA-256: {digest}" in text_of(note)
    line = text_of(listed).splitlines()[-1]
    assert re.fullmatch(rf"{digest}: \w+ \d+, \d+, It shows me without my consent", line)
    answer = await served_bot.tap(unblock, listed, ADMIN)
    assert answer["text"] == "The photo may be used again."
    client = served_bot.queues.client
    assert await client.exists(BLOCKED_PHOTOS, WHY_BLOCKED) == 0
    await client.sadd(BLOCKED_PHOTOS, "ab" * 32)  # by an earlier version
    await served_bot.says("/unban", ADMIN)
    await served_bot.shows("\n\nabababab", ADMIN)


async def test_report_of_a_video_that_must_be_signed_and_cannot_be_comes_without_it(
    sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path
) -> None:
    serving = serve_bot(sandbox, valkey, desk, tmp_path, provenance="required")
    async with serving as served_bot, served_bot.working():
        await served_bot.people.agree(BOB)
        await served_bot.says("/start", ADMIN)
        await served_bot.shows("Hello!", ADMIN)
        video = await made(served_bot)
        owners(tmp_path / "data" / "provenance", days=-1)
        note = await reported(served_bot, video)
        assert "animation" not in note
        await served_bot.tap("Block this photo", note, ADMIN)
        await served_bot.shows("The photo is blocked, and the video is deleted.", ADMIN)


async def test_open_orders_of_a_blocked_photo_are_cancelled(served_bot: ServedBot) -> None:
    video = await made(served_bot)
    note = await reported(served_bot, video)
    hold = asyncio.Event()

    async def wait(_: Assignment) -> None:
        await hold.wait()

    served_bot.worker.before_video = wait
    photo = await served_bot.photo(ALICE, **HERE)
    where = {**HERE, "reply_to": photo["message_id"]}
    await served_bot.says("/animate@animato_bot wink", BOB, **where)
    await served_bot.shows("Wink\nStarting now", FAMILY)
    await served_bot.tap("Block this photo", note, ADMIN)
    await served_bot.shows("Wink\nStopping ...", FAMILY)
    hold.set()
    await served_bot.shows("Wink: cancelled.", FAMILY)


async def test_author_of_the_photo_who_may_not_use_the_bot_deletes_the_video(
    served_bot: ServedBot,
) -> None:
    video = await made(served_bot)
    await served_bot.shows("done in", FAMILY)
    assert not (await served_bot.tap("More", video, ALICE)).get("show_alert")
    assert (await served_bot.tap("Delete", video, ALICE))["text"].startswith("Deleted")

    async def is_gone() -> bool:
        return not any(one.get("animation") for one in await served_bot.said(FAMILY))

    await until(is_gone)


async def test_question_that_could_not_be_sent_is_not_waited_for(served_bot: ServedBot) -> None:
    video = await made(served_bot)
    await served_bot.desk.fault(method="sendMessage", code=400, description="Bad Request: no")
    await served_bot.tap("Report", video, ALICE)
    await served_bot.tap("Report", video, ALICE)
    await served_bot.shows("Report this video", FAMILY)


async def test_person_who_is_banned_by_a_report_orders_nothing_more(
    served_bot: ServedBot,
) -> None:
    video = await made(served_bot)
    note = await reported(served_bot, video)
    await served_bot.tap("Ban the person", note, ADMIN)
    await served_bot.shows("The person is banned.", ADMIN)
    assert (await served_bot.people.person(BOB)).is_banned
    refused = await served_bot.tap("Another movement", video, BOB)
    assert "has banned you" in refused["text"]
    refused = await served_bot.tap("Report", video, BOB)
    assert "has banned you" in refused["text"]


async def test_report_that_is_dismissed_leaves_no_buttons(served_bot: ServedBot) -> None:
    note = await reported(served_bot, await made(served_bot))
    await served_bot.tap("Dismiss", note, ADMIN)
    assert labels(await served_bot.shows("Dismissed.", ADMIN)) == []


async def test_buttons_of_a_note_do_nothing_for_others(
    served_bot: ServedBot, sandbox: Sandbox
) -> None:
    note = await reported(served_bot, await made(served_bot))
    keyboard = json.dumps(note["reply_markup"])
    async with aiohttp.ClientSession() as session:
        bot = RawBot(session, sandbox)
        await bot.call("sendMessage", chat_id=FAMILY, text="copied", reply_markup=keyboard)
    copied = await served_bot.shows("copied", FAMILY)
    await served_bot.people.change(ALICE, is_allowed=True)
    for _ in range(2):  # the second is answered when the first is done
        await served_bot.tap("Ban the person", copied, ALICE)
    assert not (await served_bot.people.person(BOB)).is_banned
