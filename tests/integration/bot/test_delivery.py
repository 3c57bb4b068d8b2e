"""What was finished reaches its chat: once, whatever dies or refuses meanwhile."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.callback_data import ButtonAction, ButtonData
from bot.drafts.draft import Draft
from bot.drafts.draft_store import DraftStore
from jobs.errors import EngineFailed, NoFaceInClip
from jobs.metrics.order_metrics import DeliveryOutcome
from jobs.orders import OrderState
from jobs.queues.delivery_records import MOST_TRIES, UNCERTAIN_S
from jobs.queues.keys import DELIVER, OPEN_CARDS, card_key, prefix_of
from jobs.queues.queue_worker import WorkRules
from jobs.service_errors import FileGone
from jobs.store.files import FileStore
from jobs.store.keys import result_key, result_thumbnail_key
from jobs.wish import Movement
from sandbox.server import Sandbox
from tests.integration.bot.parts import (
    NINE,
    RULES,
    SMILE,
    BotParts,
    Maker,
    delivering,
    hurry,
    photo_sent,
    working,
)
from tests.integration.bot.running import until
from tests.integration.sandbox.desk import ALICE, BOB, Desk
from tests.integration.sandbox.media import photo, shown

pytestmark = pytest.mark.local_sockets

ONE_AT_A_TIME = WorkRules(**(vars(RULES) | {"max_concurrent": 1}))


async def ordered(
    parts: BotParts, desk: Desk, person: int = ALICE, motion: Movement = SMILE, **changes: Any
) -> Draft:
    """A draft whose photo comes and becomes an order by itself."""
    return await photo_sent(parts, desk, person, movement=motion, **changes)


async def finished(parts: BotParts, maker: Maker, desk: Desk, *persons: int) -> list[Draft]:
    """Orders that are done, and not delivered yet."""
    async with delivering(parts, leaves_orders=True), working(parts, maker):
        drafts = [await ordered(parts, desk, person) for person in persons]
        for draft in drafts:
            await until(lambda draft=draft: is_done(parts, draft))  # type: ignore[misc]
    return drafts


async def is_done(parts: BotParts, draft: Draft) -> bool:
    card = await parts.services.order_cards.read(draft.order_id)
    status = card and await parts.services.queues.status(card.ref)
    return bool(status and status.state.is_final)


async def results(desk: Desk, person: int = ALICE) -> list[Any]:
    """The messages with a video."""
    messages = await desk.messages(person)
    return [one for one in messages if one.get("animation") or one.get("video")]


async def settled(parts: BotParts) -> None:
    """Returns when every order was delivered and its card shows its final message."""
    await until(lambda: nothing_left(parts))


async def nothing_left(parts: BotParts) -> bool:
    counts = (await parts.services.queues.statistics(DELIVER)).counts
    left = counts["active"] + counts["wait"] + counts["delayed"] + counts["prioritized"]
    return not left and not await parts.services.order_cards.all_unsettled()


# --- results --------------------------------------------------------------------------------------


async def test_result_answers_the_photo_and_says_what_it_is(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    async with delivering(parts), working(parts, maker):
        draft = await ordered(parts, desk)
        await desk.sees("Smile: done in")
        await settled(parts)
    (result,) = await results(desk)
    assert result["reply_to_message"]["message_id"] == draft.message_id
    assert "Smile\nMade with AI software: a test" in result["caption"]
    animation = result["animation"]
    assert (animation["width"], animation["height"]) == (96, 64)
    assert shown(await desk.file(animation["file_id"]))[:2] == (96, 64)
    keyboard = result["reply_markup"]["inline_keyboard"]
    assert [[button["text"] for button in row] for row in keyboard] == [
        ["↗️ Share", "⋯ More"],
        ["🔁 Another movement"],
    ]
    after = await parts.draft(draft.draft_id)
    assert (after.number, after.card) == (2, None)
    assert parts.metrics.outcomes.count(DeliveryOutcome.SENT) == 1
    assert await store.exists(result_key(draft.order_id, 1))


async def test_result_with_sound_is_a_video(parts: BotParts, maker: Maker, desk: Desk) -> None:
    maker.has_sound = True
    async with delivering(parts), working(parts, maker):
        await ordered(parts, desk)
        await desk.sees("done in")
    (result,) = await results(desk)
    assert "video" in result


@pytest.mark.parametrize("has_sound", [False, True])
async def test_result_comes_with_its_thumbnail_which_is_kept_as_long(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore, *, has_sound: bool
) -> None:
    kind, method = ("video", "sendVideo") if has_sound else ("animation", "sendAnimation")
    maker.has_sound, maker.thumbnail = has_sound, photo(90, 60, seed=5)
    async with delivering(parts), working(parts, maker):
        draft = await ordered(parts, desk)
        await desk.sees("done in")
        await settled(parts)
    (result,) = await results(desk)
    thumbnail = result[kind]["thumbnail"]
    assert (thumbnail["width"], thumbnail["height"]) == (90, 60)
    assert await desk.file(thumbnail["file_id"]) == maker.thumbnail
    (call,) = await desk.calls(method)
    assert call["parameters"]["thumbnail"].startswith("attach://")
    keys = [result_thumbnail_key(draft.order_id, 1), result_key(draft.order_id, 1)]
    assert sorted([file.key async for file in store.listing("results")]) == keys


async def test_result_whose_thumbnail_is_gone_is_delivered_without(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    maker.thumbnail = photo(90, 60)
    (draft,) = await finished(parts, maker, desk, ALICE)
    await store.delete([result_thumbnail_key(draft.order_id, 1)])
    async with delivering(parts):
        await settled(parts)
    (result,) = await results(desk)
    assert result["animation"]["thumbnail"]["width"] == 96


async def test_all_movements_come_with_their_numbers(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with delivering(parts), working(parts, maker):
        await photo_sent(parts, desk, movement=NINE)
        await desk.sees("9 movements: done in")
    (result,) = await results(desk)
    rows = result["reply_markup"]["inline_keyboard"]
    assert [button["text"] for row in rows for button in row][:9] == list("123456789")
    buttons = [button for row in rows for button in row if "callback_data" in button]
    taps = [ButtonData.decode(button["callback_data"]) for button in buttons]
    named = tuple(tap.argument for tap in taps if tap and tap.action is ButtonAction.ONE_OF_ALL)
    assert named == maker.orders[0].wish.movement.templates


async def test_order_whose_draft_and_card_are_lost_is_delivered_all_the_same(
    parts: BotParts, maker: Maker, desk: Desk, redis: Redis
) -> None:
    first, second = await finished(parts, maker, desk, ALICE, BOB)
    await DraftStore(redis, parts.services.queues.url).forget(first.draft_id)
    await DraftStore(redis, parts.services.queues.url).forget(second.draft_id)
    await redis.delete(card_key(second.order_id))
    await redis.srem(OPEN_CARDS, second.order_id)
    async with delivering(parts):
        await desk.sees("done in")
        await desk.sees("Your video", BOB)
    (result,) = await results(desk)
    assert result["reply_to_message"]["message_id"] == first.message_id
    assert len(await results(desk, BOB)) == 1


async def test_file_that_is_gone_is_told_and_can_be_made_anew(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    (draft,) = await finished(parts, maker, desk, ALICE)
    await store.delete([result_key(draft.order_id, 1)])
    async with delivering(parts):
        told = await desk.sees("files are kept for a limited time")
        assert "Try again" in told
        await settled(parts)
        assert not await results(desk)
        async with working(parts, maker):
            again = await parts.follow_up_orders.retry(await parts.draft(draft.draft_id), 1)
            assert again.is_new
            await until(lambda: results(desk))  # it may be done before it ever had a card
    assert "Smile failed." in await desk.transcript()
    assert len(await results(desk)) == 1


# --- failures -------------------------------------------------------------------------------------


async def test_failed_order_is_told_once_and_can_be_tried_again(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with delivering(parts), working(parts, maker):
        maker.video_errors = [FileGone(key="looks/x")]
        draft = await ordered(parts, desk)
        told = await desk.sees("Try again")
        await settled(parts)
        assert told.count("Try again") == 2  # the sentence and its button
        assert "Smile failed." in await desk.transcript()
        assert parts.admins.notes == [f"{draft.order_id} failed: " + str(FileGone(key="looks/x"))]
        again = await parts.draft(draft.draft_id)
        placed = await parts.follow_up_orders.retry(again, 1)
        assert placed.is_new
        assert not (await parts.follow_up_orders.retry(again, 1)).is_new
        await until(lambda: results(desk))  # it may be done before it ever had a card
        await settled(parts)
    assert len(await results(desk)) == 1
    assert len(maker.orders) == 2


async def test_failure_for_a_reason_of_the_persons_offers_no_second_try(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with delivering(parts), working(parts, maker):
        maker.video_errors = [NoFaceInClip(name="clip.mp4")]
        await ordered(parts, desk)
        told = await desk.sees("no face in your clip")
        await settled(parts)
    assert "Try again" not in told
    assert parts.admins.notes == []


async def test_details_of_our_failures_stay_with_us(
    parts: BotParts, maker: Maker, desk: Desk, redis: Redis
) -> None:
    async with delivering(parts), working(parts, maker):
        maker.video_errors = [EngineFailed(name="mesh", reason="a secret") for _ in range(3)]
        draft = await ordered(parts, desk)
        while len(maker.orders) < 3:
            await hurry(redis, "animate-mesh")
            await asyncio.sleep(0.02)
        told = await desk.sees("went wrong on our side")
    assert draft.order_id in told
    assert "secret" not in told
    assert "secret" in parts.admins.notes[0]


# --- deaths ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Killed:
    """An order that is done, whose delivery is to be killed."""

    desk: Desk
    at: Callable[[str], Awaitable[None]]


@pytest.fixture
async def finished_order(
    parts: BotParts, maker: Maker, desk: Desk, sandbox: Sandbox, tmp_path: Path
) -> Killed:
    await finished(parts, maker, desk, ALICE)
    return Killed(desk, lambda point: killed_at(point, parts, sandbox, tmp_path / "store"))


async def killed_at(point: str, parts: BotParts, sandbox: Sandbox, store: Path) -> None:
    """A bot of its own begins to deliver, and is killed at a point of that."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.integration.bot.delivery_process", parts.services.queues.url),
        *(sandbox.url, sandbox.token, str(store), point),
        # What it leaves behind lies in the test's folder.
        env={**os.environ, "TMPDIR": str(store.parent)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert program.stdout is not None
        assert await asyncio.wait_for(program.stdout.readline(), 60) == b"here\n"
    finally:
        program.kill()
        await program.wait()
    # What it had in hand is taken up at once, as if its lock had passed.
    client = parts.services.queues.client
    async for lock in client.scan_iter(f"{prefix_of(DELIVER)}*:lock"):
        await client.delete(lock)


@pytest.mark.parametrize(
    ("point", "sent_before", "sent_in_all"), [("before", 0, 1), ("after", 1, 2)]
)
async def test_bot_that_dies_while_sending_waits_a_minute_and_sends_again(
    parts: BotParts, finished_order: Killed, point: str, sent_before: int, sent_in_all: int
) -> None:
    desk = finished_order.desk
    await finished_order.at(point)
    assert len(await results(desk)) == sent_before
    async with delivering(parts):
        # It may still arrive.
        await until(lambda: is_given_back(parts))
        assert len(await results(desk)) == sent_before
        parts.clock.ahead_s = UNCERTAIN_S + 1
        await hurry(parts.services.queues.client, DELIVER)
        await settled(parts)
    assert len(await results(desk)) == sent_in_all
    assert "done in" in await desk.transcript()


async def test_bot_that_dies_after_the_receipt_sends_nothing_again(
    parts: BotParts, finished_order: Killed
) -> None:
    desk = finished_order.desk
    await finished_order.at("noted")
    async with delivering(parts):
        await settled(parts)
    assert len(await results(desk)) == 1
    assert "done in" in await desk.transcript()


async def is_given_back(parts: BotParts) -> bool:
    return (await parts.services.queues.statistics(DELIVER)).counts["delayed"] == 1


async def test_send_that_got_no_answer_is_repeated_after_a_minute(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    await finished(parts, maker, desk, ALICE)
    await desk.fault(method="sendAnimation", drop=True)
    async with delivering(parts):
        await until(lambda: is_given_back(parts))
        await hurry(parts.services.queues.client, DELIVER)
        await until(lambda: again_count(parts, 2))
        await until(lambda: is_given_back(parts))
        assert len(await desk.calls("sendAnimation")) == 1
        parts.clock.ahead_s = UNCERTAIN_S + 1
        await hurry(parts.services.queues.client, DELIVER)
        await settled(parts)
    # Both arrived: the first one without a receipt.
    assert len(await results(desk)) == 2


# --- what refuses ---------------------------------------------------------------------------------


async def test_telegram_that_is_down_gets_the_result_when_it_is_back(
    parts: BotParts, maker: Maker, desk: Desk, sandbox: Sandbox
) -> None:
    await finished(parts, maker, desk, ALICE)
    await sandbox.stop()
    async with delivering(parts):
        for tries in (1, 2):
            await until(lambda tries=tries: again_count(parts, tries))  # type: ignore[misc]
            await until(lambda: is_given_back(parts))
            await hurry(parts.services.queues.client, DELIVER)
        await sandbox.start()
        await until(lambda: keep_hurrying(parts))
    assert len(await results(desk)) == 1


async def test_long_outage_in_which_connections_break_uses_up_no_tries(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    await finished(parts, maker, desk, ALICE)
    await desk.post("outage", seconds=3600)
    async with delivering(parts):
        for tries in range(1, MOST_TRIES + 2):
            await until(lambda tries=tries: again_count(parts, tries))  # type: ignore[misc]
            await until(lambda: is_given_back(parts))
            parts.clock.ahead_s += UNCERTAIN_S + 1
            await hurry(parts.services.queues.client, DELIVER)
        await desk.post("outage", seconds=0)
        await until(lambda: keep_hurrying(parts))
    assert len(await results(desk)) == 1
    assert parts.admins.notes == []


async def keep_hurrying(parts: BotParts) -> bool:
    await hurry(parts.services.queues.client, DELIVER)
    return await nothing_left(parts)


def again_count(parts: BotParts, wanted: int) -> bool:
    return parts.metrics.outcomes.count(DeliveryOutcome.AGAIN) >= wanted


async def test_chat_that_is_to_rest_delays_no_other(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    await finished(parts, maker, desk, ALICE, ALICE, BOB)
    await desk.fault(method="sendAnimation", chat_id=ALICE, retry_after=120)
    async with delivering(parts, ONE_AT_A_TIME):
        await until(lambda: results(desk, BOB))
        assert not await results(desk)
        await until(lambda: keep_hurrying(parts))
    assert len(await results(desk)) == 2
    assert len(await results(desk, BOB)) == 1


async def test_chat_that_is_gone_is_counted_and_left_alone(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    (draft,) = await finished(parts, maker, desk, ALICE)
    await desk.post("block", user_id=ALICE)
    async with delivering(parts):
        await settled(parts)
    assert parts.metrics.outcomes == [DeliveryOutcome.GONE]
    assert (await parts.services.queues.statistics(DELIVER)).counts["failed"] == 0
    card = await parts.services.order_cards.read(draft.order_id)
    assert card is not None
    status = await parts.services.queues.status(card.ref)
    assert status is not None
    assert status.state is OrderState.DONE
