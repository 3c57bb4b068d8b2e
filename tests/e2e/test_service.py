"""The whole service against all that can befall it: real bot, worker and Valkey, killed and back.

Most orders are of the engine `still`, which is quick; those that must be caught in the middle are
of `mesh`. Each test has people of its own, and in the end nothing is left to do.
"""

import asyncio
import os
import re
import signal
import stat
import sys
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import av
import pytest
import pytest_asyncio

from jobs.orders import OrderState
from jobs.queues.keys import DELIVER, INTAKE, engine_queue, inbox_key
from jobs.redis_server.program import find_program
from jobs.service_errors import QueueServerMissing
from tests.conftest import Require
from tests.e2e.service import SHOW_ALL, Service, face_with_sound, order_of, service, until
from tests.e2e.whole_service import portrait
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import Part

pytestmark = [pytest.mark.local_sockets, pytest.mark.asyncio(loop_scope="module")]

BLINK_FRAMES, BLINK_S = 75, 3
MANY = 1000
LONG_S = 3600


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(
    tmp_path_factory: pytest.TempPathFactory, require: Require
) -> AsyncIterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    try:
        find_program(folder)
    except QueueServerMissing:
        require(False, "there is no Valkey and no Redis")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        async with service(folder, ANIMATO_DEFAULT_ENGINE="still") as found:
            yield found


@pytest_asyncio.fixture(loop_scope="module")
async def whole(running: Service) -> AsyncIterator[Service]:
    """Everything at work; after the test, everything that was accepted comes to its end."""
    yield running

    async def is_done() -> bool:
        return not await running.left()

    running.worker.thaw()
    if running.sandbox.telegram.is_down:
        await running.desk.post("outage", seconds=0)
    running.sandbox.telegram.faults.clear()
    await until(is_done, "nothing is left to do")
    assert not re.search(r"update \d+ failed", running.bot.log)
    assert "Traceback" not in running.worker.log


# --- what is made ---------------------------------------------------------------------------------


async def test_photo_and_movement_become_an_animation_with_every_frame(whole: Service) -> None:
    ann = await whole.person("Ann")
    order = await ann.orders("Blink", engine="mesh")
    (video,) = await ann.videos()
    shown = video["animation"]
    assert (shown["width"], shown["height"], shown["duration"]) == (200, 200, BLINK_S)
    assert media.shown(await ann.file_of(video)) == (200, 200, BLINK_FRAMES)
    title, label = video["caption"].split("\n")
    assert title == "😌 Blink"
    assert "AI" in label
    assert await whole.starts_of(order) == 1


async def test_own_clip_with_sound_becomes_a_video_with_sound(whole: Service) -> None:
    ann = await whole.person("Ann")
    photo = await ann.send(portrait())
    await ann.card(photo)
    clip = Part("video", face_with_sound(), "me.mp4")
    await ann.send(clip, reply_to=photo["message_id"])
    await ann.tap("Follow my clip", await ann.sees("Your clip, or another movement?"))
    (message,) = await ann.videos()
    assert message["video"]["duration"] == BLINK_S
    content = await ann.file_of(message)
    assert media.shown(content) == (200, 200, BLINK_FRAMES)
    with av.open(BytesIO(content), "r") as video:
        (sound,) = video.streams.audio
        assert sound.duration is not None
        assert sound.time_base is not None
        assert float(sound.duration * sound.time_base) == pytest.approx(BLINK_S, abs=0.1)


# --- what people do -------------------------------------------------------------------------------


async def test_double_tap_is_one_video_and_another_movement_needs_no_new_photo(
    whole: Service,
) -> None:
    ann = await whole.person("Ann")
    photo = await ann.send(portrait())
    card = await ann.card(photo)
    await asyncio.gather(*(ann.tap("Blink", card) for _ in range(3)))
    (video,) = await ann.videos()
    await ann.tap("Another movement", video)
    await ann.tap("Wink", await ann.card(photo, after=video))
    captions = [one["caption"].partition("\n")[0] for one in await ann.videos(count=2)]
    assert captions == ["😌 Blink", "😉 Wink"]
    assert [await whole.starts_of(order_of(photo, number)) for number in (1, 2)] == [1, 1]


async def test_order_that_waits_is_cancelled_and_never_begun(whole: Service) -> None:
    ann = await whole.person("Ann")
    photo = await ann.send(portrait())
    card = await ann.card(photo)
    whole.worker.freeze()
    await ann.tap("Blink", card)
    assert (await ann.tap("Cancel", await ann.sees("You are next")))["text"] == "Cancelled."
    cancelled = await ann.sees("Blink: cancelled.")
    whole.worker.thaw()
    await ann.tap("Another movement", cancelled)
    await ann.tap("Wink", await ann.card(photo))
    (video,) = await ann.videos()
    assert video["caption"].startswith("😉 Wink")
    assert await whole.starts_of(order_of(photo)) == 0


