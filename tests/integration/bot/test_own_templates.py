"""Movements of the owner's: from a clip in the chat to everybody's buttons."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import FaceNotFollowed
from jobs.media_tasks import CheckTemplate
from jobs.queues.keys import DELIVER
from sandbox.server import Sandbox
from tests.integration.bot.golden import check_transcript
from tests.integration.bot.parts import hurry
from tests.integration.bot.running import until
from tests.integration.bot.served_bot import Message, ServedBot, serve_bot
from tests.integration.bot.talk import labels, text_of
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ADMIN, ALICE, Desk, Part

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]


@pytest.fixture
async def served_bot(
    sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path
) -> AsyncIterator[ServedBot]:
    async with serve_bot(sandbox, valkey, desk, tmp_path) as found:
        yield found


async def clip_sent(served_bot: ServedBot, **where: Any) -> Message:
    """The admin sends a clip; its message."""
    part = Part("video", media.clip(), "wave.mp4")
    sent = await served_bot.desk.send(part, user_id=ADMIN, chat_id=ADMIN, **where)
    message: Message = sent["message"]
    return message


async def files(served_bot: ServedBot) -> list[str]:
    """What is stored of the owner's movements."""
    found = [file.key async for file in served_bot.store.listing("templates")]
    return sorted(key.rpartition("/")[2] for key in found)


async def choices(served_bot: ServedBot) -> list[str]:
    """The movements on all pages that Alice can choose from."""
    card = await served_bot.shows("Which movement?", ALICE)
    found: list[str] = []
    for _ in range(3):
        card = await served_bot.shows("Which movement?", ALICE)
        found += [label for row in labels(card) for label in row]
        page = next(label for label in found[::-1] if "/" in label)
        await served_bot.tap("▶️", card, ALICE)
        await until(partial(turned, served_bot, page))
    return found


async def turned(served_bot: ServedBot, page: str) -> bool:
    card = await served_bot.shows("Which movement?", ALICE)
    return page not in str(labels(card))


async def test_clip_with_the_command_becomes_a_movement_that_everybody_can_choose(
    served_bot: ServedBot,
) -> None:
    await served_bot.people.agree(ALICE)
    async with served_bot.working():
        await clip_sent(served_bot, caption="/add_template boss_wave")
        preview = await served_bot.shows("boss_wave: 3.2 s\nPublish it for everybody?", ADMIN)
        assert preview["animation"]
        assert labels(preview) == [["✅ Publish", "🗑 Discard"]]
        assert await files(served_bot) == ["clip.mp4", "preview.mp4", "track.npz"]
        await served_bot.tap("Publish", preview, ADMIN)
        await served_bot.shows("🎬 Boss wave is published.", ADMIN)
        await served_bot.says("/templates_admin boss_wave 😎 Wave like a boss", ADMIN)
        await served_bot.shows("boss_wave is now 😎 Wave like a boss.", ADMIN)
        await served_bot.says("/start tpl_boss_wave", ALICE)
        await served_bot.shows("😎 Wave like a boss. Now send me a photo for it.", ALICE)
        await served_bot.photo(ALICE)
        video = await served_bot.video(ALICE)
    assert text_of(video).startswith("😎 Wave like a boss\n")
    (order,) = served_bot.worker.orders
    movement = order.wish.movement
    assert (movement.template, movement.frames) == ("boss_wave", 80)
    assert movement.clip is not None
    assert movement.clip.file.startswith("templates/")
    assert movement.files == ()  # nothing of it is deleted with the video
    await served_bot.tap("Delete", video, ALICE)
    assert await files(served_bot) == ["clip.mp4", "preview.mp4", "track.npz"]


async def test_clip_may_follow_the_command_or_be_replied_to(served_bot: ServedBot) -> None:
    async with served_bot.working():
        await served_bot.says("/add_template first", ADMIN)
        await served_bot.shows("Send me the clip for first", ADMIN)
        clip = await clip_sent(served_bot)
        await served_bot.shows("first: 3.2 s", ADMIN)
        await served_bot.says("/add_template second", ADMIN, reply_to=clip["message_id"])
        await served_bot.shows("second: 3.2 s", ADMIN)
        # The same clip, which was not asked for.
        await clip_sent(served_bot)
        await served_bot.shows("Now send me the photo", ADMIN)


async def test_name_that_is_taken_or_not_a_name_is_refused(served_bot: ServedBot) -> None:
    for words in ("", " Boss", " smile more"):
        await served_bot.says(f"/add_template{words}", ADMIN)
    await until(lambda: count_of(served_bot, "Write a name after the command", 3))
    await served_bot.says("/add_template smile", ADMIN)
    await served_bot.shows("There is a movement smile already.", ADMIN)
    await clip_sent(served_bot, caption="/add_template wave")
    await served_bot.shows("No worker is online that can do this.", ADMIN)
    assert await files(served_bot) == []


async def count_of(served_bot: ServedBot, phrase: str, count: int) -> bool:
    found = [one for one in await served_bot.said(ADMIN) if phrase in text_of(one)]
    return len(found) == count


