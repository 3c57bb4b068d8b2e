"""Status cards: what they show while an order waits and runs, few edits, and across a restart."""

import asyncio
import gc
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from telegram.ext import ExtBot

from bot.drafts.draft import Draft
from bot.gateway.messenger import CardMessage, ChatBusy, MessageContent, Messenger
from bot.orders.offers import Offer, Offers
from bot.orders.order_cards import FinalMessage
from bot.orders.ordering import Ordering
from bot.orders.result_files import ResultGone, delete_result_and_draft, fetch_result
from bot.orders.status_cards import StatusCards
from jobs.findings import SPEECH_FRAME_RATE
from jobs.metrics.order_metrics import DeliveryOutcome
from jobs.orders import Order, Stage
from jobs.orders import Progress as Work
from jobs.queues.admission import OrderLimits
from jobs.queues.assignment import Assignment
from jobs.queues.delivery_records import MOST_TRIES, DeliveryRecord, DeliveryState, write_record
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.keys import HISTORY
from jobs.queues.known_engines import KnownEngines
from jobs.queues.outbox import DeliveryJob
from jobs.queues.outcomes import Submitted
from jobs.queues.queues import Queues
from jobs.service_errors import QueueUnavailable
from jobs.store.files import FileStore
from jobs.store.keys import result_key
from jobs.tasks import end_tasks
from jobs.wish import Movement
from tests.integration.bot.as_file import file_asked
from tests.integration.bot.parts import (
    BotParts,
    Maker,
    delivering,
    photo_sent,
    working,
)
from tests.integration.bot.running import until
from tests.integration.sandbox.desk import ALICE, BOB, Desk
from tests.wishes import make_voice

pytestmark = pytest.mark.local_sockets


async def looked_at(parts: BotParts, maker: Maker, desk: Desk, *persons: int) -> list[Draft]:
    async with delivering(parts), working(parts, maker):
        drafts = [await photo_sent(parts, desk, person) for person in persons]
        await until(lambda: len(parts.shown.drafts) == len(persons))
    return [await parts.draft(draft.draft_id) for draft in drafts]


