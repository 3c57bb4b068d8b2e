"""What version 1 stored of drafts and orders is still read; nobody is left without an answer."""

import asyncio
import json
from typing import Any

import pytest
from redis.asyncio.client import Pipeline

from bot.drafts.draft import Draft
from jobs.queues.assignment import Assignment
from jobs.queues.keys import card_key, draft_key, engine_queue
from jobs.queues.outbox import DeliveryJob, hand_in
from jobs.service_errors import OutdatedOrder
from jobs.wish import Movement
from tests.integration.bot.parts import (
    FACE,
    BotParts,
    Maker,
    clip_added,
    looked_at,
    nothing_is_open,
    photo_sent,
    working,
)
from tests.integration.bot.running import until
from tests.integration.sandbox.desk import Desk
from tests.old_records import old_record

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("at_work")]


async def made_old(parts: BotParts, draft: Draft) -> Draft:
    """The draft, stored as version 1 wrote it."""
    assert draft.findings is not None
    assert draft.findings.clip is not None
    look = old_record(
        "look",
        photo_key=draft.findings.photo.file,
        sheet_key=draft.findings.photo.sheet,
        clip_key=draft.findings.clip.file,
        faces=[FACE.model_dump()],
        warnings=[],
    )
    plain = json.loads(draft.to_json()) | {"look": look}
    await parts.services.queues.client.set(draft_key(draft.draft_id), json.dumps(plain))
    return await parts.draft(draft.draft_id)


async def test_clip_of_an_old_draft_is_looked_at_again_before_it_is_ordered(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        draft = await made_old(parts, await clip_added(parts, draft))
        assert draft.findings is not None
        assert draft.findings.clip is not None
        movement = Movement.of_clip(draft.findings.clip)
        placed = await parts.ordering.place(await parts.with_movement(draft.draft_id, movement))
        assert placed.card is None
        await desk.sees("done in")
    (order,) = maker.orders
    assert order.wish.clip is not None
    assert order.wish.clip.is_complete
    assert len(maker.looks) == 3


async def test_template_is_ordered_from_an_old_draft_at_once(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        draft = await made_old(parts, await clip_added(parts, draft))
        placed = await parts.ordering.place(await parts.with_movement(draft.draft_id))
        assert placed.card is not None
        await desk.sees("done in")
    assert len(maker.looks) == 2


async def test_refused_order_of_an_old_card_is_told_and_can_be_tried_again(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    client = parts.services.queues.client
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        draft = await clip_added(parts, draft)
        maker.errors = [OutdatedOrder()]
        is_old = asyncio.Event()

        async def wait_for_old_card(_assignment: Assignment) -> None:
            await is_old.wait()

        maker.before_video = wait_for_old_card
        assert draft.findings is not None
        assert draft.findings.clip is not None
        wish = await parts.with_movement(draft.draft_id, Movement.of_clip(draft.findings.clip))
        card = (await parts.ordering.place(wish)).card
        assert card is not None
        key = card_key(card.order_id)

        async def make_card_old(pipe: Pipeline) -> None:
            plain: dict[str, Any] = json.loads(await pipe.get(key) or "")
            same = ("order_id", "person", "chat", "draft", "number", "engine")
            old = old_record("order_of_clip", **{name: plain["order"][name] for name in same})
            pipe.multi()  # type: ignore[no-untyped-call]  # redis types it only for sync use
            pipe.set(key, json.dumps(plain | {"order": old}))

        await client.transaction(make_card_old, key)
        is_old.set()
        await desk.sees("was placed before an update")
        await until(lambda: nothing_is_open(parts))
        again = await parts.follow_up_orders.retry(await parts.draft(draft.draft_id), card.number)
        assert again.card is None  # photo and clip are looked at again first
        await desk.sees("<animation")  # its card may be late, and then is not sent any more


async def test_file_that_was_asked_for_before_an_update_arrives(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    async with working(parts, maker):
        draft = await looked_at(parts, await photo_sent(parts, desk))
        await parts.ordering.place(await parts.with_movement(draft.draft_id))
        await desk.sees("done in")
        await until(lambda: nothing_is_open(parts))
    order_id = draft.order_id_of(1)

    def asked(tap: str) -> DeliveryJob:
        """A tap on "As file", as earlier versions stored it."""
        return DeliveryJob(queue=engine_queue("mesh"), job_id=order_id, finished_ms=1, tap=tap)

    queues = parts.services.queues
    await hand_in(queues, asked("77"))

    async def files() -> list[Any]:
        messages = await desk.messages()
        return [one for one in messages if "document" in one and "animation" not in one]

    await until(files)
    (file,) = await files()
    assert file["document"]["file_name"] == "animato-smile.mp4"
    assert file["reply_to_message"]["message_id"] == draft.message_id

    async def is_noted() -> bool:
        card = await parts.services.order_cards.read(order_id)
        return card is not None and card.files == (file["message_id"],)

    await until(is_noted)
    # Delivered before there was a history.
    await parts.services.history.remove(draft.person_id, order_id)
    await hand_in(queues, asked("78"))
    await desk.sees("The file of this video is not stored any more. Send the photo again")
    assert len(await files()) == 1
