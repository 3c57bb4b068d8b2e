"""A whole bot on python-telegram-bot: from a photo to a clip, and over its own death."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from tests.echo_bot import FRAMES, MOVEMENTS, animation, echo_bot
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ALICE, BOB, CLUB, FAMILY, PATIENCE_S, Desk, Part
from tests.integration.sandbox.raw_bot import RawBot

pytestmark = pytest.mark.local_sockets

ROOT = Path(__file__).parents[3]
PHOTO = "Which movement?\n    [Closer] [Sway] [Nod]\n"


async def sends_photo(desk: Desk, **where: object) -> None:
    await desk.send(Part("photo", media.photo(), "me.jpg"), **where)


# --- from a photo to a clip -----------------------------------------------------------------------


async def test_photo_comes_back_in_motion(sandbox: Sandbox, desk: Desk) -> None:
    async with echo_bot(sandbox):
        await sends_photo(desk, caption="me")
        await desk.sees(PHOTO)
        answer = (await desk.tap("Sway"))["answer"]
        assert (answer["text"], answer["show_alert"]) == ("Sway it is!", False)
        shown = await desk.sees("Done")
    assert shown == (
        "Alice (reaction 👀): <photo 160x120> me\n"
        "Bot (answers '<photo 160x120> me', edited): Done\n"
        "Bot (answers '<photo 160x120> me'): <animation 160x120> Sway\n"
        "    [Another movement] [Share]\n"
    )
    clip = (await desk.messages())[-1]["animation"]
    assert media.shown(await desk.file(clip["file_id"])) == (160, 120, FRAMES)
    edits = [call["parameters"]["text"] for call in await desk.calls("editMessageText")]
    assert edits == ["Animating 40 %", "Animating 80 %", "Done"]
    (action,) = await desk.calls("sendChatAction")
    assert action["parameters"]["action"] == "upload_video"


async def test_every_movement_moves_and_loops() -> None:
    for movement, view in MOVEMENTS.items():
        frames = media.frames(animation(media.photo(), movement))
        assert len({frame.tobytes() for frame in frames}) > FRAMES / 2
        first, second, last = view(0), view(1 / FRAMES), view(1 - 1 / FRAMES)
        # The last frame is as near to the first as the second is.
        steps = [max(abs(a - b) for a, b in zip(first, x, strict=True)) for x in (second, last)]
        assert steps[0] == pytest.approx(steps[1])


async def test_odd_sides_and_pictures_sent_as_files_are_taken(sandbox: Sandbox, desk: Desk) -> None:
    async with echo_bot(sandbox):
        await desk.send(Part("document", media.photo(101, 63), "me.jpg"))
        await desk.sees(PHOTO)
        await desk.tap("Closer")
        await desk.sees("<animation 100x62> Closer")
        await desk.sees("Done")


async def test_another_movement_is_offered_under_the_result(sandbox: Sandbox, desk: Desk) -> None:
    async with echo_bot(sandbox):
        await sends_photo(desk)
        await desk.sees(PHOTO)
        await desk.tap("Nod")
        await desk.sees("Done")
        await desk.tap("Another movement")
        await desk.sees(PHOTO)
        await desk.tap("Closer")
        await desk.sees("<animation 160x120> Closer")


async def test_card_whose_photo_is_gone_gets_an_alert(
    sandbox: Sandbox, desk: Desk, bot: RawBot
) -> None:
    async with echo_bot(sandbox):
        await desk.say("/start")
        await desk.sees("Hello Alice!")
        keyboard = '{"inline_keyboard": [[{"text": "Nod", "callback_data": "move|Nod"}]]}'
        await bot.call("sendMessage", chat_id=ALICE, text="an old card", reply_markup=keyboard)
        answer = (await desk.tap("Nod"))["answer"]
    assert (answer["text"], answer["show_alert"]) == ("The photo is gone. Send it again.", True)


# --- the rest of its talents ----------------------------------------------------------------------


async def test_it_greets_explains_itself_and_sends_round_videos_back(
    sandbox: Sandbox, desk: Desk
) -> None:
    async with echo_bot(sandbox):
        await desk.say("/start tpl_smile")
        await desk.sees("Bot: Hello Alice! You came with “tpl_smile”. Send me a photo.")
        await desk.say("what can you do?", user_id=BOB)
        assert "/animate" in await desk.sees("Bot: Send me a photo and choose", BOB)
        await desk.send(Part("video_note", media.clip(64, 64, has_sound=True), "round.mp4"))
        shown = await desk.sees("Bot (answers '<video_note")
    assert shown.count("<video_note 64 px>\n") == 2


async def test_its_commands_are_seen_in_two_languages(sandbox: Sandbox, desk: Desk) -> None:
    async with echo_bot(sandbox):
        for person, words in ((ALICE, "What I can do"), (BOB, "Was ich kann")):
            seen = await desk.get("commands", chat_id=person, user_id=person)
            found = {each["command"]: each["description"] for each in seen["commands"]}
            assert found.keys() == {"start", "animate", "help"}
            assert found["help"] == words
        assert (await desk.get("chats"))["bot"]["short_description"] == "Photos in motion"


async def test_group_asks_by_answering_a_photo(sandbox: Sandbox, desk: Desk) -> None:
    async with echo_bot(sandbox):
        report = await desk.send(Part("photo", media.photo(), "us.jpg"), chat_id=FAMILY)
        assert report["reason"] == "privacy mode"
        photo = report["message"]["message_id"]
        command = "/animate@animato_bot"
        await desk.say(command, chat_id=FAMILY, user_id=BOB, reply_to=photo)
        await desk.sees(PHOTO, FAMILY)
        await desk.tap("Closer", chat_id=FAMILY, user_id=BOB)
        await desk.sees("Bot (answers '<photo 160x120>'): <animation 160x120> Closer", FAMILY)
        await desk.sees("Done", FAMILY)


@pytest.mark.parametrize("is_in_topic", [True, False])
async def test_forum_gets_everything_where_it_was_asked_for(
    sandbox: Sandbox, desk: Desk, *, is_in_topic: bool
) -> None:
    thread = (await desk.post("topics", chat_id=CLUB, name="Pets"))["message_thread_id"]
    where = {"chat_id": CLUB} | ({"thread_id": thread} if is_in_topic else {})
    async with echo_bot(sandbox):
        report = await desk.send(Part("photo", media.photo(), "cat.jpg"), **where)
        photo = report["message"]["message_id"]
        await desk.say("/animate@animato_bot", reply_to=photo, **where)
        await desk.sees(PHOTO, CLUB)
        await desk.tap("Nod", chat_id=CLUB)
        await desk.sees("Done", CLUB)
    answers = [each for each in await desk.messages(CLUB) if each["from"]["is_bot"]]
    assert [each.get("is_topic_message", False) for each in answers] == [is_in_topic] * 2
    assert {each["reply_to_message"]["message_id"] for each in answers} == {photo}
    expected = thread if is_in_topic else photo  # outside of topics, the root of the answers
    assert {each.get("message_thread_id") for each in answers} == {expected}


async def test_results_are_shared_inline_and_liked(sandbox: Sandbox, desk: Desk) -> None:
    async with echo_bot(sandbox):
        told = await desk.post("inline", query="", chat_id=FAMILY)
        assert told["answer"]["results"] == []
        assert told["answer"]["button"]["start_parameter"] == "inline"
        await sends_photo(desk)
        await desk.sees(PHOTO)
        await desk.tap("Sway")
        await desk.sees("Done")
        told = await desk.post("inline", query="", chat_id=FAMILY)
        asked = told["inline_query_id"]
        await desk.post("chosen", inline_query_id=asked, result_id="1", chat_id=FAMILY)
        await desk.sees("Alice: <animation 160x120>\n    [❤]\n", FAMILY)
        for person in (ALICE, BOB):
            tap = await desk.post("tap", data="like", chat_id=FAMILY, user_id=person)
            assert tap["answer"]["text"] == "Thank you!"
        await desk.sees("[❤ 2]", FAMILY)
        tap = await desk.post("tap", data="like", chat_id=FAMILY, user_id=BOB)
        assert tap["answer"]["text"] == "You like it already."


# --- death and return -----------------------------------------------------------------------------


@asynccontextmanager
async def killable(sandbox: Sandbox) -> AsyncIterator[asyncio.subprocess.Process]:
    """The bot as a process of its own, as a person starts it; it polls already."""
    polls = sandbox.telegram.calls.polls
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.echo_bot", "--base-url", sandbox.base_url),
        *("--token", sandbox.token, "--pause", "0"),
        cwd=ROOT,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _until(lambda: sandbox.telegram.calls.polls > polls or process.returncode is not None)
        assert process.returncode is None
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def killed(process: asyncio.subprocess.Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL


async def test_what_comes_while_no_bot_runs_is_done_later(sandbox: Sandbox, desk: Desk) -> None:
    async with echo_bot(sandbox):
        await desk.say("/start")
        await desk.sees("Hello Alice!")
    report = await desk.say("/start again")
    assert report["delivered"] is True
    await sends_photo(desk)
    assert len(sandbox.telegram.updates) == 2
    async with echo_bot(sandbox):
        await desk.sees("You came with “again”")
        await desk.sees(PHOTO)


async def test_kill_in_the_middle_of_a_handler_loses_what_was_confirmed(
    sandbox: Sandbox, desk: Desk
) -> None:
    async with killable(sandbox) as process:
        await sends_photo(desk)
        await desk.sees(PHOTO)
        # The card is edited; the bot never hears that it was, and does not get to the rest.
        await desk.fault(method="editMessageText", timeout=600)
        await desk.tap("Sway")
        await desk.sees("Animating 40 %")
        await _until(lambda: len(sandbox.telegram.updates) == 0)
        await killed(process)
    async with echo_bot(sandbox):
        await desk.say("/start later")
        shown = await desk.sees("You came with “later”")
    assert "Animating 40 %" in shown
    assert "animation" not in shown


async def test_what_was_not_confirmed_comes_again_after_a_kill(
    sandbox: Sandbox, desk: Desk
) -> None:
    async with killable(sandbox) as process:
        # The poll that waits now still brings the message; the next one, which would confirm it,
        # never gets through.
        await desk.fault(method="getUpdates", code=502, times=1000)
        await desk.say("/start twice")
        await desk.sees("You came with “twice”")
        await killed(process)
    assert len(sandbox.telegram.updates) == 1
    sandbox.telegram.faults.clear()
    async with echo_bot(sandbox):
        await _until(lambda: len(sandbox.telegram.updates) == 0)
        await desk.say("what can you do?")
        shown = await desk.sees("choose a movement")
    assert shown.count("You came with “twice”") == 2


async def test_bot_polls_on_after_an_outage(sandbox: Sandbox, desk: Desk) -> None:
    async with echo_bot(sandbox):
        await desk.fault(method="getUpdates", drop=True)
        await desk.say("/start")
        await desk.sees("Hello Alice!")
        await desk.say("/start more")
        await desk.sees("You came with “more”")


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.005)
