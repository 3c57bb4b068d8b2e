"""A chat that does not take a result is told so, and only what is uncertain is sent again."""

import asyncio

import pytest
from redis.asyncio import Redis

from bot.conversation.draft_text import problem_content
from bot.drafts.draft import Draft
from bot.error_text import OURS
from bot.orders.delivery import Delivery
from bot.orders.look_delivery import LookDelivery
from bot.orders.result_files import ResultGone
from jobs.errors import EngineFailed, GateFailed, NoFaceFound, OperatorError, ProcessKilled
from jobs.metrics.order_metrics import DeliveryOutcome
from jobs.queues.assignment import Later
from jobs.queues.delivery_records import read_record
from jobs.queues.keys import HISTORY, LOOK
from jobs.queues.outbox import DeliveryJob, hand_in
from jobs.store.files import FileStore
from jobs.wish import Movement
from tests.integration.bot.as_file import file_asked, file_of
from tests.integration.bot.parts import (
    BotParts,
    Maker,
    delivering,
    hurry,
    looked_at,
    photo_sent,
    working,
)
from tests.integration.bot.running import until
from tests.integration.bot.test_delivery import (
    ONE_AT_A_TIME,
    finished,
    is_done,
    is_given_back,
    results,
    settled,
)
from tests.integration.sandbox.desk import ALICE, Desk

pytestmark = pytest.mark.local_sockets

NO_RIGHT = "Bad Request: not enough rights to send animations to the chat"


# --- results --------------------------------------------------------------------------------------