async def test_clip_that_cannot_be_used_says_why(served_bot: ServedBot) -> None:
    served_bot.worker.errors.append(FaceNotFollowed(name="clip.mp4"))
    async with served_bot.working():
        await clip_sent(served_bot, caption="/add_template wave")
        await served_bot.shows("No face can be followed in clip.mp4", ADMIN)
    assert await files(served_bot) == []


async def test_movements_are_hidden_shown_and_removed(served_bot: ServedBot) -> None:
    await served_bot.people.agree(ALICE)
    async with served_bot.working():
        for name in ("wave", "bow"):
            await clip_sent(served_bot, caption=f"/add_template {name}")
            preview = await served_bot.shows(f"{name}: 3.2 s", ADMIN)
            await served_bot.tap("Publish", preview, ADMIN)
        await served_bot.shows("🎬 Bow is published.", ADMIN)
        await served_bot.photo(ALICE)
        assert {"🎬 Wave", "🎬 Bow"} <= set(await choices(served_bot))
        await served_bot.says("/templates_admin", ADMIN)
        listed = await served_bot.shows("Your movements:", ADMIN)
        assert "wave: 🎬 Wave, 3.2 s, published\nbow: 🎬 Bow, 3.2 s, published" in text_of(listed)
        await served_bot.tap("Hide wave", listed, ADMIN)
        listed = await served_bot.shows("wave: 🎬 Wave, 3.2 s, hidden", ADMIN)
        await served_bot.says("/templates", ALICE)
        offered = text_of(await served_bot.shows("The movements:", ALICE))
        assert "🎬 Bow" in offered
        assert "🎬 Wave" not in offered
        await served_bot.says("/start tpl_wave", ALICE)
        await served_bot.shows("I do not know this movement.", ALICE)
        await served_bot.tap("Remove wave", listed, ADMIN)
        asked = await served_bot.shows("Remove wave and its files?", ADMIN)
        await served_bot.tap("Remove", asked, ADMIN)
        listed = await served_bot.shows("Your movements:\nbow", ADMIN)
        assert len(await files(served_bot)) == 3  # of the same clip
        await served_bot.tap("Remove bow", listed, ADMIN)
        await served_bot.tap("Remove", await served_bot.shows("Remove bow", ADMIN), ADMIN)
        await served_bot.shows("You have no movements of your own yet.", ADMIN)
    assert await files(served_bot) == []


async def test_decision_stands_though_the_preview_is_sent_once_more(
    served_bot: ServedBot,
) -> None:
    async with served_bot.working():
        for name, label, said in (
            ("wave", "Publish", "🎬 Wave is published."),
            ("bow", "Discard", "🎬 Bow is removed."),
        ):
            await served_bot.desk.fault(method="editMessageMedia", drop=True)
            await clip_sent(served_bot, caption=f"/add_template {name}")
            preview = await served_bot.shows(f"{name}: 3.2 s", ADMIN)
            await served_bot.tap(label, preview, ADMIN)
            await served_bot.shows(said, ADMIN)
            await until(lambda: is_delivered(served_bot))
            await served_bot.shows(said, ADMIN)
        await served_bot.says("/templates_admin", ADMIN)
        listed = await served_bot.shows("Your movements:", ADMIN)
    assert "wave: 🎬 Wave, 3.2 s, published\n\n" in text_of(listed)


async def is_delivered(served_bot: ServedBot) -> bool:
    """Whether nothing is left to deliver, also of what was tried in vain."""
    await hurry(served_bot.queues.client, DELIVER)
    counts = (await served_bot.queues.statistics(DELIVER)).counts
    return not any(counts[state] for state in ("active", "wait", "delayed", "prioritized"))


async def test_admin_commands_read_like_this(served_bot: ServedBot) -> None:
    async with served_bot.working():
        await served_bot.says("/limits day 50", ADMIN)
        await served_bot.shows("day = 50:", ADMIN)
        await served_bot.says("/stats", ADMIN)
        await served_bot.shows("Each day:", ADMIN)
        await clip_sent(served_bot, caption="/add_template boss_wave")
        preview = await served_bot.shows("boss_wave: 3.2 s", ADMIN)
        await served_bot.tap("Publish", preview, ADMIN)
        await served_bot.shows("🎬 Boss wave is published.", ADMIN)
        await served_bot.says("/templates_admin", ADMIN)
        await served_bot.shows("Your movements:", ADMIN)
        await served_bot.says("/broadcast Hello everybody!", ADMIN)
        await served_bot.shows("Broadcasts are off.", ADMIN)
    await check_transcript(served_bot.desk, "admin_commands", ADMIN)


async def test_longest_clips_that_the_settings_allow_are_used_in_part(
    sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path
) -> None:
    serving = serve_bot(sandbox, valkey, desk, tmp_path, clip_max_s=600.0)
    async with serving as served_bot, served_bot.working():
        await clip_sent(served_bot, caption="/add_template boss_wave")
        await served_bot.shows("Publish it for everybody?", ADMIN)
    (job,) = served_bot.worker.media_jobs
    assert isinstance(job.task, CheckTemplate)
    assert job.task.clip_s == 60