async def test_order_that_runs_is_cancelled_and_another_one_made(whole: Service) -> None:
    ann = await whole.person("Ann")
    order = await ann.orders(SHOW_ALL)
    await whole.is_in(OrderState.RUNNING, order)
    status = await ann.sees("9 movements\n")
    assert (await ann.tap("Cancel", status))["text"] == "It stops in a moment."
    await ann.tap("Another movement", await ann.sees("9 movements: cancelled."))
    await ann.tap("Blink", await ann.sees("Which movement?"))
    (video,) = await ann.videos()
    assert video["caption"].startswith("😌 Blink")


async def test_one_wish_does_not_wait_for_all_the_wishes_of_somebody_else(whole: Service) -> None:
    greedy, modest = await asyncio.gather(whole.person("Greedy"), whole.person("Modest"))
    photos = [await greedy.send(portrait()) for _ in range(2)]
    cards = [await greedy.card(photo) for photo in photos]
    card = await modest.card(photo := await modest.send(portrait()))
    whole.worker.freeze()
    for one in cards:
        await greedy.tap(SHOW_ALL, one)
    await modest.tap("Sharper", card)
    await modest.tap("Blink", card)
    whole.worker.thaw()
    first, second, single = (order_of(one, engine="mesh") for one in (*photos, photo))
    await whole.is_in(OrderState.RUNNING, first)
    await greedy.tap("Cancel", await greedy.card(photos[0], "9 movements\n"))
    await whole.is_in(OrderState.DONE, single)
    assert not (await whole.status(second)).state.is_final
    await greedy.tap("Cancel", await greedy.card(photos[1], "9 movements\n"))
    await modest.videos()


async def test_update_that_telegram_sends_again_is_handled_once(whole: Service) -> None:
    ann = await whole.person("Ann")
    await whole.bot.kill()
    await whole.begin(whole.bot)
    # The question that it has just asked is answered; then it dies before it has confirmed that.
    await whole.desk.fault(method="getUpdates", code=502, times=MANY)
    photo = await ann.send(portrait())
    card = await ann.card(photo)
    await whole.bot.kill()
    assert len(whole.sandbox.telegram.updates) == 1
    whole.sandbox.telegram.faults.clear()
    await whole.begin(whole.bot)
    await whole.all_is_fetched()
    await whole.desk.fault(method="getUpdates", code=502, times=MANY)
    await ann.tap("Blink", card)
    await ann.sees("Blink: done in")  # so that the receipt of the video is noted
    await whole.bot.kill()
    assert len(whole.sandbox.telegram.updates) == 1
    whole.sandbox.telegram.faults.clear()
    await whole.begin(whole.bot)
    await whole.all_is_fetched()
    assert await ann.count_of_videos() == 1
    assert await whole.starts_of(order_of(photo)) == 1
    assert (await whole.desk.transcript(ann.person)).count("Bot (answers") == 2


# --- Telegram's troubles --------------------------------------------------------------------------


async def test_chat_that_must_be_silent_delays_no_other(whole: Service) -> None:
    ann, bob = await asyncio.gather(whole.person("Ann"), whole.person("Bob"))
    wish = {"method": "sendAnimation", "chat_id": ann.person, "times": MANY}
    await whole.desk.fault(**wish, code=429, retry_after=1)
    first = await ann.orders()
    await whole.is_in(OrderState.DONE, first)
    await until(lambda: whole.has_called("sendAnimation", ann.person), "it was refused")
    await bob.orders()
    await bob.videos()
    assert await ann.count_of_videos() == 0
    whole.sandbox.telegram.faults.clear()

    async def has_come() -> bool:
        await whole.pauses_pass(DELIVER)
        return await ann.count_of_videos() > 0

    await until(has_come, "the result comes as soon as it may")
    assert await ann.count_of_videos() == 1
    assert await whole.starts_of(first) == 1


async def test_outage_of_telegram_costs_time_and_nothing_else(whole: Service) -> None:
    ann = await whole.person("Ann")
    order = await ann.orders(engine="mesh")
    await whole.is_in(OrderState.RUNNING, order)
    await whole.desk.post("outage", seconds=LONG_S)
    await whole.is_in(OrderState.DONE, order)

    async def is_put_off() -> bool:
        return bool((await whole.queues.statistics(DELIVER)).counts["delayed"])

    await until(is_put_off, "the result could not be sent")
    await whole.desk.post("outage", seconds=0)
    await whole.doubts_pass()
    await ann.sees("Blink: done in")
    assert await ann.count_of_videos() == 1
    assert await whole.starts_of(order) == 1


# --- deaths ---------------------------------------------------------------------------------------


