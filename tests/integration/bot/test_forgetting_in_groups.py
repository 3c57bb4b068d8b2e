"""`/delete_me` of somebody who used the bot in a group: others' messages and reports stay."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from jobs.queues.keys import report_key, reported_key
from sandbox.server import Sandbox
from tests.integration.bot.running import until
from tests.integration.bot.served_bot import Message, ServedBot, serve_bot
from tests.integration.bot.talk import labels, text_of
from tests.integration.bot.test_privacy import kept_of, keys_about
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, FAMILY, Desk

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]
HERE = {"chat_id": FAMILY}


@pytest.fixture
async def served_bot(
    sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path
) -> AsyncIterator[ServedBot]:
    """The bot and a worker; Alice has agreed to the terms."""
    async with serve_bot(sandbox, valkey, desk, tmp_path) as found, found.working():
        await found.people.agree(ALICE)
        for person in (ADMIN, ALICE, BOB):
            await found.says("/start", person)
            await found.shows("Hello!", person)
        yield found


async def made(served_bot: ServedBot, person: int) -> Message:
    """A person's video of a photo of Alice's."""
    photo = await served_bot.photo(ALICE, **HERE)
    where = {**HERE, "reply_to": photo["message_id"]}
    command = await served_bot.says("/animate@animato_bot smile", person, **where)
    found: list[Message] = []

    async def is_there() -> bool:
        said = await served_bot.said(FAMILY)
        found[:] = [one for one in said if "animation" in one and answers(one, command)]
        return bool(found) and any(
            "done in" in text_of(one) for one in said if answers(one, command)
        )

    await until(is_there)
    return found[0]


def answers(message: Message, command: Message) -> bool:
    replied: Message = message.get("reply_to_message", {})
    return bool(replied.get("message_id") == command["message_id"])


async def reported(served_bot: ServedBot, video: Message, person: int) -> None:
    await served_bot.tap("Report", video, person)
    question = await served_bot.shows("Report this video", FAMILY)
    await served_bot.tap("It shows me without my consent", question, person)
    await served_bot.shows(f"Reported by {person};", ADMIN)


async def forgotten(served_bot: ServedBot, person: int) -> None:
    await served_bot.says("/delete_me", person)
    question = await served_bot.shows("Shall I delete everything about you?", person)
    await served_bot.tap("Delete everything", question, person)
    await served_bot.shows("Everything is deleted here", person)


async def test_orders_files_forms_and_reports_of_the_person_go_and_those_of_others_stay(
    served_bot: ServedBot,
) -> None:
    client = served_bot.queues.client
    of_alice = await made(served_bot, ALICE)
    before = [one["message_id"] for one in await served_bot.said(FAMILY)]
    await served_bot.people.agree(BOB)
    of_bob = await made(served_bot, BOB)
    await reported(served_bot, of_bob, ALICE)
    await reported(served_bot, of_alice, BOB)
    await served_bot.tap("As file", of_bob, BOB)
    await served_bot.tap("Other forms", of_bob, BOB)

    async def offers_forms() -> bool:
        said = await served_bot.said(FAMILY)
        (video,) = [one for one in said if one["message_id"] == of_bob["message_id"]]
        return "Sticker" in str(labels(video))

    await until(offers_forms)
    await served_bot.tap("Sticker", of_bob, BOB)

    async def have_come() -> bool:
        said = await served_bot.said(FAMILY)
        has_label = any("sticker" in one.get("reply_to_message", {}) for one in said)
        return has_label and any("document" in one and "animation" not in one for one in said)

    await until(have_come)
    assert await who_has_reported(client) == {str(ALICE), str(BOB)}
    await forgotten(served_bot, BOB)
    assert await who_has_reported(client) <= {str(ALICE)}
    await served_bot.shows("reports of your videos stay for 30 days", BOB)
    assert [one["message_id"] for one in await served_bot.said(FAMILY)] == before
    about = set(await keys_about(client, BOB))
    (left,) = about - kept_of(BOB)
    assert left.startswith(report_key(""))  # Alice's report of his video
    assert '"reporter_id":7' in str(await client.get(left))


async def test_person_is_forgotten_after_the_group_has_moved(served_bot: ServedBot) -> None:
    await made(served_bot, ALICE)
    await served_bot.desk.post("upgrade", chat_id=FAMILY)
    await forgotten(served_bot, ALICE)
    assert set(await keys_about(served_bot.queues.client, ALICE)) <= kept_of(ALICE)


async def who_has_reported(client: Redis) -> set[str]:
    found: set[str] = set()
    async for key in client.scan_iter(reported_key("*")):
        found |= {str(one) for one in await client.smembers(key)}
    return found


async def test_question_for_consent_in_a_group_goes(served_bot: ServedBot) -> None:
    photo = await served_bot.photo(ALICE, **HERE)
    where = {**HERE, "reply_to": photo["message_id"]}
    await served_bot.says("/animate@animato_bot smile", BOB, **where)
    await served_bot.shows("Before we begin", FAMILY)
    await forgotten(served_bot, BOB)
    assert await served_bot.said(FAMILY) == []
    assert set(await keys_about(served_bot.queues.client, BOB)) <= kept_of(BOB)