async def test_those_who_wait_see_their_place_and_who_runs_sees_per_cent(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    half = asyncio.Event()

    async def make(assignment: Assignment) -> None:
        assignment.report(Work(stage=Stage.ANIMATING, frames_done=50, frames_total=100))
        await half.wait()

    maker.before_video = make
    maker.max_concurrent = 1
    drafts = await looked_at(parts, maker, desk, ALICE, BOB)
    async with delivering(parts), working(parts, maker):
        await parts.ordering.place(await parts.with_movement(drafts[0].draft_id))
        await until(lambda: maker.orders)
        await parts.ordering.place(await parts.with_movement(drafts[1].draft_id))
        await desk.sees("You are next", BOB)
        parts.clock.ahead_s = 5
        await desk.sees("Animating: 50 %")
        half.set()
        await desk.sees("done in")
        await desk.sees("done in", BOB)


async def test_who_waits_for_a_long_voice_is_told_how_long_both_voices_take(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    said = asyncio.Event()

    async def make(_: Assignment) -> None:
        await said.wait()

    maker.before_video = make
    maker.max_concurrent = 1
    drafts = await looked_at(parts, maker, desk, ALICE, BOB)
    registry = WorkerRegistry(parts.services.queues.client)
    await registry.record_speed("cpu", "mesh", 0.2)
    async with delivering(parts), working(parts, maker):
        for draft, length_s in zip(drafts, (60, 30), strict=True):
            voice = make_voice(frame_count=length_s * SPEECH_FRAME_RATE)
            for key in (voice.file, voice.curves):
                await parts.services.store.put(key, b"said")
            movement = Movement.of_voice(voice).model_copy(update={"frames": 0})
            await parts.ordering.place(await parts.with_movement(draft.draft_id, movement))
            await until(lambda: maker.orders)
        # 300 s and 150 s; 70 to 160 % of it.
        await desk.sees("5 to 12 min", BOB)
        said.set()
        await desk.sees("done in", BOB)


async def test_bot_that_starts_again_says_the_last_words_that_its_dead_self_owed(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    (draft,) = await looked_at(parts, maker, desk, ALICE)
    placed = await parts.ordering.place(await parts.with_movement(draft.draft_id))
    assert placed.card is not None
    await desk.sees("No worker is online")
    await parts.services.order_cards.end(draft.order_id, FinalMessage(text="That was it."))
    assert "That was it." not in await desk.transcript()
    progress = StatusCards(parts.services, poll_s=0.01)
    running = asyncio.create_task(progress.run())
    try:
        await desk.sees("That was it.")
        await until(lambda: nothing_is_open(parts))
    finally:
        await end_tasks([running])


async def test_card_that_the_person_deleted_is_not_sent_again(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    (draft,) = await looked_at(parts, maker, desk, ALICE)
    async with delivering(parts):
        await parts.ordering.place(await parts.with_movement(draft.draft_id))
        await desk.sees("No worker is online")
        assert draft.card is not None
        await parts.services.messenger.delete(ALICE, draft.card.message_id)
        parts.clock.ahead_s = 5
        async with working(parts, maker):
            await until(lambda: nothing_is_open(parts))
    shown = await desk.transcript()
    assert "done in" not in shown
    assert "Made with AI" in shown


@pytest.mark.parametrize("has_card", [True, False])
async def test_order_that_was_never_handed_in_is_told_and_can_be_ordered_again(
    parts: BotParts, maker: Maker, desk: Desk, valkey: str, *, has_card: bool
) -> None:
    (draft,) = await looked_at(parts, maker, desk, ALICE)
    assert draft.card is not None
    if not has_card:
        await parts.services.messenger.delete(ALICE, draft.card.message_id)
    async with Dying(valkey, ["mesh"]) as queues:
        services = replace(parts.services, queues=queues)
        with pytest.raises(QueueUnavailable):
            await Ordering(services, parts.intake, parts.status_cards, 1).place(
                await parts.with_movement(draft.draft_id)
            )
    async with delivering(parts):
        parts.clock.ahead_s = 3601
        shown = await desk.sees("Smile: this order was lost on our side")
        assert "Another movement" in shown
        await until(lambda: nothing_is_open(parts))
        assert (await parts.ordering.place(await parts.with_movement(draft.draft_id))).is_new
        async with working(parts, maker):
            await desk.sees("Made with AI")


class Dying(Queues):
    """The bot dies before an order is handed in."""

    async def submit(self, order: Order, limits: OrderLimits | None = None) -> Submitted:
        _ = order, limits
        raise QueueUnavailable(place="here", reason="it died")


async def nothing_is_open(parts: BotParts) -> bool:
    return not await parts.services.order_cards.all_unsettled()


PRIVATE = "private words"


class FailingOffers(Offers):
    """Fails as nobody has foreseen."""

    async def now(self) -> Offer:
        raise ValueError(PRIVATE)


async def test_card_that_fails_unforeseen_is_told_of_without_private_words(
    parts: BotParts, maker: Maker, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    (draft,) = await looked_at(parts, maker, desk, ALICE)
    await parts.ordering.place(await parts.with_movement(draft.draft_id))
    await desk.sees("No worker is online")
    client = parts.services.queues.client
    failing = FailingOffers(WorkerRegistry(client), KnownEngines(client), "auto")
    progress = StatusCards(replace(parts.services, offers=failing))
    progress.wake(draft.order_id)
    await until(lambda: "its card is not up to date: ValueError" in caplog.text)
    await progress.close()
    gc.collect()
    assert PRIVATE not in caplog.text


class Dropping:
    """A connection that has no room for what can be dropped."""

    rate_limiter = None

    async def edit_message_text(self, **_: object) -> bool:
        return True


async def test_edit_that_was_dropped_is_not_taken_for_one_that_is_shown() -> None:
    messenger = Messenger(cast("ExtBot[Any]", Dropping()))
    with pytest.raises(ChatBusy):
        await messenger.edit(
            ALICE, CardMessage(message_id=1), MessageContent("Half."), droppable=True
        )


# --- a result's file ------------------------------------------------------------------------------


async def delivered(parts: BotParts, maker: Maker, desk: Desk) -> Draft:
    (draft,) = await looked_at(parts, maker, desk, ALICE)
    async with delivering(parts), working(parts, maker):
        await parts.ordering.place(await parts.with_movement(draft.draft_id))
        await desk.sees("done in")
        await until(lambda: nothing_is_open(parts))
    return await parts.draft(draft.draft_id)


async def test_file_comes_byte_for_byte_as_it_is_stored(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    draft = await delivered(parts, maker, desk)
    async with delivering(parts):
        await file_asked(parts, draft)
        await until(lambda: plain_files(desk))
    (message,) = await plain_files(desk)
    stored = await store.get(result_key(draft.order_id.removesuffix("2") + "1", 1))
    assert await desk.file(message["document"]["file_id"]) == stored
    assert message["document"]["file_name"] == "animato-smile.mp4"


async def test_file_that_nobody_knows_to_have_arrived_is_not_passed_over_in_silence(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    draft = await delivered(parts, maker, desk)
    order_id = draft.order_id_of(1)
    wish = DeliveryJob(queue=HISTORY, job_id=order_id, finished_ms=0, tap="77")
    mark = DeliveryRecord(state=DeliveryState.SENDING, tries=MOST_TRIES)
    await write_record(parts.services.queues, wish.delivery_id, mark)
    async with delivering(parts):
        await file_asked(parts, draft)
        await desk.sees("If you do not see it, tap the button again.")
        await until(lambda: parts.admins.notes)
    assert parts.admins.notes == [f"It is unknown whether {order_id} was sent."]
    assert parts.metrics.outcomes[-1] is DeliveryOutcome.GIVEN_UP
    assert await plain_files(desk) == []


async def plain_files(desk: Desk) -> list[Any]:
    messages = await desk.messages()
    return [one for one in messages if "document" in one and "animation" not in one]


async def test_what_is_deleted_is_nowhere_any_more(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore, tmp_path: Path
) -> None:
    draft = await delivered(parts, maker, desk)
    assert await delete_result_and_draft(parts.services, draft, 1)
    assert [file.key async for file in store.listing()] == []
    assert await parts.drafts.read(draft.draft_id) is None
    card = await parts.services.order_cards.read(draft.order_id_of(1))
    assert card is not None
    with pytest.raises(ResultGone):
        await fetch_result(parts.services, card, tmp_path)


async def test_photo_that_another_order_needs_is_not_deleted(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    draft = await delivered(parts, maker, desk)
    await parts.ordering.place(await parts.with_movement(draft.draft_id))
    assert not await delete_result_and_draft(parts.services, draft, 1)
    assert draft.findings is not None
    assert await store.exists(draft.findings.photo.file)
    assert await parts.drafts.read(draft.draft_id) is not None