async def test_bot_that_dies_at_five_points_forgets_nobody(whole: Service) -> None:
    unheard, coming, waiting, seeing, told = await asyncio.gather(
        *(whole.person(name) for name in ("Unheard", "Coming", "Waiting", "Seeing", "Told"))
    )
    client = whole.queues.client
    # Sent, and Telegram's answer does not come.
    await whole.desk.fault(method="sendAnimation", chat_id=told.person, timeout=LONG_S)
    sent = await told.orders()
    await told.videos()
    # One order runs, and another one waits behind it.
    card = await waiting.card(behind := await waiting.send(portrait()))
    begun = await seeing.orders(engine="mesh")
    await whole.is_in(OrderState.RUNNING, begun)
    whole.worker.freeze()
    await waiting.tap("Blink", card)
    # A photo is being downloaded.
    await whole.desk.fault(method="download", timeout=LONG_S)
    late = await coming.send(portrait())
    await whole.has_met("download")
    # An update waits for its handler, behind one that does not get on.
    await whole.desk.fault(method="sendMessage", chat_id=unheard.person, timeout=LONG_S)
    await unheard.say("/help")
    await whole.has_met("sendMessage")
    photo = await unheard.send(portrait())
    await whole.all_is_fetched()
    bot = int(whole.sandbox.token.partition(":")[0])
    assert await client.xlen(inbox_key(bot)) == 2
    assert (await whole.status(order_of(behind))).state is OrderState.WAITING
    assert (await whole.status(begun)).state is OrderState.RUNNING

    await whole.bot.kill()
    await whole.locks_pass(INTAKE, DELIVER)
    assert await whole.doubts_pass() == 1
    whole.worker.thaw()
    await whole.begin(whole.bot)

    for person, message in ((unheard, photo), (coming, late)):
        await person.tap("Blink", await person.card(message))
    await asyncio.gather(*(one.videos() for one in (unheard, coming, waiting, seeing)))
    await told.videos(count=2)
    twice = await told.count_of_videos() - 1
    # Shown with `-s` or on failure.
    sys.stdout.write(f"\ndelivered twice, for the bot died before the receipt: {twice} of 5\n")
    orders = [order_of(photo), order_of(late), order_of(behind), begun, sent]
    assert [await whole.starts_of(order) for order in orders] == [1] * 5
    await asyncio.gather(*(one.sees(": done in") for one in (unheard, coming, waiting, seeing)))
    counts = [await one.count_of_videos() for one in (unheard, coming, waiting, seeing, told)]
    assert counts == [1, 1, 1, 1, 2]


async def test_video_that_was_being_sent_does_not_outlive_a_killed_bot(whole: Service) -> None:
    def videos() -> list[Path]:
        return list(whole.bot.temporary.glob("animato-*/**/video.mp4"))

    ida = await whole.person("Ida")
    await whole.desk.fault(method="sendAnimation", chat_id=ida.person, timeout=LONG_S)
    await ida.orders()
    await ida.videos()
    (video,) = videos()
    assert stat.S_IMODE(video.stat().st_mode) == 0o600
    await whole.bot.kill()
    assert video.exists()
    await whole.locks_pass(DELIVER)
    await whole.begin(whole.bot)
    assert not video.exists()
    await whole.doubts_pass()
    await ida.videos(count=2)


async def test_order_of_a_killed_worker_is_made_by_the_next_one(whole: Service) -> None:
    ann = await whole.person("Ann")
    order = await ann.orders(engine="mesh")
    await whole.is_in(OrderState.RUNNING, order)
    await whole.worker.kill()
    await whole.locks_pass(engine_queue("mesh"))
    await whole.begin(whole.worker)
    await ann.sees("Blink: done in")
    assert await ann.count_of_videos() == 1
    assert await whole.starts_of(order) == 2


async def test_death_of_the_server_of_the_queues_is_not_noticed(whole: Service) -> None:
    ann = await whole.person("Ann")
    order = await ann.orders(engine="mesh")
    await whole.is_in(OrderState.RUNNING, order)
    os.kill(whole.server.pid, signal.SIGKILL)
    await ann.sees("Blink: done in")
    assert await ann.count_of_videos() == 1
    assert await whole.starts_of(order) == 1


async def test_without_a_worker_people_are_told_and_served_as_soon_as_there_is_one(
    whole: Service,
) -> None:
    ann, bob = await asyncio.gather(whole.person("Ann"), whole.person("Bob"))
    card = await ann.card(await ann.send(portrait()))
    await whole.worker.stop()
    await ann.tap("Blink", card)
    await ann.sees("No worker is online for this right now. Your place is kept.")
    photo = await bob.send(portrait())
    await bob.sees("No worker is online right now. Your photo is kept")
    await whole.begin(whole.worker)
    await bob.tap("Blink", await bob.card(photo))
    await asyncio.gather(ann.videos(), bob.videos())
