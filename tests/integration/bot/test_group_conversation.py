"""A conversation in a group from beginning to end; the same by polling and by webhook."""

from pathlib import Path
from typing import Any

import pytest

from jobs.model import CropBox, Face
from sandbox.server import Sandbox
from tests.integration.bot.golden import check_transcript
from tests.integration.bot.parts import FACE
from tests.integration.bot.served_bot import serve_bot
from tests.integration.jobs.servers import free_port
from tests.integration.sandbox.desk import ALICE, BOB, CLUB, Desk, Part
from tests.integration.sandbox.media import voice

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]

OTHER_FACE = Face(number=2, box=CropBox(left=80, upper=10, right=130, lower=60), votes=3)


@pytest.mark.parametrize("how", ["polling", "webhook"])
async def test_newcomer_in_a_topic_makes_one_face_wink_and_then_both_speak(
    sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path, how: str
) -> None:
    listen = f"127.0.0.1:{free_port()}"
    webhook: dict[str, Any] = {
        "webhook_url": f"http://{listen}/push",
        "webhook_listen": listen,
    }
    serving = serve_bot(sandbox, valkey, desk, tmp_path, **webhook if how == "webhook" else {})
    async with serving as served_bot, served_bot.working():
        assert (sandbox.telegram.webhook is not None) == (how == "webhook")
        served_bot.worker.faces = (FACE, OTHER_FACE)
        topic = (await desk.post("topics", chat_id=CLUB, name="Portraits"))["message_thread_id"]
        where = {"chat_id": CLUB, "thread_id": topic}
        photo = await served_bot.photo(ALICE, **where)
        reply = {**where, "reply_to": photo["message_id"]}
        await served_bot.says("/animate@animato_bot", BOB, **reply)
        terms = await served_bot.shows("Before we begin", CLUB)
        await served_bot.tap("I agree", terms, BOB)
        faces = await served_bot.shows("I found 2 faces", CLUB)
        await check_transcript(desk, "group_begins", CLUB)
        await served_bot.tap("1", faces, BOB)
        await served_bot.tap("Wink", await served_bot.shows("Which movement?", CLUB), BOB)
        await served_bot.shows("Wink: done in", CLUB)
        await served_bot.says("/animate@animato_bot", BOB, **reply)
        both = await served_bot.shows("I found 2 faces", CLUB)
        await served_bot.tap("All of them", both, BOB)
        card = await served_bot.shows("2 faces will move", CLUB)
        part = Part("voice", voice(), "voice.ogg")
        await desk.send(part, user_id=BOB, **where, reply_to=card["message_id"])
        await served_bot.tap(
            "Say this", await served_bot.shows("Should the face say this", CLUB), BOB
        )
        await served_bot.shows("Speaking, 2 faces: done in", CLUB)
        await check_transcript(desk, "group", CLUB)