async def test_chat_that_takes_no_videos_gets_a_file(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    await finished(parts, maker, desk, ALICE)
    await desk.fault(method="sendAnimation", code=400, description=NO_RIGHT, seconds=3600)
    async with delivering(parts):
        await settled(parts)
    assert await desk.calls("sendDocument")
    assert "done in" in await desk.transcript()
    assert parts.admins.notes == []


async def test_result_for_a_closed_topic_goes_to_the_chat_itself(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    (draft,) = await finished(parts, maker, desk, ALICE)
    await parts.services.order_cards.update(draft.order_id, thread_id=5)
    await desk.fault(method="sendAnimation", code=400, description="Bad Request: TOPIC_CLOSED")
    async with delivering(parts):
        await settled(parts)
    assert len(await results(desk)) == 1
    assert not await desk.calls("sendDocument")


async def test_chat_that_takes_nothing_of_it_reads_so_and_admins_are_told_why(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    (draft,) = await finished(parts, maker, desk, ALICE)
    for method in ("sendAnimation", "sendDocument"):
        await desk.fault(method=method, code=400, description=NO_RIGHT)
    async with delivering(parts):
        await settled(parts)
    shown = await desk.transcript()
    assert "Smile could not be sent: Telegram does not allow it here." in shown
    assert "not enough rights" not in shown.lower()
    assert "done in" not in shown
    assert draft.order_id in parts.admins.notes[0]


async def test_result_that_is_too_large_is_sent_no_second_time(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    await finished(parts, maker, desk, ALICE)
    await desk.fault(method="sendAnimation", code=413, description="Request Entity Too Large")
    async with delivering(parts):
        await settled(parts)
    assert "too large to be sent" in await desk.transcript()
    assert await results(desk) == []
    assert DeliveryOutcome.AGAIN not in parts.metrics.outcomes


async def test_action_that_cannot_be_shown_puts_nothing_off(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    await finished(parts, maker, desk, ALICE)
    await desk.fault(method="sendChatAction", code=502)
    async with delivering(parts):
        await settled(parts)
    assert await desk.calls("sendChatAction")
    assert parts.metrics.outcomes == [DeliveryOutcome.SENT]


# --- files ----------------------------------------------------------------------------------------


async def test_file_whose_answer_is_lost_is_sent_again_only_after_a_minute(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    (draft,) = await finished(parts, maker, desk, ALICE)
    async with delivering(parts):
        await settled(parts)
        await desk.fault(method="sendDocument", drop=True)
        for _ in range(2):  # one tap, twice
            await file_asked(parts, draft)
        await until(lambda: is_given_back(parts))
        await hurry(parts.services.queues.client, "deliver")
        await until(lambda: parts.metrics.outcomes.count(DeliveryOutcome.AGAIN) == 2)
        assert len(await desk.calls("sendDocument")) == 1
    name = DeliveryJob(queue=HISTORY, job_id=draft.order_id, finished_ms=0, tap="77")
    mark = await read_record(parts.services.queues, name.delivery_id)
    assert mark.tries == 1


async def test_file_that_the_chat_refuses_is_told(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    (draft,) = await finished(parts, maker, desk, ALICE)
    async with delivering(parts):
        await settled(parts)
        too_large = {"code": 413, "description": "Request Entity Too Large", "times": 9}
        await desk.fault(method="sendDocument", **too_large)
        await file_asked(parts, draft)
        await desk.sees("too large to be sent")
        await until(lambda: parts.admins.notes)
    assert parts.admins.notes[0].startswith(f"{draft.order_id} could not be sent: ")
    assert DeliveryOutcome.GIVEN_UP in parts.metrics.outcomes


async def test_file_that_is_gone_meanwhile_is_told(
    parts: BotParts, maker: Maker, desk: Desk, store: FileStore
) -> None:
    (draft,) = await finished(parts, maker, desk, ALICE)
    async with delivering(parts):
        await settled(parts)
        await store.delete([file.key async for file in store.listing("results")])
        with pytest.raises(ResultGone):  # it is answered at once
            await file_asked(parts, draft)
        wish = DeliveryJob(
            queue=HISTORY, job_id=draft.order_id, finished_ms=0, tap="77", resend=file_of(draft)
        )
        await hand_in(parts.services.queues, wish)  # it was stored when the button was tapped
        await desk.sees("not stored any more")


# --- failures -------------------------------------------------------------------------------------


class RetryingAdmin:
    """Tries a failed order again when told of it, and waits until it is made."""

    def __init__(self, parts: BotParts, draft: Draft) -> None:
        self.parts = parts
        self.draft = draft

    async def __call__(self, message: str, *, once: str = "", **fields: object) -> None:
        assert (message, once) == ("{order} failed: {error}", "")
        assert fields["order"] == self.draft.order_id
        assert (await self.parts.follow_up_orders.retry(self.draft, 1)).is_new
        await until(lambda: is_done(self.parts, self.draft))


async def test_order_tried_again_while_its_failure_is_delivered_keeps_its_video(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with delivering(parts, leaves_orders=True), working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        maker.errors = [EngineFailed(name="mesh", reason="the wheel came off")] * 3
        await parts.ordering.place(await parts.with_movement(draft.draft_id))
        await until(lambda: is_failed(parts, draft))
    admin = RetryingAdmin(parts, draft)
    parts.delivery = Delivery(parts.services, parts.status_cards, {}, admin)
    async with delivering(parts, ONE_AT_A_TIME), working(parts, maker):
        await until(lambda: results(desk))
        await settled(parts)
    assert "done in" in await desk.transcript()


async def is_failed(parts: BotParts, draft: Draft) -> bool:
    """Whether an order has failed; its further attempts come at once."""
    await hurry(parts.services.queues.client, "animate-mesh")
    return await is_done(parts, draft)


# --- photos ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [GateFailed(reason="no child"), ProcessKilled(what="The check of the input", signal="SIGKILL")],
    ids=["no child", "killed"],
)
async def test_look_that_fails_for_us_is_told_to_the_admins_and_counted(
    parts: BotParts, maker: Maker, desk: Desk, redis: Redis, error: OperatorError
) -> None:
    maker.errors = [error for _ in range(3)]
    async with delivering(parts), working(parts, maker):
        draft = await photo_sent(parts, desk)
        while maker.errors:
            await hurry(redis, LOOK)
            await asyncio.sleep(0.02)
        await until(lambda: parts.admins.notes)
    assert draft.job(LOOK).job_id in parts.admins.notes[0]
    (letter,) = await parts.services.queues.dead_letters()
    assert letter.status.ref.job_id == draft.job(LOOK).job_id
    trouble = (await parts.draft(draft.draft_id)).problem
    assert trouble is not None
    assert trouble.error["error"] == type(error).__name__
    content = problem_content(draft, error, parts.services.texts)
    assert content.text == OURS
    assert content.keyboard[0][0].text == "↻ Try again"


async def test_look_that_fails_for_the_persons_photo_is_told_to_no_admin(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    maker.errors = [NoFaceFound(name="photo.jpg")]
    async with delivering(parts), working(parts, maker):
        await photo_sent(parts, desk)
        await until(lambda: parts.shown.drafts)
        await settled(parts)
    assert parts.admins.notes == []


async def test_look_for_a_chat_in_back_off_is_given_back_at_once(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with delivering(parts), working(parts, maker):
        draft = await photo_sent(parts, desk)
        await until(lambda: parts.shown.drafts)
    await desk.fault(method="sendMessage", chat_id=ALICE, retry_after=3000)
    sending = asyncio.create_task(
        parts.services.messenger.bot.send_message(ALICE, "closes the chat")
    )
    await until(lambda: parts.services.messenger.closed_s(ALICE) > 1000)
    again = draft.model_copy(update={"findings": None})
    await parts.drafts.change(draft.draft_id, lambda _: again)
    look_delivery = LookDelivery(parts.services, parts.ordering, parts.shown, parts.admins)
    parts.shown.drafts.clear()
    delivery = DeliveryJob(queue=LOOK, job_id=draft.job(LOOK).job_id, finished_ms=0)
    with pytest.raises(Later):
        await look_delivery.deliver(delivery)
    assert parts.shown.drafts == []
    sending.cancel()
    await asyncio.wait({sending})


async def test_refusal_of_a_named_movement_waits_until_its_chat_takes_a_message(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with delivering(parts), working(parts, maker):
        draft = await photo_sent(parts, desk)
        await until(lambda: parts.shown.drafts)
    again = draft.model_copy(update={"findings": None, "movement": Movement(template="smile")})
    await parts.drafts.change(draft.draft_id, lambda _: again)
    await parts.services.people.pause(is_paused=True)
    await desk.fault(method="sendMessage", chat_id=ALICE, retry_after=2)
    sending = asyncio.create_task(parts.services.messenger.bot.send_message(ALICE, "busy"))
    await until(lambda: parts.services.messenger.closed_s(ALICE) > 0)
    look_delivery = LookDelivery(parts.services, parts.ordering, parts.shown, parts.admins)
    delivery = DeliveryJob(queue=LOOK, job_id=draft.job(LOOK).job_id, finished_ms=0)
    with pytest.raises(Later):
        await look_delivery.deliver(delivery)
    await sending
    await look_delivery.deliver(delivery)
    await desk.sees("The owner has paused new videos. Please try again later.")
    assert (await parts.draft(draft.draft_id)).movement is None
