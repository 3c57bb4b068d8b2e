"""Whole conversations, as people and the owner read them."""

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.translations import translated_texts
from jobs.queues.assignment import Assignment
from sandbox.server import Sandbox
from tests.integration.bot import talk as talks
from tests.integration.bot.golden import check_transcript
from tests.integration.bot.parts import FACE, local_store
from tests.integration.bot.running import until
from tests.integration.bot.served_bot import serve_bot
from tests.integration.bot.talk import Message, Talk, labels, talking
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, FAMILY, Desk

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]

newcomers = talks.newcomers
talk = talks.talk


async def turned(talk: Talk, message: Message, label: str) -> None:
    """Waits until a message has this button."""

    async def has_label() -> bool:
        (now,) = [one for one in await talk.said() if one["message_id"] == message["message_id"]]
        return label in str(labels(now))

    await until(has_label)


async def test_newcomer_makes_two_videos_reaches_the_limit_and_chooses_a_language(
    sandbox: Sandbox, valkey: str, redis: Redis, desk: Desk, tmp_path: Path
) -> None:
    store, texts = local_store(tmp_path), translated_texts()
    async with talking(sandbox, valkey, redis, store, desk, texts) as talk:
        talk.worker.photo_size, talk.worker.faces = (900, 1200), (FACE,)
        await desk.say("/start")
        await talk.shows("Hello!")
        await talk.photo()
        await talk.tap("I agree", await talk.shows("Before we begin"))
        card = await talk.shows("Which movement?")
        await talk.parts.services.people.change(ALICE, orders_per_day=2)
        await talk.tap("More", card)
        page = await talk.shows("These choices apply")
        await talk.tap("Portrait", page)
        await turned(talk, page, "✓ 👤 Portrait")
        await check_transcript(desk, "private_begins")
        await talk.tap("Back", page)
        await turned(talk, page, "Smile")
        await talk.tap("Smile", page)
        (video,) = await talk.videos()
        await talk.shows("Smile: done in")
        await talk.tap("⋯ More", video)
        await turned(talk, video, "More movement")
        hold = asyncio.Event()

        async def wait(_assignment: Assignment) -> None:
            await hold.wait()

        talk.worker.before_video = wait
        await talk.tap("More movement", video)
        await talk.shows("Smile, strength 125 %")  # the status comes before the video
        hold.set()
        await talk.shows("Smile, strength 125 %: done in")
        refused = await talk.tap("Less movement", video)
        assert refused["text"].startswith(
            "You have reached your limit: 2 in 24 hours. The next video is possible in 2"
        )
        await desk.say("/settings")
        await talk.tap("Language", await talk.shows("Your settings"))
        await talk.tap("English", await talk.shows("Which language should I speak here?"))
        await talk.shows("Language: English")
        await desk.say("/language")
        await talk.shows("Which language")
        await check_transcript(desk, "private")


async def test_person_reads_what_is_stored_and_deletes_it(talk: Talk) -> None:
    await talk.desk.say("/privacy")
    await talk.shows("What is stored")
    await talk.desk.say("/delete_me")
    question = await talk.shows("Shall I delete everything about you?")
    await check_transcript(talk.desk, "privacy")
    await talk.tap("Delete everything", question)
    await talk.shows("Everything is deleted here.")
    await check_transcript(talk.desk, "deleted")


async def test_group_reaches_its_limit_and_reports_a_video(
    sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path
) -> None:
    async with serve_bot(sandbox, valkey, desk, tmp_path) as served_bot, served_bot.working():
        await served_bot.people.agree(BOB)
        await served_bot.says("/limits group 1", ADMIN)
        await served_bot.shows("group = 1:", ADMIN)
        photo = await served_bot.photo(ALICE, chat_id=FAMILY)
        where = {"chat_id": FAMILY, "reply_to": photo["message_id"]}
        await served_bot.says("/animate@animato_bot smile", BOB, **where)
        video = await served_bot.video(FAMILY)
        await served_bot.shows("Smile: done in", FAMILY)
        await served_bot.says("/animate@animato_bot wink", BOB, **where)
        await served_bot.shows("This group has reached its limit", FAMILY)
        await served_bot.tap("Report", video, ALICE)
        question = await served_bot.shows("Report this video", FAMILY)
        await check_transcript(desk, "reported", FAMILY)
        await served_bot.tap("It shows me without my consent", question, ALICE)
        note = await served_bot.shows("Report from", ADMIN)
        await served_bot.tap("Block this photo", note, ADMIN)
        await served_bot.shows("The photo is blocked", ADMIN)
        await check_transcript(desk, "report_to_the_owner", ADMIN)
